package sweep

import (
	"context"
	"sync"
	"time"

	"lambda-guardrail/internal/guard"
)

// Quota is what Lambda allows in an account and region, in calls a second:
// GetPolicy by itself, and all other calls of the control plane together. It
// cannot be raised. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const Quota = 15

const (
	// A call that is sent again after a pause has left its share unused; so much
	// of that may be caught up with. It is less than the quota of a second.
	catchUp = 1500 * time.Millisecond
	// Each time that the account's quota is found to be used up twice in a row,
	// the rate is halved, down to floor of the share; in recovery it is back.
	floor    = 1. / 16
	recovery = time.Minute
)

// Pace holds calls back, so that they use no more than a share of the quota, and
// less while others need it. It may be used by several goroutines.
type Pace struct {
	clock guard.Clock
	share float64 // calls a second

	mu          sync.Mutex
	policy, all budget
	calls       int
}

// budget is what is left of one part of the quota.
type budget struct {
	rate      float64 // calls a second, at most the share
	tokens    float64 // below 0 while calls wait
	filled    time.Time
	throttled bool // the last answer
}

// NewPace returns a Pace at that percentage of the quota.
func NewPace(clock guard.Clock, percent int) *Pace {
	share := Quota * float64(percent) / 100
	full := budget{rate: share, tokens: 1, filled: clock.Now()}
	return &Pace{clock: clock, share: share, policy: full, all: full}
}

// Wait returns when the operation may be called once, or with an error if ctx
// ends first.
func (p *Pace) Wait(ctx context.Context, operation string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	b := p.of(operation)
	p.fill(b)
	b.tokens--
	wait := time.Duration(max(0, -b.tokens/b.rate) * float64(time.Second))
	p.calls++
	p.mu.Unlock()
	if wait == 0 {
		return nil
	}
	return p.clock.Sleep(ctx, wait)
}

// Answered tells how a call went. One throttled answer is taken for an accident,
// since the call is sent again later anyway.
func (p *Pace) Answered(operation string, throttled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.of(operation)
	if throttled && b.throttled {
		p.fill(b)
		b.rate = max(b.rate/2, p.share*floor)
		b.tokens = min(b.tokens, 0)
	}
	b.throttled = throttled
}

// Calls returns how many calls were let through.
func (p *Pace) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

func (p *Pace) of(operation string) *budget {
	if operation == "GetPolicy" {
		return &p.policy
	}
	return &p.all
}

// fill enters the time that has passed.
func (p *Pace) fill(b *budget) {
	now := p.clock.Now()
	passed := now.Sub(b.filled).Seconds()
	b.filled = now
	b.tokens = min(b.tokens+passed*b.rate, p.share*catchUp.Seconds())
	b.rate = min(b.rate+p.share*passed/recovery.Seconds(), p.share)
}
