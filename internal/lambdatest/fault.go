package lambdatest

import (
	"context"
	"slices"
	"time"
)

// Kind is a way for a call to go wrong.
type Kind int

const (
	NoFault       Kind = iota // carried out and answered as it should be
	Throttle                  // 429 TooManyRequestsException
	ServerError               // 500 ServiceException
	Drop                      // the connection is closed without an answer
	Hang                      // no answer until the caller gives up
	Garble                    // 502 with a page of HTML, as from something in between
	AccessDenied              // 403 AccessDeniedException
	Conflict                  // 409 ResourceConflictException, as while another update is under way
	PublicPolicy              // 400 PublicPolicyException
	Stale                     // a read answers as it would have before the last change
	LoseNeighbour             // carried out, and another statement of the policy vanishes with it
	FailUpdate                // answered, but the update of the configuration fails afterwards
)

// fails reports whether a call of that kind is not carried out, unless told to.
func (k Kind) fails() bool {
	return k != NoFault && k != Stale && k != LoseNeighbour && k != FailUpdate
}

// answers are those of the kinds that give one of their own.
var answers = map[Kind]*apiError{
	Throttle:     {429, "TooManyRequestsException", "Rate exceeded"},
	ServerError:  {500, "ServiceException", "An error occurred and the request cannot be processed."},
	Garble:       {502, "", "<html><body>Bad Gateway</body></html>"},
	AccessDenied: {403, "AccessDeniedException", "User is not authorized to perform this operation on the resource"},
	Conflict:     {409, "ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for the resource."},
	PublicPolicy: {400, "PublicPolicyException", "Lambda prevented your policy from being created because it would grant public access to your function."},
}

// Fault orders how a call goes. The zero value lets it go well.
type Fault struct {
	Operation string // "GetPolicy"; "" is any
	Kind      Kind
	Applied   bool // the call fails for the caller, and is carried out all the same
	After     int  // so many matching calls go by before
	Times     int  // so many calls it meets; 0 is once
	// Do, if set, runs just before the call is carried out, for example as a
	// concurrent edit. It may call the account's methods.
	Do func()
	// Delay is waited before the call is carried out.
	Delay time.Duration
}

// Order adds faults. Of those that match a call, the first in order meets it,
// and those before their time count it.
func (a *Account) Order(faults ...Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range faults {
		f.Times = max(f.Times, 1)
		a.orders = append(a.orders, f)
	}
}

// Pending returns how many orders have not been used up: a test that ends with
// some has not tested what it meant to.
func (a *Account) Pending() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.orders)
}

// fault returns how the call shall go.
func (a *Account) fault(c Call) Fault {
	if f, ok := a.ordered(c.Operation); ok {
		return f
	}
	if a.Chaos != nil {
		return a.Chaos(c)
	}
	return Fault{}
}

func (a *Account) ordered(operation string) (Fault, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.orders {
		f := &a.orders[i]
		if f.Operation != "" && f.Operation != operation {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		met := *f
		if f.Times--; f.Times == 0 {
			a.orders = slices.Delete(a.orders, i, i+1)
		}
		return met, true
	}
	return Fault{}, false
}

func (a *Account) sleep(ctx context.Context, d time.Duration) error {
	if a.Sleep != nil {
		return a.Sleep(ctx, d)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	filled time.Time
}

// throttled takes a token from the operation's bucket. Quotas as in
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
func (a *Account) throttled(operation string) bool {
	if a.PerSecond <= 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	name := "the rest"
	if operation == "GetPolicy" {
		name = operation
	}
	b := a.buckets[name]
	if b == nil {
		b = &bucket{a.PerSecond, now()}
		a.buckets[name] = b
	}
	t := now()
	b.tokens = min(a.PerSecond, b.tokens+t.Sub(b.filled).Seconds()*a.PerSecond)
	b.filled = t
	if b.tokens < 1 {
		return true
	}
	b.tokens--
	return false
}
