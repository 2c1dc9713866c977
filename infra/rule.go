package main

import (
	"encoding/json"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/cloudtrail"
)

// queue makes one whose messages live as long as SQS lets them. SQS's own key will do:
// unlike those of a topic, its messages are for us alone.
func (g *Guardrail) queue(id, part string, props awssqs.QueueProps) awssqs.Queue {
	props.QueueName = g.name(part)
	props.Encryption = awssqs.QueueEncryption_SQS_MANAGED
	props.EnforceSSL = jsii.Bool(true)
	props.RetentionPeriod = awscdk.Duration_Days(jsii.Number(14))
	return awssqs.NewQueue(g.Construct, &id, &props)
}

func (g *Guardrail) addQueues() {
	nobodys := &awssqs.RedriveAllowPolicy{RedrivePermission: awssqs.RedrivePermission_DENY_ALL}
	// By its name: the two queues name each other.
	events := awssqs.Queue_FromQueueArn(g.Construct, jsii.String("EventsByName"), g.arn("sqs", *g.name("events")))
	g.undelivered = g.queue("Undelivered", "undelivered", awssqs.QueueProps{RedriveAllowPolicy: nobodys})
	g.failed = g.queue("Failed", "failed", awssqs.QueueProps{
		RedriveAllowPolicy: &awssqs.RedriveAllowPolicy{SourceQueues: &[]awssqs.IQueue{events}},
	})
	g.events = g.queue("Events", "events", awssqs.QueueProps{
		VisibilityTimeout:  awscdk.Duration_Seconds(jsii.Number(hiddenSeconds)),
		DeadLetterQueue:    &awssqs.DeadLetterQueue{Queue: g.failed, MaxReceiveCount: jsii.Number(receives)},
		RedriveAllowPolicy: nobodys,
	})
}

// addRule brings events to the queue, and from there to the function.
func (g *Guardrail) addRule(role awsiam.Role) {
	g.Rule = awsevents.NewRule(g.Construct, jsii.String("Rule"), &awsevents.RuleProps{
		RuleName:     g.name("guarded-calls"),
		Description:  jsii.String("Calls that can open the policy of a Lambda function"),
		EventPattern: guardedCalls(),
	})
	// Not by CDK's target: it would let the rule do more than it needs, and write that
	// into the queues' policies only after the rule, whose first events would be lost.
	rule := g.Rule.Node().DefaultChild().(awsevents.CfnRule)
	rule.SetTargets(&[]any{&awsevents.CfnRule_TargetProperty{
		Id:               jsii.String("Events"),
		Arn:              g.events.QueueArn(),
		DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: g.undelivered.QueueArn()},
		// What cannot be delivered within the hour is for a person. The largest number of
		// attempts leaves that to the clock.
		RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(3600), MaximumRetryAttempts: jsii.Number(185)},
	}})
	for _, queue := range []awssqs.Queue{g.events, g.undelivered} {
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
		queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("TheRule"),
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
			Actions:    jsii.Strings("sqs:SendMessage"),
			Resources:  &[]*string{queue.QueueArn()},
			Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": g.arn("events", "rule/"+*g.name("guarded-calls"))}},
		}))
		g.Rule.Node().AddDependency(queue)
	}
	// Who takes an event out hides it, and CloudTrail does not record that by itself:
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-logging-using-cloudtrail.html
	g.events.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("TheFunctionAlone"),
		Effect:     awsiam.Effect_DENY,
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
		Resources:  &[]*string{g.events.QueueArn()},
		Conditions: &map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": role.RoleArn()}},
	}))
	g.addMapping(role)
}

// addMapping calls the function for each event, as often at once as it may run and no
// oftener: to be throttled would use up one of an event's attempts.
func (g *Guardrail) addMapping(role awsiam.Role) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("Events"),
		Actions:   jsii.Strings(pollActions...),
		Resources: &[]*string{g.events.QueueArn()},
	}))
	at := reservation(g.config)
	if at == nil {
		at = jsii.Number(concurrency)
	}
	awslambda.NewEventSourceMapping(g.Construct, jsii.String("Mapping"), &awslambda.EventSourceMappingProps{
		Target:         g.Function,
		EventSourceArn: g.events.QueueArn(),
		BatchSize:      jsii.Number(1), // the failure of one event leaves the others alone
		MaxConcurrency: at,
	})
}

// pollActions are what Lambda does with the function's role: those of the managed
// policy AWSLambdaSQSQueueExecutionRole, less its logs.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaSQSQueueExecutionRole.html
var pollActions = []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}

// guardedCalls is cloudtrail's pattern in the terms of CDK.
func guardedCalls() *awsevents.EventPattern {
	var p struct {
		Source     []*string      `json:"source"`
		DetailType []*string      `json:"detail-type"`
		Detail     map[string]any `json:"detail"`
	}
	d := json.NewDecoder(strings.NewReader(cloudtrail.Pattern()))
	d.DisallowUnknownFields() // a restriction that was lost here would widen the rule
	if err := d.Decode(&p); err != nil {
		panic(err) // the pattern is a constant
	}
	return &awsevents.EventPattern{Source: &p.Source, DetailType: &p.DetailType, Detail: &p.Detail}
}
