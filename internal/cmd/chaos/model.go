package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

// staleFor is how long a reading may be one from before a change. The guard looks
// twice, with two seconds between; whatever is older than that, it has to see.
const staleFor = 1900 * time.Millisecond

// model is what really happened, and what the guardrail has to show for it. It
// judges nothing: what a statement opens is known from how it was made.
type model struct {
	*schedule
	settings config.Config
	policies map[string]*policy // by ARN
	kinds    map[string]*kind   // by ARN and text
	ids      map[string]string  // ARN and text, by the finding's id
	openings []*opening
	problems []string
	note     func(string, ...any)
}

// policy is that of one resource, as it is.
type policy struct {
	text       string
	statements []string // verbatim
	open       map[string]*opening
	since      map[string]time.Time // a text is there
	absent     map[string]time.Time // a text was last seen not to be there
	changed    time.Time
}

// opening is a time for which a statement let strangers in.
type opening struct {
	arn, text string
	kind      *kind
	from, to  time.Time // to is zero as long as it is open
	by        *call     // nil if it was so from the beginning
	reverted  bool
	denied    bool // the same statement stood behind a Deny afterwards
	reported  bool
}

func newModel(s *schedule, settings config.Config) *model {
	return &model{schedule: s, settings: settings, policies: map[string]*policy{}, kinds: map[string]*kind{}, ids: map[string]string{}}
}

// wrong notes that something happened which may not.
func (m *model) wrong(format string, args ...any) {
	m.problems = append(m.problems, fmt.Sprintf(format, args...))
	m.note("WRONG: "+format, args...)
}

func identity(arn, text string) string { return arn + "\n" + text }

// knows tells of what kind a statement is.
func (m *model) knows(arn, text string, k *kind) { m.kinds[identity(arn, text)] = k }

// split returns the statements of a document, verbatim.
func split(document string) []string {
	if document == "" {
		return nil
	}
	var d struct{ Statement []json.RawMessage }
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		panic(fmt.Sprintf("chaos: a policy that nobody wrote: %v: %s", err, document))
	}
	texts := make([]string, len(d.Statement))
	for i, s := range d.Statement {
		texts[i] = string(s)
	}
	return texts
}

func (m *model) policy(arn string) *policy {
	p := m.policies[arn]
	if p == nil {
		p = &policy{open: map[string]*opening{}, since: map[string]time.Time{}, absent: map[string]time.Time{}}
		m.policies[arn] = p
	}
	return p
}

// observe is called after every write with the policy as it is then.
func (m *model) observe(arn, text string, by *call) {
	p := m.policy(arn)
	if p.text == text {
		return
	}
	before := p.statements
	p.text, p.statements, p.changed = text, split(text), m.now
	for _, s := range before {
		if !slices.Contains(p.statements, s) {
			delete(p.since, s)
			p.absent[s] = m.now
		}
	}
	locked := slices.ContainsFunc(p.statements, func(s string) bool { return m.kind(arn, s).is == lock })
	for _, s := range p.statements {
		if _, stands := p.since[s]; !stands {
			p.since[s] = m.now
			p.absent[s] = m.now
		}
		if k := m.kind(arn, s); (k.is == open || k.is == byURL) && !locked && p.open[s] == nil {
			o := &opening{arn: arn, text: s, kind: k, from: m.now, by: by}
			p.open[s] = o
			m.openings = append(m.openings, o)
		}
	}
	for s, o := range p.open { // in any order: each is closed alone
		if locked || !slices.Contains(p.statements, s) {
			o.to = m.now
			delete(p.open, s)
		}
	}
	for _, o := range m.openings {
		o.denied = o.denied || locked && o.arn == arn && slices.Contains(p.statements, o.text)
	}
}

func (m *model) kind(arn, text string) *kind {
	k := m.kinds[identity(arn, text)]
	if k == nil {
		panic("chaos: nobody wrote " + text + " at " + arn)
	}
	return k
}

// enforced reports whether a statement of the kind has to go.
func (m *model) enforced(k *kind) bool {
	return !k.exempt && m.settings.Mode == guard.Enforce && (k.is == open || k.is == byURL && m.settings.FunctionURLs == guard.Enforce)
}

// wrote checks a write of the guardrail that was carried out: from before to
// after, with a revision, in an attempt.
func (m *model) wrote(a *attempt, arn, before, after, revision string, lost []string) {
	if revision == "" {
		m.wrong("a write to %s without a revision", arn)
	}
	if before == after {
		return
	}
	if m.settings.Mode != guard.Enforce {
		m.wrong("a write to %s in audit", arn)
	}
	was, is := split(before), split(after)
	locked := slices.ContainsFunc(was, func(s string) bool { return m.kind(arn, s).is == lock })
	for _, s := range was {
		if i := slices.Index(is, s); i == 0 {
			is = is[1:] // kept, in its place
			continue
		}
		if slices.Contains(lost, s) {
			continue
		}
		a.removed = append(a.removed, s)
		if o := m.policy(arn).open[s]; o != nil {
			o.reverted = true
		}
		k := m.kind(arn, s)
		switch {
		case k.is == denial || k.is == lock:
			m.wrong("a Deny was removed from %s: %s", arn, s)
		case !m.enforced(k) || locked:
			m.wrong("removed from %s although it is %s: %s", arn, k.name, s)
		case !slices.ContainsFunc(a.evidence, func(e evidence) bool { return e.arn == arn && e.statement == s && e.policyBefore == before }):
			m.wrong("removed from %s without evidence: %s", arn, s)
		}
	}
	if len(is) > 0 {
		m.wrong("what was left in %s is not as it was: %s, before %s", arn, after, before)
	}
}

// evidence is a line of the log that was written before a removal.
type evidence struct{ arn, statement, policyBefore string }

// found is what the log says of a finding.
type found struct {
	ID, Sid, Statement, Error, FoundBy string
	Resource                           struct{ ARN string }
	Verdict                            struct{ Level string }
	Outcome                            guard.Outcome
	PolicyBefore                       string
}

// report checks a finding that an attempt reported.
func (m *model) report(a *attempt, f found) {
	arn := f.Resource.ARN
	who := identity(arn, f.Statement)
	k := m.kinds[who]
	if k == nil {
		m.wrong("a finding of a statement that never was: %+v", f)
		return
	}
	if a.reported[f.ID] {
		m.wrong("finding %s is reported twice by one attempt", f.ID)
	}
	a.reported[f.ID] = true
	a.told = append(a.told, f.Statement)
	if other, known := m.ids[f.ID]; known && other != who {
		m.wrong("one id for %s and %s", who, other)
	}
	m.ids[f.ID] = who

	level := map[openness][]string{open: {"public"}, byURL: {"public"}, unclear: {"undetermined"}, named: {"external", "confused-deputy"}}[k.is]
	if !slices.Contains(level, f.Verdict.Level) {
		m.wrong("reported as %s although it is %s: %s", f.Verdict.Level, k.name, f.Statement)
	}
	// Gone means that it was not there at some time since the attempt began.
	p := m.policy(arn)
	since, stands := p.since[f.Statement]
	gone := !stands || since.After(a.began.Add(-staleFor))
	switch f.Outcome {
	case guard.Reverted, guard.AlreadyGone:
		if !gone && !m.shut(arn, f.Statement, a.began.Add(-staleFor)) {
			m.wrong("said to be %s although it stands: %s", f.Outcome, f.Statement)
		}
		if f.Outcome == guard.Reverted && !m.enforced(k) {
			m.wrong("said to be reverted although it is %s", k.name)
		}
	case guard.Failed:
		a.failed = true
		// What is only to be looked at fails, too, where the policy cannot be read.
		if f.Error == "" || k.is != open && k.is != byURL || k.exempt {
			m.wrong("failed with %q although it is %s", f.Error, k.name)
		}
	case guard.Audited:
		if m.enforced(k) || k.exempt || k.is == unclear {
			m.wrong("audited although it is %s: %s", k.name, f.Statement)
		}
	case guard.Exempt:
		if !k.exempt {
			m.wrong("exempt although it is %s: %s", k.name, f.Statement)
		}
	case guard.NeedsReview:
		if k.is != unclear {
			m.wrong("left to a person although it is %s: %s", k.name, f.Statement)
		}
	}
	seen := a.lastRead
	if a.reads == 0 {
		seen = a.began
	}
	for _, o := range m.openings {
		if o.arn == arn && o.text == f.Statement && !o.from.After(seen) {
			o.reported = true
		}
	}
}

// shut reports whether the statement, which is there, let nobody in at some time
// since then.
func (m *model) shut(arn, text string, since time.Time) bool {
	o := m.policy(arn).open[text]
	return o == nil || o.from.After(since)
}

// ended checks what an attempt that says that all is well must have done.
func (m *model) ended(a *attempt) {
	if a.panicked != nil {
		m.wrong("a panic: %v", a.panicked)
	}
	m.reached(a)
	if a.failed && a.err == nil {
		m.wrong("a finding failed, and the attempt did not")
	}
	if a.err != nil || a.reads == 0 {
		return
	}
	for _, s := range a.removed {
		if !slices.Contains(a.told, s) {
			m.wrong("removed from %s, and not reported: %s", a.where, s)
		}
	}
	for _, s := range a.lost {
		p := m.policy(a.where)
		if _, back := p.since[s]; !back && p.changed.Before(a.lastRead) {
			m.wrong("a neighbour was lost from %s, and nobody was told: %s", a.where, s)
		}
	}
	for _, o := range m.openings {
		throughout := o.arn == a.where && !o.from.After(a.began.Add(-staleFor)) && (o.to.IsZero() || !o.to.Before(a.lastRead))
		switch {
		case !throughout:
		case !o.reported:
			m.wrong("open all the time that an attempt took, and not reported: %s at %s", o.text, o.arn)
		case o.to.IsZero() && m.enforced(o.kind):
			m.wrong("open all the time that an attempt took, and not reverted: %s at %s", o.text, o.arn)
		}
	}
}

// settled checks the end of all events: what is still open, no event told of, or
// a dead letter does.
func (m *model) settled(letters []letter) {
	told := map[*call]bool{}
	for _, l := range letters {
		if l.reason == "" {
			m.wrong("a dead letter that does not say why")
		}
		told[l.call] = true
	}
	for _, o := range m.openings {
		if o.by == nil || o.by.lost || told[o.by] {
			continue
		}
		if o.to.IsZero() && m.enforced(o.kind) {
			m.wrong("open, and no dead letter says so: %s at %s", o.text, o.arn)
		}
		// Of what a Deny shuts by the time that the guardrail looks, nobody can tell
		// whether it was ever open.
		if !o.reported && (o.to.IsZero() || o.by.recorded == o.text && !o.denied) {
			m.wrong("not reported, and no dead letter says so: %s at %s", o.text, o.arn)
		}
	}
}

// untold returns how many statements were reverted by an attempt that did not come
// to report them: the evidence, which was written before, tells of them.
func (m *model) untold() int {
	n := 0
	for _, o := range m.openings {
		if o.reverted && !o.reported {
			n++
		}
	}
	return n
}

// swept checks what is left when a sweep has seen everything.
func (m *model) swept() {
	for _, o := range m.openings {
		if !o.to.IsZero() {
			continue
		}
		if m.enforced(o.kind) {
			m.wrong("open after a sweep: %s at %s", o.text, o.arn)
		}
		if !o.reported {
			m.wrong("not reported after a sweep: %s at %s", o.text, o.arn)
		}
	}
}

// short cuts an ARN down to what people call it.
func short(arn string) string { return strings.TrimPrefix(arn, functions) }
