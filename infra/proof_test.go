package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
	"lambda-guardrail/internal/seen/seentest"
)

const (
	neighbour = `{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}}`
	backdoor  = `{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders"}`
)

func policy(statements string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + statements + `]}`
}

// The pieces as they are deployed: the rule's pattern lets the event through, it comes
// as a message of the queue, and the function, with the environment of the template, does what the mode says.
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
	message, err := json.Marshal(object{"Records": []any{object{"messageId": "m-1", "eventSource": "aws:sqs", "body": string(event)}}})
	if err != nil {
		t.Fatal(err)
	}

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
			reply, err := function.Invoke(ctx, message, 30*time.Second)
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

// The sweep as it is deployed: by what a schedule sends, the state machine calls the
// function, with environment and permissions of the template, until it is done. The
// second run knows the first.
func TestTheSweepThatIsSynthesizedWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the function")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	root := t.TempDir()
	binary, err := build("..", "sweep", root, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	for mode, left := range map[string]string{"audit": policy(neighbour + "," + backdoor), "enforce": policy(neighbour)} {
		t.Run(mode, func(t *testing.T) {
			d := deploy(t, synthesize(t, object{"mode": mode, "quotaShare": "50"}), frankfurt)
			account := lambdatest.New("aws", "eu-central-1", account)
			account.Seed("orders", policy(neighbour+","+backdoor))
			account.Seed("uploads", policy(strings.ReplaceAll(neighbour, "orders", "uploads")))
			url, stop, err := account.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			store, stopStore, err := seentest.New().Start()
			if err != nil {
				t.Fatal(err)
			}
			defer stopStore()
			var published atomic.Int32
			topics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				published.Add(1)
				io.WriteString(w, `<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>`)
			}))
			defer topics.Close()

			p := d.resources[find(t, d, "AWS::Lambda::Function", "Sweep")]["Properties"]
			environ := append(runtimetest.Environ(property(p, "FunctionName").(string), d.region, root),
				"AWS_ENDPOINT_URL_LAMBDA="+url, "AWS_ENDPOINT_URL_SNS="+topics.URL, "AWS_ENDPOINT_URL_S3="+store, "AWS_ENDPOINT_URL_KMS="+store)
			for name, value := range property(p, "Environment.Variables").(object) {
				environ = append(environ, name+"="+value.(string))
			}
			function, err := runtimetest.Start(filepath.Join(root, "sweep", binary.name), environ)
			if err != nil {
				t.Fatal(err)
			}
			defer function.Stop()

			calls := map[string]int{}
			for _, schedule := range []string{"FullSchedule", "IncrementalSchedule"} {
				before := len(account.Calls())
				var input object
				target := property(d.resources[find(t, d, "AWS::Scheduler::Schedule", schedule)], "Properties.Target.Input").(string)
				if err := json.Unmarshal([]byte(target), &input); err != nil {
					t.Fatal(err)
				}
				end, path := run(t, input, func(resource string, in any) (any, error) {
					if resource == "${ListExecutions}" {
						return object{"Executions": []any{object{"ExecutionArn": "own"}}}, nil
					}
					payload, err := json.Marshal(property(in, "Payload"))
					if err != nil {
						return nil, err
					}
					reply, err := function.Invoke(ctx, payload, sweepSeconds*time.Second)
					if err != nil || reply.Failed {
						return nil, fmt.Errorf("%w: %s", err, reply.Payload)
					}
					answer := object{}
					return object{"Payload": answer}, json.Unmarshal(reply.Payload, &answer)
				})
				if end != "Done" {
					t.Fatalf("%s ends with %q, by way of %q\n%s", schedule, end, path, function.Log())
				}
				for _, call := range account.Calls()[before:] {
					calls[schedule+" "+call.Operation]++
					if !can(statements(t, d, "SweepRole"), "lambda:"+call.Operation, "arn:aws:lambda:eu-central-1:111122223333:function:orders") {
						t.Errorf("the role does not allow %s", call.Operation)
					}
				}
			}
			if got := account.Policy("orders"); got != left {
				t.Errorf("the policy is %s, want %s", got, left)
			}
			if calls["IncrementalSchedule GetPolicy"] >= calls["FullSchedule GetPolicy"] {
				t.Errorf("the second run knows nothing of the first: %v", calls)
			}
			if published.Load() == 0 || !strings.Contains(function.Log(), `"SweepHeartbeat":1`) {
				t.Errorf("%d findings were published; the log:\n%s", published.Load(), function.Log())
			}
		})
	}
}
