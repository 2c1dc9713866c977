package wire_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/wire"
)

// services are what the sinks call, each with what it answers if all is well.
var services = map[string]string{
	"SNS":         `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`,
	"SECURITYHUB": `{"FailedCount":0,"SuccessCount":1,"FailedFindings":[]}`,
	"EVENTBRIDGE": `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`,
}

// allSinks name every way out there is.
var allSinks = config.Config{
	Mode:        guard.Enforce,
	Topic:       "arn:aws:sns:eu-central-1:111122223333:findings",
	ChatTopic:   "arn:aws:sns:eu-central-1:111122223333:chat",
	SecurityHub: true,
	EventBus:    "findings",
}

// serve answers for every service, and lets fail do so for one. It returns the
// variables that lead there, and what was sent.
func serve(t *testing.T, failing string, fail http.HandlerFunc) (variables []string, sent func(service string) []string) {
	t.Helper()
	var mu sync.Mutex
	bodies := map[string][]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		service := strings.Split(r.URL.Path, "/")[1]
		if !strings.Contains(r.Header.Get("User-Agent"), "lambda-guardrail/"+wire.Version) {
			t.Errorf("%s with user agent %q", service, r.Header.Get("User-Agent"))
		}
		mu.Lock()
		bodies[service] = append(bodies[service], string(body))
		mu.Unlock()
		if service == failing {
			fail(w, r)
			return
		}
		io.WriteString(w, services[service])
	}))
	t.Cleanup(server.Close)
	for service := range services {
		variables = append(variables, "AWS_ENDPOINT_URL_"+service+"="+server.URL+"/"+service)
	}
	return variables, func(service string) []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(bodies[service])
	}
}

func TestEverySinkThatIsNamedGetsTheFinding(t *testing.T) {
	tests := []struct {
		name string
		c    config.Config
		want map[string]int // calls
	}{
		{"none", config.Config{Mode: guard.Enforce}, map[string]int{}},
		{"a topic", config.Config{Topic: allSinks.Topic}, map[string]int{"SNS": 1}},
		{"a topic for chat", config.Config{ChatTopic: allSinks.ChatTopic}, map[string]int{"SNS": 1}},
		{"Security Hub", config.Config{SecurityHub: true}, map[string]int{"SECURITYHUB": 1}},
		{"a bus", config.Config{EventBus: "findings"}, map[string]int{"EVENTBRIDGE": 1}},
		{"all", allSinks, map[string]int{"SNS": 2, "SECURITYHUB": 1, "EVENTBRIDGE": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			variables, sent := serve(t, "", nil)
			_, environ := account(t, policy)
			var log bytes.Buffer
			if _, err := handler(t, append(environ, variables...), tt.c, &log).Invoke(t.Context(), []byte(event)); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for service := range services {
				if n := len(sent(service)); n > 0 {
					got[service] = n
				}
				for _, body := range sent(service) {
					if !strings.Contains(body, "backdoor") {
						t.Errorf("%s was sent %s", service, body)
					}
				}
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("calls %v, want %v", got, tt.want)
			}
			if !strings.Contains(log.String(), `"msg":"finding"`) {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
}

func TestOneSinkThatFailsDoesNotSilenceTheOthers(t *testing.T) {
	names := map[string]string{"SNS": "sns", "SECURITYHUB": "security-hub", "EVENTBRIDGE": "eventbridge"}
	failures := map[string]http.HandlerFunc{
		"fails": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
	for failing := range services {
		for how, fail := range failures {
			t.Run(failing+" "+how, func(t *testing.T) {
				t.Parallel() // the SDK's delays pass, and the invocation's time
				variables, sent := serve(t, failing, fail)
				a, environ := account(t, policy)
				var log bytes.Buffer
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, err := handler(t, append(environ, variables...), allSinks, &log).Invoke(ctx, []byte(event))
				for service, name := range names {
					if told := err != nil && strings.Contains(err.Error(), " to "+name+": "); told != (service == failing) {
						t.Errorf("the error is %v", err)
					}
					if len(sent(service)) == 0 {
						t.Errorf("%s was sent nothing", service)
					}
				}
				if got := a.Policy("orders"); got != "" || !strings.Contains(log.String(), `"Outcome":"reverted"`) {
					t.Errorf("the policy is %s, the log says %s", got, log.String())
				}
			})
		}
	}
}
