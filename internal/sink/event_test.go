package sink

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"lambda-guardrail/internal/guard/guardtest"
)

func TestEventGolden(t *testing.T) {
	for _, x := range guardtest.Examples() {
		t.Run(x.Name, func(t *testing.T) {
			entry, err := BusEntry(x.Finding, "findings", now)
			if err != nil {
				t.Fatal(err)
			}
			checkEntry(t, entry)
			readable := struct { // an entry whose detail is not JSON inside of a string
				Time         int64
				Source       string
				Resources    []string
				DetailType   string
				Detail       json.RawMessage
				EventBusName string
			}{entry.Time, entry.Source, entry.Resources, entry.DetailType, json.RawMessage(entry.Detail), entry.EventBusName}
			text, err := encode(readable)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, x.Name+".event.json", pretty(t, text))
		})
	}
}

// checkEntry holds an entry against what PutEvents takes, and returns its detail.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
func checkEntry(t *testing.T, e Entry) map[string]json.RawMessage {
	t.Helper()
	size := 14 + len(e.Source) + len(e.DetailType) + len(e.Detail)
	for _, resource := range e.Resources {
		size += len(resource)
		if resource == "" || len(resource) > 2048 {
			t.Errorf("the resource %q", resource)
		}
	}
	if size >= 256<<10 {
		t.Errorf("an entry of %d bytes", size)
	}
	if e.Source != "lambda-guardrail" || e.DetailType != "Lambda Guardrail Finding" || e.EventBusName != "findings" || len(e.Resources) != 1 || e.Time != now.Unix() {
		t.Errorf("forged: %+v", e)
	}
	if i := strings.IndexFunc(e.Detail, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("unprintable at %d", i)
	}
	var detail map[string]json.RawMessage
	if err := json.Unmarshal([]byte(e.Detail), &detail); err != nil {
		t.Fatalf("%v: %s", err, e.Detail)
	}
	return detail
}

func FuzzEvent(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 10_000 {
			return // findings of that size have a test of their own
		}
		entry, err := BusEntry(hostileFinding(s), "findings", now)
		if err != nil {
			t.Fatal(err)
		}
		detail := checkEntry(t, entry)
		if got := string(detail["outcome"]); got != `"failed"` {
			t.Errorf("the outcome is %s", got)
		}
		var sid string
		if err := json.Unmarshal(detail["sid"], &sid); detail["sid"] != nil && (err != nil || utf8.ValidString(s) && sid != s) {
			t.Errorf("sid was %q, and is read as %q: %v", s, sid, err)
		}
	})
}

func TestAnEventThatWouldBeTooLargeSaysWhatItLacks(t *testing.T) {
	f := example(t, "reverted")
	f.PolicyBefore, f.Restore = strings.Repeat("\x7f", 20_480), strings.Repeat("\x7f", 50_000)
	entry, err := BusEntry(f, "findings", now)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(checkEntry(t, entry)["omitted"]); got != `["restore"]` {
		t.Errorf("omitted is %s", got)
	}
	f.Call = strings.Repeat("x", 300_000) // no call is, and none is left out
	if _, err := BusEntry(f, "findings", now); err == nil || !strings.Contains(err.Error(), "an event takes 258048") {
		t.Errorf("error %v", err)
	}
}
