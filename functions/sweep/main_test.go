package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
	"lambda-guardrail/internal/seen/seentest"
)

const (
	neighbour = `{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"*","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}}`
	public    = `{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
)

func policy(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
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

// sandbox is a running function, and the account and the bucket that it sees.
type sandbox struct {
	*runtimetest.Function
	account *lambdatest.Account
	store   *seentest.Service
}

// start seeds three functions: six policies can be public, and three are.
func start(t *testing.T, binary string, settings ...string) sandbox {
	t.Helper()
	s := sandbox{account: lambdatest.New("aws", "eu-central-1", "111122223333"), store: seentest.New()}
	s.account.Seed("orders", policy(neighbour, public))
	s.account.Seed("orders:live", policy(neighbour))
	s.account.Seed("orders:1", policy(public))
	s.account.Seed("quiet", "")
	s.account.Seed("uploads", policy(neighbour))
	s.account.Seed("uploads:beta", policy(public, neighbour))
	lambdaURL, stop, err := s.account.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	storeURL, stop, err := s.store.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	environ := append(runtimetest.Environ("lambda-guardrail-sweep", "eu-central-1", t.TempDir()),
		"AWS_ENDPOINT_URL_LAMBDA="+lambdaURL, "AWS_ENDPOINT_URL_S3="+storeURL, "AWS_ENDPOINT_URL_KMS="+storeURL,
		"GUARDRAIL_QUOTA_SHARE=50", "GUARDRAIL_SEEN_BUCKET=guardrail-seen", "GUARDRAIL_SEEN_KEY=arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555")
	if s.Function, err = runtimetest.Start(binary, append(environ, settings...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// invoke must succeed.
func (s sandbox) invoke(ctx context.Context, t *testing.T, event string, within time.Duration) part {
	t.Helper()
	reply, err := s.Invoke(ctx, []byte(event), within)
	if err != nil || reply.Failed {
		t.Fatalf("%v: %s", err, reply.Payload)
	}
	var p part
	if err := json.Unmarshal(reply.Payload, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// lines returns the lines of the log with that message.
func (s sandbox) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(s.Log()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil || members["level"] == nil {
			t.Errorf("%v: %s", err, line)
		}
		if members["msg"] == message {
			found = append(found, members)
		}
	}
	return found
}

const (
	long  = 10 * time.Minute // for the whole account
	short = time.Minute      // less than the reserve: one policy at a time
)

func TestDeployedFunction(t *testing.T) {
	binary := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	t.Run("a full run takes out what is public, and an incremental one reads the rest only", func(t *testing.T) {
		s := start(t, binary, "GUARDRAIL_MODE=enforce")
		if p := s.invoke(ctx, t, `{"run":"full","token":""}`, long); !p.Done || p.Token != "" || p.Run != "full" {
			t.Errorf("the answer is %+v", p)
		}
		want := map[string]string{"orders": policy(neighbour), "orders:live": policy(neighbour), "orders:1": "", "quiet": "", "uploads": policy(neighbour), "uploads:beta": policy(neighbour)}
		for name, policy := range want {
			if got := s.account.Policy(name); got != policy {
				t.Errorf("the policy of %s is %s, want %s", name, got, policy)
			}
		}
		if n := len(s.lines(t, "finding")); n != 3 {
			t.Errorf("%d findings", n)
		}
		line := s.lines(t, "sweep")[0]
		for name, want := range map[string]any{
			"functions": 3., "resources": 6., "read": 6., "skipped": 0., "unreadable": 0., "public": 3., "reverted": 3., "failed": 0.,
			"run": "full", "done": true, "SweepHeartbeat": 1., "notes": nil,
		} {
			if line[name] != want {
				t.Errorf("%s is %v, want %v", name, line[name], want)
			}
		}
		s.account.Forget()
		if p := s.invoke(ctx, t, `{"run":"incremental","token":""}`, long); !p.Done {
			t.Errorf("the answer is %+v", p)
		}
		if got := s.account.Counts()["GetPolicy"]; got != 3 {
			t.Errorf("the incremental run reads %d policies, want the 3 that were changed", got)
		}
	})
	t.Run("a run goes on where the token says", func(t *testing.T) {
		s := start(t, binary, "GUARDRAIL_MODE=enforce")
		p := part{Run: "full"}
		for range 5 {
			event, _ := json.Marshal(p)
			if p = s.invoke(ctx, t, string(event), short); p.Done || p.Token == "" {
				t.Fatalf("the answer is %+v", p)
			}
		}
		event, _ := json.Marshal(p)
		if p = s.invoke(ctx, t, string(event), short); !p.Done {
			t.Errorf("the answer is %+v", p)
		}
		lines := s.lines(t, "sweep")
		if last := lines[len(lines)-1]; len(lines) != 6 || last["reverted"] != 3. || last["read"] != 6. || last["notes"] != nil {
			t.Errorf("after %d parts: %v", len(lines), last)
		}
	})
	t.Run("audit writes nothing", func(t *testing.T) {
		s := start(t, binary)
		before := fmt.Sprint(s.account.Policies())
		s.invoke(ctx, t, `{"run":"full"}`, long)
		if after := fmt.Sprint(s.account.Policies()); after != before {
			t.Errorf("policies are %s, were %s", after, before)
		}
		if n := len(s.lines(t, "finding")); n != 3 {
			t.Errorf("%d findings", n)
		}
	})
	t.Run("no more is taken out than may be", func(t *testing.T) {
		s := start(t, binary, "GUARDRAIL_MODE=enforce", "GUARDRAIL_MAX_REVERTS=1")
		s.invoke(ctx, t, `{"run":"full"}`, long)
		if line := s.lines(t, "sweep")[0]; line["reverted"] != 1. || line["held"] != 2. || line["failed"] != 2. || line["level"] != "ERROR" {
			t.Errorf("the log says %v", line)
		}
	})
	t.Run("an event that is none is an error of the invocation", func(t *testing.T) {
		s := start(t, binary)
		for event, want := range map[string]string{
			`{}`:                              `the run is \"\": want full or incremental`,
			`{"run":"half"}`:                  `the run is \"half\": want full or incremental`,
			`{"run":"full","tokens":""}`:      `tokens`,
			`{"run":"full","run":"full"}`:     `duplicate`,
			`{"RUN":"full"}`:                  `RUN`,
			`{"run":"full","token":7}`:        `token`,
			`[]`:                              `want {\"run\":\"full\",\"token\":\"\"}`,
			`{"run":"full","token":""} extra`: `reading the event`,
		} {
			reply, err := s.Invoke(ctx, []byte(event), long)
			if err != nil || !reply.Failed || !strings.Contains(string(reply.Payload), want) {
				t.Errorf("%s: %v, failed %t: %s", event, err, reply.Failed, reply.Payload)
			}
		}
		if calls := s.account.Calls(); len(calls) != 0 {
			t.Errorf("called %v", calls)
		}
	})
}

func TestAFunctionThatIsSetUpWronglyDoesNotStart(t *testing.T) {
	binary := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for setting, want := range map[string]string{
		"GUARDRAIL_QUOTA_SHARE=90": `GUARDRAIL_QUOTA_SHARE is \"90\"`,
		"GUARDRAIL_SEEN_KEY=":      "want both, or none of them",
		"GUARDRAIL_MOOD=good":      "GUARDRAIL_MOOD",
	} {
		s := start(t, binary, setting)
		if _, err := s.Ready(ctx); err == nil {
			t.Errorf("%s: it starts", setting)
		}
		if !strings.Contains(s.Log(), want) {
			t.Errorf("%s: the log lacks %s: %s", setting, want, s.Log())
		}
	}
}
