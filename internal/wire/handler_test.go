package wire_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/wire"
	"lambda-guardrail/testdata"
)

// message is one as a function is given it:
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func message(id, body string) map[string]any {
	return map[string]any{
		"messageId": id, "receiptHandle": "AQEB", "body": body,
		"attributes":        map[string]any{"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183", "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1545082649185"},
		"messageAttributes": map[string]any{}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
		"eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:lambda-guardrail-events", "awsRegion": "eu-central-1",
	}
}

func envelope(t testing.TB, messages ...map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Records": messages})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAMessageLeadsToARevertLikeItsEvent(t *testing.T) {
	a, environ := account(t, policy)
	h := handler(t, environ, config.Config{Mode: guard.Enforce}, io.Discard)
	if _, err := h.Invoke(t.Context(), envelope(t, message("m-1", event))); err != nil {
		t.Fatal(err)
	}
	if got := a.Policy("orders"); got != "" {
		t.Errorf("the policy is %s", got)
	}
}

func TestOneBadMessageKeepsNoOtherFromBeingHandled(t *testing.T) {
	a, environ := account(t, policy)
	h := handler(t, environ, config.Config{Mode: guard.Enforce}, io.Discard)
	_, err := h.Invoke(t.Context(), envelope(t, message("m-1", "no event"), message("m-2", event), message("m-3", `{"detail":{},"source":"aws.lambda","detail-type":"AWS API Call via CloudTrail"}`)))
	if got := a.Policy("orders"); got != "" {
		t.Errorf("the policy is %s", got)
	}
	for _, want := range []string{`message "m-1", Records[0]: reading the event`, `message "m-3", Records[2]: reading the event`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "m-2") {
		t.Errorf("error %v about a message that was handled", err)
	}
}

func TestAnEnvelopeOfSomethingElseIsAnError(t *testing.T) {
	a, environ := account(t, policy)
	h := handler(t, environ, config.Config{Mode: guard.Enforce}, io.Discard)
	with := func(member string, value any) map[string]any {
		m := message("m-1", event)
		m[member] = value
		return m
	}
	file := `{"Records":[` + event[strings.Index(event, `"detail":`)+len(`"detail":`):len(event)-1] + `]}`
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"no message":               {envelope(t), "there is none among the Records"},
		"null":                     {[]byte(`{"Records":null}`), "there is none among the Records"},
		"Records that are no list": {[]byte(`{"Records":{}}`), "reading the messages: "},
		"a record that is none":    {[]byte(`{"Records":["x"]}`), "reading the messages: "},
		"Records twice":            {[]byte(`{"Records":[],"Records":[]}`), "duplicate"},
		"cut off":                  {envelope(t, message("m-1", event))[:200], "reading the messages: "},
		"another event source":     {envelope(t, with("eventSource", "aws:s3")), `message "m-1", Records[0]: its eventSource is "aws:s3": want aws:sqs`},
		"SNS's spelling":           {[]byte(`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{}"}}]}`), `its eventSource is "": want aws:sqs`},
		"a trail's log file":       {[]byte(file), `its eventSource is "lambda.amazonaws.com": want aws:sqs`},
		"no body":                  {envelope(t, with("body", "")), `message "m-1", Records[0]: its body is missing: want an EventBridge event`},
		"a body that is no text":   {envelope(t, with("body", map[string]any{})), "reading the messages: "},
		"a message in a message":   {envelope(t, message("m-1", string(envelope(t, message("m-2", event))))), "there is no eventSource"},
		"one of another region":    {envelope(t, message("m-1", strings.ReplaceAll(event, "eu-central-1", "us-east-1"))), `message "m-1", Records[0]: the event is about arn:aws:lambda:us-east-1`},
	} {
		if _, err := h.Invoke(t.Context(), test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, test.want)
		}
	}
	if calls := a.Calls(); len(calls) != 0 {
		t.Errorf("called %v", calls)
	}
}

// FuzzInvoke: no text makes the handler panic, and an event means the same alone as in
// a message: what is an error of one is an error of the other.
func FuzzInvoke(f *testing.F) {
	for _, folder := range []string{"events/guarded", "events/ignored"} {
		files, err := testdata.Files.ReadDir(folder)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := testdata.Files.ReadFile(folder + "/" + file.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Add(string(envelope(f, message("m-1", event))))
	f.Add(`{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`)
	h := answered(f, "eu-central-1", func() (*http.Response, error) {
		return awstest.Response(404, http.Header{"X-Amzn-Errortype": {"ResourceNotFoundException"}}, "{}"), nil
	})
	f.Fuzz(func(t *testing.T, text string) {
		_, alone := h.Invoke(t.Context(), []byte(text))
		if !utf8.ValidString(text) || text == "" {
			return // no body of a message: SQS takes Unicode, one character at least
		}
		_, inMessage := h.Invoke(t.Context(), envelope(t, message("m-1", text)))
		switch {
		case (alone == nil) != (inMessage == nil) && !beginsWithRecords(text):
			t.Fatalf("alone: %v, in a message: %v", alone, inMessage)
		case inMessage != nil && !strings.Contains(inMessage.Error(), "m-1"):
			t.Fatalf("the error does not name the message: %v", inMessage)
		}
	})
}

// beginsWithRecords tells an envelope, which means something only alone.
func beginsWithRecords(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	open, _ := d.Token()
	name, _ := d.Token()
	return open == json.Delim('{') && name == "Records"
}

// answered is a handler for which one answer stands for the Lambda API.
func answered(t testing.TB, region string, answer func() (*http.Response, error)) *wire.Handler {
	t.Helper()
	cfg, err := wire.AWS(environ(map[string]string{"AWS_REGION": region}))
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = &http.Client{Transport: awstest.RoundTripper(func(*http.Request) (*http.Response, error) { return answer() })}
	return wire.NewHandler(wire.Guard(cfg, config.Config{Mode: guard.Enforce}, nil, io.Discard, guardtest.NewClock(now)), region)
}

// A harmless grant, from the bytes that the function gets to the answer.
func BenchmarkHarmlessEvent(b *testing.B) {
	event, err := testdata.Files.ReadFile("events/guarded/grant-to-s3-with-source-account.json")
	if err != nil {
		b.Fatal(err)
	}
	var of struct{ Region string }
	if err := json.Unmarshal(event, &of); err != nil {
		b.Fatal(err)
	}
	h := answered(b, of.Region, func() (*http.Response, error) { return nil, errors.New("a harmless event costs no call") })
	for _, shape := range []struct {
		name string
		text []byte
	}{
		{"alone", event},
		{"in-a-message", envelope(b, message("059f36b4-87a3-44ab-83d2-661975830a7d", string(event)))},
	} {
		b.Run(shape.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Invoke(b.Context(), shape.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
