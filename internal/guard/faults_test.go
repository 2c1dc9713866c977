package guard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

var errPassing = errors.New("a fault of the network")

// faults are what can go wrong with one call, by what was asked for.
func faults(w *world) map[guardtest.Operation]map[string]guardtest.Fault {
	return map[guardtest.Operation]map[string]guardtest.Fault{
		guardtest.Policy: {
			"fails":              {Err: errPassing},
			"is stale":           {Stale: 1},
			"is very stale":      {Stale: 2},
			"finds the function": {Before: func() { w.policies.Touch(orders) }},
			"comes after an edit": {Before: func() {
				w.put(append(raws(w.policies.Document(orders)), restricted("new"))...)
			}},
			"comes before somebody empties the policy": {After: func() { w.put() }},
		},
		guardtest.Remove: {
			"fails, not applied":                    {Err: errPassing},
			"fails, applied":                        {Err: errPassing, Applied: true},
			"loses its answer, not applied":         {Err: guard.ErrUnknownOutcome},
			"loses its answer, applied":             {Err: guard.ErrUnknownOutcome, Applied: true},
			"is told of a conflict":                 {Err: guard.ErrConflict},
			"is told that nothing is there":         {Err: guard.ErrNotFound},
			"meets another revision":                {Before: func() { w.policies.Touch(orders) }},
			"meets a swapped statement":             {Before: func() { w.put(restricted("a"), restricted("x")) }},
			"meets a second public statement":       {Before: func() { w.put(public("a"), public("b"), restricted("x")) }},
			"meets an empty policy":                 {Before: func() { w.put() }},
			"meets a policy that nobody can read":   {Before: func() { w.policies.Put(orders, `{"Statement":`) }},
			"is undone":                             {After: func() { w.put(public("a"), restricted("x")) }},
			"is followed by one that nobody knew":   {After: func() { w.put(restricted("x"), public("c")) }},
			"is followed by a new neighbour":        {After: func() { w.put(restricted("x"), restricted("new")) }},
			"loses a neighbour":                     {Loses: true},
			"loses a neighbour and its answer, too": {Loses: true, Err: guard.ErrUnknownOutcome, Applied: true},
		},
	}
}

func raws(document string) []string {
	if !strings.HasSuffix(document, "}") {
		return nil
	}
	var list []string
	for _, s := range statements(document) {
		list = append(list, s.Raw)
	}
	return list
}

// TestEveryFaultAtEveryCall takes the plain case and lets every call of it go
// wrong in every way.
func TestEveryFaultAtEveryCall(t *testing.T) {
	for _, operation := range []guardtest.Operation{guardtest.Policy, guardtest.Remove} {
		for kind := range faults(newWorld(enforce))[operation] {
			for n := range 3 {
				t.Run(fmt.Sprintf("%s number %d %s", operation, n+1, kind), func(t *testing.T) {
					w := newWorld(enforce, restricted("x"))
					w.put(public("a"), restricted("x"))
					w.policies.Order(operation, append(make([]guardtest.Fault, n), faults(w)[operation][kind])...)
					fs, err := w.guard().Respond(t.Context(), guard.Candidate{Resource: orders, Time: now, Statement: public("a")})
					w.policies.Discard()
					w.check(t, fs, err)
					w.closed(t, fs, err)
				})
			}
		}
	}
}

// closed holds where nobody writes after the Guard's last reading: without an
// error, nothing public that was to be removed is left, and what is said to be
// out is out.
func (w *world) closed(t fatalf, fs []guard.Finding, err error) {
	t.Helper()
	left := raws(w.policies.Document(orders))
	for _, f := range fs {
		stands := slices.Contains(left, f.Statement)
		switch f.Outcome {
		case guard.Reverted, guard.AlreadyGone:
			if stands {
				t.Fatalf("%s is said to be %s, and stands", f.Sid, f.Outcome)
			}
		case guard.Failed:
			if err == nil {
				t.Fatalf("%s failed without an error", f.Sid)
			}
		}
	}
	if err == nil && w.settings.Mode == guard.Enforce && len(w.settings.Exemptions) == 0 && slices.ContainsFunc(left, func(s string) bool {
		return strings.HasPrefix(s, `{"Sid":`) && slices.Contains([]string{public("a"), public("b"), public("c")}, s)
	}) {
		t.Fatalf("no error, and a public statement is left: %s", left)
	}
}

func TestAnyFaultsOnAnyPolicy(t *testing.T) {
	kinds := map[string]func(sid string) string{
		"public": public, "url": url, "restricted": restricted, "unclear": unclear, "deny": deny, "denyAll": denyAll,
	}
	names := []string{"public", "url", "restricted", "unclear", "deny", "denyAll"}
	rapid.Check(t, func(t *rapid.T) {
		drawStatement := rapid.Custom(func(t *rapid.T) string {
			kind := rapid.SampledFrom(names[:5]).Draw(t, "kind")
			if rapid.IntRange(0, 19).Draw(t, "denyAll") == 0 {
				kind = "denyAll"
			}
			return kinds[kind](rapid.SampledFrom([]string{"", "a", "b", "x", "y"}).Draw(t, "sid"))
		})
		settings := guard.Settings{
			Mode:         guard.Mode(rapid.IntRange(0, 1).Draw(t, "mode")),
			FunctionURLs: guard.Mode(rapid.IntRange(0, 1).Draw(t, "functionUrls")),
			OwnRoles:     []string{ownRole},
		}
		if rapid.Bool().Draw(t, "exemption") {
			settings.Exemptions = []guard.Exemption{{
				Function: "arn:*", Sid: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "exempt"),
				Until: now.Add(rapid.SampledFrom([]time.Duration{-time.Hour, 24 * time.Hour}).Draw(t, "until")),
			}}
		}
		policy := rapid.SliceOfN(drawStatement, 0, 6).Draw(t, "policy")
		w := newWorld(settings, policy...)
		for _, operation := range []guardtest.Operation{guardtest.Policy, guardtest.Remove} {
			all := faults(w)[operation]
			names := []string{""}
			for name := range all {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(t, string(operation)) {
				w.policies.Order(operation, all[name])
			}
		}
		event := ""
		if rapid.Bool().Draw(t, "recorded") {
			event = drawStatement.Draw(t, "event")
		}
		age := rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "age")
		fs, err := w.guard().Respond(context.Background(), guard.Candidate{Resource: orders, Time: now.Add(-age), Statement: event})
		w.policies.Discard()
		w.check(t, fs, err)
	})
}
