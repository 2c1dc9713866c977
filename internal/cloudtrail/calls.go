package cloudtrail

import (
	"strings"

	"github.com/go-json-experiment/json"
)

// What every record of a guarded call says of itself, and of its envelope.
const (
	source      = "aws.lambda"
	detailType  = "AWS API Call via CloudTrail"
	eventSource = "lambda.amazonaws.com"
)

// calls are the calls that can open a function's policy, or wake a statement in
// it that slept. CloudTrail adds the date of the API to most names
// (AddPermission20150331v2), so they are prefixes: see
// https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
var calls = [...]struct{ prefix, why string }{
	{"AddPermission", "adds a statement"},
	{"PutResourcePolicy", "replaces the whole policy"},
	{"RemovePermission", "may take out the Deny that kept an Allow shut"},
	{"DeleteResourcePolicy", "takes out every Deny of the policy"},
	{"CreateFunctionUrlConfig", "gives statements about a function URL something to open"},
	{"UpdateFunctionUrlConfig", "can turn the URL's auth type to NONE"},
}

func guarded(eventName string) bool {
	for _, call := range calls {
		if strings.HasPrefix(eventName, call.prefix) {
			return true
		}
	}
	return false
}

type (
	prefix struct {
		Prefix string `json:"prefix"`
	}
	exists struct {
		Exists bool `json:"exists"`
	}
	pattern struct {
		Source     [1]string `json:"source"`
		DetailType [1]string `json:"detail-type"`
		Detail     struct {
			EventSource [1]string          `json:"eventSource"`
			EventName   [len(calls)]prefix `json:"eventName"`
			ErrorCode   [1]exists          `json:"errorCode"`
		} `json:"detail"`
	}
)

// Pattern returns the EventBridge pattern, as JSON, that matches the guarded
// calls that succeeded. It says nothing of principals: a rule that looked for
// them would miss the forms that it does not know.
func Pattern() string {
	p := pattern{Source: [1]string{source}, DetailType: [1]string{detailType}}
	p.Detail.EventSource[0] = eventSource
	for i, call := range calls {
		p.Detail.EventName[i].Prefix = call.prefix
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // constant strings
	}
	return string(text)
}
