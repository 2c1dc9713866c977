package main

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// accepted are the findings of cdk-nag that stand, each with its reason. One that
// is no longer found has to go.
var accepted = map[string]string{
	"Undelivered SQS3":                                            "it is a dead-letter queue, of a rule",
	"RespondRole/DefaultPolicy IAM5[functions]":                   "any function may be opened, so any must be read, and in enforce reverted; none of the guardrail's own",
	"RespondRole/DefaultPolicy IAM5[*]":                           "X-Ray's write actions know no resources",
	"SweepRole/DefaultPolicy IAM5[functions]":                     "every policy is to be looked at",
	"SweepRole/DefaultPolicy IAM5[*]":                             "neither X-Ray's write actions nor ListFunctions know resources",
	"SweepRole/DefaultPolicy IAM5[<GuardrailSeen339624B4.Arn>/*]": "the bucket is the sweep's alone",
	"MachineRole/DefaultPolicy IAM5[*]":                           "X-Ray's write actions know no resources",
	"Machine SF1":                                                 "the log of the sweep says what was done, and Step Functions keeps the history for 90 days",
	"Seen S1":                                                     "whoever writes there without the key changes nothing but how long the next sweep takes",
	"TrailBucket S1":                                              "access to the bucket is in the trail that it holds, and a second bucket would need a third",
}

var (
	functionsOf = regexp.MustCompile(`IAM5\[Resource::arn:.*:function:\*\]`)
	resource    = regexp.MustCompile(`\[Resource::(.*)\]`)
)

func TestCDKNagFindsOnlyWhatIsAccepted(t *testing.T) {
	context := maps.Clone(everything)
	context["@aws-cdk/core:annotationsInValidationReport"] = false // findings would end the synthesis
	app := newApp(t, context)
	stack := newStacks(t, app)[0]
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
	annotations := assertions.Annotations_FromStack(stack)
	any := assertions.Match_StringLikeRegexp(jsii.String("AwsSolutions-.*"))
	found := map[string]bool{}
	for _, message := range append(*annotations.FindError(jsii.String("*"), any), *annotations.FindWarning(jsii.String("*"), any)...) {
		//lint:ignore SA1019 the assertions return it all the same
		path := strings.TrimSuffix(strings.TrimPrefix(*message.Id, "/"+*stack.Node().Id()+"/Guardrail/"), "/Resource")
		//lint:ignore SA1019 the same
		rule, text, _ := strings.Cut(strings.TrimPrefix(message.Entry.Data.(string), "AwsSolutions-"), ": ")
		rule = functionsOf.ReplaceAllString(rule, "IAM5[functions]")
		finding := path + " " + resource.ReplaceAllString(rule, "[$1]")
		if accepted[finding] == "" {
			t.Errorf("%s: %s", finding, text)
		}
		found[finding] = true
	}
	for finding := range accepted {
		if !found[finding] {
			t.Errorf("%s is accepted, and not found", finding)
		}
	}
}
