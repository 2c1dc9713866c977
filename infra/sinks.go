package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

// publishers are the services that publish to the topics beside the functions.
func (g *Guardrail) publishers() []publisher {
	return []publisher{
		{"cloudwatch.amazonaws.com", map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": g.stack.Account()},
			"ArnLike": map[string]any{"aws:SourceArn": g.stack.FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: g.name("*"),
				ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
			})},
		}},
		// EventBridge publishes without the keys that a condition could look at:
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
		{"events.amazonaws.com", nil},
	}
}

type publisher struct {
	service    string
	conditions map[string]any
}

func (p publisher) principals() *[]awsiam.IPrincipal {
	return &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(&p.service, nil)}
}

// topic makes one that the given services may publish to.
func (g *Guardrail) topic(id, part string, publishers ...publisher) awssns.Topic {
	topic := awssns.NewTopic(g.Construct, &id, &awssns.TopicProps{
		TopicName:   g.name(part),
		DisplayName: &g.config.Stack.Name,
		MasterKey:   g.key,
		EnforceSSL:  jsii.Bool(true),
	})
	for _, p := range publishers {
		topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: p.principals(),
			Actions:    jsii.Strings("sns:Publish"),
			Resources:  &[]*string{topic.TopicArn()},
			Conditions: &p.conditions,
		}))
	}
	return topic
}

// subscribe sends to a mailbox all that somebody ought to look at soon: the sweep
// reports outsiders and confused deputies again and again.
// Findings have a topic of their own since no filter of SNS lets a message pass that
// has no attributes at all, as those of alarms:
// https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
func (g *Guardrail) subscribe(email string) {
	g.Topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&email, nil))
	g.Findings.AddSubscription(awssnssubscriptions.NewEmailSubscription(&email, &awssnssubscriptions.EmailSubscriptionProps{
		FilterPolicy: &map[string]awssns.SubscriptionFilter{
			"severity": awssns.SubscriptionFilter_StringFilter(&awssns.StringConditions{Allowlist: jsii.Strings(guard.Critical.String(), guard.High.String(), guard.Medium.String())}),
		},
	}))
}

// grantSinks lets a role send findings wherever the settings say.
func (g *Guardrail) grantSinks(role awsiam.Role) {
	allow := func(sid string, actions []string, resource *string) {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: &sid, Actions: jsii.Strings(actions...), Resources: &[]*string{resource},
		}))
	}
	allow("Topic", config.SinkActions(config.SNS), g.Findings.TopicArn())
	if g.chat != nil {
		allow("ChatTopic", config.SinkActions(config.SNS), g.chat.TopicArn())
	}
	// Only to publish: with it nothing can be decrypted that was published. The service
	// has another suffix in China.
	// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("TopicKey"), Actions: jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"), Resources: &[]*string{g.key.KeyArn()},
		Conditions: &map[string]any{"StringLike": map[string]any{"kms:ViaService": "sns." + *g.stack.Region() + ".amazonaws.com*"}},
	}))
	if g.config.SecurityHub {
		allow("SecurityHub", config.SinkActions(config.SecurityHub), g.stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("securityhub"), Resource: jsii.String("product"), ResourceName: jsii.String(*g.stack.Account() + "/default"),
		}))
	}
	if bus := g.config.EventBus; bus != "" {
		if !strings.HasPrefix(bus, "arn:") {
			bus = *g.stack.FormatArn(&awscdk.ArnComponents{Service: jsii.String("events"), Resource: jsii.String("event-bus"), ResourceName: &bus})
		}
		allow("EventBus", config.SinkActions(config.EventBridge), &bus)
	}
}

// chatMessage is what Amazon Q Developer in chat applications reads:
// https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
// Fields of an event stand in code spans, where markup, mentions and links do
// nothing. EventBridge escapes nothing within a string, so that only fields are shown
// whose alphabet has no backtick, quotation mark or backslash: a backtick would forge
// a message, and a quotation mark would break it, and so keep it from being told.
// Principals' ids, addresses and our alarms' names have none; the ARN of a user has a
// path that may be any ASCII, and parameters of a request may be any text, as long as
// AWS refuses the call afterwards.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html
func chatMessage(title string, lines []string, steps ...string) awsevents.RuleTargetInput {
	return awsevents.RuleTargetInput_FromObject(map[string]any{
		"version": "1.0",
		"source":  "custom",
		"content": map[string]any{
			"textType": "client-markdown", "title": title, "description": strings.Join(lines, "\n"), "nextSteps": steps,
		},
	})
}

// code is a field of an event in a code span.
func code(path string) string {
	return "`" + *awsevents.EventField_FromPath(jsii.String("$." + path)) + "`"
}

// tellChat lets alarms speak in chat, as findings do.
func (g *Guardrail) tellChat() {
	var alarms []string
	for _, a := range g.alarms() {
		alarms = append(alarms, *g.name(a.name))
	}
	awsevents.NewRule(g.Construct, jsii.String("ChatAlarms"), &awsevents.RuleProps{
		RuleName:    g.name("chat-alarms"),
		Description: jsii.String("Alarms of the guardrail, for chat"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.cloudwatch"),
			DetailType: jsii.Strings("CloudWatch Alarm State Change"),
			Detail: &map[string]any{
				"alarmName": alarms, // one by one: whoever may make alarms chooses what follows a prefix
				"state":     map[string]any{"value": []any{"ALARM"}},
			},
		},
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewSnsTopic(g.chat, &awseventstargets.SnsTopicProps{
			Message: chatMessage("Alarm of "+g.config.Stack.Name, []string{
				"Alarm: " + code("detail.alarmName"),
				"Since: " + code("detail.state.timestamp"),
				"Where: account " + code("account") + ", " + code("region"),
			}, "Open the dashboard "+*g.name(*g.stack.Region())+" in CloudWatch.", "The alarm's description says what it means and what to do."),
		})},
	})
}
