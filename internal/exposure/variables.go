package exposure

import (
	"slices"
	"strings"
)

// Policy variables (R8).
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html

// expand fills in what is known without a request: the escapes, and the keys that
// are of the function, but for the key that the values are compared with: that one
// is equal to itself, whatever it holds. Variables reports that some value still has
// a variable.
func expand(values []string, on *Target, with string) (out []string, variables bool) {
	if !slices.ContainsFunc(values, hasVariable) {
		return values, false
	}
	account := on.Account
	if account == "" {
		account = ownersAccount
	}
	out = make([]string, len(values))
	for i, v := range values {
		out[i] = walk(v, func(name string) (string, bool) {
			if sameFold(name, with) {
				return "", false
			}
			switch strings.ToLower(name) {
			case "*":
				return string(literalStar), true
			case "?":
				return string(literalMark), true
			case "$":
				return string(literalDollar), true
			case "aws:resourceaccount":
				return account, true
			case "aws:resourceorgid":
				return ownersOrg, true
			}
			return "", false
		})
		variables = variables || hasVariable(out[i])
	}
	return out, variables
}

func hasVariable(v string) bool { return strings.Contains(v, "${") }

// walk replaces the variables that with knows, and keeps the others as they are.
func walk(v string, with func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(v, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if to, known := with(name); known && closed {
			b.WriteString(to)
			v = after
		} else {
			b.WriteString("${")
			v = rest
		}
	}
}

// variable is a value with one variable in it: before${key}after.
type variable struct {
	before, key, after string
	fallback           string // of ${key, 'fallback'}
	hasFallback        bool
}

// parseVariable reads a value that has exactly one variable.
func parseVariable(v string) (variable, bool) {
	before, rest, _ := strings.Cut(v, "${")
	name, after, closed := strings.Cut(rest, "}")
	if !closed || hasVariable(after) {
		return variable{}, false
	}
	out := variable{before: before, key: strings.TrimSpace(name), after: after}
	if key, fallback, ok := strings.Cut(name, ","); ok {
		fallback = strings.TrimSpace(fallback)
		if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
			return variable{}, false
		}
		out.key, out.fallback, out.hasFallback = strings.TrimSpace(key), fallback[1:len(fallback)-1], true
	}
	return out, true
}

// link adds the keys that variables name, and gives each side of a comparison the
// values that the other can have.
func (s *search) link() {
	for _, t := range s.allTests() {
		if t.variables {
			s.tied = append(s.tied, t)
		}
	}
	for range 2 { // values travel there and back, or along a chain of two
		s.linkOnce()
	}
}

func (s *search) linkOnce() {
	for _, t := range s.tied {
		for _, v := range t.values {
			va, ok := parseVariable(v)
			if !ok || !s.left.spend(1) { // without work left, nothing is believed to be complete
				continue
			}
			from := s.useOf(va.key, lookUp(va.key))
			from.linked = true
			to := s.useOf(t.from.Key, t.key)
			to.linked = true
			if from == to {
				continue
			}
			s.meetBoth(t, va, from, to)
			fromValues, _ := s.candidates(from)
			toValues, _ := s.candidates(to)
			fromSource, toSource := s.domainOf(from).source, s.domainOf(to).source
			if toSource == free {
				s.tie(to, to.row.own(1)) // which is not what the other one has by itself
				for _, f := range fromValues {
					if f.present && !f.unknown {
						s.tie(to, va.before+f.text+va.after)
					}
				}
				if va.hasFallback {
					s.tie(to, va.before+va.fallback+va.after)
				}
			}
			if toSource == theirs {
				s.tie(to, to.row.own(1)) // a stranger can have two accounts
				s.avoid(t, to, va, fromValues)
				// The identity must be the stranger's: from the variable, or from a
				// wildcard beside it.
				arn := t.operator != nil && t.operator.operand == arnPattern
				open := !to.row.identity.fixes(va.before+"*"+va.after, arn) && fromSource == theirs ||
					hasWildcard(va.before+va.after) && !to.row.identity.fixes(va.before+"x"+va.after, arn)
				for _, f := range fromValues {
					if open && f.present && !f.unknown {
						s.tie(to, to.row.instances(va.before+escape.Replace(f.text)+va.after)...)
					}
				}
			}
			if fromSource == free || fromSource == theirs && toSource == theirs {
				for _, to := range toValues {
					if rest, ok := s.filling(t, va, to.text); ok && to.present {
						s.tie(from, rest)
					}
				}
			}
		}
	}
}

// meetBoth adds values that suit the tests on both sides of a comparison.
func (s *search) meetBoth(t *test, va variable, from, to *use) {
	if t.operator == nil || t.operator.operand > foldedText {
		return
	}
	form := test{from: t.from, key: t.key, operator: operatorIndex["stringlike"], values: []string{va.before + "*" + va.after}}
	if t.operator.operand == text {
		form.values[0] = escape.Replace(va.before) + "*" + escape.Replace(va.after)
	}
	tests := append(to.tests[:len(to.tests):len(to.tests)], usedTest{&form, ofTheAllow})
	sides := []*use{to}
	if va.before+va.after == "" {
		tests = append(tests, from.tests...)
		sides = append(sides, from)
	}
	for _, side := range sides {
		joint := *side
		joint.tests = tests
		values, _ := s.candidates(&joint)
		for _, u := range sides {
			if s.domainOf(u).source != free && s.domainOf(side).source != theirs {
				continue // what one may choose need not be the other's
			}
			for _, v := range values {
				if v.present && !v.unknown {
					s.tie(u, v.text)
				}
			}
		}
	}
}

// tie adds values that the key can have because another one has its own.
func (s *search) tie(u *use, texts ...string) {
	for _, text := range texts {
		if s.left.spend(1+len(u.links)) && !slices.Contains(u.links, text) {
			u.links = append(u.links, text)
		}
	}
}

// filling is what the variable must hold for its value to match the text: what the
// text has in its place or, beside wildcards, as much of the text as will do.
func (s *search) filling(t *test, va variable, text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, va.before); ok {
		if rest, ok := strings.CutSuffix(rest, va.after); ok {
			return rest, true
		}
	}
	if t.operator == nil || t.operator.operand != pattern && t.operator.operand != arnPattern || !hasWildcard(va.before+va.after) {
		return "", false
	}
	for from := range text {
		for to := len(text); to >= from && s.left.spend(1); to-- {
			if rest := text[from:to]; t.operator.holds(va.before+escape.Replace(rest)+va.after, text) == yes {
				return rest, true
			}
		}
	}
	return "", false
}

// avoid adds values that a pattern with a variable does not match.
func (s *search) avoid(t *test, to *use, va variable, from []value) {
	if t.operator == nil || t.operator.operand != pattern && t.operator.operand != arnPattern {
		return
	}
	for _, f := range from {
		if !f.present || f.unknown {
			continue
		}
		cs := []constraint{{pattern: va.before + escape.Replace(f.text) + va.after, arn: t.operator.operand == arnPattern}}
		cs = append(cs, to.row.shape()...)
		switch text, found := solve(cs, anyText, s.left); found {
		case yes:
			s.tie(to, text)
		case unknown:
			s.incomplete = true
		}
	}
}

func (s *search) allTests() (all []*test) {
	for i := range s.allow {
		all = append(all, &s.allow[i])
	}
	for d := range s.denies {
		for i := range s.denies[d].tests {
			all = append(all, &s.denies[d].tests[i])
		}
	}
	return all
}

// linkedOutcome is how far a complete request gets in: the tests with variables
// are decided here, and every Deny must be defeated.
func (s *search) linkedOutcome(values []value, defeat []tri) tri {
	in := yes
	if s.tied == nil {
		return slices.Min(append(defeat[:len(defeat):len(defeat)], in))
	}
	if !s.left.spend(len(s.tied) * len(s.uses)) {
		s.incomplete = true
		return no
	}
	for i := range s.allow {
		if t := &s.allow[i]; t.variables {
			in = min(in, s.resolved(t, values))
		}
	}
	for d := range s.denies {
		in = min(in, max(defeat[d], s.untied(&s.denies[d], values)))
	}
	return in
}

// untied is how far the tests with variables keep a Deny from matching, in a
// request that lacks only its address.
func (s *search) untied(d *denial, values []value) (out tri) {
	for i := range d.tests {
		if t := &d.tests[i]; t.variables {
			out = max(out, s.resolved(t, values).not())
		}
	}
	return out
}

// resolved is the outcome of a test with variables in a complete request.
func (s *search) resolved(t *test, values []value) tri {
	if t.operator == nil {
		return unknown
	}
	filled := *t
	filled.values = nil
	undecided := false
	for _, v := range t.values {
		if !hasVariable(v) {
			filled.values = append(filled.values, v)
			continue
		}
		va, ok := parseVariable(v)
		if !ok {
			undecided = true
			continue
		}
		row := lookUp(va.key)
		of := s.valueOf(va.key, row, values)
		switch {
		case of.unknown || row.multi: // a key of several values is no variable
			undecided = true
		case of.present:
			filled.values = append(filled.values, va.before+escape.Replace(of.text)+va.after)
		case va.hasFallback:
			filled.values = append(filled.values, va.before+escape.Replace(va.fallback)+va.after)
		default:
			undecided = undecided || t.operator.negated
		}
	}
	have := s.valueOf(t.from.Key, t.key, values)
	out := filled.outcome(have)
	if undecided && have.present && (out == no) != t.operator.negated {
		return unknown
	}
	return out
}

func (s *search) valueOf(name string, row *keyRow, values []value) value {
	for i, u := range s.uses {
		if u.row == row && sameFold(u.name, name) && i < len(values) {
			return values[i]
		}
	}
	return value{unknown: true}
}
