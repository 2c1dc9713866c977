package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	reportTime = 10 * time.Second // for all findings, in each sink
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
		wait.Go(func() {
			for _, f := range fs {
				if err := sink.Report(ctx, f); err != nil {
					failures[i] = errors.Join(failures[i], fmt.Errorf("reporting finding %s to %s: %w", f.ID, sink.Name(), err))
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}
