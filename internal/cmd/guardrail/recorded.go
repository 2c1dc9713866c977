package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/lambdatest"
)

// dated are the calls whose names CloudTrail writes with the date of the API:
// https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
var dated = map[string]string{
	"AddPermission":    "AddPermission20150331v2",
	"RemovePermission": "RemovePermission20150331v2",
}

// unrecorded are the parameters that a record does not hold: CloudTrail leaves out
// what may be secret, and nobody has published a record with a Policy.
var unrecorded = map[string]bool{"Policy": true, "Code": true, "Environment": true}

// caller is who made a call, as its signature says. The stand-in checks no
// signature.
type caller struct{ key, region string }

// callerOf reads the credential scope of a call:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func callerOf(authorization string) caller {
	_, scope, _ := strings.Cut(authorization, "Credential=")
	if fields := strings.Split(scope, "/"); len(fields) >= 5 {
		return caller{fields[0], fields[2]}
	}
	return caller{}
}

// identity is CloudTrail's userIdentity: that of the guardrail's role for its key,
// and for all others that of a user.
func (s *served) identity(key string) map[string]any {
	account := s.place.Account
	if key != guardrailKey {
		return map[string]any{
			"type": "IAMUser", "principalId": "AIDACKCEVSQ6C2EXAMPLE", "arn": "arn:aws:iam::" + account + ":user/you",
			"accountId": account, "accessKeyId": key, "userName": "you",
		}
	}
	_, role, _ := strings.Cut(s.role, ":role/")
	return map[string]any{
		"type": "AssumedRole", "principalId": "AROADBQP57FF2AEXAMPLE:" + servedFunction,
		"arn":       "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + servedFunction,
		"accountId": account, "accessKeyId": key,
		"sessionContext": map[string]any{
			"sessionIssuer": map[string]any{"type": "Role", "principalId": "AROADBQP57FF2AEXAMPLE", "arn": s.role, "accountId": account, "userName": role},
			"attributes":    map[string]any{"creationDate": s.started.UTC().Format(time.RFC3339), "mfaAuthenticated": "false"},
		},
	}
}

// event returns the EventBridge event of a call that went well, number n.
func (s *served) event(h lambdatest.Heard, now time.Time, n int) []byte {
	name := h.Operation
	if dated[name] != "" {
		name = dated[name]
	}
	in := map[string]any{}
	for parameter, value := range h.Parameters {
		switch {
		case unrecorded[parameter]:
		case value == "true" || value == "false":
			in[small(parameter)] = value == "true"
		default:
			in[small(parameter)] = value
		}
	}
	var out any // null for a call that answers nothing
	if _, policy := h.Parameters["Policy"]; h.Answer != "" && !policy {
		var answer map[string]jsontext.Value
		if json.Unmarshal([]byte(h.Answer), &answer) == nil {
			members := map[string]any{}
			for member, value := range answer {
				members[small(member)] = value
			}
			out = members
		}
	}
	source, _, _ := net.SplitHostPort(h.Address) // "" for a client in this process
	text := mustWrite(map[string]any{
		"eventVersion": "1.11", "userIdentity": s.identity(callerOf(h.Header.Get("Authorization")).key),
		"eventTime": now.UTC().Format(time.RFC3339Nano), "eventSource": "lambda.amazonaws.com", "eventName": name,
		"awsRegion": s.place.Region, "sourceIPAddress": source, "userAgent": h.UserAgent,
		"requestParameters": in, "responseElements": out,
		"requestID": fmt.Sprintf("00000000-0000-4000-9000-%012d", n), "eventID": fmt.Sprintf("00000000-0000-4000-8000-%012d", n),
		"readOnly": false, "eventType": "AwsApiCall", "managementEvent": true,
		"recipientAccountId": s.place.Account, "eventCategory": "Management",
	})
	return envelope(string(text))
}

// small writes the first letter small, as CloudTrail does with the API's names.
func small(name string) string { return strings.ToLower(name[:1]) + name[1:] }
