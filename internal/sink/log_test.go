package sink

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	now    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	orders = guard.Resource{Partition: "aws", Region: "eu-central-1", Account: "111122223333", Function: "orders", Qualifier: "live"}
)

const (
	public    = `{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders:live"}`
	neighbour = `{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders:live","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::example-bucket"}}}`
)

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestGolden(t *testing.T) {
	for _, x := range guardtest.Examples() {
		t.Run(x.Name, func(t *testing.T) {
			var out bytes.Buffer
			log := NewLog(&out, func() time.Time { return now })
			if err := errors.Join(log.Record(t.Context(), x.Evidence), log.Report(t.Context(), x.Finding)); err != nil {
				t.Fatal(err)
			}
			checkLines(t, out.Bytes())
			golden(t, x.Name+".log", out.Bytes())
			text, err := json.MarshalIndent(x.Finding, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, x.Name+".json", append(text, '\n'))
			golden(t, x.Name+".sns.txt", published(t, x.Finding))
			chat, err := ChatMessage(x.Finding)
			if err != nil {
				t.Fatal(err)
			}
			checkChat(t, chat.Body)
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, []byte(chat.Body), "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, x.Name+".chat.json", append(pretty.Bytes(), '\n'))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("..", "..", "testdata", "findings", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", name, diff)
	}
}

// checkLines checks what holds for every line, and returns them decoded.
func checkLines(t *testing.T, out []byte) []map[string]json.RawMessage {
	t.Helper()
	text, ended := strings.CutSuffix(string(out), "\n")
	if !ended {
		t.Fatalf("the last line does not end: %q", out)
	}
	var lines []map[string]json.RawMessage
	for line := range strings.SplitSeq(text, "\n") {
		if i := strings.IndexFunc(line, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("unprintable at %d of %q", i, line)
		}
		if len(line) > 256<<10 {
			t.Fatalf("a line of %d bytes", len(line))
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, name := range []string{"time", "level", "msg"} {
			if members[name] == nil {
				t.Fatalf("%s is missing: %s", name, line)
			}
		}
		lines = append(lines, members)
	}
	return lines
}

// hostile is a finding all of whose texts are s.
func hostile(s string) guard.Finding {
	name := s[:min(len(s), 1000)] // what says which finding it is has its limit at AWS, and is never left out
	return guard.Finding{
		ID: name, Resource: guard.Resource{Partition: name, Region: name, Account: name, Function: name, Qualifier: name}, Role: name,
		FunctionURL: &guard.FunctionURL{AuthType: name, Address: name},
		Sid:         s, Statement: s, Fingerprint: name, PolicyBefore: s, Error: s, Call: name, EventID: name, Restore: s, FoundBy: guard.FoundBy(name),
		Beside:    []guard.Beside{{ID: name, Sid: s}},
		Verdict:   exposure.Verdict{Level: exposure.Public, Strangers: []exposure.Witness{{Action: s, Context: []exposure.ContextValue{{Key: s, Values: []string{s}}}}}},
		Exemption: &guard.Exemption{Function: s, Sid: s, Owner: s, Reason: s},
		Actor:     guard.Actor{Type: s, ARN: s, Account: s, AccessKeyID: s, SessionIssuer: s, MFA: s, Source: s, UserAgent: s, InvokedBy: s},
		Outcome:   guard.Outcome(s),
		NextSteps: []string{name, "Take it out: `" + name + "`."},
	}
}

func FuzzLog(f *testing.F) {
	for _, seed := range hostileTexts {
		f.Add(seed)
	}
	f.Add(strings.Repeat("\x1c", 9_000)) // six times as long in JSON: not all of it fits into a line
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 10_000 {
			return // lines of that size have a test of their own
		}
		var out bytes.Buffer
		log := NewLog(&out, func() time.Time { return now })
		finding := hostile(s)
		if err := log.Record(t.Context(), []guard.Finding{finding}); err != nil {
			t.Fatal(err)
		}
		if err := log.Report(t.Context(), finding); err != nil {
			t.Fatal(err)
		}
		lines := checkLines(t, out.Bytes())
		if n := len(lines); n != 2 {
			t.Fatalf("%d lines", n)
		}
		var got struct {
			Statement, PolicyBefore, Restore, Sid string
			Omitted                               []string
		}
		if err := json.Unmarshal(lines[1]["finding"], &got); err != nil {
			t.Fatal(err)
		}
		want := strings.ToValidUTF8(s, "\ufffd")
		for name, text := range map[string]string{"statement": got.Statement, "policyBefore": got.PolicyBefore, "sid": got.Sid, "restore": got.Restore} {
			if slices.Contains(got.Omitted, name) {
				if text != "" {
					t.Errorf("%s is %q, and is said to be omitted", name, text)
				}
			} else if utf8.ValidString(s) && text != want {
				t.Errorf("%s was %q, and is read as %q", name, s, text)
			}
		}
		var outcome guard.Outcome
		if err := json.Unmarshal(lines[1]["Outcome"], &outcome); err != nil || severities[outcome] == "" {
			t.Errorf("outcome %s", lines[1]["Outcome"])
		}
	})
}

func TestALineThatWouldBeTooLongSaysWhatItLacks(t *testing.T) {
	// The worst that fits into a policy of 20,480 characters.
	text := func(character string) string { return strings.Repeat(character, 20_480) }
	tests := []struct {
		name, character string
		omitted         string
		evidence        int // lines
	}{
		{"letters", "a", "", 1},
		{"quotation marks", `"`, "", 1},
		{"control characters", "\x7f", `["restore","policyBefore","verdict"]`, 2},
		{"marks of four bytes each", "\U000e0001", `["restore","policyBefore","verdict"]`, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			log := NewLog(&out, func() time.Time { return now })
			f := guard.Finding{
				ID: "1", Statement: text(tt.character), PolicyBefore: text(tt.character), Restore: guard.PrintableJSON(text(tt.character)),
				Verdict: exposure.Verdict{Strangers: []exposure.Witness{{Action: text(tt.character)}}},
			}
			if err := log.Report(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			var finding struct{ Omitted json.RawMessage }
			if err := json.Unmarshal(checkLines(t, out.Bytes())[0]["finding"], &finding); err != nil {
				t.Fatal(err)
			}
			if got := string(finding.Omitted); got != tt.omitted {
				t.Errorf("omitted %s, want %s", cmp.Or(got, "nothing"), cmp.Or(tt.omitted, "nothing"))
			}
			out.Reset()
			if err := log.Record(t.Context(), []guard.Finding{f}); err != nil {
				t.Fatal(err)
			}
			kept := map[string]bool{}
			lines := checkLines(t, out.Bytes())
			for _, line := range lines {
				for _, member := range []string{"statement", "policyBefore"} {
					var value string
					if line[member] != nil && json.Unmarshal(line[member], &value) == nil && value == f.Statement {
						kept[member] = true
					}
				}
			}
			if len(lines) != tt.evidence || len(kept) != 2 {
				t.Errorf("%d lines, which have %v", len(lines), kept)
			}
		})
	}
}

func TestEvidenceThatDoesNotFitIsAnError(t *testing.T) {
	var out bytes.Buffer
	f := guard.Finding{PolicyBefore: strings.Repeat("a", 256<<10)}
	if err := NewLog(&out, func() time.Time { return now }).Record(t.Context(), []guard.Finding{f}); err == nil {
		t.Error("no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space left")

func TestALogThatCannotBeWrittenIsAnError(t *testing.T) {
	log := NewLog(full{}, func() time.Time { return now })
	for name, write := range map[string]func(context.Context) error{
		"Report": func(ctx context.Context) error { return log.Report(ctx, guard.Finding{}) },
		"Record": func(ctx context.Context) error { return log.Record(ctx, []guard.Finding{{}}) },
	} {
		if err := write(t.Context()); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkReport(b *testing.B) {
	log := NewLog(discard{}, func() time.Time { return now })
	f := guard.Finding{Resource: orders, Statement: public, PolicyBefore: document(neighbour, public)}
	for b.Loop() {
		if err := log.Report(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
