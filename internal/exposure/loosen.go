package exposure

import (
	"slices"

	"lambda-guardrail/internal/iampolicy"
)

// confirmed reports that nobody gets in where nobody was found. What keys hold that a
// policy variable ties together was not tried in all combinations.
func (s *search) confirmed() bool { return s.tied == nil || s.loosened().nobody() }

// loosened is the search without policy variables: each Allow asks for less, and
// each Deny matches less. Whoever does not get in there does not get in.
func (s *search) loosened() *search {
	var allow []test
	for i := range s.allow {
		if t, ok := s.loosen(&s.allow[i], true); ok {
			allow = append(allow, t)
		}
	}
	var denies []denial
	for _, d := range s.denies {
		var tests []test
		for i := range d.tests {
			if t, ok := s.loosen(&d.tests[i], false); ok {
				tests = append(tests, t)
			}
		}
		if len(tests) == len(d.tests) {
			d.tests = tests
			denies = append(denies, d)
		}
	}
	return s.with(allow, denies)
}

// loosen returns a test without variables that more requests meet than t or, unless
// more, fewer. It is false where there is none, and t is left out.
func (s *search) loosen(t *test, more bool) (test, bool) {
	if !t.variables || t.operator == nil {
		return *t, !t.variables
	}
	out := *t
	out.variables, out.values = false, nil
	matchMore := more != t.operator.negated // by a star in the place of a variable
	switch {
	case t.operator.operand == foldedText && matchMore:
		return test{}, false
	case t.operator.operand == text, t.operator.operand == arnPattern && matchMore && slices.ContainsFunc(t.values, variableEarly):
		out.operator = operatorIndex["stringlike"]
		if t.operator.negated {
			out.operator = operatorIndex["stringnotlike"]
		}
	}
	if matchMore {
		if swapped, ok := s.swapped(t); ok {
			return swapped, true
		}
	}
	for _, v := range t.values {
		if t.operator.operand == text {
			v = escape.Replace(v)
		}
		star, exact := s.star(t, v)
		switch {
		case !hasVariable(v):
			out.values = append(out.values, v)
		case exact || matchMore:
			out.values = append(out.values, star...)
		}
	}
	return out, true
}

// star puts a star in the place of the variables of a value; exact reports that this
// changes nothing.
func (s *search) star(t *test, v string) (out []string, exact bool) {
	if va, ok := parseVariable(v); ok {
		row := lookUp(va.key)
		switch self := row == t.key && sameFold(va.key, t.from.Key); {
		case row.domains[s.kind].source == none && va.hasFallback:
			return []string{va.before + escape.Replace(va.fallback) + va.after}, true
		case row.domains[s.kind].source == none && !t.operator.negated: // then AWS does not say
			return nil, true
		case self && va.before+va.after == "" && t.operator.operand < foldedText:
			return []string{"*"}, !row.multi
		case self && t.operator.operand == text:
			return nil, true // nothing is longer than itself
		}
	}
	return []string{walk(v, func(string) (string, bool) { return "*", true })}, false
}

// swapped is a test that compares a key of the owner's with one of the caller's, the
// other way round.
func (s *search) swapped(t *test) (test, bool) {
	u := s.useOf(t.from.Key, t.key)
	if s.domainOf(u).source != owners || t.operator.operand != text || t.quantifier != single || t.ifExists || len(t.values) != 1 {
		return test{}, false
	}
	va, ok := parseVariable(t.values[0])
	if !ok || va.hasFallback {
		return test{}, false
	}
	out := *t
	out.from = &iampolicy.Condition{Operator: t.from.Operator, Key: va.key}
	out.key, out.variables, out.values = lookUp(va.key), false, nil
	have, _ := s.candidates(u)
	for _, v := range have {
		if filling, ok := s.filling(t, va, v.text); ok && v.present {
			out.values = append(out.values, filling)
		}
	}
	return out, true
}
