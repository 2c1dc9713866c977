package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// What Lambda does with an event that nobody waits for:
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const (
	maxEventAge   = 6 * time.Hour
	maxErrors     = 3 // one attempt and two retries
	firstThrottle = time.Second
	lastThrottle  = 5 * time.Minute
	timeout       = 120 * time.Second // as in the stack
)

// afterError is how long Lambda waits after so many errors.
var afterError = [maxErrors]time.Duration{1: time.Minute, 2: 2 * time.Minute}

// event is what the bus gives to the function.
type event struct {
	text []byte
	call *call // that was recorded; nil under load
}

// attempt is one run of the function.
type attempt struct {
	event *event // nil in a sweep
	began time.Time
	err   error

	panicked any       // with what, if not because it was killed
	reads    int       // GetPolicy that were answered with a policy, or that there is none
	lastRead time.Time // carried out
	where    string    // ARN of what was read
	evidence []evidence
	reported map[string]bool // by id
	told     []string        // statements that were reported
	removed  []string        // statements that were taken out
	failed   bool            // a finding of it has failed
	lost     []string        // statements that Lambda took away beside a removal
}

// delivery is an event on its way through Lambda's queue.
type delivery struct {
	*event
	since             time.Time
	errors, throttles int
}

// letter is a record in the dead-letter queue.
type letter struct {
	*event
	reason string
}

// function runs the handler as Lambda runs a function that is invoked
// asynchronously.
type function struct {
	*schedule
	chance      *rand.Rand
	concurrency int // reserved; 0 is no bound
	invoke      func(ctx context.Context, event []byte) ([]byte, error)
	prepare     func(*process) // before an attempt
	ended       func(*attempt) // after it
	count       func(string)
	own         time.Duration // what an attempt takes by itself
	spread      float64       // how much of a retry's interval is left to chance: AWS does not say
	queued      bool          // a queue of SQS is before it, read by an event source mapping

	running int
	waiting []*delivery // in the queue of SQS
	letters []letter
}

// deliver takes an event into the queue.
func (f *function) deliver(e *event) {
	f.try(&delivery{event: e, since: f.now})
}

func (f *function) try(d *delivery) {
	switch {
	case f.now.Sub(d.since) > maxEventAge:
		f.bury(d, "the event is older than six hours")
		return
	case f.concurrency > 0 && f.running == f.concurrency:
		if f.queued {
			f.waiting = append(f.waiting, d)
			return
		}
		f.count("invocation throttled")
		wait := min(firstThrottle<<min(d.throttles, 9), lastThrottle)
		d.throttles++
		f.after(wait-time.Duration(f.spread*f.chance.Float64()*float64(wait)), func() { f.try(d) })
		return
	}
	f.running++
	f.count("invocation")
	p := &process{ends: f.now.Add(timeout), attempt: attempt{event: d.event, began: f.now, reported: map[string]bool{}}}
	if f.prepare != nil {
		f.prepare(p)
	}
	ctx, cancel := context.WithDeadline(context.Background(), p.ends)
	f.start(p, func() {
		if f.own > 0 {
			f.Sleep(ctx, f.own)
		}
		_, p.err = f.invoke(ctx, d.text)
	}, func(killed bool) {
		cancel()
		f.running--
		if len(f.waiting) > 0 {
			next := f.waiting[0]
			f.waiting = f.waiting[1:]
			f.after(0, func() { f.try(next) })
		}
		if killed {
			f.count("invocation killed")
			p.err = fmt.Errorf("the runtime exited")
		}
		if f.ended != nil {
			f.ended(&p.attempt)
		}
		if p.err == nil {
			return
		}
		f.count("invocation failed")
		if d.errors++; d.errors == maxErrors {
			f.bury(d, p.err.Error())
			return
		}
		f.after(afterError[d.errors], func() { f.try(d) })
	})
}

func (f *function) bury(d *delivery, reason string) {
	f.count("dead letter")
	f.letters = append(f.letters, letter{d.event, reason})
}
