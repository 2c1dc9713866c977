package guard_test

import (
	"errors"
	"strings"
	"testing"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

func deputy(sid string) string {
	return `{"Sid":"` + sid + `","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + orders.ARN() + `"}`
}

func external(sid string) string {
	return `{"Sid":"` + sid + `","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"lambda:InvokeFunction","Resource":"` + orders.ARN() + `"}`
}

func TestInspect(t *testing.T) {
	exempting := enforce
	exempting.Exemptions = []guard.Exemption{{Function: orders.ARN(), Sid: "a", Owner: "shop", Reason: "an open door", Until: now.AddDate(0, 0, 1)}}
	tests := []struct {
		name     string
		settings guard.Settings
		policy   []string
		hold     bool
		faults   []guardtest.Fault

		findings   string // "SID=OUTCOME ..."
		left       string
		level      exposure.Level
		statements int
		calls      int
		writes     int
		err        string
	}{
		{name: "no policy lets nobody in", settings: enforce, level: exposure.Restricted, calls: 1},
		{name: "a harmless policy is no finding", settings: enforce, policy: []string{restricted("a"), deny("d")},
			left: "a d", level: exposure.Restricted, statements: 2, calls: 1},
		{name: "a public statement is taken out", settings: enforce, policy: []string{restricted("a"), public("b")},
			findings: "b=reverted", left: "a", level: exposure.Restricted, statements: 1, calls: 3, writes: 1},
		{name: "in audit it is reported", settings: audit, policy: []string{public("b")},
			findings: "b=audited", left: "b", level: exposure.Public, statements: 1, calls: 1},
		{name: "outsiders and confused deputies are reported too, and never taken out", settings: enforce, policy: []string{deputy("s"), external("e"), public("b")},
			findings: "b=reverted s=audited e=audited", left: "s e", level: exposure.ConfusedDeputy, statements: 2, calls: 3, writes: 1},
		{name: "an exempt statement stands", settings: exempting, policy: []string{public("a")},
			findings: "a=exempt", left: "a", level: exposure.Public, statements: 1, calls: 1},
		{name: "what is held back stands, and is a failure", settings: enforce, policy: []string{public("b")}, hold: true,
			findings: "b=failed", left: "b", level: exposure.Public, statements: 1, calls: 1, err: guard.ErrHeld.Error()},
		{name: "holding back does not matter where there is nothing to remove", settings: enforce, policy: []string{restricted("a")}, hold: true,
			left: "a", level: exposure.Restricted, statements: 1, calls: 1},
		{name: "an unreadable policy is not clean", settings: enforce, policy: []string{restricted("a")}, faults: []guardtest.Fault{{Err: errors.New("denied")}},
			left: "a", level: exposure.Undetermined, calls: 1, err: "denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.settings, tt.policy...)
			w.policies.Order(guardtest.Policy, tt.faults...)
			seen, err := w.guard().Inspect(t.Context(), orders, guard.Inspection{FoundBy: guard.BySweep, Hold: tt.hold})
			w.check(t, seen.Findings, err)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v", err)
			}
			if got := summary(seen.Findings); got != tt.findings {
				t.Errorf("findings %q", got)
			}
			if got := w.sids(); got != tt.left {
				t.Errorf("left %q", got)
			}
			if seen.Level != tt.level || seen.Statements != tt.statements || seen.Writes != tt.writes {
				t.Errorf("level %s, %d statements, %d writes", seen.Level, seen.Statements, seen.Writes)
			}
			if n := len(w.policies.Calls()); n != tt.calls {
				t.Errorf("%d calls", n)
			}
			if live, _ := w.policies.Policy(t.Context(), orders); seen.Revision != live.Revision && tt.err == "" {
				t.Errorf("revision %q, and the policy is at %q", seen.Revision, live.Revision)
			}
			for _, f := range seen.Findings {
				if f.FoundBy != guard.BySweep || !f.OpenedAt.IsZero() || f.Call != "" {
					t.Errorf("a sweep knows neither call nor time: %+v", f)
				}
			}
		})
	}
}

func TestInspectLeavesAnotherAccountsFunctions(t *testing.T) {
	w := newWorld(guard.Settings{Mode: guard.Enforce, OwnRoles: []string{"arn:aws:iam::444455556666:role/lambda-guardrail"}}, public("a"))
	seen, err := w.guard().Inspect(t.Context(), orders, guard.Inspection{FoundBy: guard.BySweep})
	if err != nil || len(seen.Findings) > 0 || len(w.policies.Calls()) > 0 {
		t.Errorf("%v, %+v, %d calls", err, seen, len(w.policies.Calls()))
	}
}

func TestOutsidersAreNoMatterForTheEventPath(t *testing.T) {
	w := newWorld(enforce, deputy("s"), external("e"))
	fs, err := w.guard().Respond(t.Context(), candidate(external("e")))
	w.check(t, fs, err)
	if err != nil || len(fs) > 0 || len(w.policies.Calls()) > 0 {
		t.Errorf("%v, %q, %d calls", err, summary(fs), len(w.policies.Calls()))
	}
	if fs, err = w.guard().Respond(t.Context(), candidate("")); err != nil || len(fs) > 0 {
		t.Errorf("%v, %q", err, summary(fs))
	}
}
