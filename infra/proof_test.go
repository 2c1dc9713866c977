package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
)

const (
	neighbour = `{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}}`
	backdoor  = `{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders"}`
)

func policy(statements string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + statements + `]}`
}

// The pieces as they are deployed: the rule's pattern lets the event through, and
// the function, with the environment of the template, does what the mode says.
func TestWhatIsSynthesizedWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the function")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	root := t.TempDir()
	binary, err := build("..", "respond", root, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := json.Marshal(backdoor)
	if err != nil {
		t.Fatal(err)
	}
	// An old event: nothing waits for AWS to become consistent.
	event := []byte(`{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.lambda","account":"111122223333","time":"2026-01-02T03:04:05Z","region":"eu-central-1","resources":[],"detail":{` +
		`"eventVersion":"1.11","eventSource":"lambda.amazonaws.com","eventName":"AddPermission20150331v2","eventTime":"2026-01-02T03:04:05Z","awsRegion":"eu-central-1","eventID":"e-1",` +
		`"requestParameters":{"functionName":"orders"},"responseElements":{"statement":` + string(recorded) + `}}}`)

	for mode, test := range map[string]struct {
		left  string
		calls []string
	}{
		"audit":   {policy(neighbour + "," + backdoor), []string{"GetPolicy", "GetFunctionConfiguration"}},
		"enforce": {policy(neighbour), []string{"GetPolicy", "RemovePermission", "GetPolicy", "GetFunctionConfiguration"}},
	} {
		t.Run(mode, func(t *testing.T) {
			d := deploy(t, synthesize(t, object{"mode": mode}), frankfurt)
			rule := find(t, d, "AWS::Events::Rule", "Rule")
			if len(matches(t, patterns(t, d, rule), event)) != 1 {
				t.Fatal("the rule does not let the event through")
			}
			account := lambdatest.New("aws", "eu-central-1", account)
			account.Seed("orders", policy(neighbour+","+backdoor))
			url, stop, err := account.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer stop()

			p := d.resources[find(t, d, "AWS::Lambda::Function", "Respond")]["Properties"]
			var published atomic.Int32
			topics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				published.Add(1)
				io.WriteString(w, `<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>`)
			}))
			defer topics.Close()
			environ := append(runtimetest.Environ(property(p, "FunctionName").(string), d.region, root), "AWS_ENDPOINT_URL="+url, "AWS_ENDPOINT_URL_SNS="+topics.URL)
			for name, value := range property(p, "Environment.Variables").(object) {
				environ = append(environ, name+"="+value.(string))
			}
			function, err := runtimetest.Start(filepath.Join(root, "respond", binary.name), environ)
			if err != nil {
				t.Fatal(err)
			}
			defer function.Stop()
			reply, err := function.Invoke(ctx, event, 30*time.Second)
			if err != nil || reply.Failed {
				t.Fatalf("%v: %s\n%s", err, reply.Payload, function.Log())
			}
			if n := published.Load(); n != 1 {
				t.Errorf("%d findings were published", n)
			}
			if got := account.Policy("orders"); got != test.left {
				t.Errorf("the policy is %s, want %s", got, test.left)
			}
			// Each call must be one that the role of this mode allows.
			var calls []string
			for _, call := range account.Calls() {
				calls = append(calls, call.Operation)
				if !can(statements(t, d, "RespondRole"), "lambda:"+call.Operation, "arn:aws:lambda:eu-central-1:111122223333:function:orders") {
					t.Errorf("the role does not allow %s", call.Operation)
				}
			}
			if !slices.Equal(calls, test.calls) {
				t.Errorf("called %q, want %q", calls, test.calls)
			}
		})
	}
}
