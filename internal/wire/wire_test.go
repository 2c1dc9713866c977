package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sink"
	"lambda-guardrail/internal/wire"
	"lambda-guardrail/testdata"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// provided is what Lambda puts into the environment of a function.
var provided = map[string]string{
	"AWS_REGION":            "eu-central-1",
	"AWS_ACCESS_KEY_ID":     "ASIAIOSFODNN7EXAMPLE",
	"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	"AWS_SESSION_TOKEN":     "EXAMPLETOKEN",
}

// environ is what is provided, less the variables that are overridden with
// nothing.
func environ(overrides map[string]string) []string {
	all := maps.Clone(provided)
	maps.Copy(all, overrides)
	var list []string
	for name, value := range all {
		list = append(list, name+"="+value)
	}
	return list
}

// TestVariables looks at the call that leaves the SDK.
func TestVariables(t *testing.T) {
	tests := []struct {
		name string
		set  map[string]string
		url  string // prefix; "" is that of Lambda in eu-central-1
		has  map[string]string
	}{
		{name: "what Lambda provides", has: map[string]string{
			"Authorization":        "Credential=ASIAIOSFODNN7EXAMPLE/",
			"X-Amz-Security-Token": "EXAMPLETOKEN",
		}},
		{name: "AWS_REGION signs and leads", set: map[string]string{"AWS_REGION": "eu-west-1"},
			url: "https://lambda.eu-west-1.amazonaws.com/", has: map[string]string{"Authorization": "/eu-west-1/lambda/"}},
		{name: "AWS_DEFAULT_REGION counts where AWS_REGION does not", set: map[string]string{"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"},
			url: "https://lambda.us-west-2.amazonaws.com/"},
		{name: "AWS_REGION goes before AWS_DEFAULT_REGION", set: map[string]string{"AWS_DEFAULT_REGION": "us-west-2"}},
		{name: "China is another partition", set: map[string]string{"AWS_REGION": "cn-north-1"},
			url: "https://lambda.cn-north-1.amazonaws.com.cn/"},
		{name: "AWS_ENDPOINT_URL", set: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, url: "http://127.0.0.1:4566/"},
		{name: "AWS_ENDPOINT_URL_LAMBDA", set: map[string]string{"AWS_ENDPOINT_URL_LAMBDA": "https://vpce.example.com"}, url: "https://vpce.example.com/"},
		{name: "AWS_ENDPOINT_URL_LAMBDA goes before AWS_ENDPOINT_URL",
			set: map[string]string{"AWS_ENDPOINT_URL_LAMBDA": "https://vpce.example.com", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, url: "https://vpce.example.com/"},
		{name: "the endpoint of another service is not Lambda's", set: map[string]string{"AWS_ENDPOINT_URL_SNS": "https://sns.example.com"}},
		{name: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
			set: map[string]string{"AWS_ENDPOINT_URL_LAMBDA": "https://vpce.example.com", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}},
		{name: "AWS_USE_FIPS_ENDPOINT", set: map[string]string{"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "true"},
			url: "https://lambda-fips.us-east-1.amazonaws.com/"},
		{name: "AWS_USE_FIPS_ENDPOINT is false", set: map[string]string{"AWS_USE_FIPS_ENDPOINT": "false"}},
		{name: "AWS_USE_DUALSTACK_ENDPOINT", set: map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "TRUE"},
			url: "https://lambda.eu-central-1.api.aws/"},
		{name: "both", set: map[string]string{"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
			url: "https://lambda-fips.us-east-1.api.aws/"},
		{name: "no session token, as for a user's keys", set: map[string]string{"AWS_SESSION_TOKEN": ""},
			has: map[string]string{"X-Amz-Security-Token": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := wire.AWS(environ(tt.set))
			if err != nil {
				t.Fatal(err)
			}
			var sent *http.Request
			cfg.HTTPClient = &http.Client{Transport: awstest.RoundTripper(func(r *http.Request) (*http.Response, error) {
				sent = r
				return awstest.Response(404, http.Header{"X-Amzn-Errortype": {"ResourceNotFoundException"}}, "{}"), nil
			})}
			r := guard.Resource{Partition: "aws", Region: cfg.Region, Account: "111122223333", Function: "orders"}
			if _, err := lambdapolicy.New(cfg, guardtest.NewClock(now), nil).Policy(t.Context(), r); !errors.Is(err, guard.ErrNotFound) {
				t.Fatal(err)
			}
			want := tt.url
			if want == "" {
				want = "https://lambda.eu-central-1.amazonaws.com/"
			}
			if got := sent.URL.String(); !strings.HasPrefix(got, want) {
				t.Errorf("the call goes to %s, want %s", got, want)
			}
			for name, part := range tt.has {
				if got := sent.Header.Get(name); !strings.Contains(got, part) || (part == "") != (got == "") {
					t.Errorf("%s is %q, want %q in it", name, got, part)
				}
			}
		})
	}
}

func TestVariablesThatAreWrong(t *testing.T) {
	tests := []struct {
		name string
		set  map[string]string
		want []string
	}{
		{"no region", map[string]string{"AWS_REGION": ""}, []string{"AWS_REGION is not set"}},
		{"no credentials", map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"},
			[]string{"AWS_ACCESS_KEY_ID is not set", "AWS_SECRET_ACCESS_KEY is not set", "no other source"}},
		{"flags that are none", map[string]string{"AWS_USE_FIPS_ENDPOINT": "yes", "AWS_USE_DUALSTACK_ENDPOINT": "1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "on"},
			[]string{`AWS_USE_FIPS_ENDPOINT is "yes": want true or false`, "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}},
		{"endpoints that are none", map[string]string{"AWS_ENDPOINT_URL": "localhost:4566", "AWS_ENDPOINT_URL_LAMBDA": "vpce.example.com"},
			[]string{`AWS_ENDPOINT_URL is "localhost:4566"`, `AWS_ENDPOINT_URL_LAMBDA is "vpce.example.com"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := wire.AWS(environ(tt.set))
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
		})
	}
}

// account serves a policy over the loopback interface.
func account(t *testing.T, policy string) (*lambdatest.Account, []string) {
	t.Helper()
	a := lambdatest.New("aws", "eu-central-1", "111122223333")
	a.Seed("orders", policy)
	url, stop, err := a.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return a, environ(map[string]string{"AWS_ENDPOINT_URL": url})
}

const (
	public = `{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders"}`
	policy = `{"Version":"2012-10-17","Id":"default","Statement":[` + public + `]}`
	event  = `{"source":"aws.lambda","detail-type":"AWS API Call via CloudTrail","account":"111122223333","region":"eu-central-1","detail":{` +
		`"eventVersion":"1.11","eventSource":"lambda.amazonaws.com","eventName":"AddPermission20150331v2","eventTime":"2026-11-23T11:59:30Z","awsRegion":"eu-central-1","eventID":"e-1",` +
		`"requestParameters":{"functionName":"orders","statementId":"backdoor","action":"lambda:InvokeFunction","principal":"*"},` +
		`"responseElements":{"statement":` + `"{\"Sid\":\"backdoor\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:aws:lambda:eu-central-1:111122223333:function:orders\"}"` + `}}}`
)

func handler(t *testing.T, environ []string, c config.Config, log io.Writer) *wire.Handler {
	t.Helper()
	cfg, err := wire.AWS(environ)
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewHandler(wire.Guard(cfg, c, nil, log, guardtest.NewClock(now)), cfg.Region)
}

func TestAnEventLeadsToARevert(t *testing.T) {
	a, environ := account(t, policy)
	var log bytes.Buffer
	if _, err := handler(t, environ, config.Config{Mode: guard.Enforce}, &log).Invoke(t.Context(), []byte(event)); err != nil {
		t.Fatal(err)
	}
	if got := a.Policy("orders"); got != "" {
		t.Errorf("the policy is %s", got)
	}
	var operations []string
	for _, c := range a.Calls() {
		operations = append(operations, c.Operation)
		if !strings.Contains(c.UserAgent, "lambda-guardrail/"+wire.Version) {
			t.Errorf("%s with user agent %q", c.Operation, c.UserAgent)
		}
	}
	if want := []string{"GetPolicy", "RemovePermission", "GetPolicy", "GetFunctionConfiguration"}; !slices.Equal(operations, want) {
		t.Errorf("called %v, want %v", operations, want)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), `"Outcome":"reverted"`) {
		t.Errorf("the log says %s", log.String())
	}
}

func TestAnAttemptThatFailsIsInTheLogAndCounted(t *testing.T) {
	a, environ := account(t, policy)
	a.Order(lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.Throttle}, lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.Throttle})
	var log bytes.Buffer
	if _, err := handler(t, environ, config.Config{Mode: guard.Enforce}, &log).Invoke(t.Context(), []byte(event)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(log.String()) {
		var l struct {
			Msg, Call, Class, Code string
			APIErrorsThrottled     int
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Msg == "api-error" {
			got = append(got, fmt.Sprint(l.Call, " ", l.Class, " ", l.Code, " ", l.APIErrorsThrottled))
		}
	}
	want := []string{"GetPolicy throttled TooManyRequestsException 1", "RemovePermission throttled TooManyRequestsException 1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheLogKnowsEveryClassOfFailure(t *testing.T) {
	for _, class := range lambdapolicy.Classes() {
		var out bytes.Buffer
		sink.NewLog(&out, wire.Clock{}.Now).APIError("GetPolicy", string(class), "")
		name := "APIErrors" + strings.ToUpper(string(class[:1])) + string(class[1:])
		if !strings.Contains(out.String(), `"`+name+`":1`) {
			t.Errorf("%s is not counted as %s: %s", class, name, out.String())
		}
	}
}

func TestEventsThatAreNotOurs(t *testing.T) {
	a, environ := account(t, policy)
	h := handler(t, environ, config.Config{Mode: guard.Enforce}, io.Discard)
	ignored, err := testdata.Files.ReadDir("events/ignored")
	if err != nil || len(ignored) == 0 {
		t.Fatal("no events", err)
	}
	for _, file := range ignored {
		text, err := testdata.Files.ReadFile("events/ignored/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Invoke(t.Context(), text); err != nil {
			t.Errorf("%s: %v", file.Name(), err)
		}
	}
	for name, text := range map[string]string{
		"no event":              "null and void",
		"an undecodable one":    strings.Replace(event, `"eventTime":"2026`, `"eventTime":"26`, 1),
		"one of another region": strings.ReplaceAll(event, "eu-central-1", "us-east-1"),
	} {
		if _, err := h.Invoke(t.Context(), []byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if calls := a.Calls(); len(calls) != 0 {
		t.Errorf("called %v", calls)
	}
}

func TestClockSleeps(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := (wire.Clock{}).Sleep(ctx, time.Nanosecond); err != nil {
		t.Error(err)
	}
	cancel()
	if err := (wire.Clock{}).Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep of a context that has ended: %v", err)
	}
}

func TestRetrySettings(t *testing.T) {
	cfg, err := wire.AWS(environ(map[string]string{"AWS_MAX_ATTEMPTS": "9", "AWS_RETRY_MODE": "standard"}))
	if err != nil || cfg.RetryMaxAttempts != 9 {
		t.Errorf("%d attempts, %v", cfg.RetryMaxAttempts, err)
	}
	for name, value := range map[string]string{"AWS_MAX_ATTEMPTS": "many", "AWS_RETRY_MODE": "sometimes"} {
		if _, err := wire.AWS(environ(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name+` is "`+value+`"`) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}
