package exposure

import (
	"slices"
	"time"
)

// search looks for one request of one kind of stranger, for one action on one
// resource: a value for every key that the Allow or a Deny in its way looks at.
// One key has one value throughout (R15).
type search struct {
	kind     Kind
	service  string // for AnyService, the one that calls; "" is one that nothing names
	on       Target
	now      time.Time
	accounts []string // that are no stranger's, in order
	allow    []test
	denies   []denial
	left     *work
	anybody  bool // not only strangers: a key can have the values of those whom the policy names

	uses  []*use
	tied  []*test // those with a policy variable
	sets  map[*test]addressSet
	found request
	// incomplete: no way in was found, but not all could be tried.
	incomplete bool
}

// denial is a Deny that matches the principal, action and resource.
type denial struct {
	statement int
	tests     []test
	may       bool // it is not known whether it matches, or it could not be read
}

// use is a key that the search needs a value for.
type use struct {
	name    string // as first written
	row     *keyRow
	tests   []usedTest
	links   []string // values that other keys have, which a policy variable compares with this one
	linked  bool     // a policy variable ties it to another key
	choices []choice
}

// usedTest is a test of the Allow, or of the Deny with that index.
type usedTest struct {
	*test
	denial int
}

const ofTheAllow = -1

// choice is a candidate that does not fail the Allow.
type choice struct {
	value  value
	allow  tri
	defeat []tri // per denial: does this value keep it from matching?
}

// request is what was found: a value per use, and whether it surely gets in.
type request struct {
	in     tri
	values []value
}

// run returns whether a stranger gets in. Blocked is then the use whose tests no
// value meets, if it is one alone.
func (s *search) run() (blocked *use) {
	for i := range s.denies {
		if len(s.denies[i].tests) == 0 && !s.denies[i].may {
			return nil // no value of any key defeats it
		}
	}
	s.collect()
	for _, u := range s.uses {
		complete := s.choose(u)
		if len(u.choices) > 0 || u.row.domains[s.kind].source == address {
			s.incomplete = s.incomplete || !complete
			continue
		}
		if complete {
			s.incomplete = false // whatever the other keys can hold
			return u
		}
		blocked = u
	}
	if blocked != nil {
		s.incomplete = true
		return blocked
	}
	// The address comes last: which ones will do depends on what is left to defeat.
	slices.SortStableFunc(s.uses, func(a, b *use) int {
		return int(truth(a.row.domains[s.kind].source == address) - truth(b.row.domains[s.kind].source == address))
	})
	defeat := make([]tri, len(s.denies))
	for i := range s.denies {
		if s.denies[i].may {
			defeat[i] = unknown
		}
	}
	s.descend(0, yes, defeat, make([]value, 0, len(s.uses)))
	if s.found.in == no && len(s.denies) == 0 {
		for _, u := range s.uses {
			if len(u.choices) == 0 {
				return u
			}
		}
	}
	return nil
}

// with is a search for the same stranger, on the same resource, by other tests.
func (s *search) with(allow []test, denies []denial) *search {
	return &search{kind: s.kind, service: s.service, on: s.on, now: s.now, accounts: s.accounts, allow: allow, denies: denies, left: s.left}
}

// nobody runs the search, and reports whether it tried everything and found nobody.
func (s *search) nobody() bool {
	s.run()
	return s.found.in == no && !s.incomplete
}

// context is the request that was found, but for the keys that it lacks.
func (s *search) context() (out []ContextValue) {
	for i, v := range s.found.values {
		if u := s.uses[i]; v.present {
			values := append([]string{v.text}, v.more...)
			out = append(out, ContextValue{Key: u.name, Values: values, source: s.domainOf(u).source})
		}
	}
	return out
}

// collect lists the keys, and the tests on each.
func (s *search) collect() {
	for i := range s.allow {
		u := s.useOf(s.allow[i].from.Key, s.allow[i].key)
		u.tests = append(u.tests, usedTest{&s.allow[i], ofTheAllow})
	}
	for d := range s.denies {
		for i := range s.denies[d].tests {
			t := &s.denies[d].tests[i]
			u := s.useOf(t.from.Key, t.key)
			u.tests = append(u.tests, usedTest{t, d})
		}
	}
	s.link()
}

func (s *search) useOf(name string, row *keyRow) *use {
	s.left.spend(len(s.uses))
	for _, u := range s.uses {
		if u.row == row && sameFold(u.name, name) {
			return u
		}
	}
	u := &use{name: name, row: row}
	s.uses = append(s.uses, u)
	return u
}

// choose fills in the choices of a key and reports whether there can be no others.
// A test with a policy variable is left for when all keys have a value.
func (s *search) choose(u *use) (complete bool) {
	candidates, complete := s.candidates(u)
	cost := 1
	for _, t := range u.tests {
		cost += 1 + len(t.values)
	}
	for _, v := range candidates {
		if !s.left.spend(cost * (1 + len(v.more))) {
			complete = false
			break
		}
		c := choice{value: v, allow: yes}
		if v.doubtful {
			c.allow = unknown
		}
		if len(s.denies) > 0 {
			c.defeat = make([]tri, len(s.denies))
		}
		for _, t := range u.tests {
			switch {
			case t.variables:
			case t.denial == ofTheAllow:
				c.allow = min(c.allow, t.outcome(v))
			default:
				c.defeat[t.denial] = max(c.defeat[t.denial], t.outcome(v).not())
			}
		}
		if c.allow == no {
			continue
		}
		u.choices = append(u.choices, c)
		if len(s.denies) == 0 && !u.linked && c.allow == yes {
			u.choices = u.choices[len(u.choices)-1:] // as good as any
			break
		}
	}
	if !u.linked && len(u.choices) > 1 {
		s.prune(u)
	}
	return complete
}

func (u *use) has(t *test) bool {
	return t.key == u.row && sameFold(t.from.Key, u.name)
}

// prune drops the choices that another one is at least as good as.
func (s *search) prune(u *use) {
	if n := len(u.choices); n > 200 || !s.left.spend(n*n*len(s.denies)) {
		return
	}
	var kept []choice
next:
	for i, c := range u.choices {
		for j, other := range u.choices {
			if i != j && other.covers(c) && (j < i || !c.covers(other)) {
				continue next
			}
		}
		kept = append(kept, c)
	}
	u.choices = kept
}

func (c choice) covers(other choice) bool {
	if c.allow < other.allow {
		return false
	}
	for d := range c.defeat {
		if c.defeat[d] < other.defeat[d] {
			return false
		}
	}
	return true
}

// descend gives the i-th key and those behind it their values. Allow is how far
// the values so far meet the Allow, defeat how far each Deny is kept from matching.
func (s *search) descend(i int, allow tri, defeat []tri, values []value) {
	if !s.left.spend(1 + len(s.denies)) {
		s.incomplete = true
		return
	}
	if allow <= s.found.in {
		return // no better than what there is
	}
	if i == len(s.uses) {
		in := min(allow, s.linkedOutcome(values, defeat))
		if in > s.found.in {
			s.found = request{in: in, values: slices.Clone(values)}
		}
		return
	}
	u := s.uses[i]
	if u.row.domains[s.kind].source == address {
		s.chooseAddress(i, allow, defeat, values)
	}
	for _, c := range u.choices {
		next := defeat
		if len(c.defeat) > 0 {
			next = slices.Clone(defeat)
			for d := range next {
				next[d] = max(next[d], c.defeat[d])
			}
		}
		s.descend(i+1, min(allow, c.allow), next, append(values, c.value))
		if s.found.in == yes {
			return
		}
	}
}

// chooseAddress gives the key an address out of those that meet the Allow and
// every Deny that nothing else defeats, where they are enough to be anybody's. If
// there is none, a Deny that may be defeated is left at that.
func (s *search) chooseAddress(i int, allow tri, defeat []tri, values []value) {
	u := s.uses[i]
	meets := everyAddress()
	for k := range s.allow {
		if t := &s.allow[k]; u.has(t) {
			set := s.addressesOf(t)
			meets = meets.intersect(set.met)
			allow = min(allow, set.sure)
		}
	}
	for _, enough := range [...]tri{yes, unknown} {
		feasible, next := meets, slices.Clone(defeat)
		for d := range s.denies {
			next[d] = max(next[d], s.untied(&s.denies[d], values))
			if next[d] >= enough {
				continue
			}
			escape, sure := s.escape(&s.denies[d], u)
			feasible = feasible.intersect(escape)
			next[d] = max(next[d], sure)
		}
		if a, ok := feasible.stranger(); ok {
			s.descend(i+1, allow, next, append(values, value{present: true, text: a.String()}))
		}
		if s.found.in == yes {
			return
		}
	}
}

// escape is the set of addresses that keep the Deny from matching, surely or not.
func (s *search) escape(d *denial, u *use) (out addresses, sure tri) {
	for k := range d.tests {
		if t := &d.tests[k]; u.has(t) {
			set := s.addressesOf(t)
			if set.sure != yes {
				return everyAddress(), unknown
			}
			out = out.union(set.unmet)
		}
	}
	return out, yes
}

// addressSet is the addresses for which a test holds, and all others; sure is less
// than yes where that could not be told.
type addressSet struct {
	met, unmet addresses
	sure       tri
}

// addressesOf is worked out once for each test; each use of it is work as well.
func (s *search) addressesOf(t *test) addressSet {
	set, known := s.sets[t]
	if !known {
		set.met, set.sure = t.addresses()
		set.unmet = set.met.complement()
		if s.sets == nil {
			s.sets = map[*test]addressSet{}
		}
		s.sets[t] = set
	}
	s.left.spend(perAddress * (len(set.met) + len(set.unmet)))
	return set
}

// perAddress is what a range costs that is compared with others, sorted and looked
// into for a stranger.
const perAddress = 16

// addresses is the set of addresses for which the test holds; sure is less than
// yes where that could not be told.
func (t *test) addresses() (met addresses, sure tri) {
	switch {
	case t.operator == nil || t.variables:
		return everyAddress(), unknown
	case t.operator.operand == presence:
		if t.null(value{present: true}) == no {
			return nil, yes
		}
		return everyAddress(), t.null(value{present: true})
	case t.operator.operand == addressRange:
		set, all := parseAddresses(t.values)
		if !all {
			return everyAddress(), unknown
		}
		met = set
	default: // as text: all of them, one that is no stranger's, or hard to say
		for _, v := range t.values {
			switch {
			case v == "*" && (t.operator.operand == pattern || t.operator.operand == arnPattern):
				met = everyAddress()
			case t.operator.operand == text || t.operator.operand == foldedText || t.operator.operand == pattern && !hasWildcard(v):
			default:
				return everyAddress(), unknown
			}
		}
	}
	if t.operator.negated {
		met = met.complement()
	}
	return met, yes
}
