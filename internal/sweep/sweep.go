package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// Inspector looks at one policy: a [guard.Guard].
type Inspector interface {
	Inspect(ctx context.Context, on guard.Resource, how guard.Inspection) (guard.Inspected, error)
}

// Parts are what a Sweep is made of.
type Parts struct {
	Inventory  Inventory
	Inspector  Inspector
	Seen       Seen // nil keeps nothing: an incremental run reads every policy
	Clock      guard.Clock
	Pace       *Pace // that all calls of Inventory and Inspector go through
	Settings   guard.Settings
	MaxReverts int // in one run
}

// Sweep looks at every policy, a part at a time.
type Sweep struct {
	Parts
	digest digest
}

// New returns a Sweep.
func New(p Parts) *Sweep { return &Sweep{p, digestOf(p.Settings)} }

// Run is a part of a run: what one invocation of the function does.
type Run struct {
	Kind  Kind
	Token string    // of the part before; "" begins a run
	Until time.Time // when to stop, so that there is time to store what was seen; zero is never
}

// Result is how far a run has come.
type Result struct {
	Token   string // for the next part; "" if Done
	Done    bool
	Summary Summary  // since the run began
	Notes   []string // what went wrong and cost nothing but time
}

// seen is the name of what a finished run knows to be restricted.
const seen = "seen"

// growing is the name of what a run that has not finished knows.
func (k Kind) growing() string { return "seen-" + string(k) }

// errTime ends a walk.
var errTime = errors.New("the time is up")

// Run walks on from where the token says, and stops when the time is up. It has
// always come further when it returns without an error. A token that cannot be
// read begins a new run. An error means that nothing was done since the token, or
// that ctx has ended: try again with the same one.
func (s *Sweep) Run(ctx context.Context, run Run) (Result, error) {
	var r Result
	p := s.resume(run, &r)
	known, grown := s.load(ctx, p, run.Token, &r)

	before, calls := p.Place, s.Pace.Calls()
	late := func() bool { return !run.Until.IsZero() && !s.Clock.Now().Before(run.Until) }
	turned := func(next Place) error {
		if p.Place = next; late() {
			return errTime
		}
		return nil
	}
	err := Walk{Inventory: s.Inventory, Turned: turned}.From(ctx, p.Place, func(ctx context.Context, item Item, next Place) error {
		if p.Place != before && late() {
			return errTime
		}
		if err := s.visit(ctx, item, p, known, grown); err != nil {
			return err
		}
		p.Place = next
		return nil
	})
	p.Summary.Calls += s.Pace.Calls() - calls
	r.Summary = p.Summary
	switch {
	case err == nil:
		r.Done = true
		s.store(ctx, seen, grown.encode(s.digest, ""), &r)
		return r, nil
	case ctx.Err() != nil || p.Place == before:
		return Result{}, fmt.Errorf("sweeping: %w", err)
	case !errors.Is(err, errTime):
		r.note("the walk stopped early, and goes on from there: %v", err)
	}
	s.store(ctx, run.Kind.growing(), grown.encode(s.digest, p.run()), &r)
	r.Token = p.token()
	return r, nil
}

func (s *Sweep) resume(run Run, r *Result) *progress {
	now := s.Clock.Now().UTC()
	if run.Token != "" {
		p, err := readToken(run.Token, run.Kind, now)
		if err == nil {
			return p
		}
		r.note("the token is refused, and the run begins anew: %v", err)
	}
	return &progress{Version: tokenVersion, Kind: run.Kind, Summary: Summary{Started: now}}
}

// visit looks at one policy, unless it is known. Its error is that of ctx.
func (s *Sweep) visit(ctx context.Context, item Item, p *progress, known, grown *set) error {
	if item.Revision != "" && item.Unlisted == nil {
		if m := markOf(item.Resource.ARN(), item.Revision); known.has(m) || grown.has(m) {
			s.remember(grown, m)
			p.Summary.count(item)
			p.Summary.Skipped++
			return nil
		}
	}
	found, err := s.Inspector.Inspect(ctx, item.Resource, guard.Inspection{
		FoundBy: guard.BySweep, Hold: p.Summary.removed() >= s.MaxReverts,
	})
	if err != nil && ctx.Err() != nil {
		return err
	}
	p.Summary.Add(item, found, err)
	if err != nil || len(found.Findings) > 0 || found.Level != exposure.Restricted || !found.Timeless {
		return nil
	}
	revision := found.Revision
	if revision == "" { // without a policy there is no other than the one listed
		revision = item.Revision
	}
	if revision != "" {
		s.remember(grown, markOf(item.Resource.ARN(), revision))
	}
	return nil
}

func (s *Sweep) remember(grown *set, m mark) {
	if s.Seen != nil {
		grown.add(m)
	}
}

// load returns what is known of an earlier run, and of the earlier parts of this
// one. What cannot be had is empty.
func (s *Sweep) load(ctx context.Context, p *progress, token string, r *Result) (known, grown *set) {
	known, grown = &set{}, &set{}
	if s.Seen == nil {
		return known, grown
	}
	if p.Kind == Incremental {
		known = s.loadOne(ctx, seen, "", "everything is read", r)
	}
	if token != "" && p.Place != (Place{}) {
		grown = s.loadOne(ctx, p.Kind.growing(), p.run(), "the next incremental run reads more", r)
	}
	return known, grown
}

func (s *Sweep) loadOne(ctx context.Context, name, run, otherwise string, r *Result) *set {
	text, err := s.Seen.Load(ctx, name)
	if err == nil {
		var known set
		if known, err = decode(text, s.digest, run); err == nil {
			return &known
		}
	}
	r.note("%s is not used, and %s: %v", name, otherwise, err)
	return &set{}
}

func (s *Sweep) store(ctx context.Context, name string, text []byte, r *Result) {
	if s.Seen == nil {
		return
	}
	if err := s.Seen.Store(ctx, name, text); err != nil {
		r.note("%s was not stored, and the next incremental run reads more: %v", name, err)
	}
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}
