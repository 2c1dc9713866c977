package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	sendTime   = 10 * time.Second // for one finding, in one sink: then that hangs
	reportTime = time.Minute      // for all findings, in each sink
	lastWords  = time.Second      // the same, kept back from the caller's deadline
)

// leaveTimeToReport ends before ctx does, so that a finding can be reported even
// if the work has used up its time.
func leaveTimeToReport(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-lastWords))
	}
	return context.WithCancel(ctx)
}

// report takes every finding to every sink, all sinks at the same time: none can
// silence or delay another.
func (g *Guard) report(ctx context.Context, fs []Finding) error {
	within := reportTime
	if ctx.Err() != nil {
		ctx, within = context.WithoutCancel(ctx), lastWords
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()

	failures := make([]error, len(g.sinks))
	var wait sync.WaitGroup
	for i, sink := range g.sinks {
		wait.Go(func() { failures[i] = send(ctx, sink, fs) })
	}
	wait.Wait()
	return errors.Join(failures...)
}

// send takes findings to a sink, one after the other, until it hangs.
func send(ctx context.Context, to Sink, fs []Finding) (failures error) {
	for n, f := range fs {
		one, cancel := context.WithTimeout(ctx, sendTime)
		err := to.Report(one, f)
		cancel()
		if err == nil {
			continue
		}
		failures = errors.Join(failures, fmt.Errorf("reporting finding %s to %s: %w", f.ID, to.Name(), err))
		if left := len(fs) - n - 1; errors.Is(err, context.DeadlineExceeded) && left > 0 {
			return errors.Join(failures, fmt.Errorf("reporting to %s: it hangs, and does not get %d more findings", to.Name(), left))
		}
	}
	return failures
}
