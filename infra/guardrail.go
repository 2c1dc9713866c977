package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdadestinations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

const (
	// The function holds 17 MB at most. Memory buys processor: 20 KB of hostile
	// policy take 50 ms of a whole one, and 256 MB come with a seventh of one.
	memoryMB       = 256
	timeoutSeconds = 120 // several rounds of conflict and throttling
)

// GuardrailProps are what a guardrail is made of.
type GuardrailProps struct {
	Config config.Config // what only the stack knows is filled in
	// The functions for arm64, each with the file of exemptions.
	Respond, Sweep awslambda.Code
}

// Guardrail is one for the account and region of its stack. Config.Stack.Name
// keeps the names of several in one account and region apart.
type Guardrail struct {
	constructs.Construct // scope of the parts; jsii does not take the struct around it
	Rule                 awsevents.Rule
	Function             awslambda.Function
	Log                  awslogs.LogGroup
	Topic                awssns.Topic // alarms and tamper messages
	Findings             awssns.Topic
	Sweep                awslambda.Function
	Machine              awsstepfunctions.StateMachine
	Dashboard            awscloudwatch.Dashboard

	config      config.Config
	stack       awscdk.Stack
	key         awskms.Key
	chat        awssns.Topic // nil without
	undelivered awssqs.Queue // events that did not reach the function
	failed      awssqs.Queue // events that the function gave up
	seen        awss3.Bucket
	seenKey     awskms.Key
	scheduler   awsiam.Role // nil without a schedule
}

// NewGuardrail installs a guardrail.
func NewGuardrail(scope constructs.Construct, id string, props *GuardrailProps) *Guardrail {
	g := &Guardrail{
		Construct: constructs.NewConstruct(scope, &id),
		config:    props.Config,
		stack:     awscdk.Stack_Of(scope),
	}
	g.undelivered = g.queue("Undelivered", "undelivered")
	g.failed = g.queue("Failed", "failed")
	g.addTopics()
	if g.config.Stack.Chat {
		g.chat = g.topic("Chat", "chat", publisher{"events.amazonaws.com", nil})
	}
	g.addLog()
	respond, sweep := g.role("RespondRole", "respond"), g.role("SweepRole", "sweep")
	g.config.OwnRoles = []string{*respond.RoleArn(), *sweep.RoleArn()}
	g.config.Topic = *g.Findings.TopicArn()
	if g.chat != nil {
		g.config.ChatTopic = *g.chat.TopicArn()
	}
	g.addFunction(respond, props.Respond)
	g.addSweep(sweep, props.Sweep)
	g.addRule()
	g.addTamperRules()
	g.addAlarms()
	if g.chat != nil {
		g.tellChat()
	}
	g.addDashboard()
	if g.config.Stack.Trail == config.CreateTrail {
		g.addTrail()
	}
	return g
}

// name returns the physical name of a part. Parts have one so that policies and
// patterns can speak of all of them, of later ones too, by what they begin with.
func (g *Guardrail) name(part string) *string { return jsii.String(g.config.Stack.Name + "-" + part) }

func (g *Guardrail) functions(pattern string) *[]*string {
	return &[]*string{g.stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("lambda"), Resource: jsii.String("function"), ResourceName: &pattern,
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})}
}

// queue makes one for dead letters. SQS's own key will do: unlike those of a
// topic, its messages are for us alone.
func (g *Guardrail) queue(id, part string) awssqs.Queue {
	return awssqs.NewQueue(g.Construct, &id, &awssqs.QueueProps{
		QueueName:       g.name(part),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
}

func (g *Guardrail) addTopics() {
	g.key = awskms.NewKey(g.Construct, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Messages of " + g.config.Stack.Name),
		EnableKeyRotation: jsii.Bool(true),
		PendingWindow:     awscdk.Duration_Days(jsii.Number(7)),
		RemovalPolicy:     awscdk.RemovalPolicy_DESTROY, // a topic keeps nothing that would have to be decrypted later
	})
	publishers := g.publishers()
	for _, p := range publishers {
		g.key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: p.principals(),
			Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey*"),
			Resources:  jsii.Strings("*"), // in a key's policy: the key
			Conditions: &p.conditions,
		}), nil)
	}
	g.Topic = g.topic("Topic", "alerts", publishers...)
	g.Findings = g.topic("Findings", "findings")
	if g.config.Stack.Email != "" {
		g.subscribe(g.config.Stack.Email)
	}
}

func (g *Guardrail) addLog() {
	g.Log = awslogs.NewLogGroup(g.Construct, jsii.String("Log"), &awslogs.LogGroupProps{
		// No name of its own: the log holds the only copy of what was removed, so it
		// outlives the stack, and must not be in the way of the next one.
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
	})
	g.Log.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(g.config.Stack.LogRetentionDays))
}

// function returns what both functions have in common.
func (g *Guardrail) function(part string, role awsiam.Role, code awslambda.Code) *awslambda.FunctionProps {
	return &awslambda.FunctionProps{
		FunctionName:          g.name(part),
		Code:                  code,
		Handler:               jsii.String("bootstrap"),
		Runtime:               awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:          awslambda.Architecture_ARM_64(),
		MemorySize:            jsii.Number(memoryMB),
		Role:                  role,
		Environment:           environment(g.config),
		Tracing:               awslambda.Tracing_ACTIVE,
		LogGroup:              g.Log,
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel_INFO,
		SystemLogLevelV2:      awslambda.SystemLogLevel_WARN, // three lines less for each event
	}
}

func (g *Guardrail) addFunction(role awsiam.Role, code awslambda.Code) {
	props := g.function("respond", role, code)
	props.Description = jsii.String("Confirms, and in enforce reverts, public statements in the policies of Lambda functions")
	props.Timeout = awscdk.Duration_Seconds(jsii.Number(timeoutSeconds))
	props.ReservedConcurrentExecutions = reservation(g.config)
	// Lambda itself keeps an event that it throttles for as long as this.
	props.MaxEventAge = awscdk.Duration_Hours(jsii.Number(6))
	props.RetryAttempts = jsii.Number(2)
	props.OnFailure = awslambdadestinations.NewSqsDestination(g.failed)
	g.Function = awslambda.NewFunction(g.Construct, jsii.String("Respond"), props)
}

// role may do what the mode needs, and never to the guardrail's own functions:
// its mistakes cannot unguard it, and whoever opens it needs a person to close it.
func (g *Guardrail) role(id, part string) awsiam.Role {
	role := awsiam.NewRole(g.Construct, &id, &awsiam.RoleProps{
		RoleName:    g.name(part + "-" + *g.stack.Region()), // roles are global
		Description: jsii.String("Of a function of " + g.config.Stack.Name + ", mode " + g.config.Mode.String()),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	reads, all := config.Actions(guard.Audit), config.Actions(guard.Enforce)
	writes := slices.DeleteFunc(all, func(action string) bool { return slices.Contains(reads, action) })
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("Policies"),
		Actions:   jsii.Strings(config.Actions(g.config.Mode)...),
		Resources: g.functions("*"),
	}))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("NeverItsOwn"),
		Effect:    awsiam.Effect_DENY,
		Actions:   jsii.Strings(writes...),
		Resources: g.functions(*g.name("*")),
	}))
	g.grantSinks(role)
	g.Log.GrantWrite(role)
	return role
}

func environment(c config.Config) *map[string]*string {
	variables := map[string]*string{}
	for _, variable := range c.Env() {
		name, value, _ := strings.Cut(variable, "=")
		variables[name] = &value
	}
	return &variables
}

// reservation keeps others from using up the account's concurrency, and the
// function from using up the Lambda API's 15 calls a second.
func reservation(c config.Config) *float64 {
	n := c.Stack.ReservedConcurrency
	switch {
	case n == nil && c.Mode == guard.Enforce:
		return jsii.Number(5)
	case n == nil || *n == 0:
		return nil // 0 would mean to Lambda that the function may never run
	}
	return jsii.Number(*n)
}

func (g *Guardrail) addRule() {
	g.Rule = awsevents.NewRule(g.Construct, jsii.String("Rule"), &awsevents.RuleProps{
		RuleName:     g.name("guarded-calls"),
		Description:  jsii.String("Calls that can open the policy of a Lambda function"),
		EventPattern: guardedCalls(),
	})
	g.Rule.AddTarget(awseventstargets.NewLambdaFunction(g.Function, &awseventstargets.LambdaFunctionProps{
		DeadLetterQueue: g.undelivered,
		// What cannot be delivered within the hour is for a person. The largest
		// number of attempts leaves that to the clock.
		MaxEventAge:   awscdk.Duration_Hours(jsii.Number(1)),
		RetryAttempts: jsii.Number(185),
	}))
}

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
