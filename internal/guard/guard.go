// Package guard confirms on the live policy that a statement lets strangers in,
// takes exactly that statement out where the owner allows it, proves that it is
// out, and reports what it found. It knows neither the AWS SDK nor where
// candidates come from nor what makes a statement public.
package guard

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Sentinels that an implementation of Policies must return (wrapped is fine).
var (
	// ErrNotFound: the resource, its policy, or a statement to be removed does
	// not exist; nothing was written.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the policy is no longer at the revision that was read; nothing was written.
	ErrConflict = errors.New("the policy has changed since it was read")
	// ErrUnknownOutcome: the write was sent and its answer was lost; only a read tells.
	ErrUnknownOutcome = errors.New("the outcome of the write is unknown")
)

// Policy is a live resource policy.
type Policy struct {
	Document string // verbatim JSON text
	Revision string // opaque; what Remove compares
}

// Policies is the guard's view of the Lambda API. Its errors name the call and
// the resource.
type Policies interface {
	// Policy returns the live policy of r, with the token that Remove takes. It
	// must return ErrNotFound if r, or its policy, does not exist. It is expected
	// to retry throttling and passing faults itself.
	Policy(ctx context.Context, r Resource) (Policy, error)
	// Remove takes out exactly the named statements (indices into the statements
	// of p.Document) in one write, provided that the policy is still at the
	// revision of p. It must return ErrConflict if it is not, ErrNotFound if
	// there is no policy any more, ErrUnknownOutcome if the write may or may not
	// have happened, and must leave every other statement as it was. It must not
	// resend a write whose outcome is unknown.
	Remove(ctx context.Context, r Resource, p Policy, which []int) error
}

// Sink takes findings to people and machines.
type Sink interface {
	Name() string
	// Report must not modify f, and must return when ctx ends. It may be called
	// at the same time as the Report of another sink, never as its own.
	Report(ctx context.Context, f Finding) error
}

// Evidence keeps what a removal is about to destroy.
type Evidence interface {
	// Record writes the findings (statement, whole policy, restore command) down
	// before the removal. If it fails, nothing is removed.
	Record(ctx context.Context, fs []Finding) error
}

// Clock is time, passed in.
type Clock interface {
	Now() time.Time
	// Sleep returns ctx.Err() if ctx ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Jitter returns a time below d for the n-th attempt. Chance is what the clock says:
// two callers do not read the same nanosecond, and a run on a virtual clock can be
// replayed.
func Jitter(clock Clock, n int, d time.Duration) time.Duration {
	chance := rand.New(rand.NewPCG(uint64(n), uint64(clock.Now().UnixNano())))
	return time.Duration(chance.Int64N(int64(d)))
}

// Guard looks at one resource at a time. It keeps nothing between two calls and
// may be used by several goroutines if its parts may.
type Guard struct {
	policies Policies
	around   Surroundings
	sinks    []Sink
	evidence Evidence
	clock    Clock
	settings Settings
}

// New returns a Guard that writes evidence to evidence before every removal, and
// reports each finding to every sink. Without around, findings say nothing of role
// and function URL.
func New(policies Policies, around Surroundings, sinks []Sink, evidence Evidence, clock Clock, settings Settings) *Guard {
	return &Guard{policies, around, sinks, evidence, clock, settings}
}
