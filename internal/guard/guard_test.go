package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/iampolicy"
)

func candidate(statement string) guard.Candidate {
	return guard.Candidate{
		Resource: orders, Call: "AddPermission20150331v2", EventID: "0a1b", Time: now.Add(-30 * time.Second), Statement: statement,
		Actor: guard.Actor{ARN: "arn:aws:iam::111122223333:user/dev"},
	}
}

func TestNothingIsRemovedWithoutEvidence(t *testing.T) {
	w := newWorld(enforce, public("a"), unclear("q"), restricted("x"))
	w.evidence.Err = errors.New("disk full")
	fs, err := w.guard().Respond(t.Context(), candidate(public("a")))
	w.check(t, fs, err)
	if !errors.Is(err, w.evidence.Err) {
		t.Errorf("error %v", err)
	}
	if got := summary(fs); got != "a=failed q=needs-review" {
		t.Fatalf("findings %q", got)
	}
	if failed, other := fs[0].Error, fs[1].Error; !strings.Contains(failed, "disk full") || other != "" {
		t.Errorf("what failed says %q, what was not to be removed %q", failed, other)
	}
	if got := w.sids(); got != "a q x" {
		t.Errorf("the policy has %q", got)
	}
}

func TestAFailingSinkDoesNotSilenceTheOther(t *testing.T) {
	w := newWorld(enforce, public("a"), public("b"))
	w.sinks[0].Err = errors.New("no such topic")
	fs, err := w.guard().Respond(t.Context(), candidate(public("a")))
	w.check(t, fs, err)
	if !errors.Is(err, w.sinks[0].Err) || !strings.Contains(err.Error(), "to log: no such topic") {
		t.Errorf("error %v", err)
	}
	if got := summary(w.sinks[1].Findings()); got != "a=reverted b=reverted" {
		t.Errorf("the other sink has %q", got)
	}
}

// patient is a sink that answers when its time is up.
type patient struct {
	deadline chan time.Time
	ended    chan error // already when it was asked
}

func (p patient) Name() string { return "patient" }

func (p patient) Report(ctx context.Context, _ guard.Finding) error {
	at, _ := ctx.Deadline()
	p.deadline <- at
	p.ended <- ctx.Err()
	return ctx.Err()
}

func TestFindingsAreReportedWhenTheTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	testReported(t, ctx, context.Canceled, "a=failed")
}

func TestFindingsAreReportedWhileThereIsTime(t *testing.T) {
	testReported(t, t.Context(), nil, "a=reverted")
}

func testReported(t *testing.T, ctx context.Context, want error, outcome string) {
	t.Helper()
	w := newWorld(enforce, public("a"))
	sink := patient{make(chan time.Time, 1), make(chan error, 1)}
	g := guard.New(w, nil, []guard.Sink{sink, w.sinks[0]}, w.evidence, w.clock, enforce)
	fs, err := g.Respond(ctx, candidate(public("a")))
	if !errors.Is(err, want) {
		t.Errorf("error %v", err)
	}
	if got := summary(fs) + ", reported " + summary(w.sinks[0].Findings()); got != outcome+", reported "+outcome {
		t.Error(got)
	}
	if (<-sink.deadline).IsZero() {
		t.Error("a sink got a context without a deadline")
	}
	if err := <-sink.ended; err != nil {
		t.Errorf("a sink got a context that had ended: %v", err)
	}
}

// slow is a sink that takes note of what it gets, and until when it may take.
type slow struct {
	got       []string
	deadlines []time.Time
	err       error
}

func (s *slow) Name() string { return "slow" }

func (s *slow) Report(ctx context.Context, f guard.Finding) error {
	at, _ := ctx.Deadline()
	s.got, s.deadlines = append(s.got, f.Sid), append(s.deadlines, at)
	return s.err
}

func TestTheGravestFindingComesFirstAndEachHasItsTime(t *testing.T) {
	control := strings.Replace(public("c"), "lambda:InvokeFunction", "lambda:*", 1)
	w, sink := newWorld(enforce, public("a"), public("b"), control), &slow{}
	g := guard.New(w, nil, []guard.Sink{sink}, w.evidence, w.clock, enforce)
	if fs, err := g.Respond(t.Context(), candidate(public("a"))); err != nil || summary(fs) != "c=reverted a=reverted b=reverted" {
		t.Fatal(summary(fs), err)
	}
	if want := []string{"c", "a", "b"}; !slices.Equal(sink.got, want) {
		t.Errorf("reported %q, want %q", sink.got, want)
	}
	if !slices.IsSortedFunc(sink.deadlines, time.Time.Compare) || sink.deadlines[0].Equal(sink.deadlines[2]) {
		t.Errorf("they may take until %s", sink.deadlines)
	}
}

func TestASinkThatHangsIsGivenUp(t *testing.T) {
	w, sink := newWorld(enforce, public("a"), public("b"), public("c")), &slow{err: context.DeadlineExceeded}
	g := guard.New(w, nil, []guard.Sink{sink}, w.evidence, w.clock, enforce)
	_, err := g.Respond(t.Context(), candidate(public("a")))
	if len(sink.got) != 1 || err == nil || !strings.Contains(err.Error(), "to slow: it hangs, and does not get 2 more findings") {
		t.Errorf("got %q, error %v", sink.got, err)
	}
}

func TestWorkLeavesTimeToReport(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	w := newWorld(enforce, public("a"))
	asked := deadlines{Policies: w}
	g := guard.New(&asked, nil, []guard.Sink{w.sinks[0]}, w.evidence, w.clock, enforce)
	if _, err := g.Respond(ctx, candidate(public("a"))); err != nil {
		t.Fatal(err)
	}
	if left := deadline.Sub(asked.last); left != time.Second {
		t.Errorf("the calls leave %s to report", left)
	}
}

type deadlines struct {
	guard.Policies
	last time.Time
}

func (d *deadlines) Policy(ctx context.Context, r guard.Resource) (guard.Policy, error) {
	d.last, _ = ctx.Deadline()
	return d.Policies.Policy(ctx, r)
}

func TestADocumentThatNobodyCanReadIsLeftToAPerson(t *testing.T) {
	for name, event := range map[string]struct{ statement, findings string }{
		"from an event without a statement": {"", "=needs-review"},
		"and so is what the event added":    {public("a"), "a=needs-review =needs-review"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(enforce)
			w.policies.Put(orders, "<policy/>")
			fs, err := w.guard().Respond(t.Context(), candidate(event.statement))
			w.check(t, fs, err)
			if err != nil || summary(fs) != event.findings {
				t.Fatalf("%q, %v", summary(fs), err)
			}
			f := fs[len(fs)-1]
			if f.Statement != "" || f.PolicyBefore != "<policy/>" || f.Verdict.Level != exposure.Undetermined || f.Error == "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestAFindingSaysWhatIsKnown(t *testing.T) {
	w := newWorld(enforce, public("old"), public("a"))
	w.policies.Order(guardtest.Policy, guardtest.Fault{}, guardtest.Fault{Stale: 1}) // the second look takes two seconds
	fs, err := w.guard().Respond(t.Context(), candidate(public("a")))
	w.check(t, fs, err)
	if err != nil || len(fs) != 2 {
		t.Fatalf("%d findings, %v", len(fs), err)
	}
	old, a := fs[0], fs[1]
	if a.OpenedAt != now.Add(-30*time.Second) || a.ClosedAt != now.Add(2*time.Second) || a.SecondsOpen != 32 {
		t.Errorf("opened %s, closed %s, open for %v s", a.OpenedAt, a.ClosedAt, a.SecondsOpen)
	}
	if !old.OpenedAt.IsZero() || old.ClosedAt != a.ClosedAt || old.SecondsOpen != 0 {
		t.Errorf("found in passing: opened %s, closed %s, open for %v s", old.OpenedAt, old.ClosedAt, old.SecondsOpen)
	}
	if a.PolicyBefore != document(public("old"), public("a")) || a.Statement != public("a") || a.EventID != "0a1b" || a.Actor.ARN == "" || a.Call == "" {
		t.Errorf("%+v", a)
	}
}

func TestTheSameStatementIsTheSameFindingInEveryDelivery(t *testing.T) {
	id := func(r guard.Resource, statement string) string {
		w := newWorld(audit)
		w.policies.Put(r, document(statement))
		c := candidate(statement)
		c.Resource = r
		fs, err := w.guard().Respond(t.Context(), c)
		if err != nil || len(fs) != 1 {
			t.Fatalf("%d findings, %v", len(fs), err)
		}
		return fs[0].ID
	}
	live := orders
	live.Qualifier = "live"
	liveStatement := strings.ReplaceAll(public("a"), orders.ARN(), live.ARN())
	first := id(orders, public("a"))
	if again := id(orders, public("a")); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	for name, other := range map[string]string{"another statement": id(orders, public("b")), "an alias": id(live, liveStatement)} {
		if other == first {
			t.Errorf("%s has the id %s, too", name, first)
		}
	}
	if len(first) != 32 {
		t.Errorf("id %q", first)
	}
}

func TestAnOutcomeThatNobodyFilledInIsAFailure(t *testing.T) {
	for _, outcome := range []guard.Outcome{"", "fine"} {
		text, err := json.Marshal(guard.Finding{Outcome: outcome})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"outcome":"failed"`) {
			t.Errorf("%q is written as %s", outcome, text)
		}
	}
}

func TestExemptions(t *testing.T) {
	fingerprint := iampolicy.Fingerprint(public("a"))
	tests := []struct {
		name      string
		exemption guard.Exemption
		want      guard.Outcome
	}{
		{"the function by its ARN", guard.Exemption{Function: orders.ARN()}, guard.Exempt},
		{"another function", guard.Exemption{Function: orders.ARN() + "s"}, guard.Audited},
		{"an alias of the function", guard.Exemption{Function: orders.ARN() + ":*"}, guard.Audited},
		{"functions by a pattern", guard.Exemption{Function: "arn:aws:lambda:eu-*:111122223333:function:order?"}, guard.Exempt},
		{"a pattern that is too long", guard.Exemption{Function: orders.ARN() + "?"}, guard.Audited},
		{"a pattern that is none", guard.Exemption{Function: "arn:aws:lambda:[:*"}, guard.Audited},
		{"everything by mistake", guard.Exemption{}, guard.Audited},
		{"the Sid", guard.Exemption{Function: orders.ARN(), Sid: "a"}, guard.Exempt},
		{"the Sid in other letters", guard.Exemption{Function: orders.ARN(), Sid: "A"}, guard.Audited},
		{"the content", guard.Exemption{Function: orders.ARN(), Fingerprint: fingerprint}, guard.Exempt},
		{"another content", guard.Exemption{Function: orders.ARN(), Sid: "a", Fingerprint: iampolicy.Fingerprint(public("b"))}, guard.Audited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.exemption.Until = now.Add(time.Nanosecond)
			w := newWorld(guard.Settings{Exemptions: []guard.Exemption{{}, tt.exemption}}, public("a"))
			fs, err := w.guard().Respond(t.Context(), candidate(public("a")))
			w.check(t, fs, err)
			if err != nil || len(fs) != 1 || fs[0].Outcome != tt.want {
				t.Fatalf("%q, %v, want %s", summary(fs), err, tt.want)
			}
			if tt.want == guard.Exempt && *fs[0].Exemption != tt.exemption {
				t.Errorf("exempt by %+v", fs[0].Exemption)
			}
		})
	}
}

func TestConflictsAreWaitedFor(t *testing.T) {
	w := newWorld(enforce, public("a"))
	w.policies.Order(guardtest.Remove, slices.Repeat([]guardtest.Fault{{Err: guard.ErrConflict}}, 8)...)
	fs, err := w.guard().Respond(t.Context(), candidate(public("a")))
	w.check(t, fs, err)
	// 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2 seconds, of which half is left to chance.
	if got := w.clock.Slept(); got < 4550*time.Millisecond || got >= 9100*time.Millisecond {
		t.Errorf("slept %s", got)
	}
}

func TestTheSameClockWaitsAsLong(t *testing.T) {
	wait := func(start time.Time) time.Duration {
		w := newWorld(enforce, public("a"))
		w.clock = guardtest.NewClock(start)
		w.policies.Order(guardtest.Remove, guardtest.Fault{Err: guard.ErrConflict})
		w.guard().Respond(t.Context(), candidate(public("a")))
		return w.clock.Slept()
	}
	if first, again, other := wait(now), wait(now), wait(now.Add(1)); first != again || first == other {
		t.Errorf("slept %s, again %s, and a nanosecond later %s", first, again, other)
	}
}

func TestModesAreWritten(t *testing.T) {
	text, err := json.Marshal([]guard.Mode{guard.Audit, guard.Enforce, 7})
	if err != nil || string(text) != `["audit","enforce","audit"]` {
		t.Errorf("%s, %v", text, err)
	}
}

// instant is an API that costs nothing: the policy before, and after a removal.
type instant struct {
	before, after guard.Policy
	removed       bool
}

func (p *instant) Policy(context.Context, guard.Resource) (guard.Policy, error) {
	if p.removed {
		return p.after, nil
	}
	return p.before, nil
}

func (p *instant) Remove(context.Context, guard.Resource, guard.Policy, []int) error {
	p.removed = true
	return nil
}

type nowhere struct{}

func (nowhere) Name() string                                  { return "nowhere" }
func (nowhere) Report(context.Context, guard.Finding) error   { return nil }
func (nowhere) Record(context.Context, []guard.Finding) error { return nil }

// BenchmarkRevert is our own work in a revert: everything but the API calls.
func BenchmarkRevert(b *testing.B) {
	neighbours := []string{restricted("x"), deny("y"), restricted("z"), url("u")}
	before := document(append(neighbours, public("a"))...)
	for b.Loop() {
		p := instant{before: guard.Policy{Document: before, Revision: "1"}, after: guard.Policy{Document: document(neighbours...), Revision: "2"}}
		g := guard.New(&p, nil, []guard.Sink{nowhere{}}, nowhere{}, guardtest.NewClock(now), enforce)
		fs, err := g.Respond(b.Context(), candidate(public("a")))
		if err != nil || summary(fs) != "u=audited a=reverted" {
			b.Fatal(summary(fs), err)
		}
	}
}

func BenchmarkHarmless(b *testing.B) {
	g := guard.New(&instant{}, nil, nil, nowhere{}, guardtest.NewClock(now), enforce)
	for b.Loop() {
		if fs, err := g.Respond(b.Context(), candidate(restricted("x"))); err != nil || fs != nil {
			b.Fatal(fs, err)
		}
	}
}

// TakesOut decides as the guard does.
func TestTakesOut(t *testing.T) {
	both := document(public("a"), public("b"))
	until := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	exempt := guard.Exemption{Function: orders.ARN(), Sid: "a", Owner: "o", Reason: "r", Until: until}
	fingerprint := iampolicy.Fingerprint(public("a"))
	for _, test := range []struct {
		name     string
		settings guard.Settings
		document string
		now      time.Time
		want     bool
	}{
		{"in enforce", guard.Settings{Mode: guard.Enforce}, both, until, true},
		{"in audit", guard.Settings{FunctionURLs: guard.Enforce}, both, until, false},
		{"an exempt one", guard.Settings{Mode: guard.Enforce, Exemptions: []guard.Exemption{exempt}}, both, until.Add(-1), false},
		{"one whose exemption has ended", guard.Settings{Mode: guard.Enforce, Exemptions: []guard.Exemption{exempt}}, both, until, true},
		{"one that is not there", guard.Settings{Mode: guard.Enforce}, document(public("b")), until, false},
		{"a document that nobody can read", guard.Settings{Mode: guard.Enforce}, "<policy/>", until, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.settings.TakesOut(test.document, orders, fingerprint, test.now); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
