package eventbridge_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/sink"
	"lambda-guardrail/internal/sink/eventbridge"
)

// bus returns a sink whose calls are answered in turn; the last answer is
// repeated.
func bus(sent *[]string, answers ...string) *eventbridge.Sink {
	cfg := awstest.Config("eu-central-1", awstest.RoundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		*sent = append(*sent, r.Header.Get("X-Amz-Target")+" "+r.URL.String()+" "+string(body))
		return awstest.Response(200, nil, answers[min(len(*sent), len(answers))-1]), err
	}))
	return eventbridge.New(cfg, "arn:aws:events:eu-central-1:111122223333:event-bus/findings", func() time.Time { return guardtest.ExampleTime })
}

func TestAFindingIsOneEntry(t *testing.T) {
	var sent []string
	x := guardtest.Examples()[0]
	if err := bus(&sent, awstest.Put).Report(t.Context(), x.Finding); err != nil || len(sent) != 1 {
		t.Fatal(sent, err)
	}
	body, ok := strings.CutPrefix(sent[0], "AWSEvents.PutEvents https://events.eu-central-1.amazonaws.com/ ")
	var request struct{ Entries []sink.Entry }
	if err := json.Unmarshal([]byte(body), &request); !ok || err != nil || len(request.Entries) != 1 {
		t.Fatalf("%v: %s", err, sent[0])
	}
	if e := request.Entries[0]; e.EventBusName != "arn:aws:events:eu-central-1:111122223333:event-bus/findings" || !strings.Contains(e.Detail, x.Finding.ID) {
		t.Errorf("put %+v", e)
	}
}

func TestARefusedEntryIsAnErrorThatSaysWhy(t *testing.T) {
	tests := []struct {
		name    string
		answers []string
		sent    int
		want    string // of the error; "" is none
	}{
		{"refused", []string{`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}]}`}, 1, "MalformedDetail: Detail is malformed."},
		{"refused for once", []string{`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}]}`, awstest.Put}, 2, ""},
		{"refused for good", []string{`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure"}]}`}, 3, "InternalFailure"},
		{"refused without a reason", []string{`{"FailedEntryCount":1,"Entries":[{}]}`}, 1, "without a reason"},
		{"neither taken nor refused", []string{`{}`}, 1, "0 events taken"},
		{"an answer that is none", []string{`<html>`}, 1, "reading the answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // the SDK's delays pass
			var sent []string
			err := bus(&sent, tt.answers...).Report(t.Context(), guardtest.Examples()[0].Finding)
			if len(sent) != tt.sent {
				t.Errorf("sent %d times, want %d", len(sent), tt.sent)
			}
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
