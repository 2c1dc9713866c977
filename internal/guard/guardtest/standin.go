package guardtest

import (
	"context"
	"sync"
	"time"

	"lambda-guardrail/internal/guard"
)

// Clock is a [guard.Clock] that passes the time by itself: Sleep returns at once.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	slept time.Duration
}

// NewClock returns a Clock that stands at now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now implements [guard.Clock].
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep implements [guard.Clock].
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept += d
	return nil
}

// Slept returns the sum of all pauses.
func (c *Clock) Slept() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slept
}

// Recorder is a [guard.Sink] and a [guard.Evidence] that keeps what it is given.
type Recorder struct {
	Title string
	Err   error // the answer to every Report and Record, which keep nothing then

	mu       sync.Mutex
	findings []guard.Finding
	evidence []guard.Finding
}

// Name implements [guard.Sink].
func (r *Recorder) Name() string { return r.Title }

// Report implements [guard.Sink].
func (r *Recorder) Report(_ context.Context, f guard.Finding) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Err == nil {
		r.findings = append(r.findings, f)
	}
	return r.Err
}

// Record implements [guard.Evidence].
func (r *Recorder) Record(_ context.Context, fs []guard.Finding) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Err == nil {
		r.evidence = append(r.evidence, fs...)
	}
	return r.Err
}

// Findings returns what was reported, in order.
func (r *Recorder) Findings() []guard.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]guard.Finding(nil), r.findings...)
}

// Evidence returns what was recorded, in order.
func (r *Recorder) Evidence() []guard.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]guard.Finding(nil), r.evidence...)
}
