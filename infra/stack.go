package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/config"
)

// NewStacks makes a stack for each region that c names, or, if it names none, one
// for whatever region it is deployed to. In its region each has the same name, so
// that a list of regions takes over a stack that was deployed without one. The
// assets are the functions': zips, or directories.
func NewStacks(app constructs.Construct, c config.Config, respond, sweep string) []awscdk.Stack {
	if len(c.Stack.Regions) == 0 {
		return []awscdk.Stack{newStack(app, c.Stack.Name, nil, c, respond, sweep)}
	}
	var stacks []awscdk.Stack
	for _, region := range c.Stack.Regions {
		c.Mode = region.Mode
		stacks = append(stacks, newStack(app, c.Stack.Name+"-"+region.Name, &awscdk.Environment{Region: &region.Name}, c, respond, sweep))
	}
	return stacks
}

func newStack(app constructs.Construct, id string, env *awscdk.Environment, c config.Config, respond, sweep string) awscdk.Stack {
	stack := awscdk.NewStack(app, &id, &awscdk.StackProps{
		StackName:   &c.Stack.Name,
		Env:         env,
		Description: jsii.String("lambda-guardrail, mode " + c.Mode.String() + ": confirms public statements in the policies of Lambda functions"),
	})
	g := NewGuardrail(stack, "Guardrail", &GuardrailProps{
		Config: c, Respond: awslambda.Code_FromAsset(&respond, nil), Sweep: awslambda.Code_FromAsset(&sweep, nil),
	})
	type output struct{ id, what, value string }
	outputs := []output{
		{"Mode", "What the guardrail may do", c.Mode.String()},
		{"FunctionUrls", "The same for statements about function URLs", c.FunctionURLs.String()},
		{"RuleName", "EventBridge rule that forwards the guarded calls", *g.Rule.RuleName()},
		{"FunctionName", "Function that responds to them", *g.Function.FunctionName()},
		{"SweepFunctionName", "Function that looks at every policy", *g.Sweep.FunctionName()},
		{"StateMachineArn", "Starts a sweep: give it {\"run\":\"full\"}", *g.Machine.StateMachineArn()},
		{"LogGroupName", "Findings, and the evidence of each removal", *g.Log.LogGroupName()},
		{"TopicArn", "Where alarms and tamper messages go: subscribe to it", *g.Topic.TopicArn()},
		{"FindingsTopicArn", "Where findings go: subscribe to it", *g.Findings.TopicArn()},
		{"DashboardUrl", "What the guardrail has found and done", g.dashboardURL()},
	}
	if g.chat != nil {
		outputs = append(outputs, output{"ChatTopicArn", "For Amazon Q Developer in chat applications", *g.chat.TopicArn()})
	}
	for _, o := range outputs {
		awscdk.NewCfnOutput(stack, &o.id, &awscdk.CfnOutputProps{Description: &o.what, Value: &o.value})
	}
	return stack
}
