package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/guard"
)

// TestNothingHappensThatMayNot runs a few worlds; the command runs many.
func TestNothingHappensThatMayNot(t *testing.T) {
	counts := map[string]int{}
	for _, seed := range []uint64{1, 78, 113, 232} {
		w := newWorld(seed, nil)
		for _, problem := range w.live() {
			t.Errorf("seed %d: %s", seed, problem)
		}
		for what, n := range w.counts {
			counts[what] += n
		}
	}
	for _, f := range faults {
		if counts["fault: "+f.name] == 0 {
			t.Errorf("no call met the fault %q", f.name)
		}
	}
	for _, service := range services {
		for _, how := range service.faults {
			if counts["fault: "+service.host+" "+how.name] == 0 {
				t.Errorf("%s never %s", service.host, how.name)
			}
		}
	}
	for _, h := range habits {
		if counts["actor: "+h.name] == 0 {
			t.Errorf("no actor did %q", h.name)
		}
	}
	for _, what := range []string{
		"bus: lost", "bus: delivered more than once", "bus: delayed by minutes", "bus: overtaken by a later one",
		"invocation killed", "queue: delivered again", "dead letter", "sweep: goes on with a token", "fault: log not written", "fault: late answer", "fault: no answer in time",
		"outcome: reverted", "outcome: already-gone", "outcome: audited", "outcome: exempt", "outcome: needs-review", "outcome: failed",
	} {
		if counts[what] == 0 {
			t.Errorf("there was no %q", what)
		}
	}
}

// TestSeedsThatHaveFailed keeps worlds in which the guardrail once did wrong.
func TestSeedsThatHaveFailed(t *testing.T) {
	for seed, what := range map[uint64]string{
		374:  "in audit, an early reading in which another statement was open hid the one that the event was about",
		1200: "an early reading, from before a Deny was taken away, was believed when a removal had failed",
		75:   "a neighbour that vanished with a statement was forgotten when somebody put the statement back",
	} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for _, problem := range newWorld(seed, nil).live() {
				t.Errorf("again (%s): %s", what, problem)
			}
		})
	}
}

func TestAWorldIsTheSameEveryTime(t *testing.T) {
	var first, again bytes.Buffer
	seed := seedWhere(func(w *world) bool { return w.settings.EventBus != "" && w.api.sinks.odds > 0 })
	newWorld(seed, &first).live()
	newWorld(seed, &again).live()
	if first.String() != again.String() {
		a, b := strings.Split(first.String(), "\n"), strings.Split(again.String(), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d: %s, then %s", i+1, a[i], b[i])
			}
		}
		t.Fatalf("%d lines, then %d", len(a), len(b))
	}
	var other bytes.Buffer
	newWorld(4, &other).live()
	if first.String() == other.String() {
		t.Error("another seed makes the same world")
	}
}

// impostor is in the guardrail's place.
type impostor struct {
	*world
	ctx context.Context
	arn string
}

// call makes a call as the guardrail.
func (i impostor) call(operation string, params map[string]any) []byte {
	r := (&call{operation: operation, arn: i.arn, params: params}).request().WithContext(i.ctx)
	r.Header.Set("User-Agent", guard.UserAgent+"/0")
	resp, err := i.api.Do(r)
	if err != nil {
		return nil
	}
	text, _ := io.ReadAll(resp.Body)
	return text
}

func (i impostor) read() (statements []string, document, revision string) {
	r, _ := http.NewRequestWithContext(i.ctx, "GET", "http://lambda.invalid/2015-03-31/functions/"+i.arn+"/policy", nil)
	r.Header.Set("User-Agent", guard.UserAgent+"/0")
	resp, err := i.api.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, "", ""
	}
	var out struct{ Policy, RevisionID string }
	json.NewDecoder(resp.Body).Decode(&out)
	return split(out.Policy), out.Policy, out.RevisionID
}

// say writes a line into the log.
func (i impostor) say(line map[string]any) {
	text, _ := json.Marshal(line)
	i.Write(text)
}

func (i impostor) finding(statement string, outcome guard.Outcome, level string) {
	i.say(map[string]any{"msg": "finding", "finding": map[string]any{
		"id": i.arn + statement, "statement": statement, "outcome": outcome, "error": "so it is",
		"resource": map[string]any{"arn": i.arn}, "verdict": map[string]any{"level": level},
	}})
}

func (i impostor) evidence(statements []string, document string) {
	for _, s := range statements {
		i.say(map[string]any{"msg": "evidence", "resource": map[string]any{"arn": i.arn}, "statement": s, "policyBefore": document})
	}
}

func (i impostor) public(statements []string) []string {
	return slices.DeleteFunc(slices.Clone(statements), func(s string) bool { return !i.model.enforced(i.model.kind(i.arn, s)) })
}

// TestWhatIsWrongIsNoticed puts guardrails into a world that do one thing wrong.
func TestWhatIsWrongIsNoticed(t *testing.T) {
	tests := []struct {
		name  string
		do    func(impostor)
		wants string
	}{
		{"it does nothing", func(impostor) {}, "open, and no dead letter says so"},
		{"it does nothing, and nobody is told", func(impostor) {}, "not reported, and no dead letter says so"},
		{"it reads, and is content", func(i impostor) { i.read(); i.read() }, "open all the time that an attempt took, and not reported"},
		{"it reports, and does not revert", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range i.public(statements) {
				i.finding(s, guard.Audited, "public")
			}
		}, "open all the time that an attempt took, and not reverted"},
		{"it audits what must go", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range i.public(statements) {
				i.finding(s, guard.Audited, "public")
			}
		}, "audited although it is"},
		{"it removes the whole policy", func(i impostor) {
			statements, document, revision := i.read()
			i.evidence(statements, document)
			i.call("DeleteResourcePolicy", map[string]any{"RevisionId": revision})
		}, "removed from"},
		{"it removes a Deny", func(i impostor) {
			statements, document, revision := i.read()
			i.evidence(statements, document)
			i.call("DeleteResourcePolicy", map[string]any{"RevisionId": revision})
		}, "a Deny was removed"},
		{"it writes without evidence", func(i impostor) {
			_, _, revision := i.read()
			i.call("DeleteResourcePolicy", map[string]any{"RevisionId": revision})
		}, "without evidence"},
		{"its evidence is of another policy", func(i impostor) {
			statements, _, revision := i.read()
			i.evidence(statements, "{}")
			i.call("DeleteResourcePolicy", map[string]any{"RevisionId": revision})
		}, "without evidence"},
		{"it writes without a revision", func(i impostor) {
			statements, document, _ := i.read()
			i.evidence(statements, document)
			i.call("DeleteResourcePolicy", nil)
		}, "without a revision"},
		{"it removes in silence", func(i impostor) {
			statements, document, revision := i.read()
			i.evidence(statements, document)
			i.call("DeleteResourcePolicy", map[string]any{"RevisionId": revision})
		}, "and not reported"},
		{"it changes what it leaves", func(i impostor) {
			if statements, _, revision := i.read(); len(statements) > 1 {
				slices.Reverse(statements)
				i.call("PutResourcePolicy", map[string]any{"Policy": document(statements), "RevisionId": revision})
			}
		}, "is not as it was"},
		{"it says that it has reverted", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range i.public(statements) {
				i.finding(s, guard.Reverted, "public")
			}
		}, "said to be reverted although it stands"},
		{"it calls everything public", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range statements {
				i.finding(s, guard.Audited, "public")
			}
		}, "reported as public although it is"},
		{"it repeats itself", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range append(statements, statements...) {
				i.finding(s, guard.Audited, "public")
			}
		}, "is reported twice"},
		{"it fails without a word", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range i.public(statements) {
				i.finding(s, guard.Failed, "public")
			}
		}, "a finding failed, and the attempt did not"},
		{"it exempts everybody", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range i.public(statements) {
				i.finding(s, guard.Exempt, "public")
			}
		}, "exempt although it is"},
		{"it panics", func(impostor) { panic("at the disco") }, "a panic: at the disco"},
		{"it reports what never was", func(i impostor) { i.finding(`{"Sid":"never"}`, guard.Audited, "public") }, "of a statement that never was"},
		{"it tells the log alone", func(i impostor) {
			statements, _, _ := i.read()
			for _, s := range i.public(statements) {
				i.finding(s, guard.Audited, "public")
			}
		}, "sns. got 0 messages"},
		{"it hides that a sink has refused a finding", func(i impostor) {
			r, _ := http.NewRequestWithContext(i.ctx, "POST", "http://events.invalid/", strings.NewReader(i.now.String()))
			i.api.Do(r)
		}, "and the attempt says that all is well"},
	}
	seed := seedWhere(func(w *world) bool {
		return w.settings.Mode == guard.Enforce && w.settings.EventBus != "" && w.api.sinks.odds > 0
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(seed, nil)
			w.function.invoke = func(ctx context.Context, messages []byte) ([]byte, error) {
				var envelope struct{ Records []struct{ Body string } }
				if err := json.Unmarshal(messages, &envelope); err != nil {
					return nil, err
				}
				c, ok, err := cloudtrail.Candidate([]byte(envelope.Records[0].Body))
				if err != nil || !ok || c.Actor.SessionIssuer == ownRole {
					return nil, err
				}
				tt.do(impostor{w, ctx, c.Resource.ARN()})
				return nil, nil
			}
			problems := w.live()
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, tt.wants) }) {
				t.Errorf("nobody noticed %q; instead, %d times: %.400s", tt.wants, len(problems), problems)
			}
		})
	}
}

// seedWhere returns the first seed of such a world.
func seedWhere(is func(*world) bool) uint64 {
	for seed := uint64(0); ; seed++ {
		if is(newWorld(seed, nil)) {
			return seed
		}
	}
}

func TestAFloodIsRevertedToTheLast(t *testing.T) {
	for _, f := range []flood{
		{public: 60, within: 1e9},
		{public: 60, within: 1e9, asynchronous: true, spread: 0.5},
		{public: 20, within: 1e9, harmless: 2000},
	} {
		o := f.run()
		if o.left != 0 || o.letters != 0 {
			t.Errorf("%+v: %d are left, %d dead letters", f, o.left, o.letters)
		}
		if calls := o.calls - o.over; calls > 4*f.public {
			t.Errorf("%+v: %d calls within the quota, want at most 4 a revert and none for the harmless", f, calls)
		}
	}
}

func BenchmarkWorld(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		seed++
		if problems := newWorld(seed, nil).live(); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
