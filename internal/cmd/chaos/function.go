package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"
)

// The queue before the function, and its event source mapping, as in the stack.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
const (
	visibility  = 150 * time.Second // after which a message that was not deleted is received again
	maxReceives = 10                // then it is a dead letter
	timeout     = 120 * time.Second
)

// What Lambda would do without it: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const (
	maxEventAge   = 6 * time.Hour
	maxErrors     = 3 // one attempt and two retries
	firstThrottle = time.Second
	lastThrottle  = 5 * time.Minute
)

// afterError is how long Lambda waits after so many errors.
var afterError = [maxErrors]time.Duration{1: time.Minute, 2: 2 * time.Minute}

// event is what the bus gives to the function.
type event struct {
	text    []byte
	call    *call  // that was recorded; nil under load
	message []byte // in which the queue hands it on
}

// enclose puts the event into a message of SQS: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func (e *event) enclose() {
	if e.message != nil {
		return
	}
	type record struct {
		ID     string `json:"messageId"`
		Source string `json:"eventSource"`
		Body   string `json:"body"`
	}
	text, err := json.Marshal(map[string][]record{"Records": {{"059f36b4-87a3-44ab-83d2-661975830a7d", "aws:sqs", string(e.text)}}})
	if err != nil {
		panic(err) // texts
	}
	e.message = text
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
	unsaid   []string        // ids of findings whose line could not be written
	sent     []sent          // to the other sinks
}

// delivery is an event on its way to the function.
type delivery struct {
	*event
	since     time.Time
	failures  int
	throttles int // by Lambda's own queue
}

// letter is a record in the dead-letter queue.
type letter struct {
	*event
	reason string
}

// function runs the handler as Lambda runs it for an event source mapping of a
// queue; or, to compare, as it runs a function that is invoked asynchronously.
type function struct {
	*schedule
	chance      *rand.Rand
	concurrency int // at most
	invoke      func(ctx context.Context, event []byte) ([]byte, error)
	prepare     func(*process) // before an attempt
	ended       func(*attempt) // after it
	count       func(string)
	own         time.Duration // what an attempt takes by itself
	again       float64       // odds that the queue delivers a message that was dealt with

	asynchronous bool
	spread       float64 // how much of a retry's interval Lambda leaves to chance: AWS does not say

	running int
	waiting []*delivery // messages that are visible
	letters []letter
}

// deliver takes an event.
func (f *function) deliver(e *event) {
	d := &delivery{event: e, since: f.now}
	if f.asynchronous {
		f.tryAsynchronously(d)
		return
	}
	e.enclose()
	f.show(d)
}

// show makes a message visible.
func (f *function) show(d *delivery) {
	f.waiting = append(f.waiting, d)
	f.poll()
}

// poll receives as many messages as may run.
func (f *function) poll() {
	for len(f.waiting) > 0 && f.running < f.concurrency {
		d, received := f.waiting[0], f.now
		f.waiting = f.waiting[1:]
		f.run(d, func(err error) {
			f.after(0, f.poll)
			switch {
			case err != nil:
				if d.failures++; d.failures == maxReceives {
					f.bury(d, err.Error())
					return
				}
			case f.again > 0 && f.chance.Float64() < f.again:
				f.count("queue: delivered again")
			default:
				return // deleted
			}
			f.after(received.Add(visibility).Sub(f.now), func() { f.show(d) })
		})
	}
}

// tryAsynchronously is what Lambda's own queue does.
func (f *function) tryAsynchronously(d *delivery) {
	again := func() { f.tryAsynchronously(d) }
	switch {
	case f.now.Sub(d.since) > maxEventAge:
		f.bury(d, "the event is older than six hours")
		return
	case f.running == f.concurrency:
		f.count("invocation throttled")
		wait := min(firstThrottle<<min(d.throttles, 9), lastThrottle)
		d.throttles++
		f.after(wait-time.Duration(f.spread*f.chance.Float64()*float64(wait)), again)
		return
	}
	f.run(d, func(err error) {
		if err == nil {
			return
		}
		if d.failures++; d.failures == maxErrors {
			f.bury(d, err.Error())
			return
		}
		f.after(afterError[d.failures], again)
	})
}

// run makes one attempt, and says what came of it.
func (f *function) run(d *delivery, then func(error)) {
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
		input := d.message
		if f.asynchronous {
			input = d.text
		}
		_, p.err = f.invoke(ctx, input)
	}, func(killed bool) {
		cancel()
		f.running--
		if killed {
			f.count("invocation killed")
			p.err = errors.New("the runtime exited")
		}
		if f.ended != nil {
			f.ended(&p.attempt)
		}
		if p.err != nil {
			f.count("invocation failed")
		}
		then(p.err)
	})
}

func (f *function) bury(d *delivery, reason string) {
	f.count("dead letter")
	f.letters = append(f.letters, letter{d.event, reason})
}
