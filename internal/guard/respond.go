package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
)

const (
	// GetPolicy is eventually consistent: it can miss a change that has just been
	// made. While an event is fresher than freshFor, and wherever the policy is
	// not what it was to be, one reading is no proof; the second comes after
	// secondLook. AWS names no bound; Terraform waits for minutes.
	freshFor   = 2 * time.Minute
	secondLook = 2 * time.Second

	// The revision that guards a write moves with every update of the function,
	// so that conflicts are normal while somebody deploys.
	maxWrites    = 8
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

// Respond looks at the resource of c, removes what it must, and reports what it
// found; the findings that it returns are those that it reported. An error means:
// try again, or fetch a person. A second delivery of an event does no harm.
func (g *Guard) Respond(ctx context.Context, c Candidate) ([]Finding, error) {
	if g.settings.own(c.Actor) || g.settings.elsewhere(c.Resource) {
		return nil, nil
	}
	recorded := g.ruleOnEvent(c)
	if recorded != nil && (recorded.outcome == "" || recorded.low()) {
		return nil, nil
	}
	c.Actor.Tool = c.Actor.tool()
	return (&response{Guard: g, Candidate: c, foundBy: ByEvent, recorded: recorded}).respond(ctx)
}

// respond settles, looks around, and reports.
func (r *response) respond(ctx context.Context) ([]Finding, error) {
	work, cancel := leaveTimeToReport(ctx)
	err := r.settle(work)
	r.remember()
	r.lookAround(work)
	cancel()
	findings := r.findings(err)
	return findings, errors.Join(err, r.report(ctx, findings))
}

// ruleOnEvent rules on the recorded statement as if it stood alone: no Deny beside
// it can make it more open. It returns nil if there is no statement, or none that
// can be read.
func (g *Guard) ruleOnEvent(c Candidate) *ruling {
	if c.Statement == "" {
		return nil
	}
	d, err := iampolicy.ParseStatement(c.Statement)
	if err != nil {
		return nil
	}
	return &g.settings.decide(d, c.Resource, g.clock.Now())[0]
}

// response is the work on one candidate.
type response struct {
	*Guard
	Candidate
	foundBy  FoundBy
	held     bool    // nothing may be removed
	recorded *ruling // of the event's statement; nil if it carries none

	calls, writes int
	lookups       int
	surroundings  surroundings
	found         []*entry        // in the order in which they were seen
	gone          map[string]bool // fingerprints that a believed snapshot lacks, or has behind a Deny
	live          *snapshot       // the newest that is believed; nil from a write until it is verified
	wrote         *write          // the newest that may have happened
	refused       error           // the answer to a write that no sentinel classifies
}

// entry is a finding in the making: the newest ruling on a statement, and what
// has happened to it since.
type entry struct {
	ruling
	before   string // the policy that the ruling was made on
	restore  string
	standing bool // the newest reading has it, and rules so
	present  bool // the newest reading has it
	written  bool // we sent a removal, and were not told that it failed
	closedAt time.Time
}

// settle reads, removes and reads again, until nothing is left to be removed. The
// reading that verifies a removal is the one that the next removal starts from.
func (r *response) settle(ctx context.Context) error {
	for {
		if err := r.look(ctx); err != nil {
			return err
		}
		which := r.live.toRemove()
		switch {
		case len(which) == 0:
			return nil
		case r.held:
			return fmt.Errorf("the policy of %s: %w", r.Resource, ErrHeld)
		case r.refused != nil:
			return r.refused
		case r.writes == maxWrites:
			return fmt.Errorf("removing statements from the policy of %s: still there after %d attempts", r.Resource, maxWrites)
		}
		if err := r.remove(ctx, which); err != nil {
			return err
		}
	}
}

// look reads the policy, a second time where once is no proof, and verifies the
// last write.
func (r *response) look(ctx context.Context) error {
	s, err := r.read(ctx)
	if err == nil && r.doubts(s) {
		if err = r.pause(ctx, secondLook); err == nil {
			s, err = r.read(ctx)
		}
	}
	if err != nil {
		return err
	}
	if lost := r.wrote.lost(s); len(lost) > 0 && !r.wrote.undone(s) {
		return fmt.Errorf("after the removal from the policy of %s other statements have vanished too: %s; policyBefore in the evidence has them", r.Resource, names(lost))
	}
	r.believe(s)
	return nil
}

func (r *response) pause(ctx context.Context, d time.Duration) error {
	if err := r.clock.Sleep(ctx, d); err != nil {
		return fmt.Errorf("waiting to read the policy of %s again: %w", r.Resource, err)
	}
	return nil
}

// believe takes s for what the policy is now.
func (r *response) believe(s *snapshot) {
	r.live = s
	r.gone = map[string]bool{}
	if r.recorded != nil {
		r.gone[r.recorded.fingerprint] = s.count[r.recorded.fingerprint] == 0
	}
	for _, e := range r.found {
		r.gone[e.fingerprint] = !e.standing
		switch {
		case e.present || !s.readable:
			e.closedAt = time.Time{}
		case e.written && e.closedAt.IsZero():
			e.closedAt = r.clock.Now()
		}
	}
}

// read takes one reading and enters it in what was found.
func (r *response) read(ctx context.Context) (*snapshot, error) {
	r.calls++
	p, err := r.policies.Policy(ctx, r.Resource)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	s := &snapshot{policy: p, readable: true}
	if err == nil {
		s.rulings, s.readable = r.settings.read(p.Document, r.Resource, r.clock.Now())
	}
	s.count = count(s.rulings)
	for _, e := range r.found {
		e.standing, e.present = false, s.count[e.fingerprint] > 0
	}
	for _, ruling := range s.rulings {
		if ruling.outcome == "" || ruling.low() && r.foundBy == ByEvent {
			continue
		}
		e := r.find(ruling.fingerprint)
		if e == nil {
			e = &entry{}
			r.found = append(r.found, e)
		}
		e.ruling, e.before, e.standing, e.present = ruling, p.Document, true, true
	}
	return s, nil
}

// doubts reports whether s, just read, can be an early reading: it lacks what
// there must be, has what must be gone, or is all that speaks for a write.
func (r *response) doubts(s *snapshot) bool {
	if w := r.wrote; w != nil && (!w.sure || w.undone(s) || len(w.lost(s)) > 0) {
		return true
	}
	for _, e := range r.found {
		if e.remove && !e.standing && !e.written && !r.gone[e.fingerprint] {
			return true
		}
	}
	if r.clock.Now().Sub(r.Time) >= freshFor {
		return false
	}
	if r.recorded != nil {
		fingerprint := r.recorded.fingerprint
		return s.count[fingerprint] == 0 && r.find(fingerprint) == nil && !r.gone[fingerprint]
	}
	// An open statement in s need not be the one that the event is about. If it is
	// to go, the revision tells whether s is early; otherwise nothing does.
	return !slices.ContainsFunc(r.found, func(e *entry) bool { return e.remove })
}

// remove writes the evidence down and takes the statements out of the policy that
// was last read. Its error is final; a write that failed or may have failed is
// none, since the next reading decides.
func (r *response) remove(ctx context.Context, which []int) error {
	s := r.live
	// Where somebody has put back what went, what vanished with it is missed when
	// that is out again.
	w := &write{kept: r.wrote.lost(s)}
	var evidence []Finding
	for i, ruling := range s.rulings {
		if !slices.Contains(which, i) {
			w.kept = append(w.kept, ruling)
			continue
		}
		if slices.Contains(w.removed, ruling.fingerprint) {
			continue
		}
		w.removed = append(w.removed, ruling.fingerprint)
		e := r.find(ruling.fingerprint)
		e.restore = RestoreCommand(r.Resource, ruling.statement, s.policy.Document)
		evidence = append(evidence, r.finding(e, Failed))
	}
	w.left = count(w.kept)
	if err := r.evidence.Record(ctx, evidence); err != nil {
		return fmt.Errorf("recording the evidence for %s, without which nothing is removed: %w", r.Resource, err)
	}

	r.writes++
	r.calls++
	r.live = nil
	err := r.policies.Remove(ctx, r.Resource, s.policy, which)
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound):
		return r.pause(ctx, r.backoff(r.writes))
	case err == nil, errors.Is(err, ErrUnknownOutcome):
		w.sure = err == nil
		for _, fingerprint := range w.removed {
			r.find(fingerprint).written = true
		}
	default:
		r.refused = err
	}
	r.wrote = w
	return nil
}

func (r *response) find(fingerprint string) *entry {
	for _, e := range r.found {
		if e.fingerprint == fingerprint {
			return e
		}
	}
	return nil
}

// remember enters the statement of the event, which need not be there any more.
func (r *response) remember() {
	if r.recorded != nil && r.find(r.recorded.fingerprint) == nil && (r.live == nil || r.live.count[r.recorded.fingerprint] == 0) {
		e := &entry{ruling: *r.recorded}
		if e.outcome != Exempt {
			e.outcome = Failed
		}
		r.found = append(r.found, e)
	}
}

// findings returns what was found and what has become of it, the gravest first. Err
// is how the work ended.
func (r *response) findings(err error) []Finding {
	fs := make([]Finding, len(r.found))
	for i, e := range r.found {
		fs[i] = r.finding(e, r.outcome(e))
		if fs[i].Outcome == Failed && err != nil {
			fs[i].Error = err.Error()
		}
		fs[i].NextSteps = nextSteps(fs[i])
	}
	for i := range fs {
		for k := range fs {
			if k != i && fs[k].Verdict.Level == exposure.Public {
				fs[i].Beside = append(fs[i].Beside, Beside{fs[k].ID, fs[k].Sid, fs[k].Outcome})
			}
		}
	}
	slices.SortStableFunc(fs, func(a, b Finding) int { return a.Severity.Rank() - b.Severity.Rank() })
	return fs
}

func (r *response) outcome(e *entry) Outcome {
	switch {
	case e.outcome == Exempt:
		return Exempt
	case !e.closedAt.IsZero():
		return Reverted
	case r.live == nil || e.standing:
		return e.outcome
	case !r.live.readable:
		return NeedsReview
	}
	return AlreadyGone
}

func (r *response) finding(e *entry, outcome Outcome) Finding {
	f := Finding{
		SchemaVersion: SchemaVersion,
		ID:            FindingID(r.Resource.ARN(), e.fingerprint),
		FoundBy:       r.foundBy,
		Resource:      r.Resource,
		Role:          r.surroundings.role,
		FunctionURL:   r.functionURL(e),
		Sid:           e.statement.Sid,
		Statement:     e.statement.Raw,
		Fingerprint:   e.fingerprint,
		PolicyBefore:  e.before,
		Verdict:       e.verdict,
		Outcome:       outcome,
		Error:         e.problem,
		Mode:          r.settings.Mode,
		FunctionURLs:  r.settings.FunctionURLs,
		Exemption:     e.exemption,
		Call:          r.Call,
		EventID:       r.EventID,
		Actor:         r.Actor,
		ClosedAt:      e.closedAt,
		APICalls:      r.calls,
		LookupCalls:   r.lookups,
	}
	f.Severity = severity(f.Verdict, outcome, f.FunctionURL)
	if e.verdict.Level == exposure.Public || e.verdict.Level == exposure.Undetermined {
		f.Attack = techniques
	}
	if e.verdict.Level == exposure.Public && slices.Contains(e.verdict.Access, exposure.Invoke) {
		f.ElasticRule = elasticRule
	}
	if outcome == Reverted || outcome == Failed {
		f.Restore = e.restore
	}
	if r.foundBy == ByEvent && (r.recorded == nil || r.recorded.fingerprint == e.fingerprint) {
		f.OpenedAt = r.Time
	}
	if !f.OpenedAt.IsZero() && f.ClosedAt.After(f.OpenedAt) {
		f.SecondsOpen = f.ClosedAt.Sub(f.OpenedAt).Seconds()
	}
	return f
}

// backoff returns how long to wait before the n-th attempt after the first, with
// half of it left to chance, so that two writers do not meet again.
func (g *Guard) backoff(n int) time.Duration {
	d := min(firstBackoff<<(n-1), maxBackoff)
	return d/2 + Jitter(g.clock, n, d/2)
}
