package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/wire"
)

func newRehearse() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rehearse [flags] [EVENT.json | -]...",
		Short: "Play events through the whole guardrail on this machine, without AWS",
		Long: `rehearse plays CloudTrail events through what is deployed: the rule's pattern, the
function's handler, the guard, the AWS SDK. Only Lambda itself is a stand-in, which
listens on the loopback interface. There each call is made that an event records,
and then the event is delivered.

Without arguments it plays a story: harmless grants, backdoors plain and hidden, an
exemption, a duplicate delivery; and checks that the policies end as they should.
Arguments are EventBridge events, or CloudTrail records and files, of your own. An
event that does not hold the policy that a call wrote finds the policy as it was.

The deployed guardrail begins in audit; here the default is enforce, to show the
job. Times are from the delivery of an event to the end of the work on it. They are
those of this machine: pauses for Lambda's eventual consistency are skipped, since
the stand-in has none.

With --serve nothing is played: the stand-in and the guardrail stay there until
Ctrl-C, with an account of a dozen functions, some of them open, and hear of the
calls that you make with the AWS command line, guardrail scan or guardrail drill, as
they would by CloudTrail and EventBridge. No signature is checked, so that only an
address of this machine is taken.

Exit codes: 0 the rehearsal went well, whatever the events did; 1 the guardrail
failed, or the story did not end as it should; 2 an input or a flag is bad, and
nothing was played.`,
		Example: `  guardrail rehearse
  guardrail rehearse --serve 127.0.0.1:4599
  guardrail rehearse --mode audit
  guardrail rehearse --function-urls enforce --log rehearsal.log
  guardrail rehearse --format json event.json | jq .findings`,
	}
	format := chooseFormat(cmd)
	mode := choose(cmd, "mode", "audit reports public statements, enforce takes them out, too", "enforce", "audit")
	urls := choose(cmd, "function-urls", "the same for statements that let in nobody but callers of the function URL", "audit", "enforce")
	log := cmd.Flags().String("log", "", "write the function's log lines to `FILE`")
	serve := cmd.Flags().String("serve", "", "keep the stand-in at `ADDRESS`, for calls of your own")
	delay := cmd.Flags().Duration("delay", 2*time.Second, "with --serve: how long after a call its event comes")
	cmd.RunE = func(cmd *cobra.Command, inputs []string) (err error) {
		settings, err := config.FromContext(map[string]any{"mode": mode.value, "functionUrls": urls.value})
		if err != nil {
			return err
		}
		if *serve != "" {
			if len(inputs) > 0 {
				return fmt.Errorf("--serve plays no events, and %s is one: make the call instead", inputs[0])
			}
			if err := loopback(*serve); err != nil {
				return err
			}
		}
		if *delay < 0 {
			return fmt.Errorf("--delay is %s: want a time from 0s", *delay)
		}
		r := newRehearsal()
		r.config = settings
		if *log != "" {
			file, err := os.Create(*log)
			if err != nil {
				return err
			}
			defer file.Close()
			r.log = file
		}
		defer r.close()
		if *serve != "" {
			s, err := newServed(settings, r.log, wire.Clock{})
			if err != nil {
				return err
			}
			s.delay = *delay
			return s.run(cmd, *serve, format.value == "json")
		}

		var steps []step
		if len(inputs) > 0 {
			steps, err = readSteps(inputs, cmd.InOrStdin())
		} else {
			steps, err = r.readStory()
		}
		if err != nil {
			return err
		}
		out := newPage(cmd.OutOrStdout())
		if format.value == "json" {
			err = r.play(cmd.Context(), steps, func(_ step, x played) { out.json(x) }, cmd.ErrOrStderr())
			return out.close(err)
		}
		t := newTimeline(out, r.config)
		err = r.play(cmd.Context(), steps, t.add, cmd.ErrOrStderr())
		t.end(steps, err == nil)
		return out.close(err)
	}
	return cmd
}

// readSteps reads events from files; any input that is bad stops the rehearsal.
func readSteps(inputs []string, stdin io.Reader) (steps []step, err error) {
	var problems []error
	for _, input := range inputs {
		problems = append(problems, open(input, stdin, func(d document) error {
			event := []byte(d.text)
			switch d.kind {
			case eventKind:
			case recordKind:
				event = envelope(d.text)
			default:
				return fmt.Errorf("%s: it is a %s, and only events can be rehearsed; see guardrail explain", d.place, d.kind)
			}
			steps = append(steps, step{Title: d.place.String(), Event: d.place.String(), text: event})
			return nil
		}))
	}
	return steps, errors.Join(problems...)
}

// played is what became of an event.
type played struct {
	Event    string           `json:"event"`
	Matched  bool             `json:"matched"`
	Level    string           `json:"level"`       // the worst of the findings and of the live policy after; "" if not judged
	Outcome  string           `json:"outcome"`     // of the finding that most wants a person; "" if there is none
	APICalls int              `json:"apiCalls"`    // on the policy
	Lookups  int              `json:"lookupCalls"` // afterwards, on what the finding is about
	MS       float64          `json:"ms"`
	Note     string           `json:"note,omitempty"`
	Error    string           `json:"error,omitempty"`
	Findings []jsontext.Value `json:"findings"` // guard.Finding

	candidate guard.Candidate
	calls     []string // operations on the policy, as the stand-in counted them
	lookups   []string // the others
	findings  []finding
	live      verdict  // the worst of the policy as it is after
	left      []string // Sids
}

// finding is as much of a guard.Finding as is told to people.
type finding struct {
	Sid       string  `json:"sid"`
	Statement string  `json:"statement"`
	Verdict   verdict `json:"verdict"`
	Severity  string  `json:"severity"`
	Outcome   string  `json:"outcome"`
	Error     string  `json:"error"`
	Mode      string  `json:"mode"`
	Exemption struct {
		Owner  string    `json:"owner"`
		Reason string    `json:"reason"`
		Until  time.Time `json:"until"`
	} `json:"exemption"`
}

// verdict is as much of an exposure.Verdict.
type verdict struct {
	Level     string     `json:"level"`
	Strangers []stranger `json:"strangers"`
	Reasons   []reason   `json:"reasons"`
}

type stranger struct {
	Kind     string `json:"kind"`
	Sentence string `json:"sentence"`
}

type reason struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// rehearsal is one run.
type rehearsal struct {
	config     config.Config
	exemptions []guard.Exemption
	log        io.Writer
	stage      map[string]*standIn  // by partition, region and account
	seen       map[string]bool      // events whose call has been made, by ID
	happened   map[string]time.Time // scenes
}

func newRehearsal() *rehearsal {
	return &rehearsal{log: io.Discard, stage: map[string]*standIn{}, seen: map[string]bool{}, happened: map[string]time.Time{}}
}

func (r *rehearsal) close() {
	for _, s := range r.stage {
		s.stop()
	}
}

// play plays every step, and says on stderr what went wrong.
func (r *rehearsal) play(ctx context.Context, steps []step, show func(step, played), stderr io.Writer) error {
	rule, err := newRule()
	if err != nil {
		return err
	}
	var result error
	for _, s := range steps {
		if s.Leaves != nil {
			s.text = r.happens(s)
		}
		matches, err := rule.MatchesForEvent(s.text)
		x := played{Event: s.Event, Matched: len(matches) > 0, Findings: []jsontext.Value{}}
		if err == nil {
			err = r.deliver(ctx, s, &x)
		}
		if err != nil {
			x.Error = err.Error()
			complain(stderr, fmt.Errorf("%s: %w", s.Event, err))
			result = exitYes
		}
		show(s, x)
	}
	for _, err := range r.unexpected(steps) {
		complain(stderr, err)
		result = exitYes
	}
	return result
}

// deliver makes the call that the event records, and hands the event to the
// function's handler.
func (r *rehearsal) deliver(ctx context.Context, s step, x *played) error {
	event, err := cloudtrail.ParseEvent(s.text)
	if !x.Matched {
		x.Note = "the rule's pattern does not match it"
		switch {
		case err != nil:
			x.Note += ": " + err.Error()
		case event.Ignored != "":
			x.Note += ": " + event.Ignored
		}
		return nil
	}
	if err != nil {
		return err // the handler would say the same; but there is no function to stage
	}
	x.candidate = event.Candidate
	on, err := r.standInOf(event.Candidate.Resource)
	if err != nil {
		return err
	}
	if id := event.Candidate.EventID; !r.seen[id] {
		r.seen[id] = id != ""
		if x.Note, err = on.perform(ctx, s, event.Candidate); err != nil {
			return err
		}
	}
	on.account.Forget()
	on.log.findings = nil

	start := time.Now()
	_, failed := on.handler.Invoke(ctx, s.text)
	x.MS = float64(time.Since(start).Microseconds()) / 1000

	for _, c := range on.account.Calls() {
		x.called(c.Operation)
	}
	x.Findings = append(x.Findings, on.log.findings...)
	return errors.Join(failed, r.judge(x, on))
}

// called counts a call of the guardrail.
func (x *played) called(operation string) {
	if slices.Contains(lookups, operation) {
		x.lookups = append(x.lookups, operation)
	} else {
		x.calls = append(x.calls, operation)
	}
	x.APICalls, x.Lookups = len(x.calls), len(x.lookups)
}

// lookups are the calls by which a finding learns of the function, and no more is
// decided.
var lookups = []string{"GetFunctionConfiguration", "GetFunctionUrlConfig"}

// judge looks at the policy as it is now, and sums up.
func (r *rehearsal) judge(x *played, on *standIn) error {
	resource := x.candidate.Resource
	x.live = verdict{Level: exposure.Restricted.String()}
	left, err := on.live(resource)
	if err != nil {
		x.live = verdict{Level: exposure.Undetermined.String(), Reasons: []reason{{"$", err.Error()}}}
	}
	x.left = sids(left)
	for _, v := range exposure.Judge(left, exposure.Target(resource), r.config.Settings(nil).Trust, time.Now()) {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		var told verdict
		if err := json.Unmarshal(text, &told); err != nil {
			return err
		}
		if x.live.Reasons == nil || rank(levels, told.Level) > rank(levels, x.live.Level) {
			x.live = told
		}
	}
	x.Level = x.live.Level
	for _, text := range x.Findings {
		var f finding
		if err := json.Unmarshal(text, &f); err != nil {
			return fmt.Errorf("reading a finding: %w", err)
		}
		x.findings = append(x.findings, f)
		if rank(levels, f.Verdict.Level) > rank(levels, x.Level) {
			x.Level = f.Verdict.Level
		}
		if rank(outcomes, f.Outcome) > rank(outcomes, x.Outcome) {
			x.Outcome = f.Outcome
		}
	}
	return nil
}

// Levels and outcomes, in the order in which they want a person.
var (
	levels   = []fmt.Stringer{exposure.Restricted, exposure.External, exposure.ConfusedDeputy, exposure.Undetermined, exposure.Public}
	outcomes = []fmt.Stringer{guard.AlreadyGone, guard.Reverted, guard.Exempt, guard.Audited, guard.NeedsReview, guard.Failed}
)

// rank returns the place of a word, or -1.
func rank(order []fmt.Stringer, word string) int {
	return slices.IndexFunc(order, func(s fmt.Stringer) bool { return s.String() == word })
}

// sids are those of the statements that stand.
func sids(d iampolicy.Document) []string {
	var list []string
	for _, s := range d.Statements {
		if s.Sid == "" {
			s.Sid = noSid
		}
		list = append(list, s.Sid)
	}
	return list
}

// noSid stands for the Sid of a statement that has none.
const noSid = "(no Sid)"
