package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
)

// password is in the environment of the guarded function, which is part of the
// configuration that the guardrail reads.
const password = "passwordoftheguardedfunction"

// everySink are the settings that send findings wherever they can go.
var everySink = []string{
	"GUARDRAIL_MODE=enforce", "GUARDRAIL_TOPIC=arn:aws:sns:eu-central-1:111122223333:findings", "GUARDRAIL_CHAT_TOPIC=arn:aws:sns:eu-central-1:111122223333:chat",
	"GUARDRAIL_SECURITY_HUB=on", "GUARDRAIL_EVENT_BUS=default",
	"AWS_MAX_ATTEMPTS=6", // no less is tried, and it is sooner over
}

// sinks answers for the services that findings go to, and keeps what it was sent.
// It returns the variables that lead there.
func sinks(t *testing.T, answer http.HandlerFunc) (variables []string, sent func() string) {
	t.Helper()
	var mu sync.Mutex
	var bodies strings.Builder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if form, err := url.QueryUnescape(string(body)); err == nil { // SNS takes a form
			body = append(body, form...)
		}
		mu.Lock()
		bodies.Write(body)
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	for _, service := range []string{"SNS", "SECURITYHUB", "EVENTBRIDGE"} {
		variables = append(variables, "AWS_ENDPOINT_URL_"+service+"="+server.URL+"/"+service)
	}
	return variables, func() string {
		mu.Lock()
		defer mu.Unlock()
		return bodies.String()
	}
}

func accept(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, map[string]string{
		"SNS":         `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`,
		"SECURITYHUB": `{"FailedCount":0,"SuccessCount":1,"FailedFindings":[]}`,
		"EVENTBRIDGE": `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`,
	}[strings.Split(r.URL.Path, "/")[1]])
}

// refuse answers every call with that error.
func refuse(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"message":%q}`, message)
	}
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// refuseSignature answers as AWS does where a signature is wrong: it repeats the
// request that it has seen, with the session token.
func refuseSignature(w http.ResponseWriter, r *http.Request) {
	refuse(403, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this request should have been\n'"+
		r.Method+"\n/\n\nx-amz-security-token:"+r.Header.Get("X-Amz-Security-Token")+"\n\nhost;x-amz-security-token\n0'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n"+r.Header.Get("Authorization")+"'\n")(w, r)
}

// nowhere is a port at which nobody listens.
const nowhere = "http://127.0.0.1:1"

// What the function knows of credentials and of other people's secrets stays with
// it, whatever goes wrong. The keys of those who made a call are in a finding on
// purpose.
func TestNobodyIsToldASecret(t *testing.T) {
	binary := build(t)
	wrong := httptest.NewServer(http.HandlerFunc(refuseSignature))
	t.Cleanup(wrong.Close)
	lambdaFails := func(kind lambdatest.Kind) []lambdatest.Fault {
		return []lambdatest.Fault{{Kind: kind, Times: 100}}
	}
	tests := []struct {
		name     string
		settings []string
		faults   []lambdatest.Fault
		sinks    http.HandlerFunc
		event    string
		crash    bool
		want     []string // parts of what is told, so that there is something to look through
	}{
		{name: "a statement is taken out", want: []string{`"Outcome":"reverted"`, "role/orders", "Action=Publish", "AwsAccountId", "DetailType"}},
		{name: "Lambda denies", faults: lambdaFails(lambdatest.AccessDenied), want: []string{"AccessDeniedException"}},
		{name: "Lambda denies the removal", faults: []lambdatest.Fault{{Operation: "RemovePermission", Kind: lambdatest.AccessDenied, Times: 100}}, want: []string{`"Outcome":"failed"`}},
		{name: "Lambda fails", faults: lambdaFails(lambdatest.ServerError), want: []string{"ServiceException"}},
		{name: "Lambda answers with a page of HTML", faults: lambdaFails(lambdatest.Garble), want: []string{"StatusCode: 502"}},
		{name: "Lambda hangs up", faults: lambdaFails(lambdatest.Drop), want: []string{"EOF"}},
		{name: "Lambda refuses the signature", settings: []string{"AWS_ENDPOINT_URL_LAMBDA=" + wrong.URL}, want: []string{"InvalidSignatureException"}},
		{name: "nobody listens for Lambda", settings: []string{"AWS_ENDPOINT_URL_LAMBDA=" + nowhere}, want: []string{"connection refused"}},
		{name: "the sinks deny", sinks: refuse(403, "AccessDeniedException", "not authorized"), want: []string{"reporting finding", "AccessDeniedException"}},
		{name: "the sinks refuse the signature", sinks: refuseSignature, want: []string{"reporting finding", "InvalidSignatureException"}},
		{name: "the sinks fail", sinks: refuse(500, "InternalFailure", "try again"), want: []string{"reporting finding", "InternalFailure"}},
		{name: "the sinks hang up", sinks: hangUp, want: []string{"reporting finding", "EOF"}},
		{name: "nobody listens for the sinks", settings: []string{"AWS_ENDPOINT_URL_SNS=" + nowhere, "AWS_ENDPOINT_URL_SECURITYHUB=" + nowhere, "AWS_ENDPOINT_URL_EVENTBRIDGE=" + nowhere},
			want: []string{"reporting finding", "connection refused"}},
		{name: "Security Hub is off", sinks: refuse(403, "InvalidAccessException", "not subscribed"), want: []string{"Security Hub is off here"}},
		{name: "the event cannot be read", event: `{"source":"aws.lambda"`, want: []string{"reading the event"}},
		{name: "the process crashes", crash: true, want: []string{`"Outcome":"reverted"`, "SIGQUIT", "goroutine 1 "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // the SDK's delays pass
			if tt.sinks == nil {
				tt.sinks = accept
			}
			if tt.event == "" {
				tt.event = event(public)
			}
			variables, sent := sinks(t, tt.sinks)
			s := start(t, binary, nil, slices.Concat(everySink, variables, tt.settings, runtimetest.Secrets())...)
			s.SetEnvironment("orders", map[string]string{"DATABASE_PASSWORD": password})
			s.Order(tt.faults...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			reply, err := s.Invoke(ctx, []byte(tt.event), 30*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if tt.crash {
				s.Crash()
			}
			told := s.Log() + string(reply.Payload) + sent()
			if leaks := runtimetest.Leaks(told, password); len(leaks) > 0 {
				t.Errorf("it tells %q: %s", leaks, told)
			}
			for _, part := range tt.want {
				if !strings.Contains(told, part) {
					t.Errorf("it does not tell %s: %s", part, told)
				}
			}
		})
	}
}

func TestNobodyIsToldASecretAtAStartThatFails(t *testing.T) {
	binary := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for setting, want := range map[string]string{
		"GUARDRAIL_MODE=enforced":             "GUARDRAIL_MODE",
		"GUARDRAIL_EXEMPTIONS=none.json":      "none.json",
		"AWS_ACCESS_KEY_ID=":                  "AWS_ACCESS_KEY_ID is not set",
		"AWS_SECRET_ACCESS_KEY=":              "AWS_SECRET_ACCESS_KEY is not set",
		"AWS_MAX_ATTEMPTS=none":               "AWS_MAX_ATTEMPTS",
		"AWS_ENDPOINT_URL=lambda.example.com": "AWS_ENDPOINT_URL",
	} {
		s := start(t, binary, nil, append(runtimetest.Secrets(), setting)...)
		_, err := s.Ready(ctx)
		if err == nil {
			t.Errorf("%s: it starts", setting)
		}
		if leaks := runtimetest.Leaks(s.Log() + fmt.Sprint(err)); len(leaks) > 0 {
			t.Errorf("%s: it tells %q: %s", setting, leaks, s.Log())
		}
		if !strings.Contains(s.Log(), want) {
			t.Errorf("%s: the log lacks %s: %s", setting, want, s.Log())
		}
	}
}
