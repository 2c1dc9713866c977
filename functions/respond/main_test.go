package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
)

const (
	neighbour = `{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}}`
	public    = `{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders"}`
	policy    = `{"Version":"2012-10-17","Id":"default","Statement":[` + neighbour + `,` + public + `]}`
)

// event is an old one, so that nothing waits for AWS to become consistent.
func event(statement string) string {
	recorded, _ := json.Marshal(statement)
	return `{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.lambda","account":"111122223333","time":"2026-01-02T03:04:05Z","region":"eu-central-1","resources":[],"detail":{` +
		`"eventVersion":"1.11","eventSource":"lambda.amazonaws.com","eventName":"AddPermission20150331v2","eventTime":"2026-01-02T03:04:05Z","awsRegion":"eu-central-1","eventID":"e-1",` +
		`"requestParameters":{"functionName":"orders"},"responseElements":{"statement":` + string(recorded) + `}}}`
}

// message is an event as the queue's reader hands it over:
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func message(event string) string {
	body, _ := json.Marshal(event)
	return `{"Records":[{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEB","body":` + string(body) + `,"attributes":{"ApproximateReceiveCount":"1"},` +
		`"messageAttributes":{},"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:111122223333:lambda-guardrail-events","awsRegion":"eu-central-1"}]}`
}

// build compiles the function as it is deployed, for the machine of the test.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles the function")
	}
	binary := filepath.Join(t.TempDir(), "bootstrap")
	if err := runtimetest.Build(binary, "."); err != nil {
		t.Fatal(err)
	}
	return binary
}

// sandbox is a running function and the account that it sees.
type sandbox struct {
	*lambdatest.Account
	*runtimetest.Function
	root string
}

func start(t *testing.T, binary string, files map[string]string, settings ...string) sandbox {
	t.Helper()
	account := lambdatest.New("aws", "eu-central-1", "111122223333")
	account.Seed("orders", policy)
	url, stop, err := account.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	root := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := append(runtimetest.Environ("lambda-guardrail-respond", "eu-central-1", root), "AWS_ENDPOINT_URL="+url)
	function, err := runtimetest.Start(binary, append(environ, settings...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(function.Stop)
	return sandbox{account, function, root}
}

func (s sandbox) operations() []string {
	var list []string
	for _, c := range s.Calls() {
		list = append(list, c.Operation)
	}
	return list
}

// messages checks that the log is JSON throughout, and returns the messages.
func (s sandbox) messages(t *testing.T) []string {
	t.Helper()
	var messages []string
	for line := range strings.Lines(s.Log()) {
		var members struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &members); err != nil || members.Level == "" {
			t.Errorf("%v: %s", err, line)
		}
		messages = append(messages, members.Msg)
	}
	return messages
}

func TestDeployedFunction(t *testing.T) {
	binary := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tests := []struct {
		name     string
		settings []string
		files    map[string]string
		event    string
		failed   string // a part of the invocation's error
		calls    []string
		left     string
		messages []string
		log      string // a part of it
	}{
		{name: "enforce takes the public statement out", settings: []string{"GUARDRAIL_MODE=enforce"}, event: event(public),
			calls: []string{"GetPolicy", "RemovePermission", "GetPolicy", "GetFunctionConfiguration"}, left: strings.Replace(policy, ","+public, "", 1),
			messages: []string{"evidence", "finding"}, log: `"Outcome":"reverted"`},
		{name: "from the queue, too", settings: []string{"GUARDRAIL_MODE=enforce"}, event: message(event(public)),
			calls: []string{"GetPolicy", "RemovePermission", "GetPolicy", "GetFunctionConfiguration"}, left: strings.Replace(policy, ","+public, "", 1),
			messages: []string{"evidence", "finding"}, log: `"Outcome":"reverted"`},
		{name: "audit writes nothing", event: event(public),
			calls: []string{"GetPolicy", "GetFunctionConfiguration"}, left: policy, messages: []string{"finding"}, log: `"Outcome":"audited"`},
		{name: "an exempt statement stands", settings: []string{"GUARDRAIL_MODE=enforce", "GUARDRAIL_EXEMPTIONS=exemptions.json"},
			files: map[string]string{"exemptions.json": `{"exemptions":[{"function":"arn:aws:lambda:*:111122223333:function:orders","sid":"backdoor","owner":"shop","reason":"a webhook","until":"2999-12-31"}]}`},
			event: event(public), calls: []string{"GetPolicy", "GetFunctionConfiguration"}, left: policy, messages: []string{"finding"}, log: `"Outcome":"exempt"`},
		{name: "a harmless event costs nothing", settings: []string{"GUARDRAIL_MODE=enforce"}, event: event(neighbour), left: policy},
		{name: "an undecodable event is an error of the invocation", settings: []string{"GUARDRAIL_MODE=enforce"}, event: `{"source":"aws.lambda"`,
			failed: "reading the event", left: policy, messages: []string{"*"}},
		{name: "from the queue, too, so that it is tried again", settings: []string{"GUARDRAIL_MODE=enforce"}, event: message(`{"source":"aws.lambda"`),
			failed: "059f36b4-87a3-44ab-83d2-661975830a7d", left: policy, messages: []string{"*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, binary, tt.files, tt.settings...)
			before := s.Revision("orders")
			reply, err := s.Invoke(ctx, []byte(tt.event), 30*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if reply.Failed != (tt.failed != "") || !strings.Contains(string(reply.Payload), tt.failed) {
				t.Errorf("failed %t: %s", reply.Failed, reply.Payload)
			}
			if got := s.operations(); !slices.Equal(got, tt.calls) {
				t.Errorf("called %v, want %v", got, tt.calls)
			}
			for _, c := range s.Calls() {
				if !strings.HasPrefix(c.Operation, "Get") && c.RevisionID != before {
					t.Errorf("%s with revision %q, want %q", c.Operation, c.RevisionID, before)
				}
			}
			if got := s.Policy("orders"); got != tt.left {
				t.Errorf("the policy is %s, want %s", got, tt.left)
			}
			if got := s.messages(t); !slices.Equal(got, tt.messages) && !slices.Equal(tt.messages, []string{"*"}) {
				t.Errorf("logged %q, want %q", got, tt.messages)
			}
			if !strings.Contains(s.Log(), tt.log) {
				t.Errorf("the log lacks %s: %s", tt.log, s.Log())
			}
		})
	}
}

func TestAFunctionThatIsSetUpWronglyDoesNotStart(t *testing.T) {
	binary := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tests := []struct {
		name     string
		settings []string
		files    map[string]string
		want     string
	}{
		{name: "an illegal value", settings: []string{"GUARDRAIL_MODE=enforced"}, want: `GUARDRAIL_MODE is \"enforced\": want audit or enforce`},
		{name: "an unknown setting", settings: []string{"GUARDRAIL_MOOD=good"}, want: "GUARDRAIL_MOOD"},
		{name: "function URLs without the rest", settings: []string{"GUARDRAIL_FUNCTION_URLS=enforce"}, want: "GUARDRAIL_FUNCTION_URLS is enforce"},
		{name: "no file of exemptions", settings: []string{"GUARDRAIL_EXEMPTIONS=exemptions.json"}, want: "exemptions.json: no such file"},
		{name: "a bad file of exemptions", settings: []string{"GUARDRAIL_EXEMPTIONS=exemptions.json"}, files: map[string]string{"exemptions.json": `{"exemptions":[{}]}`}, want: "owner is missing"},
		{name: "no credentials", settings: []string{"AWS_ACCESS_KEY_ID="}, want: "AWS_ACCESS_KEY_ID is not set"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, binary, tt.files, tt.settings...)
			if _, err := s.Ready(ctx); err == nil {
				t.Fatal("it starts")
			}
			if got := s.messages(t); !slices.Equal(got, []string{"the function cannot start"}) {
				t.Errorf("logged %q", got)
			}
			if !strings.Contains(s.Log(), tt.want) {
				t.Errorf("the log lacks %q: %s", tt.want, s.Log())
			}
		})
	}
}
