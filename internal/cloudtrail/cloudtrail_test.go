package cloudtrail_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/guard"
)

func TestPatternFitsTheQuota(t *testing.T) {
	pattern := cloudtrail.Pattern()
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
	if len(pattern) > 2048 {
		t.Errorf("the pattern has %d characters, EventBridge takes 2048", len(pattern))
	}
	if again := cloudtrail.Pattern(); again != pattern {
		t.Errorf("the pattern changes:\n%s\n%s", pattern, again)
	}
	if !json.Valid([]byte(pattern)) {
		t.Errorf("the pattern is not JSON: %s", pattern)
	}
}

func TestCandidateCarriesWhatTheEventSays(t *testing.T) {
	got, ok, err := cloudtrail.Candidate([]byte(event(t, "guarded/caller-cloudformation")))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	want := guard.Candidate{
		Resource:  guard.Resource{Partition: "aws", Region: "eu-central-1", Account: "111122223333", Function: "orders"},
		Call:      "AddPermission20150331v2",
		EventID:   "ed6c5024-6193-487d-a0d0-76601f895594",
		Time:      time.Date(2026, 11, 20, 9, 6, 42, 0, time.UTC),
		Statement: `{"Sid":"shop-ApiPermission-1QX7K3EXAMPLE","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders"}`,
		Actor: guard.Actor{
			Type:          "AssumedRole",
			ARN:           "arn:aws:sts::111122223333:assumed-role/cfn-exec/AWSCloudFormation",
			Account:       "111122223333",
			AccessKeyID:   "ASIAIOSFODNN7EXAMPLE",
			SessionIssuer: "arn:aws:iam::111122223333:role/cfn-exec",
			MFA:           "false",
			Source:        "cloudformation.amazonaws.com",
			UserAgent:     "cloudformation.amazonaws.com",
			InvokedBy:     "cloudformation.amazonaws.com",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARecordOnItsOwnSaysTheSameAsInItsEnvelope(t *testing.T) {
	for name, text := range corpus(t, "guarded") {
		enveloped, err := cloudtrail.ParseEvent(text)
		if err != nil {
			t.Fatal(name, err)
		}
		var envelope struct{ Detail json.RawMessage }
		if err := json.Unmarshal(text, &envelope); err != nil {
			t.Fatal(name, err)
		}
		alone, err := cloudtrail.ParseEvent(envelope.Detail)
		if err != nil {
			t.Fatal(name, err)
		}
		if enveloped.Kind != cloudtrail.Envelope || alone.Kind != cloudtrail.Record {
			t.Errorf("%s: kinds %v and %v", name, enveloped.Kind, alone.Kind)
		}
		if diff := cmp.Diff(enveloped.Candidate, alone.Candidate); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// record is a bare record whose members a case replaces; a nil member is left out.
type record map[string]any

func (r record) json(t *testing.T) []byte {
	all := record{
		"eventVersion": "1.11", "eventSource": "lambda.amazonaws.com", "eventName": "RemovePermission20150331v2",
		"eventTime": "2026-11-20T09:00:00Z", "eventID": "e-1", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
	}
	for k, v := range r {
		all[k] = v
		if v == nil {
			delete(all, k)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type object = map[string]any

func TestTheFunctionIsFoundInEveryForm(t *testing.T) {
	const (
		function = "arn:aws:lambda:eu-central-1:111122223333:function:orders"
		other    = "arn:aws:lambda:us-west-2:444455556666:function:billing"
	)
	statement := func(resource any) object {
		text, err := json.Marshal(object{"Sid": "s", "Resource": resource})
		if err != nil {
			t.Fatal(err)
		}
		return object{"statement": string(text)}
	}
	for _, test := range []struct {
		name     string
		request  any
		response any
		more     record
		want     string
	}{
		{name: "a name", request: object{"functionName": "orders"}, want: function},
		{name: "a name and an alias", request: object{"functionName": "orders:live"}, want: function + ":live"},
		{name: "a name and a version", request: object{"functionName": "orders:7"}, want: function + ":7"},
		{name: "a name and a qualifier", request: object{"functionName": "orders", "qualifier": "live"}, want: function + ":live"},
		{name: "a version as a number", request: object{"functionName": "orders", "qualifier": 7}, want: function + ":7"},
		{name: "both qualifiers", request: object{"functionName": "orders:live", "qualifier": "live"}, want: function + ":live"},
		{name: "$LATEST after the name", request: object{"functionName": "orders:$LATEST"}, want: function},
		{name: "$LATEST as the qualifier", request: object{"functionName": "orders", "qualifier": "$LATEST"}, want: function},
		{name: "a partial ARN", request: object{"functionName": "444455556666:function:orders"}, want: "arn:aws:lambda:eu-central-1:444455556666:function:orders"},
		{name: "a partial ARN and an alias", request: object{"functionName": "444455556666:function:orders:live"}, want: "arn:aws:lambda:eu-central-1:444455556666:function:orders:live"},
		{name: "an account and a name", request: object{"functionName": "444455556666:orders"}, want: "arn:aws:lambda:eu-central-1:444455556666:function:orders"},
		{name: "a region and a partial ARN", request: object{"functionName": "cn-north-1:444455556666:function:orders:live"}, want: "arn:aws-cn:lambda:cn-north-1:444455556666:function:orders:live"},
		{name: "the word function and a name", request: object{"functionName": "function:orders"}, want: function},
		{name: "a function that is called function", request: object{"functionName": "function"}, want: "arn:aws:lambda:eu-central-1:111122223333:function:function"},
		{name: "a function that is called almost like a region", request: object{"functionName": "db-sync-1:live"}, want: "arn:aws:lambda:eu-central-1:111122223333:function:db-sync-1:live"},
		{name: "a function that is called like its region", request: object{"functionName": "function:eu-central-1:live"}, want: "arn:aws:lambda:eu-central-1:111122223333:function:eu-central-1:live"},
		{name: "the statement's Resource before a name that can be read in two ways", request: object{"functionName": "eu-central-1:orders"}, response: statement(function), want: function},
		{name: "an alias of twelve digits", request: object{"functionName": "orders:444455556666"}, want: function + ":444455556666"},
		{name: "an ARN", request: object{"functionName": other}, want: other},
		{name: "an ARN and an alias", request: object{"functionName": other + ":live"}, want: other + ":live"},
		{name: "an ARN and a qualifier", request: object{"functionName": other, "qualifier": "live"}, want: other + ":live"},
		{name: "resourceArn", request: object{"resourceArn": other + ":live"}, want: other + ":live"},
		{name: "ResourceArn", request: object{"ResourceArn": other}, want: other},
		{name: "resourceARN", request: object{"resourceARN": other}, want: other},
		{name: "the statement's Resource before the name", request: object{"functionName": "orders"}, response: statement(other + ":live"), want: other + ":live"},
		{name: "no parameters, but a statement", request: nil, response: statement(function), want: function},
		{name: "omitted parameters, but a statement", request: object{"omitted": true}, response: statement(function), want: function},
		{name: "a statement without a Resource", request: object{"functionName": "orders"}, response: object{"statement": `{"Sid":"s"}`}, want: function},
		{name: "a statement whose Resource is a list", request: object{"functionName": "orders"}, response: statement([]string{other}), want: function},
		{name: "a statement whose Resource is a pattern", request: object{"functionName": "orders"}, response: statement("arn:aws:lambda:*:*:function:*"), want: function},
		{name: "a statement that is not JSON", request: object{"functionName": "orders"}, response: object{"statement": "{"}, want: function},
		{name: "a response that is text", request: object{"functionName": "orders"}, response: "none", want: function},
		{name: "an omitted response", request: object{"functionName": "orders"}, response: object{"omitted": true}, want: function},
		{
			name: "an object for the name",
			request: object{"functionName": object{"name": "orders"}, "fullyQualifiedArn": object{
				"arnPrefix": object{"partition": "aws", "region": "us-west-2", "account": "444455556666"}, "relativeId": object{"functionName": "billing"},
			}},
			want: other,
		},
		{
			name: "the account beside the name",
			request: object{"functionName": "orders:live", "fullyQualifiedArn": object{
				"arnPrefix": object{"account": "444455556666"}, "relativeId": object{"functionName": "orders"},
			}},
			want: "arn:aws:lambda:eu-central-1:444455556666:function:orders:live",
		},
		{
			name:    "a partition that no region tells",
			request: object{"functionName": "orders", "fullyQualifiedArn": object{"arnPrefix": object{"partition": "aws-new", "region": "xx-first-1"}}},
			want:    "arn:aws-new:lambda:xx-first-1:111122223333:function:orders",
		},
		{name: "another account's caller", request: object{"functionName": "orders"}, more: record{"userIdentity": object{"accountId": "444455556666"}}, want: function},
		{name: "China", request: object{"functionName": "orders"}, more: record{"awsRegion": "cn-north-1"}, want: "arn:aws-cn:lambda:cn-north-1:111122223333:function:orders"},
		{name: "GovCloud", request: object{"functionName": "orders"}, more: record{"awsRegion": "us-gov-east-1"}, want: "arn:aws-us-gov:lambda:us-gov-east-1:111122223333:function:orders"},
		{name: "the European Sovereign Cloud", request: object{"functionName": "orders"}, more: record{"awsRegion": "eusc-de-east-1"}, want: "arn:aws-eusc:lambda:eusc-de-east-1:111122223333:function:orders"},
		{name: "an isolated region", request: object{"functionName": "orders"}, more: record{"awsRegion": "us-isob-east-1"}, want: "arn:aws-iso-b:lambda:us-isob-east-1:111122223333:function:orders"},
		{name: "a region that nobody knows", request: object{"functionName": "orders"}, more: record{"awsRegion": "ca-centralnorth-1r"}, want: "arn:aws:lambda:ca-centralnorth-1r:111122223333:function:orders"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record{"requestParameters": test.request, "responseElements": test.response}
			for k, v := range test.more {
				r[k] = v
			}
			c, ok, err := cloudtrail.Candidate(r.json(t))
			if err != nil || !ok {
				t.Fatalf("Candidate: %v, %v", ok, err)
			}
			if got := c.Resource.ARN(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if strings.HasSuffix(c.Resource.ARN(), "$LATEST") {
				t.Errorf("%s has no policy", c.Resource.ARN())
			}
		})
	}
}

func TestTheFunctionsAccountIsTheNearestToItsName(t *testing.T) {
	const written, name = `"account": "111122223333"`, `"functionName": "orders"`
	text := event(t, "guarded/remove-permission")
	for _, test := range []struct{ name, text string }{
		{"the envelope's before the recipient's", strings.Replace(text, written, `"account": "444455556666"`, 1)},
		{"the parameters' before the envelope's", strings.Replace(text, name, name+`, "fullyQualifiedArn": {"arnPrefix": {"account": "444455556666"}}`, 1)},
		{"the name's before all", strings.Replace(text, name, `"functionName": "444455556666:function:orders", "fullyQualifiedArn": {"arnPrefix": {"account": "111122223333"}}`, 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, ok, err := cloudtrail.Candidate([]byte(test.text))
			if err != nil || !ok || c.Resource.Account != "444455556666" {
				t.Errorf("got %+v, %v, %v", c.Resource, ok, err)
			}
		})
	}
}

func TestWhatIsNoneOfOursIsIgnored(t *testing.T) {
	arn := func(resource string) object {
		return object{"resourceArn": "arn:aws:lambda:eu-central-1:111122223333:" + resource}
	}
	for _, test := range []struct {
		name string
		text string
		why  string
	}{
		{"another service", string(record{"eventSource": "sqs.amazonaws.com", "eventName": "AddPermission"}.json(t)), "another service: sqs.amazonaws.com"},
		{"another call", string(record{"eventName": "AddLayerVersionPermission20181031"}.json(t)), "opens no function: AddLayerVersionPermission20181031"},
		{"a call in other letters", string(record{"eventName": "addPermission"}.json(t)), "opens no function"},
		{"a failed call", string(record{"errorCode": "AccessDenied", "eventVersion": nil, "eventTime": nil}.json(t)), "failed: AccessDenied"},
		{"a web function", string(record{"eventName": "PutResourcePolicy", "requestParameters": arn("web-function/shop")}.json(t)), "another kind of resource: web-function"},
		{"a layer", string(record{"eventName": "PutResourcePolicy", "requestParameters": arn("layer:tracing:3")}.json(t)), "another kind of resource: layer"},
		{"a name that is the ARN of something else", string(record{"requestParameters": object{"functionName": "arn:aws:lambda:eu-central-1:111122223333:code-signing-config:csc-1"}}.json(t)), "another kind of resource: code-signing-config"},
		{"an event of somebody's own", strings.Replace(event(t, "guarded/classic-backdoor-iam-user"), `"source": "aws.lambda"`, `"source": "com.example"`, 1), `source "com.example"`},
		{"another detail-type", strings.Replace(event(t, "guarded/classic-backdoor-iam-user"), "AWS API Call via CloudTrail", "AWS Service Event via CloudTrail", 1), `detail-type "AWS Service Event via CloudTrail"`},
		{"Lambda's event about another service", strings.Replace(event(t, "guarded/classic-backdoor-iam-user"), `"eventSource": "lambda.amazonaws.com"`, `"eventSource": "sqs.amazonaws.com"`, 1), "another service"},
		{"a failure with everything filled in", strings.Replace(event(t, "guarded/classic-backdoor-iam-user"), `"readOnly": false`, `"errorCode": "ServiceException"`, 1), "failed: ServiceException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := cloudtrail.ParseEvent([]byte(test.text))
			if err != nil || !strings.Contains(e.Ignored, test.why) {
				t.Errorf("ignored because %q, error %v; want %q", e.Ignored, err, test.why)
			}
			if c, ok, err := cloudtrail.Candidate([]byte(test.text)); ok || err != nil {
				t.Errorf("Candidate: %+v, %v, %v", c, ok, err)
			}
		})
	}
}

func TestWhatCannotBeUnderstoodIsAnError(t *testing.T) {
	named := object{"functionName": "orders"}
	for _, test := range []struct {
		name string
		text []byte
		want string // in the error
	}{
		{"nothing", nil, "reading the event"},
		{"not JSON", []byte("AddPermission"), "reading the event"},
		{"a list", []byte(`[]`), "want an EventBridge event"},
		{"neither event nor record", []byte(`{"Records":[]}`), "want an EventBridge event"},
		{"an event of Lambda without a call", []byte(`{"source":"aws.lambda","detail-type":"AWS API Call via CloudTrail","detail":{}}`), "no eventSource or no eventName"},
		{"a member twice", []byte(`{"eventSource":"sqs.amazonaws.com","eventSource":"lambda.amazonaws.com","eventName":"AddPermission"}`), "duplicate"},
		{"two ARNs that differ in letters", record{"requestParameters": object{
			"resourceArn": "arn:aws:lambda:eu-central-1:111122223333:function:a", "ResourceArn": "arn:aws:lambda:eu-central-1:111122223333:function:b",
		}}.json(t), "duplicate"},
		{"text that is not UTF-8", []byte("{\"eventName\":\"\xff\"}"), "UTF-8"},
		{"an event of 10 MB", append(record{"requestParameters": named}.json(t), bytes.Repeat([]byte(" "), 10<<20)...), "no event has more than 1048576"},
		{"deep nesting", []byte(`{"x":` + strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000) + `}`), "depth"},
		{"no parameters", record{}.json(t), "record e-1 of RemovePermission20150331v2: it names no function"},
		{"omitted parameters", record{"requestParameters": object{"omitted": true}}.json(t), "CloudTrail omitted its requestParameters"},
		{"parameters that are text", record{"requestParameters": "orders"}.json(t), "it names no function"},
		{"an object for the name, and nothing else", record{"requestParameters": object{"functionName": object{}}}.json(t), "it names no function"},
		{"a name in no form of Lambda's", record{"requestParameters": object{"functionName": "a:b:c"}}.json(t), `"a:b:c"`},
		{"a name that can be read in two ways", record{"requestParameters": object{"functionName": "eu-central-1:orders"}}.json(t), `"eu-central-1:orders", which may be orders in that region`},
		{"a name with letters that Lambda does not take", record{"requestParameters": object{"functionName": "orders/*"}}.json(t), `"orders/*"`},
		{"the ARN of another service", record{"requestParameters": object{"resourceArn": "arn:aws:sqs:eu-central-1:111122223333:orders"}}.json(t), "arn:aws:sqs"},
		{"an ARN with a pattern", record{"requestParameters": object{"resourceArn": "arn:aws:lambda:eu-central-1:111122223333:function:*"}}.json(t), "function:*"},
		{"no region", record{"requestParameters": named, "awsRegion": nil}.json(t), "region"},
		{"no account but the caller's", record{"requestParameters": named, "recipientAccountId": nil, "userIdentity": object{"accountId": "111122223333"}}.json(t), "account"},
		{"no time", record{"requestParameters": named, "eventTime": nil}.json(t), "eventTime"},
		{"a time in words", record{"requestParameters": named, "eventTime": "yesterday"}.json(t), `"yesterday"`},
		{"no version", record{"requestParameters": named, "eventVersion": nil}.json(t), `eventVersion is ""`},
		{"a version that is not known", record{"requestParameters": named, "eventVersion": "2.0"}.json(t), `eventVersion is "2.0"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, ok, err := cloudtrail.Candidate(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if ok || c != (guard.Candidate{}) {
				t.Errorf("beside the error there is %v, %+v", ok, c)
			}
		})
	}
}

func TestOddMembersDoNotHideTheFunction(t *testing.T) {
	for _, odd := range []any{nil, "text", 7, true, []any{"x"}, object{"sessionContext": "x"}, object{"sessionContext": object{"sessionIssuer": nil, "attributes": []any{}}}, object{"arn": object{}}} {
		t.Run(fmt.Sprint(odd), func(t *testing.T) {
			text := record{"requestParameters": object{"functionName": "orders"}, "userIdentity": odd, "sourceIPAddress": odd, "unheardOf": odd}.json(t)
			if c, ok, err := cloudtrail.Candidate(text); err != nil || !ok || c.Resource.Function != "orders" {
				t.Errorf("got %+v, %v, %v", c, ok, err)
			}
		})
	}
}

func TestMFAIsReadAsTextOrBoolean(t *testing.T) {
	for _, mfa := range []any{"true", true} {
		text := record{"requestParameters": object{"functionName": "orders"}, "userIdentity": object{"sessionContext": object{"attributes": object{"mfaAuthenticated": mfa}}}}.json(t)
		if c, _, err := cloudtrail.Candidate(text); err != nil || c.Actor.MFA != "true" {
			t.Errorf("%#v: got %q, %v", mfa, c.Actor.MFA, err)
		}
	}
}

// Records of other people, where they lie beside the checkout.
func TestRecordsOfOtherPeople(t *testing.T) {
	type row struct {
		region, function string // both "" if the record is ignored
		statement        bool
	}
	ignored := row{}
	rows := map[string]row{
		"stratus_AddPermission20150331v2_star":                            {"ca-centralnorth-1r", "stratus-red-team-backdoor-f-func", true},
		"invictus_RemovePermission20150331v2":                             {"us-east-1", "stratus-red-team-backdoor-f-func", false},
		"panther_AddPermission20150331":                                   {"us-west-2", "my-lambda-function", false},
		"traildiscover_AddPermission20150331v2_AccessDenied":              ignored,
		"traildiscover_CreateFunctionUrlConfig_ResourceNotFoundException": ignored,
		"traildiscover_ListFunctions20150331":                             ignored,
		"fivexl_UpdateFunctionCode20150331v2":                             ignored,
		"rubysoho07_CreateFunction20150331":                               ignored,
		"stratus_UpdateFunctionConfiguration20150331v2":                   ignored,
	}
	files, _ := filepath.Glob("../../../shared/events/*.json")
	if len(files) == 0 {
		t.Skip("there are no records beside the checkout")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			want, known := rows[name]
			if !known {
				t.Fatal("no row says what is expected of it")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, ok, err := cloudtrail.Candidate(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := (row{c.Resource.Region, c.Resource.Function, c.Statement != ""}); got != want || ok != (want != ignored) {
				t.Fatalf("got %+v, %v, want %+v", got, ok, want)
			}
			var record struct{ RecipientAccountID string }
			if err := json.Unmarshal(text, &record); err != nil {
				t.Fatal(err)
			}
			if ok && c.Resource.Account != record.RecipientAccountID {
				t.Errorf("the account is %s, want %s", c.Resource.Account, record.RecipientAccountID)
			}
		})
	}
}

// FuzzCandidate: no text makes the parser panic, and whatever it accepts names a
// function completely.
func FuzzCandidate(f *testing.F) {
	for _, folder := range []string{"guarded", "ignored"} {
		for _, text := range corpus(f, folder) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, ok, err := cloudtrail.Candidate(text)
		switch {
		case ok && err != nil:
			t.Fatalf("a candidate and an error: %v", err)
		case !ok && c != (guard.Candidate{}):
			t.Fatalf("no candidate, and yet %+v", c)
		case ok:
			again, err := guard.ParseResource(c.Resource.ARN())
			if err != nil || again != c.Resource {
				t.Fatalf("the resource %+v is not complete: %v", c.Resource, err)
			}
			if c.Time.IsZero() || c.Call == "" {
				t.Fatalf("no time or no call: %+v", c)
			}
		}
	})
}

func BenchmarkCandidate(b *testing.B) {
	for _, name := range []string{"guarded/classic-backdoor-iam-user", "guarded/caller-identity-center", "ignored/get-policy"} {
		text := []byte(event(b, name))
		b.Run(filepath.Base(name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := cloudtrail.Candidate(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
