package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
)

// password is in the environment of a function, which is part of its configuration
// and of every listing.
const password = "passwordoftheguardedfunction"

// What the sweep knows of credentials and of other people's secrets stays with it,
// whatever goes wrong.
func TestNobodyIsToldASecret(t *testing.T) {
	binary := build(t)
	refusal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}))
	defer refusal.Close()
	fails := func(kind lambdatest.Kind) []lambdatest.Fault { return []lambdatest.Fault{{Kind: kind, Times: 1000}} }
	const nowhere = "http://127.0.0.1:1" // nobody listens there
	tests := []struct {
		name     string
		settings []string
		faults   []lambdatest.Fault
		store    bool // S3 and KMS deny everything
		crash    bool
		want     []string // parts of what is told, so that there is something to look through
	}{
		{name: "all is well", want: []string{`"msg":"sweep"`, `"reverted":3`, "role/orders"}},
		{name: "Lambda denies", faults: fails(lambdatest.AccessDenied), want: []string{"AccessDeniedException"}},
		{name: "Lambda denies to read policies", faults: []lambdatest.Fault{{Operation: "GetPolicy", Kind: lambdatest.AccessDenied, Times: 1000}}, want: []string{`"unreadable":6`, "AccessDeniedException"}},
		{name: "Lambda fails", faults: fails(lambdatest.ServerError), want: []string{"ServiceException"}},
		{name: "Lambda answers with a page of HTML", faults: fails(lambdatest.Garble), want: []string{"StatusCode: 502"}},
		{name: "nobody listens for Lambda", settings: []string{"AWS_ENDPOINT_URL_LAMBDA=" + nowhere}, want: []string{"connection refused"}},
		{name: "S3 and KMS deny", store: true, want: []string{"AccessDeniedException"}},
		{name: "nobody listens for S3 and KMS", settings: []string{"AWS_ENDPOINT_URL_S3=" + nowhere, "AWS_ENDPOINT_URL_KMS=" + nowhere}, want: []string{"connection refused"}},
		{name: "the topic fails", settings: []string{"GUARDRAIL_TOPIC=arn:aws:sns:eu-central-1:111122223333:findings", "AWS_ENDPOINT_URL_SNS=" + refusal.URL}, want: []string{`"undelivered":3`}},
		{name: "the process crashes", crash: true, want: []string{`"msg":"sweep"`, "SIGQUIT", "goroutine 1 "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // the SDK's delays pass
			settings := append([]string{"GUARDRAIL_MODE=enforce", "AWS_MAX_ATTEMPTS=6"}, tt.settings...)
			s := start(t, binary, append(settings, runtimetest.Secrets()...)...)
			s.account.SetEnvironment("orders", map[string]string{"DATABASE_PASSWORD": password})
			s.account.Order(tt.faults...)
			if tt.store {
				s.store.Fail = func(string) bool { return true }
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			reply, err := s.Invoke(ctx, []byte(`{"run":"full"}`), long)
			if err != nil {
				t.Fatal(err)
			}
			if tt.crash {
				s.Crash()
			}
			told := s.Log() + string(reply.Payload)
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
	t.Run("at a start that fails", func(t *testing.T) {
		s := start(t, binary, append(runtimetest.Secrets(), "GUARDRAIL_SEEN_KEY=")...)
		_, err := s.Ready(t.Context())
		if leaks := runtimetest.Leaks(s.Log() + fmt.Sprint(err)); err == nil || len(leaks) > 0 {
			t.Errorf("it starts, or tells %q: %s", leaks, s.Log())
		}
	})
}
