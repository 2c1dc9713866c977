package guard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/iampolicy"
)

var (
	orders  = guard.Resource{Partition: "aws", Region: "eu-central-1", Account: "111122223333", Function: "orders"}
	now     = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ownRole = "arn:aws:iam::111122223333:role/lambda-guardrail"

	enforce = guard.Settings{Mode: guard.Enforce, OwnRoles: []string{ownRole}}
	audit   = guard.Settings{OwnRoles: []string{ownRole}}
)

func statement(sid, effect, action, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Sid":%q,"Effect":%q,"Principal":"*","Action":%q,"Resource":%q%s}`, sid, effect, action, orders.ARN(), condition)
}

func public(sid string) string { return statement(sid, "Allow", "lambda:InvokeFunction", "") }
func url(sid string) string {
	return statement(sid, "Allow", "lambda:InvokeFunctionUrl", `{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}`)
}
func restricted(sid string) string {
	return statement(sid, "Allow", "lambda:InvokeFunction", `{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}`)
}
func unclear(sid string) string {
	return statement(sid, "Allow", "lambda:InvokeFunction", `{"StringEquals":{"example:NobodyKnows":"1"}}`)
}
func deny(sid string) string { return statement(sid, "Deny", "lambda:GetPolicy", "") }
func denyAll(sid string) string {
	return statement(sid, "Deny", "lambda:*", "")
}

func document(statements ...string) string {
	if len(statements) == 0 {
		return ""
	}
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

// world is everything that a Guard holds, and what happened in it.
type world struct {
	policies *guardtest.Memory
	sinks    []*guardtest.Recorder
	evidence *guardtest.Recorder
	clock    *guardtest.Clock
	settings guard.Settings
}

func newWorld(settings guard.Settings, statements ...string) *world {
	w := &world{
		policies: &guardtest.Memory{},
		sinks:    []*guardtest.Recorder{{Title: "log"}, {Title: "topic"}},
		evidence: &guardtest.Recorder{},
		clock:    guardtest.NewClock(now),
		settings: settings,
	}
	w.put(statements...)
	return w
}

func (w *world) put(statements ...string) { w.policies.Put(orders, document(statements...)) }

func (w *world) guard() *guard.Guard {
	return guard.New(w, nil, []guard.Sink{w.sinks[0], w.sinks[1]}, w.evidence, w.clock, w.settings)
}

// Policy and Remove stand before the Memory, to see that the evidence came first.
func (w *world) Policy(ctx context.Context, r guard.Resource) (guard.Policy, error) {
	return w.policies.Policy(ctx, r)
}

func (w *world) Remove(ctx context.Context, r guard.Resource, p guard.Policy, which []int) error {
	for _, i := range which {
		raw := statements(p.Document)[i].Raw
		if !slices.ContainsFunc(w.evidence.Evidence(), func(f guard.Finding) bool {
			return f.Statement == raw && f.PolicyBefore == p.Document && f.Restore != ""
		}) {
			panic("a removal without evidence: " + raw)
		}
	}
	return w.policies.Remove(ctx, r, p, which)
}

func statements(document string) []iampolicy.Statement {
	if document == "" {
		return nil
	}
	d, err := iampolicy.Parse(document)
	if err != nil {
		panic(err)
	}
	return d.Statements
}

func (w *world) sids() string {
	var sids []string
	for _, s := range statements(w.policies.Document(orders)) {
		sids = append(sids, s.Sid)
	}
	return strings.Join(sids, " ")
}

// check holds after whatever happened.
func (w *world) check(t fatalf, fs []guard.Finding, err error) {
	t.Helper()
	for _, sink := range w.sinks {
		reported := sink.Findings()
		if sink.Err != nil {
			if len(fs) > 0 && !errors.Is(err, sink.Err) {
				t.Fatalf("%s failed, and the error does not say so: %v", sink.Title, err)
			}
			continue
		}
		if len(reported) != len(fs) {
			t.Fatalf("%s got %d findings of %d", sink.Title, len(reported), len(fs))
		}
		seen := map[string]bool{}
		for i, f := range reported {
			if seen[f.ID] {
				t.Fatalf("%s got finding %s twice", sink.Title, f.ID)
			}
			seen[f.ID] = true
			if f.ID != fs[i].ID || f.Outcome != fs[i].Outcome {
				t.Fatalf("%s got another finding than was returned", sink.Title)
			}
		}
	}

	calls := w.policies.Calls()
	for _, f := range fs {
		if f.ID == "" || f.SchemaVersion == "" || f.Fingerprint == "" || f.Outcome.String() != string(f.Outcome) {
			t.Fatalf("a finding is not filled in: %+v", f)
		}
		if f.Outcome == guard.Failed && (err == nil || f.Error == "") {
			t.Fatalf("%s failed without a word: %q, %v", f.Sid, f.Error, err)
		}
		if f.Outcome == guard.Reverted && (f.ClosedAt.IsZero() || f.Restore == "" || f.PolicyBefore == "") {
			t.Fatalf("%s was reverted, and its finding lacks closedAt, restore or policyBefore: %+v", f.Sid, f)
		}
		if (f.Outcome == guard.Exempt) != (f.Exemption != nil) {
			t.Fatalf("%s is %s with exemption %v", f.Sid, f.Outcome, f.Exemption)
		}
		if f.APICalls != len(calls) {
			t.Fatalf("%s counts %d calls of %d", f.Sid, f.APICalls, len(calls))
		}
		if f.Statement != "" && f.PolicyBefore != "" && !strings.Contains(f.PolicyBefore, f.Statement) {
			t.Fatalf("%s is not in the policy before", f.Sid)
		}
	}

	for _, c := range calls {
		if c.Operation != guardtest.Remove {
			continue
		}
		if w.settings.Mode != guard.Enforce {
			t.Fatalf("a write in audit")
		}
		if c.Policy.Revision == "" {
			t.Fatalf("a write without a revision")
		}
		if len(c.Which) == 0 {
			t.Fatalf("a write of nothing")
		}
		d, err := iampolicy.Parse(c.Policy.Document)
		if err != nil {
			t.Fatalf("a write to a document that cannot be read: %v", err)
		}
		verdicts := exposure.Judge(d, exposure.Target(orders), w.settings.Trust, w.clock.Now())
		for _, i := range c.Which {
			s := d.Statements[i]
			switch {
			case verdicts[i].Level != exposure.Public:
				t.Fatalf("removed %s, which is %s", s.Raw, verdicts[i].Level)
			case s.Effect != iampolicy.Allow:
				t.Fatalf("removed %s, which is no Allow", s.Raw)
			case verdicts[i].FunctionURLOnly() && w.settings.FunctionURLs != guard.Enforce:
				t.Fatalf("removed %s, which is a matter of the function URL", s.Raw)
			case slices.ContainsFunc(w.settings.Exemptions, func(e guard.Exemption) bool { return e.Sid == s.Sid && w.clock.Now().Before(e.Until) }):
				t.Fatalf("removed %s, which is exempt", s.Raw)
			}
		}
	}
	if n := w.policies.Pending(); n > 0 {
		t.Fatalf("%d faults were never met", n)
	}
}

type fatalf interface {
	Helper()
	Fatalf(format string, args ...any)
}

func TestRespond(t *testing.T) {
	const stillThere = "still there after"
	boom := errors.New("boom")
	lost := fmt.Errorf("sent: %w", guard.ErrUnknownOutcome)
	conflict := fmt.Errorf("412: %w", guard.ErrConflict)
	until := func(at time.Time, sid string) guard.Settings {
		s := enforce
		s.Exemptions = []guard.Exemption{{Function: "arn:aws:lambda:*:111122223333:function:ord*", Sid: sid, Owner: "shop", Reason: "an open door", Until: at}}
		return s
	}
	urls := enforce
	urls.FunctionURLs = guard.Enforce

	tests := []struct {
		name     string
		settings guard.Settings
		policy   []string
		// the event: its statement, its age, and who made the call
		event string
		age   time.Duration
		actor guard.Actor
		// what goes wrong, given the world
		faults func(w *world)

		findings string // "SID=OUTCOME ..." in order
		left     string // Sids, in order
		calls    int
		err      string // a part of it
	}{
		// What costs nothing.
		{name: "a recorded statement that is harmless costs no call", settings: enforce,
			policy: []string{restricted("a")}, event: restricted("a"), left: "a"},
		{name: "the guardrail's own call costs no call", settings: enforce,
			policy: []string{public("a")}, event: public("a"), left: "a",
			actor: guard.Actor{SessionIssuer: ownRole, UserAgent: "aws-sdk-go-v2/1.48.0 lambda-guardrail/1.0.0"}},
		{name: "a forged user agent hides nothing", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", calls: 3,
			actor: guard.Actor{SessionIssuer: "arn:aws:iam::111122223333:role/attacker", UserAgent: "lambda-guardrail/1.0.0"}},
		{name: "somebody else in the guardrail's role hides nothing", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", calls: 3,
			actor: guard.Actor{SessionIssuer: ownRole, UserAgent: "aws-cli/2.30.0"}},
		{name: "without a role of its own no call is the guardrail's", settings: guard.Settings{Mode: guard.Enforce},
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", calls: 3,
			actor: guard.Actor{UserAgent: "lambda-guardrail/1.0.0"}},
		{name: "a function of another account is left to its owner's guardrail",
			settings: guard.Settings{Mode: guard.Enforce, OwnRoles: []string{"arn:aws:iam::444455556666:role/lambda-guardrail"}},
			policy:   []string{public("a")}, event: public("a"), left: "a"},

		// What is decided.
		{name: "a public statement is taken out", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", calls: 3},
		{name: "in audit it is only reported", settings: audit,
			policy: []string{public("a")}, event: public("a"), findings: "a=audited", left: "a", calls: 1},
		{name: "its neighbours stay as they are", settings: enforce,
			policy: []string{restricted("x"), public("a"), deny("y"), unclear("z")}, event: public("a"),
			findings: "a=reverted z=needs-review", left: "x y z", calls: 3},
		{name: "a public statement that the event did not tell of goes too, in the same write", settings: enforce,
			policy: []string{public("old"), restricted("x"), public("a")}, event: public("a"),
			findings: "old=reverted a=reverted", left: "x", calls: 3},
		{name: "a function URL has a mode of its own", settings: enforce,
			policy: []string{url("u")}, event: url("u"), findings: "u=audited", left: "u", calls: 1},
		{name: "a function URL goes where that is to be enforced", settings: urls,
			policy: []string{url("u")}, event: url("u"), findings: "u=reverted", calls: 3},
		{name: "audit holds for function URLs too", settings: guard.Settings{FunctionURLs: guard.Enforce},
			policy: []string{url("u")}, event: url("u"), findings: "u=audited", left: "u", calls: 1},
		{name: "what cannot be decided is left to a person", settings: enforce,
			policy: []string{unclear("q")}, event: unclear("q"), findings: "q=needs-review", left: "q", calls: 1},
		{name: "a Deny beside it that takes everything away leaves nothing to find", settings: enforce,
			policy: []string{public("a"), denyAll("d")}, event: public("a"), left: "a d", calls: 1},
		{name: "an exemption lets it stand", settings: until(now.Add(time.Hour), "a"),
			policy: []string{public("a")}, event: public("a"), findings: "a=exempt", left: "a", calls: 1},
		{name: "an exemption of another Sid does not", settings: until(now.Add(time.Hour), "b"),
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", calls: 3},
		{name: "an exemption ends at its hour", settings: until(now, "a"),
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", calls: 3},
		{name: "two statements of one content are one finding and one write", settings: enforce,
			policy: []string{public("a"), restricted("x"), public("a")}, event: public("a"), findings: "a=reverted", left: "x", calls: 3},
		{name: "what stands behind the second of one content goes too", settings: enforce,
			policy: []string{public("a"), public("a"), public("b")}, event: public("a"), findings: "a=reverted b=reverted", calls: 3},
		{name: "two contents under one Sid are two statements", settings: enforce,
			policy: []string{public("a"), restricted("a")}, event: public("a"), findings: "a=reverted", left: "a", calls: 3},
		{name: "the order of members makes no other statement", settings: enforce, policy: []string{public("a")},
			event:    `{ "Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders", "Action":"lambda:InvokeFunction", "Principal":"*", "Effect":"Allow", "Sid":"a" }`,
			findings: "a=reverted", calls: 3},

		// Events that carry no statement, and statements that cannot be read.
		{name: "an event without a statement is followed to the policy", settings: enforce,
			policy: []string{public("a")}, findings: "a=reverted", calls: 3},
		{name: "in audit such an event is looked at twice while it is fresh", settings: audit,
			policy: []string{public("a")}, findings: "a=audited", left: "a", calls: 2},
		{name: "in audit such an event costs one call when it is old", settings: audit,
			policy: []string{public("a")}, age: time.Hour, findings: "a=audited", left: "a", calls: 1},
		{name: "what was open before does not hide from an early reading what the event opened", settings: audit,
			policy: []string{public("a")}, findings: "a=audited b=audited", left: "a b", calls: 2,
			faults: func(w *world) {
				w.put(public("a"), public("b"))
				w.policies.Order(guardtest.Policy, guardtest.Fault{Stale: 1})
			}},
		{name: "a clean policy is looked at twice while the event is fresh", settings: enforce,
			policy: []string{restricted("x")}, left: "x", calls: 2},
		{name: "a clean policy is looked at once when the event is old", settings: enforce,
			policy: []string{restricted("x")}, age: time.Hour, left: "x", calls: 1},
		{name: "two minutes are old", settings: enforce,
			policy: []string{restricted("x")}, age: 2 * time.Minute, left: "x", calls: 1},
		{name: "an exempt statement does not make a clean policy of an early reading", settings: until(now.Add(time.Hour), "e"),
			policy: []string{public("e")}, findings: "a=reverted e=exempt", left: "e", calls: 4,
			faults: func(w *world) {
				w.put(public("e"), public("a"))
				w.policies.Order(guardtest.Policy, guardtest.Fault{Stale: 1})
			}},
		{name: "nor does a function URL that may stand", settings: enforce,
			policy: []string{url("u")}, findings: "u=audited a=reverted", left: "u", calls: 4,
			faults: func(w *world) {
				w.put(url("u"), public("a"))
				w.policies.Order(guardtest.Policy, guardtest.Fault{Stale: 1})
			}},
		{name: "a policy that is not there is looked for twice", settings: enforce, calls: 2},
		{name: "a recorded statement that is not JSON is followed to the policy", settings: enforce,
			policy: []string{public("a")}, event: `{"Sid":`, findings: "a=reverted", calls: 3},
		{name: "a recorded statement with an unknown element is followed to the policy", settings: enforce,
			policy: []string{public("a")}, event: `{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:*","Sometimes":"yes"}`,
			findings: "a=reverted a=already-gone", calls: 4},

		// Gone before we looked.
		{name: "a statement that is gone was open all the same", settings: enforce,
			policy: []string{restricted("x")}, event: public("a"), findings: "a=already-gone", left: "x", calls: 2},
		{name: "a statement that is gone from an old event needs one look", settings: enforce,
			policy: []string{restricted("x")}, event: public("a"), age: time.Hour, findings: "a=already-gone", left: "x", calls: 1},
		{name: "a function that is gone is looked for twice", settings: enforce,
			event: public("a"), findings: "a=already-gone", calls: 2},
		{name: "an early reading is not believed", settings: enforce,
			policy: []string{restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 4,
			faults: func(w *world) {
				w.put(restricted("x"), public("a"))
				w.policies.Order(guardtest.Policy, guardtest.Fault{Stale: 1})
			}},
		{name: "an early reading from before a Deny went is not believed", settings: enforce,
			policy: []string{denyAll("d"), public("a")}, findings: "a=reverted", calls: 6,
			faults: func(w *world) {
				w.put(public("a"))
				w.policies.Order(guardtest.Remove, guardtest.Fault{Err: guard.ErrConflict})
				w.policies.Order(guardtest.Policy, guardtest.Fault{}, guardtest.Fault{Stale: 1})
			}},
		{name: "another content under the Sid of the event is another statement", settings: enforce,
			policy: []string{restricted("a")}, event: public("a"), findings: "a=already-gone", left: "a", calls: 2},
		{name: "an exempt statement that is gone is exempt", settings: until(now.Add(time.Hour), "a"),
			event: public("a"), findings: "a=exempt", calls: 2},

		// The compare-and-swap.
		{name: "a revision that moved for another reason is read again", settings: enforce,
			policy: []string{public("a"), restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 5,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() { w.policies.Touch(orders) }})
			}},
		{name: "five conflicts in a row are borne", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", calls: 13,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, slices.Repeat([]guardtest.Fault{{Err: conflict}}, 5)...)
			}},
		{name: "conflicts without end are reported", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=failed", left: "a", calls: 17, err: stillThere,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, slices.Repeat([]guardtest.Fault{{Err: conflict}}, 8)...)
			}},
		{name: "a harmless statement swapped in under the same Sid is left alone", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=already-gone", left: "a", calls: 4,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() { w.put(restricted("a")) }})
			}},
		{name: "a public statement swapped in under the same Sid is a finding of its own", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted a=already-gone", calls: 6,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() { w.put(statement("a", "Allow", "lambda:*", "")) }})
			}},
		{name: "a neighbour added in between stays", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", left: "x", calls: 5,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() { w.put(public("a"), restricted("x")) }})
			}},
		{name: "a Deny added in between closes it without us", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=already-gone", left: "a d", calls: 4,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() { w.put(public("a"), denyAll("d")) }})
			}},
		{name: "a Deny nobody can read, added in between, leaves it to a person", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=needs-review", left: "a d", calls: 3,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() {
					w.put(public("a"), statement("d", "Deny", "lambda:*", `{"StringEquals":{"example:NobodyKnows":"1"}}`))
				}})
			}},
		{name: "a policy that somebody else empties is gone", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=already-gone", calls: 4,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() { w.put() }})
			}},
		{name: "an early reading after a conflict is not believed", settings: enforce,
			policy: []string{restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 6,
			faults: func(w *world) {
				w.put(restricted("x"), public("a"))
				w.policies.Order(guardtest.Policy, guardtest.Fault{}, guardtest.Fault{Stale: 2})
				w.policies.Order(guardtest.Remove, guardtest.Fault{Before: func() { w.policies.Touch(orders) }})
			}},

		// Writes that fail, and answers that are lost.
		{name: "a lost answer to a write that happened: the policy decides", settings: enforce,
			policy: []string{public("a"), restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 4,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Err: lost, Applied: true})
			}},
		{name: "a lost answer to a write that did not happen: once more", settings: enforce,
			policy: []string{public("a"), restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 6,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Err: lost})
			}},
		{name: "a lost answer, and then an early reading", settings: enforce,
			policy: []string{restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 6,
			faults: func(w *world) {
				w.put(restricted("x"), public("a"))
				w.policies.Order(guardtest.Policy, guardtest.Fault{}, guardtest.Fault{Stale: 1})
				w.policies.Order(guardtest.Remove, guardtest.Fault{Err: lost})
			}},
		{name: "answers that are lost without end are reported", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=failed", left: "a", calls: 25, err: stillThere,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, slices.Repeat([]guardtest.Fault{{Err: lost}}, 8)...)
			}},
		{name: "a write that is refused is not tried again", settings: enforce,
			policy: []string{public("a"), unclear("q")}, event: public("a"), findings: "a=failed q=needs-review", left: "a q", calls: 4, err: "boom",
			faults: func(w *world) { w.policies.Order(guardtest.Remove, guardtest.Fault{Err: boom}) }},
		{name: "a write that is said to be refused, and happened", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=already-gone", calls: 4,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Err: boom, Applied: true})
			}},
		{name: "a first reading that fails leaves what the event told", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=failed", left: "a", calls: 1, err: "boom",
			faults: func(w *world) { w.policies.Order(guardtest.Policy, guardtest.Fault{Err: boom}) }},
		{name: "a first reading that fails is no audit", settings: audit,
			policy: []string{public("a")}, event: public("a"), findings: "a=failed", left: "a", calls: 1, err: "boom",
			faults: func(w *world) { w.policies.Order(guardtest.Policy, guardtest.Fault{Err: boom}) }},
		{name: "a first reading that fails for an event without a statement is an error", settings: enforce,
			policy: []string{public("a")}, left: "a", calls: 1, err: "boom",
			faults: func(w *world) { w.policies.Order(guardtest.Policy, guardtest.Fault{Err: boom}) }},
		{name: "a second look that fails is an error", settings: enforce,
			policy: []string{restricted("x")}, event: public("a"), findings: "a=failed", left: "x", calls: 2, err: "boom",
			faults: func(w *world) {
				w.policies.Order(guardtest.Policy, guardtest.Fault{}, guardtest.Fault{Err: boom})
			}},
		{name: "a removal that cannot be verified has failed", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=failed", calls: 3, err: "boom",
			faults: func(w *world) {
				w.policies.Order(guardtest.Policy, guardtest.Fault{}, guardtest.Fault{Err: boom})
			}},

		// Verification.
		{name: "a stale verification is repeated", settings: enforce,
			policy: []string{public("a"), restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 4,
			faults: func(w *world) {
				w.policies.Order(guardtest.Policy, guardtest.Fault{}, guardtest.Fault{Stale: 1})
			}},
		{name: "a statement that comes back is taken out again", settings: enforce,
			policy: []string{public("a"), restricted("x")}, event: public("a"), findings: "a=reverted", left: "x", calls: 6,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{After: func() { w.put(restricted("x"), public("a")) }})
			}},
		{name: "a statement that always comes back is reported", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=failed", left: "a", calls: 25, err: stillThere,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, slices.Repeat([]guardtest.Fault{{After: func() { w.put(public("a")) }}}, 8)...)
			}},
		{name: "one that is out stays reverted when the next one fails", settings: enforce,
			policy: []string{public("a"), restricted("x")}, event: public("a"), findings: "a=reverted b=failed", left: "x b", calls: 6, err: "boom",
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove,
					guardtest.Fault{After: func() { w.put(restricted("x"), public("b")) }}, guardtest.Fault{Err: boom})
			}},
		{name: "so is one that vanishes behind another that stays", settings: enforce,
			policy: []string{restricted("x"), public("a"), restricted("y")}, event: public("a"),
			findings: "a=failed", left: "x", calls: 4, err: `other statements have vanished too: "y"`,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{After: func() { w.put(restricted("x")) }})
			}},
		{name: "a neighbour that vanishes with it is an alarm", settings: enforce,
			policy: []string{restricted("x"), public("a"), restricted("y")}, event: public("a"),
			findings: "a=failed", left: "y", calls: 4, err: `other statements have vanished too: "x"`,
			faults: func(w *world) { w.policies.Order(guardtest.Remove, guardtest.Fault{Loses: true}) }},
		{name: "a neighbour that vanished is missed when a statement that comes back is out", settings: enforce,
			policy: []string{restricted("x"), public("a"), restricted("y")}, event: public("a"),
			findings: "a=failed", left: "y", calls: 7, err: `other statements have vanished too: "x"`,
			faults: func(w *world) {
				w.policies.Order(guardtest.Remove, guardtest.Fault{Loses: true, After: func() { w.put(restricted("y"), public("a")) }})
			}},
		{name: "a neighbour that an early reading lacks is no alarm", settings: enforce,
			policy: []string{public("a")}, event: public("a"), findings: "a=reverted", left: "x", calls: 4,
			faults: func(w *world) {
				w.put(public("a"), restricted("x"))
				w.policies.Order(guardtest.Policy, guardtest.Fault{},
					guardtest.Fault{Before: func() { w.put(); w.put(restricted("x")) }, Stale: 1})
			}},
		{name: "one of two neighbours of one content that vanishes is an alarm", settings: enforce,
			policy: []string{restricted("x"), public("a"), restricted("x")}, event: public("a"),
			findings: "a=failed", left: "x", calls: 4, err: `"x"`,
			faults: func(w *world) { w.policies.Order(guardtest.Remove, guardtest.Fault{Loses: true}) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.settings, tt.policy...)
			if tt.faults != nil {
				tt.faults(w)
			}
			fs, err := w.guard().Respond(t.Context(), guard.Candidate{
				Resource: orders, Call: "AddPermission20150331v2", EventID: "e-1", Time: now.Add(-tt.age), Statement: tt.event, Actor: tt.actor,
			})
			w.check(t, fs, err)
			if got := summary(fs); got != tt.findings {
				t.Errorf("findings %q, want %q", got, tt.findings)
			}
			if got := w.sids(); got != tt.left {
				t.Errorf("the policy has %q, want %q", got, tt.left)
			}
			if got := len(w.policies.Calls()); got != tt.calls {
				t.Errorf("%d calls, want %d", got, tt.calls)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func summary(fs []guard.Finding) string {
	var words []string
	for _, f := range fs {
		words = append(words, fmt.Sprintf("%s=%s", f.Sid, f.Outcome))
	}
	return strings.Join(words, " ")
}
