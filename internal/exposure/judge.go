package exposure

import (
	"math/bits"
	"slices"
	"sync"
	"time"

	"lambda-guardrail/internal/iampolicy"
)

// Judge judges every statement of the document in the light of all of them: a
// Deny beside an Allow counts. On is the resource that the policy hangs on, now
// the time that conditions on the time are compared with.
func Judge(d iampolicy.Document, on Target, trust Trust, now time.Time) []Verdict {
	j := judges.Get().(*judge)
	j.doc, j.on, j.trust, j.now, j.listed, j.missed = d, on, trust, now, false, false
	verdicts, _ := j.statements()
	j.doc, j.denies, j.versions = iampolicy.Document{}, nil, nil
	judges.Put(j)
	return verdicts
}

// statements also returns what judging them took.
func (j *judge) statements() (verdicts []Verdict, spent work) {
	d := &j.doc
	j.accounts = append(j.accounts[:0], j.on.Account)
	for i := range d.Statements {
		for _, name := range d.Statements[i].Principal.AWS {
			j.accounts = append(j.accounts, accountOf(name))
		}
	}
	slices.Sort(j.accounts)
	j.accounts = slices.DeleteFunc(slices.Compact(j.accounts), func(a string) bool { return len(a) != 12 || !isDigits(a) })
	for i := range d.Statements {
		if s := &d.Statements[i]; s.Effect == iampolicy.Deny || s.Problem != "" && s.Effect == "" {
			j.denies = append(j.denies, deny{statement: i, from: s, actions: granted(s.Action), tests: j.tests(nil, i)})
		}
	}
	// Each has an equal part of the work, and so has the listing of versions: one that
	// was made to be expensive hides none of the others, wherever it stands.
	part := maxWork / work(1+max(1, len(d.Statements)-len(j.denies)))
	j.listing = part
	verdicts = make([]Verdict, len(d.Statements))
	for i := range verdicts {
		j.left = part
		verdicts[i] = j.statement(i)
		spent += part - j.left
	}
	return verdicts, spent + part - j.listing
}

// judges keeps what a verdict does not need any more: most policies are judged in
// less time than it takes to make a new one.
var judges = sync.Pool{New: func() any { return new(judge) }}

type judge struct {
	doc      iampolicy.Document
	on       Target
	trust    Trust
	now      time.Time
	left     work // for this statement
	listing  work // for the list of versions
	denies   []deny
	accounts []string // that are no stranger's, in order: the owner's, and those of principals

	versions []resource // of the target, as far as the document tells them apart
	listed   bool       // versions is filled in
	missed   bool       // there are some that are not in it

	allow [4]test     // room for those of most statements
	self  [1]resource // the target
}

type deny struct {
	statement int
	from      *iampolicy.Statement
	actions   actionSet
	tests     []test
}

func (j *judge) tests(to []test, statement int) []test {
	conditions := j.doc.Statements[statement].Conditions
	for i := range conditions {
		t := newTest(&conditions[i], statement)
		if j.doc.Variables() && slices.ContainsFunc(t.values, hasVariable) {
			if t.operator != nil && t.operator.operand > foldedText && t.operator.operand != presence {
				t.operator, t.variables = nil, true // AWS fills in none there
			} else {
				t.values, t.variables = expand(t.values, &j.on, t.from.Key)
			}
		}
		to = append(to, t)
	}
	return to
}

// statement judges one statement.
func (j *judge) statement(i int) Verdict {
	s := &j.doc.Statements[i]
	switch {
	case s.Effect == iampolicy.Deny:
		return settled(Restricted, Reason{Code: IsDeny, statement: i, element: theEffect})
	case s.Problem != "":
		return settled(Undetermined, Reason{Code: Unreadable, statement: i, detail: s.Problem})
	case s.Effect != iampolicy.Allow:
		return settled(Restricted, Reason{Code: NoEffect, statement: i, element: theEffect, detail: s.Effect})
	}
	t := trial{judge: j, statement: i, from: s, actions: allowed(s.Action)}
	if t.actions == 0 {
		return settled(Restricted, Reason{Code: NothingGranted, statement: i, element: actionElement(s)})
	}
	t.resources, t.resourceKnown = j.resourcesOf(s)
	if len(t.resources) == 0 {
		return settled(Restricted, Reason{Code: Elsewhere, statement: i, element: resourceElement(s)})
	}
	t.tests = j.tests(j.allow[:0], i)
	return t.verdict()
}

func settled(l Level, why Reason) Verdict {
	return Verdict{Level: l, Access: []Access{}, Strangers: []Witness{}, Reasons: []Reason{why}}
}

// kinds that a principal element admits (R4), in the order of [Kind].
func admitted(p *iampolicy.Principal) (kinds [len(kindNames)]bool) {
	for k := range kinds {
		switch {
		case p.Not:
			kinds[k] = !p.Everyone && (Kind(k) != AnyServiceURL || !slices.Contains(p.Services, cloudFront))
		case p.Everyone:
			kinds[k] = true
		default:
			kinds[k] = len(servicesOf(p, Kind(k))) > 0
		}
	}
	return kinds
}

// trial is one Allow, tried against every stranger.
type trial struct {
	*judge
	statement     int
	from          *iampolicy.Statement
	actions       actionSet
	resources     []resource
	resourceKnown tri
	tests         []test

	in        [len(kindNames)]tri
	access    actionSet
	possible  actionSet
	witnesses []Witness
	reasons   []Reason
}

func (t *trial) verdict() Verdict {
	kinds := admitted(&t.from.Principal)
	t.reasons = append(make([]Reason, 0, 2+len(t.tests)), t.principalReason())
	reached := false
	for _, k := range tellingOrder {
		actions := t.actions & reach[k]
		if !kinds[k] || actions == 0 {
			continue
		}
		reached = true
		if k == AnyServiceURL && max(t.in[AnyPrincipalURL], t.in[AnyService]) == yes {
			continue // nobody needs a service to come in, or not that way
		}
		t.try(k, actions)
	}

	v := Verdict{Level: t.level(), Access: []Access{}, Strangers: []Witness{}}
	if len(t.witnesses) > 0 {
		v.Strangers = t.witnesses
	}
	switch {
	case t.access != 0:
		v.Access = t.access.list()
	case v.Level == Undetermined:
		v.Access = t.possible.list()
	}

	switch {
	case v.Level == Public || v.Level == ConfusedDeputy:
		t.reasons = t.reasons[:1] // what kept some stranger out did not keep all out
		for i := range t.tests {
			t.because(t.tests[i].reason(NoLimit, ""))
		}
	case v.Level == Undetermined:
		t.doubts()
	case kinds != [len(kindNames)]bool{} && !reached:
		t.because(Reason{Code: OutOfReach, statement: t.statement, element: actionElement(t.from)})
	default:
		if who, ok := t.outsider(); ok && !t.neverHolds() {
			v.Level = External
			t.because(who)
		}
	}
	v.Reasons = t.reasons
	return v
}

// tellingOrder is the order in which strangers are tried and listed: who can do
// most comes first.
var tellingOrder = [...]Kind{AnyPrincipal, Anonymous, AnyPrincipalURL, AnyService, AnyServiceURL}

// level applies R17, but for External.
func (t *trial) level() Level {
	callers := max(t.in[Anonymous], t.in[AnyPrincipal], t.in[AnyPrincipalURL])
	services := max(t.in[AnyService], t.in[AnyServiceURL])
	switch {
	case callers == yes:
		return Public
	case callers == unknown:
		return Undetermined
	case services == yes:
		return ConfusedDeputy
	case services == unknown:
		return Undetermined
	}
	return Restricted
}

// try finds out which of the actions a kind of stranger gets.
func (t *trial) try(kind Kind, left actionSet) {
	for _, service := range t.services(kind) {
		if len(t.denies) == 0 { // then one action or resource is like another
			if t.search(kind, service, t.resources[0], left, nil) {
				return
			}
			continue
		}
		for _, on := range t.resources {
			for tried := actionSet(0); left&^tried != 0; {
				if !t.left.spend(len(t.denies)*bits.OnesCount64(uint64(left)) + 1) {
					t.in[kind] = max(t.in[kind], unknown)
					t.possible |= left
					t.because(Reason{Code: GaveUp, statement: t.statement})
					return
				}
				// Actions that the same Denies stand against go together.
				first := (left &^ tried).first()
				denies := t.against(kind, service, first, on)
				group := actionSet(0)
				for rest := left &^ tried; rest != 0; rest &= rest - 1 {
					if a := rest.first(); a == first || slices.EqualFunc(denies, t.against(kind, service, a, on), sameDenial) {
						group |= 1 << a
					}
				}
				tried |= group
				if t.search(kind, service, on, group, denies) {
					left &^= group
				}
			}
		}
	}
}

func sameDenial(a, b denial) bool { return a.statement == b.statement }

// search looks for one request; it returns true if that surely gets in.
func (t *trial) search(kind Kind, service string, on resource, group actionSet, denies []denial) bool {
	var context []ContextValue
	in, decided := no, false
	if len(denies) == 0 {
		in, context, decided = t.plain(kind)
	}
	if !decided {
		s := search{kind: kind, service: service, on: t.on, now: t.now, accounts: t.accounts, allow: t.tests, denies: denies, left: &t.left}
		blocked := s.run()
		switch in = s.found.in; {
		case in != no:
			context = s.context()
		case s.incomplete || t.missed || !s.confirmed():
			in = unknown
			t.because(Reason{Code: GaveUp, statement: t.statement, element: theCondition})
		default:
			t.blockedBy(kind, blocked, s.enough())
		}
	}
	switch in = min(in, t.resourceKnown); in {
	case unknown:
		t.possible |= group
	case yes:
		t.access |= group
		if t.in[kind] != yes {
			if t.witnesses == nil {
				t.witnesses = make([]Witness, 0, len(kindNames))
			}
			t.witnesses = append(t.witnesses, Witness{
				Kind: kind, Action: actions[group.first()].name, Context: context,
				function: t.on.Function, qualifier: on.qualifier, service: service,
			})
		}
	}
	t.in[kind] = max(t.in[kind], in)
	return in == yes
}

// plain decides the requests that take no search: no Deny, one test a key, and
// keys whose value is not the caller's choice.
func (t *trial) plain(kind Kind) (in tri, context []ContextValue, decided bool) {
	for i := range t.tests {
		c := &t.tests[i]
		source := c.key.domains[kind].source
		if c.variables || c.operator == nil || source != none && source != listed && !(source == theirs && c.fixed()) {
			return no, nil, false
		}
		for k := range t.tests[:i] {
			if t.tests[k].key == c.key {
				return no, nil, false
			}
		}
	}
	for i := range t.tests {
		c := &t.tests[i]
		d := &c.key.domains[kind]
		switch k, met := c.firstOf(d); {
		case met == unknown:
			return no, nil, false
		case met == no:
			t.because(c.keepsOut(kind))
			return no, nil, true
		case k < len(d.values):
			context = append(context, ContextValue{Key: c.from.Key, Values: d.values[k : k+1 : k+1], source: listed})
		}
	}
	return yes, context, true
}

// firstOf returns the first value of a listed domain, absence being the last, that
// meets the test or may.
func (t *test) firstOf(d *domain) (n int, met tri) {
	for n, text := range d.values {
		if met := t.outcome(value{present: true, text: text}); met != no {
			return n, met
		}
	}
	if d.absent {
		met = t.outcome(value{})
	}
	return len(d.values), met
}

// fixed reports whether every value names somebody, and the test asks for one of
// them: then no stranger's own value will do.
func (t *test) fixed() bool {
	if t.operator.negated || t.operator.operand > arnPattern {
		return false
	}
	for _, v := range t.values {
		if t.operator.operand != text && !t.key.identity.fixes(v, t.operator.operand == arnPattern && v != "*") {
			return false
		}
	}
	return true
}

// services are those that could make the call: the ones that the Allow names, or
// one that nothing names and those that a Deny treats apart.
func (t *trial) services(kind Kind) []string {
	p := &t.from.Principal
	if !kind.service() {
		return someService
	}
	if !p.Not && !p.Everyone {
		return servicesOf(p, kind)
	}
	if kind == AnyServiceURL {
		return []string{cloudFront}
	}
	list := someService
	for i := range t.denies {
		for _, s := range t.denies[i].from.Principal.Services {
			if !slices.Contains(list, s) && !(p.Not && slices.Contains(p.Services, s)) {
				list = append(list[:len(list):len(list)], s)
			}
		}
	}
	return list
}

var someService = []string{""}

// cloudFront is the only service that calls function URLs by its own name.
// Source: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html
const cloudFront = "cloudfront.amazonaws.com"

// servicesOf are those among the principals that call like this kind of stranger.
func servicesOf(p *iampolicy.Principal, kind Kind) []string {
	switch {
	case kind == AnyService:
		return p.Services
	case kind == AnyServiceURL && slices.Contains(p.Services, cloudFront):
		return []string{cloudFront}
	}
	return nil
}

// against lists the Denies that match such a request, but for their conditions.
func (t *trial) against(kind Kind, service string, action int, on resource) (out []denial) {
	for i := range t.denies {
		d := &t.denies[i]
		if d.from.Problem != "" {
			out = append(out, denial{statement: d.statement, may: true})
			continue
		}
		if d.actions&(1<<action) == 0 || !d.matches(kind, service) {
			continue
		}
		if m := t.covered(&d.from.Resource, on); m != no {
			out = append(out, denial{statement: d.statement, tests: d.tests, may: m == unknown})
		}
	}
	return out
}

// matches reports whether the Deny is addressed to this stranger.
func (d *deny) matches(kind Kind, service string) bool {
	p := &d.from.Principal
	listed := p.Everyone || kind.service() && (slices.Contains(p.Services, service) || slices.Contains(p.Services, "*"))
	return listed != p.Not
}
