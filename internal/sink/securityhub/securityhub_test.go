package securityhub_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/sink/securityhub"
)

// hub answers every call with the same, and keeps the calls.
type hub struct {
	status int
	answer string
	calls  []*http.Request
	bodies [][]byte
	warned []string
}

// RoundTrip implements [http.RoundTripper].
func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	h.calls, h.bodies = append(h.calls, r), append(h.bodies, body)
	return awstest.Response(h.status, nil, h.answer), err
}

func (h *hub) sink() *securityhub.Sink {
	return securityhub.New(awstest.Config("eu-central-1", h), func() time.Time { return guardtest.ExampleTime }, func(message string, because error) error {
		h.warned = append(h.warned, message+": "+because.Error())
		return nil
	})
}

// TestTheRequestIsWhatTheServiceModelHas reads it into the types of the generated
// client, which know every member there is.
func TestTheRequestIsWhatTheServiceModelHas(t *testing.T) {
	for _, x := range guardtest.Examples() {
		h := &hub{status: 200, answer: awstest.Imported}
		if err := h.sink().Report(t.Context(), x.Finding); err != nil || len(h.calls) != 1 {
			t.Fatalf("%s: %d calls, %v", x.Name, len(h.calls), err)
		}
		if got, want := h.calls[0].Method+" "+h.calls[0].URL.String(), "POST https://securityhub.eu-central-1.amazonaws.com/findings/import"; got != want {
			t.Errorf("%s: %s, want %s", x.Name, got, want)
		}
		var request struct{ Findings []types.AwsSecurityFinding }
		decoder := json.NewDecoder(bytes.NewReader(h.bodies[0]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&request); err != nil || len(request.Findings) != 1 {
			t.Fatalf("%s: %d findings, %v: %s", x.Name, len(request.Findings), err, h.bodies[0])
		}
		if got, want := aws.ToString(request.Findings[0].Id), "lambda-guardrail/"+x.Finding.ID; got != want {
			t.Errorf("%s: the id is %s, want %s", x.Name, got, want)
		}
	}
}

func TestARefusedFindingIsAnErrorThatSaysWhy(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
		want   []string
	}{
		{"refused inside an answer", 200, `{"FailedCount":1,"SuccessCount":0,"FailedFindings":[{"Id":"1","ErrorCode":"InvalidInput","ErrorMessage":"Title is too long"}]}`, []string{"InvalidInput", "Title is too long"}},
		{"refused without a reason", 200, `{"FailedCount":1,"SuccessCount":0}`, []string{"1 refused, without a reason"}},
		{"neither taken nor refused", 200, `{}`, []string{"0 findings imported"}},
		{"an answer that is none", 200, `<html>`, []string{"reading the answer"}},
		{"not allowed", 403, `{"Code":"AccessDeniedException","Message":"no"}`, []string{"AccessDeniedException", "no"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &hub{status: tt.status, answer: tt.answer}
			err := h.sink().Report(t.Context(), guardtest.Examples()[0].Finding)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
			if len(h.warned) != 0 {
				t.Errorf("warned of %q", h.warned)
			}
		})
	}
}

func TestWhereSecurityHubIsOffItIsSaidOnceAndNothingBreaks(t *testing.T) {
	h := &hub{status: 401, answer: `{"Code":"InvalidAccessException","Message":"Account 111122223333 is not subscribed to AWS Security Hub"}`}
	s := h.sink()
	for range 3 {
		if err := s.Report(t.Context(), guardtest.Examples()[0].Finding); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.calls) != 3 {
		t.Errorf("asked %d times: it may be switched on at any time", len(h.calls))
	}
	if len(h.warned) != 1 || !strings.Contains(h.warned[0], "Security Hub is off here") || !strings.Contains(h.warned[0], "not subscribed") {
		t.Errorf("warned of %q", h.warned)
	}
}

func TestAWarningThatCannotBeWrittenIsAnError(t *testing.T) {
	h := &hub{status: 401, answer: `{"Code":"InvalidAccessException"}`}
	full := errors.New("full")
	s := securityhub.New(awstest.Config("eu-central-1", h), time.Now, func(string, error) error { return full })
	if err := s.Report(t.Context(), guard.Finding{}); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}
