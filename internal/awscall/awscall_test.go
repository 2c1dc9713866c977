package awscall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"

	"lambda-guardrail/internal/awscall"
	"lambda-guardrail/internal/awstest"
)

// config sends every call to answer, which gets the body too.
func config(region string, answer func(r *http.Request, body string) (*http.Response, error)) aws.Config {
	return awstest.Config(region, awstest.RoundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return answer(r, string(body))
	}))
}

var events = awscall.Service{ID: "EventBridge", Prefix: "events", GovFIPS: true}

func call(read func([]byte) error) awscall.Call {
	return awscall.Call{
		Operation: "PutEvents", Path: "/a/path", Header: map[string]string{"Content-Type": "application/json", "X-Amz-Target": "AWSEvents.PutEvents"},
		Body: []byte(`{"Entries":[]}`), Read: read,
	}
}

func TestACallIsSignedAndNamed(t *testing.T) {
	var sent *http.Request
	var body string
	cfg := config("eu-central-1", func(r *http.Request, text string) (*http.Response, error) {
		sent, body = r, text
		return awstest.Response(200, nil, "an answer"), nil
	})
	cfg.APIOptions = append(cfg.APIOptions, awsmiddleware.AddUserAgentKeyValue("lambda-guardrail", "0.1.0"))
	var answer string
	err := awscall.New(cfg, events).Do(t.Context(), call(func(b []byte) error {
		answer = string(b)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if answer != "an answer" || body != `{"Entries":[]}` || sent.Method != http.MethodPost || sent.ContentLength != int64(len(body)) {
		t.Errorf("%s of %q (%d bytes) was answered with %q", sent.Method, body, sent.ContentLength, answer)
	}
	if got, want := sent.URL.String(), "https://events.eu-central-1.amazonaws.com/a/path"; got != want {
		t.Errorf("the call goes to %s, want %s", got, want)
	}
	for name, part := range map[string]string{
		"Authorization":        "/eu-central-1/events/aws4_request, SignedHeaders=amz-sdk-request;content-length;content-type;host;x-amz-date;x-amz-security-token;x-amz-target, ",
		"X-Amz-Security-Token": "EXAMPLETOKEN",
		"X-Amz-Target":         "AWSEvents.PutEvents",
		"Content-Type":         "application/json",
		"User-Agent":           "lambda-guardrail/0.1.0",
	} {
		if got := sent.Header.Get(name); !strings.Contains(got, part) {
			t.Errorf("%s is %q, want %q in it", name, got, part)
		}
	}
}

func TestWhatMayPassIsSentAgain(t *testing.T) {
	good := func() (*http.Response, error) { return awstest.Response(200, nil, ""), nil }
	tests := []struct {
		name  string
		first func() (*http.Response, error) // answers all but the last attempt
		read  error                          // of the first answer
		sent  int
	}{
		{name: "an answer", first: good, sent: 1},
		{name: "a fault of the service", first: func() (*http.Response, error) { return awstest.Response(500, nil, "<html>"), nil }, sent: 3},
		{name: "a throttle", first: func() (*http.Response, error) {
			return awstest.Response(400, nil, `{"__type":"com.amazonaws#ThrottlingException","message":"slow down"}`), nil
		}, sent: 3},
		{name: "a throttle inside an answer", first: good, read: &smithy.GenericAPIError{Code: "ThrottlingException"}, sent: 3},
		{name: "a fault inside an answer", first: good, read: &smithy.GenericAPIError{Code: "InternalFailure"}, sent: 3},
		{name: "a lost connection", first: func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, sent: 3},
		{name: "a refusal", first: func() (*http.Response, error) {
			return awstest.Response(403, http.Header{"X-Amzn-Errortype": {"AccessDeniedException:http://example.com"}}, `{"Message":"no"}`), nil
		}, sent: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // the SDK's delays pass
			sent := 0
			cfg := config("eu-central-1", func(_ *http.Request, body string) (*http.Response, error) {
				sent++
				if body == "" {
					t.Errorf("attempt %d has no body", sent)
				}
				if sent == 3 {
					return good()
				}
				return tt.first()
			})
			reads := 0
			err := awscall.New(cfg, events).Do(t.Context(), call(func([]byte) error {
				if reads++; reads < 3 {
					return tt.read
				}
				return nil
			}))
			if sent != tt.sent {
				t.Errorf("sent %d times, want %d: %v", sent, tt.sent, err)
			}
			if wantError := tt.name == "a refusal"; (err != nil) != wantError {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestErrorsNameCodeAndMessage(t *testing.T) {
	tests := []struct {
		name, code, message string
		header              http.Header
		body                string
	}{
		{"REST", "InvalidAccessException", "not subscribed", http.Header{"X-Amzn-Errortype": {"InvalidAccessException"}}, `{"Code":"x","Message":"not subscribed"}`},
		{"JSON", "ResourceNotFoundException", "no such bus", nil, `{"__type":"ResourceNotFoundException","message":"no such bus"}`},
		{"query", "AuthorizationError", "not yours", nil, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>not yours</Message></Error></ErrorResponse>`},
		{"neither", "UnknownError", "", nil, "<html><Code>x"},
		{"no JSON", "UnknownError", "", nil, "a proxy is unhappy"},
		{"nothing", "UnknownError", "", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config("eu-central-1", func(*http.Request, string) (*http.Response, error) {
				return awstest.Response(400, tt.header, tt.body), nil
			})
			err := awscall.New(cfg, events).Do(t.Context(), call(nil))
			var answer smithy.APIError
			if !errors.As(err, &answer) || answer.ErrorCode() != tt.code || answer.ErrorMessage() != tt.message {
				t.Errorf("error %v, want %s: %s", err, tt.code, tt.message)
			}
			if !strings.Contains(fmt.Sprint(err), "EventBridge: PutEvents") {
				t.Errorf("error %v does not name the call", err)
			}
		})
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	cfg := config("eu-central-1", func(r *http.Request, _ string) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := awscall.New(cfg, events).Do(ctx, call(nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestWithoutCredentialsNothingIsSent(t *testing.T) {
	cfg := config("eu-central-1", func(*http.Request, string) (*http.Response, error) {
		t.Error("a call was sent")
		return nil, io.EOF
	})
	cfg.Credentials = nil
	if err := awscall.New(cfg, events).Do(t.Context(), call(nil)); err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("error %v", err)
	}
}
