package exposure_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"lambda-guardrail/internal/exposure"
)

// What must hold for every policy (section 7 of the specification).

func judge(t testing.TB, p genPolicy) (exposure.Level, []exposure.Verdict) {
	t.Helper()
	verdicts := exposure.Judge(parse(t, p.String()), target, exposure.Trust{}, now)
	return exposure.Worst(verdicts), verdicts
}

// rapidTB lets helpers that want a testing.TB fail a rapid.T.
type rapidTB struct {
	testing.TB
	t *rapid.T
}

func (r rapidTB) Helper()                   {}
func (r rapidTB) Fatalf(f string, a ...any) { r.t.Fatalf(f, a...) }
func (r rapidTB) Fatal(a ...any)            { r.t.Fatal(a...) }

func property(t *testing.T, check func(t rapidTB)) {
	rapid.Check(t, func(r *rapid.T) { check(rapidTB{t, r}) })
}

func TestWitnessesAreAllowed(t *testing.T) {
	property(t, func(t rapidTB) {
		policy := drawPolicy(t.t).String()
		d := parse(t, policy)
		for i, v := range exposure.Judge(d, target, exposure.Trust{}, now) {
			checkVerdict(t, policy, &d, i, target, v, false)
		}
	})
}

func TestStrangersFindNoWayIn(t *testing.T) {
	property(t, func(t rapidTB) {
		p := drawPolicy(t.t)
		_, verdicts := judge(t, p)
		checkStrangers(t, p.String(), target, verdicts, 150, rapid.Uint64().Draw(t.t, "seed"))
	})
}

func TestMoreConditionsAndDeniesOpenNothing(t *testing.T) {
	property(t, func(t rapidTB) {
		p := drawPolicy(t.t)
		before, _ := judge(t, p)
		if before == exposure.Public {
			t.t.SkipNow()
		}
		q := p.clone()
		if rapid.Bool().Draw(t.t, "deny") {
			q.statements = append(q.statements, drawStatement(t.t, "Deny"))
		} else {
			q.statements[0].add(drawCondition(t.t))
		}
		if after, _ := judge(t, q); after == exposure.Public {
			t.Fatalf("%v before, %v after\n%s\n%s", before, after, p, q)
		}
	})
}

func TestWhatIsNotKnownRestrictsNothing(t *testing.T) {
	property(t, func(t rapidTB) {
		p := drawPolicy(t.t)
		before, _ := judge(t, p)
		if before != exposure.Public {
			t.t.SkipNow()
		}
		c := drawCondition(t.t)
		if rapid.Bool().Draw(t.t, "key") {
			c.key = "aws:UnheardOf"
		} else {
			c.operator = pick(t.t, "operator", "StringMatches", "Null2", "IfExists", "ForEachValue:StringEquals", "")
		}
		if len(c.values) == 0 {
			c.values = []string{"x"}
		}
		q := p.clone()
		for i := range q.statements {
			q.statements[i].add(c)
		}
		if after, _ := judge(t, q); after != exposure.Public && after != exposure.Undetermined {
			t.Fatalf("%v before, %v after\n%s\n%s", before, after, p, q)
		}
	})
}

func TestSpellingAndOrderDoNotMatter(t *testing.T) {
	property(t, func(t rapidTB) {
		p := drawPolicy(t.t)
		before, _ := judge(t, p)
		q := p.clone()
		swap := func(s string) string {
			return strings.Map(func(r rune) rune {
				switch rapid.IntRange(0, 2).Draw(t.t, "case") {
				case 0:
					return unicode.ToUpper(r)
				case 1:
					return unicode.ToLower(r)
				}
				return r
			}, s)
		}
		for i := range q.statements {
			s := &q.statements[i]
			s.conditions = rapid.Permutation(s.conditions).Draw(t.t, "conditions")
			for k := range s.conditions {
				c := &s.conditions[k]
				c.operator, c.key = swap(c.operator), swap(c.key)
				if len(c.values) > 1 {
					c.values = rapid.Permutation(c.values).Draw(t.t, "values")
				}
			}
			if a, ok := s.action.value.(string); ok {
				s.action.value = []string{swap(a)}
			}
			if r, ok := s.resource.value.(string); ok {
				s.resource.value = []string{r}
			}
		}
		q.statements = rapid.Permutation(q.statements).Draw(t.t, "statements")
		if after, _ := judge(t, q); after != before {
			t.Fatalf("%v before, %v after\n%s\n%s", before, after, p, q)
		}
		// A list of one and the text itself.
		text := q.String()
		for i := range q.statements {
			for _, c := range q.statements[i].conditions {
				if len(c.values) == 1 {
					text = strings.ReplaceAll(text, quoted(c.values), quoted(c.values[0]))
				}
			}
		}
		if after := exposure.Worst(exposure.Judge(parse(t, text), target, exposure.Trust{}, now)); after != before {
			t.Fatalf("%v before, %v after\n%s\n%s", before, after, p, text)
		}
	})
}

// Trust and a later look change nothing about strangers.
func TestTrustOpensNothing(t *testing.T) {
	property(t, func(t rapidTB) {
		p := drawPolicy(t.t)
		before, _ := judge(t, p)
		trust := exposure.Trust{Accounts: []string{"444455556666"}, Orgs: []string{"o-a1b2c3d4e5"}}
		after := exposure.Worst(exposure.Judge(parse(t, p.String()), target, trust, now))
		if after != before && (before != exposure.External || after != exposure.Restricted) {
			t.Fatalf("%v before, %v with trust\n%s", before, after, p)
		}
	})
}
