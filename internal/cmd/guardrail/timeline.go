package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// timeline tells a rehearsal to people: a block for each event, and a table.
type timeline struct {
	*page
	all []played
}

func newTimeline(p *page, c config.Config) *timeline {
	p.printf("Rehearsal: mode %s, function URLs %s. Lambda is a stand-in on this machine; all else is what is deployed.\n",
		c.Mode.String(), c.FunctionURLs.String())
	return &timeline{page: p}
}

func (t *timeline) add(s step, x played) {
	t.all = append(t.all, x)
	t.printf("\n%2d  %s\n", len(t.all), s.Title)
	if x.candidate.Call != "" {
		t.printf("    %s\n", happened(x.candidate))
	}
	if x.Note != "" {
		t.row("note", "%s", x.Note)
	}
	if x.Level == "" {
		return
	}
	for _, f := range x.findings {
		t.verdict(f.Verdict)
		t.row(f.Outcome, "%s; severity %s", done(f), f.Severity)
	}
	if len(x.findings) == 0 {
		t.verdict(x.live)
	}
	switch {
	case x.live.Level == exposure.Undetermined.String() && x.left == nil:
		t.row("after", "the policy cannot be read")
	case x.left == nil:
		t.row("after", "the policy is empty")
	default:
		t.row("after", "the policy holds %s", strings.Join(x.left, ", "))
	}
	calls := "no API call"
	if x.APICalls > 0 {
		calls = fmt.Sprintf("API calls: %d (%s)", x.APICalls, strings.Join(x.calls, ", "))
	}
	if x.Lookups > 0 {
		calls += fmt.Sprintf(", and %d to look around (%s)", x.Lookups, strings.Join(x.lookups, ", "))
	}
	t.row(fmt.Sprintf("%.2f ms", x.MS), "%s", calls)
}

// row prints a line of a block: what it is about, in colour if that is a level or
// an outcome, and what there is to say.
func (t *timeline) row(about, format string, args ...any) {
	t.printf("    %s  "+format+"\n", slices.Insert(args, 0, any(t.paint(about, levelWidth)))...)
}

// happened says who did what.
func happened(c guard.Candidate) string {
	who := cmp.Or(c.Actor.InvokedBy, "somebody whom the event does not name")
	if fields := strings.SplitN(c.Actor.ARN, ":", 6); len(fields) == 6 {
		who = fields[5]
	}
	sentence := operationOf(c.Call) + " on " + c.Resource.String() + ", by " + who
	if c.Actor.Source != "" {
		sentence += " from " + c.Actor.Source
	}
	return sentence
}

// verdict prints who gets in or, if nobody surely does, what decided.
func (t *timeline) verdict(v verdict) {
	switch {
	case len(v.Strangers) > 0:
		sentence := v.Strangers[0].Sentence
		for i, s := range v.Strangers[1:] {
			sentence += [...]string{"; also ", ", "}[min(i, 1)] + s.Kind
		}
		t.row(v.Level, "%s", sentence)
	case len(v.Reasons) > 0:
		decisive := v.Reasons[len(v.Reasons)-1]
		t.row(v.Level, "%s %s", decisive.Path, decisive.Text)
	case v.Level == exposure.Restricted.String():
		t.row(v.Level, "there is no statement")
	default:
		t.row(v.Level, "the policy cannot be read")
	}
}

// done says what an outcome means for a statement.
func done(f finding) string {
	statement := cmp.Or(f.Sid, noSid)
	if f.Statement == "" {
		statement = "the whole policy"
	}
	switch guard.Outcome(f.Outcome) {
	case guard.Reverted:
		return statement + " was taken out, and seen to be out"
	case guard.AlreadyGone:
		return statement + " was open, and is gone already"
	case guard.Exempt:
		last := f.Exemption.Until.Add(-time.Nanosecond).Format(time.DateOnly)
		return fmt.Sprintf("%s may stand through %s, says %s: %s", statement, last, f.Exemption.Owner, f.Exemption.Reason)
	case guard.NeedsReview:
		return statement + " stands: a person must look"
	case guard.Audited:
		if f.Mode == guard.Enforce.String() {
			return statement + " stands: function URLs are in audit"
		}
		return statement + " stands: the mode is audit"
	}
	return statement + ": " + f.Error
}

// end prints the table, and how it ended.
func (t *timeline) end(steps []step, asExpected bool) {
	name, removed := 0, 0
	for _, x := range t.all {
		name = max(name, len(visible(x.Event)))
		for _, f := range x.findings {
			if f.Outcome == guard.Reverted.String() {
				removed++
			}
		}
	}
	t.printf("\n    %-*s  %-*s  %-*s  API calls     ms\n", name, "event", levelWidth, "verdict", outcomeWidth, "outcome")
	for i, x := range t.all {
		t.printf("%2d  %-*s  %s  %s  %9d  %5.2f\n", i+1, name, x.Event,
			t.paint(cmp.Or(x.Level, "-"), levelWidth), t.paint(cmp.Or(x.Outcome, "-"), outcomeWidth), x.APICalls, x.MS)
	}
	t.printf("\n%d statements were taken out; with --format json, each finding holds the command that puts it back.\n", removed)
	if asExpected && steps[0].Leaves != nil {
		t.printf("Every policy ends as the story wants it.\n")
	}
}

// outcomeWidth is that of the longest outcome.
var outcomeWidth = len(guard.NeedsReview.String())
