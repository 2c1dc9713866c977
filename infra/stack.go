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
// asset is the function's: a zip, or a directory.
func NewStacks(app constructs.Construct, c config.Config, asset string) []awscdk.Stack {
	if len(c.Stack.Regions) == 0 {
		return []awscdk.Stack{newStack(app, c.Stack.Name, nil, c, asset)}
	}
	var stacks []awscdk.Stack
	for _, region := range c.Stack.Regions {
		c.Mode = region.Mode
		stacks = append(stacks, newStack(app, c.Stack.Name+"-"+region.Name, &awscdk.Environment{Region: &region.Name}, c, asset))
	}
	return stacks
}

func newStack(app constructs.Construct, id string, env *awscdk.Environment, c config.Config, asset string) awscdk.Stack {
	stack := awscdk.NewStack(app, &id, &awscdk.StackProps{
		StackName:   &c.Stack.Name,
		Env:         env,
		Description: jsii.String("lambda-guardrail, mode " + c.Mode.String() + ": confirms public statements in the policies of Lambda functions"),
	})
	g := NewGuardrail(stack, "Guardrail", &GuardrailProps{Config: c, Code: awslambda.Code_FromAsset(&asset, nil)})
	for _, output := range []struct{ id, what, value string }{
		{"Mode", "What the guardrail may do", c.Mode.String()},
		{"FunctionUrls", "The same for statements about function URLs", c.FunctionURLs.String()},
		{"RuleName", "EventBridge rule that forwards the guarded calls", *g.Rule.RuleName()},
		{"FunctionName", "Function that responds to them", *g.Function.FunctionName()},
		{"LogGroupName", "Findings, and the evidence of each removal", *g.Log.LogGroupName()},
		{"TopicArn", "Where alarms and tamper messages go: subscribe to it", *g.Topic.TopicArn()},
		{"DashboardUrl", "What the guardrail has found and done", g.dashboardURL()},
	} {
		awscdk.NewCfnOutput(stack, &output.id, &awscdk.CfnOutputProps{Description: &output.what, Value: &output.value})
	}
	return stack
}
