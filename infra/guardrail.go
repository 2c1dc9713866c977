package main

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

const (
	// The function holds 17 MB at most. Memory buys processor: 20 KB of hostile
	// policy take 50 ms of a whole one, and 256 MB come with a seventh of one.
	memoryMB       = 256
	timeoutSeconds = 120 // several rounds of conflict and throttling

	// An event that failed is tried again when its time out of sight is over, ten times in
	// 25 minutes, and is then given up. That time may be no shorter than the function's;
	// AWS recommends six times that, which decision 14 does without.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
	hiddenSeconds = timeoutSeconds + 30
	receives      = 10

	concurrency = 5 // unless a setting says another: as many use up the Lambda API's 15 calls a second
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
	events      awssqs.Queue // of the rule, for the function
	undelivered awssqs.Queue // events that did not reach the queue
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
	g.addQueues()
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
	g.addRule(respond)
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

// arn is that of a part by its name, where a reference would be a circle.
func (g *Guardrail) arn(service, resource string) *string {
	return g.stack.FormatArn(&awscdk.ArnComponents{Service: &service, Resource: &resource})
}

func (g *Guardrail) functions(pattern string) *[]*string {
	return &[]*string{g.stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("lambda"), Resource: jsii.String("function"), ResourceName: &pattern,
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})}
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
	// Whoever may pass the role to a function of theirs is not the guardrail. KMS is left
	// out, since SNS calls it in the function's name.
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("TheFunctionAlone"),
		Effect:     awsiam.Effect_DENY,
		Actions:    jsii.Strings("lambda:*", "s3:*", "sns:*", "securityhub:*", "events:*"),
		Resources:  jsii.Strings("*"),
		Conditions: g.notFrom(part),
	}))
	g.grantSinks(role)
	g.Log.GrantWrite(role)
	return role
}

// notFrom is met by whatever the code of the function has not called itself. Of what
// Lambda does with a function's role, only those calls say whose they are, and AWS does
// not say whether a service that calls another in the function's name passes it on:
// https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
func (g *Guardrail) notFrom(part string) *map[string]any {
	return &map[string]any{"ArnNotEquals": map[string]any{"lambda:SourceFunctionArn": g.functions(*g.name(part))}}
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
		return jsii.Number(concurrency)
	case n == nil || *n == 0:
		return nil // 0 would mean to Lambda that the function may never run
	}
	return jsii.Number(*n)
}
