package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sink"
)

// fixAll takes out what is public, a policy at a time. A plain reader would do for
// one question only: whoever reads an answer buffers what comes after it.
func (s *scan) fixAll(ctx context.Context, stdin *bufio.Reader, all []*regionScan) {
	for _, r := range all {
		for i := range r.visits {
			if ctx.Err() == nil {
				r.fixOne(ctx, stdin, &r.visits[i])
			}
		}
		if ctx.Err() != nil && r.stopped == nil {
			r.stopped = errStopped
		}
	}
}

// fixOne asks about the policy of one visit, and does what it must.
func (r *regionScan) fixOne(ctx context.Context, stdin *bufio.Reader, v *visit) {
	agreed := consent{ids: map[string]bool{}}
	var going []guard.Finding
	for _, f := range v.seen.Findings {
		if r.fixing.TakesOut(f.PolicyBefore, f.Resource, f.Fingerprint, r.clock.Now()) {
			agreed.ids[f.ID] = true
			going = append(going, f)
		}
	}
	if len(going) == 0 {
		return
	}
	on := v.item.Resource
	r.talk.printf("%s: %d of %d statements of %s would go:\n", r.region, len(going), v.seen.Statements, on.String())
	for _, f := range going {
		r.talk.printf("  %s\n", f.Statement)
		for _, w := range f.Verdict.Strangers {
			r.talk.printf("    %s\n", w.Sentence())
		}
	}
	ask := r.access
	ask.out = r.talk
	if ask.confirm(ctx, stdin, "take out", on.String()+" was left as it is.") != nil {
		return
	}
	log := sink.NewLog(durable{r.evidence}, r.clock.Now)
	agreed.Evidence = log
	g := guard.New(r.policies, r.policies, []guard.Sink{log}, agreed, r.clock, r.fixing)
	seen, err := g.Inspect(ctx, on, guard.Inspection{FoundBy: guard.ByScan})
	if seen.Revision == "" && len(seen.Findings) == 0 && err != nil {
		complain(r.complaints, fmt.Errorf("%s: %w", on.ARN(), r.help(err, on.String(), fixNeeds)))
		return // what was seen before still stands, for all that is known
	}
	v.seen, v.err = seen, err
	for _, f := range going {
		became := guard.AlreadyGone // somebody else was faster
		if i := slices.IndexFunc(seen.Findings, func(now guard.Finding) bool { return now.ID == f.ID }); i >= 0 {
			became = seen.Findings[i].Outcome
		}
		r.talk.printf("%s: %s: %s\n", r.region, on.String(), r.talk.paint(became.String(), 0))
	}
	if err != nil {
		complain(r.complaints, fmt.Errorf("%s: %w", on.ARN(), r.help(err, on.String(), fixNeeds)))
	}
}

// consent is evidence for what was shown before, and for nothing else: without it,
// nothing goes.
type consent struct {
	guard.Evidence
	ids map[string]bool // of findings
}

// Record implements [guard.Evidence].
func (c consent) Record(ctx context.Context, fs []guard.Finding) error {
	if slices.ContainsFunc(fs, func(f guard.Finding) bool { return !c.ids[f.ID] }) {
		return fmt.Errorf("there is another public statement by now, which nobody was shown: scan again")
	}
	return c.Evidence.Record(ctx, fs)
}

// durable is a file of which each line is on the disk when Write returns.
type durable struct{ *os.File }

// Write implements [io.Writer].
func (d durable) Write(line []byte) (int, error) {
	n, err := d.File.Write(line)
	if err == nil {
		err = d.Sync()
	}
	return n, err
}
