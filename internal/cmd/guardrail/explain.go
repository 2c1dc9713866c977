package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
)

func newExplain() *cobra.Command {
	e := explainer{}
	cmd := &cobra.Command{
		Use:   "explain [flags] [FILE | -]...",
		Short: "Say who a policy, statement or event lets in, and why",
		Long: `explain judges Lambda resource policies as the guardrail does, without AWS: every
stranger who gets in is proved by a request that the policy allows, and every
verdict names the elements that decided.

It reads files, or the standard input, with one or many JSON documents each, and
recognises by their content: policies, single statements, answers of GetPolicy,
CloudTrail records and files, EventBridge events. Of an event it judges what the
event says; the deployed guardrail judges the live policy.

Exit codes: 0 nothing is public; 1 something is public; 2 an input or a flag is bad
(other inputs are judged all the same). What is undetermined is not public, and
needs a person to look at it.`,
		Example: `  guardrail explain policy.json
  aws lambda get-policy --function-name orders | guardrail explain
  aws lambda get-policy --function-name orders | guardrail explain --account 111122223333 --trust 444455556666,o-a1b2c3d4e5
  guardrail explain --format json events/*.json | jq -r 'select(.level == "public") | .input'`,
		RunE: func(cmd *cobra.Command, inputs []string) error {
			return e.run(inputs, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	e.format = chooseFormat(cmd)
	cmd.Flags().StringVar(&e.account, "account", "", "`ID` of the account that owns the function, where only a policy is known (default: the account in its Resource)")
	cmd.Flags().StringSliceVar(&e.trust, "trust", nil, "`ID,...` of accounts and organizations whose access is not reported as external")
	return cmd
}

type explainer struct {
	format  *choice
	account string
	trust   []string

	trusted exposure.Trust
	out     *page
	now     time.Time
	public  bool
	printed int
}

func (e *explainer) run(inputs []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if err := e.prepare(); err != nil {
		return err
	}
	e.out, e.now = newPage(stdout), time.Now()
	if len(inputs) == 0 {
		if isTerminal(stdin) {
			return errors.New("there is nothing to explain: name a file, or pipe a policy in; see guardrail explain --help")
		}
		inputs = []string{"-"}
	}
	var result error
	for _, input := range inputs {
		if err := open(input, stdin, e.document); err != nil {
			complain(stderr, err)
			result = exitBadInput
		}
	}
	if result == nil && e.public {
		result = exitYes
	}
	return e.out.close(result)
}

// prepare checks the flags.
func (e *explainer) prepare() error {
	if e.account != "" && !isAccount(e.account) {
		return fmt.Errorf("--account is %q: want an account id of twelve digits", e.account)
	}
	var accounts, orgs []string
	for _, id := range e.trust {
		if id = strings.TrimSpace(id); strings.HasPrefix(id, "o-") {
			orgs = append(orgs, id)
		} else {
			accounts = append(accounts, id)
		}
	}
	c, err := config.FromContext(map[string]any{
		"trustedAccounts": strings.Join(accounts, ","),
		"trustedOrgs":     strings.Join(orgs, ","),
	})
	if err != nil {
		return fmt.Errorf("--trust: %w", err)
	}
	e.trusted = c.Settings(nil).Trust
	return nil
}

func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

func (e *explainer) document(d document) error {
	x, err := e.explain(d)
	if err != nil {
		return fmt.Errorf("%s: %w", d.place, err)
	}
	e.public = e.public || x.Level == exposure.Public
	if e.format.value == "json" {
		e.out.json(x)
	} else {
		e.text(x)
	}
	return nil
}

// explanation is what there is to say of one document.
type explanation struct {
	place
	Kind       kind           `json:"kind"`
	Resource   string         `json:"resource,omitempty"` // ARN, where the document says it
	Level      exposure.Level `json:"level"`
	Reason     string         `json:"reason,omitempty"` // what the statements do not say
	Statements []judged       `json:"statements"`
}

type judged struct {
	Index int    `json:"index"`
	Sid   string `json:"sid"`
	exposure.Verdict
}

func (e *explainer) explain(d document) (explanation, error) {
	x := explanation{place: d.place, Kind: d.kind, Level: exposure.Restricted, Statements: []judged{}}
	switch d.kind {
	case eventKind, recordKind:
		return x, e.event(&x, d.text)
	case statementKind:
		return x, e.policy(&x, d.text, iampolicy.ParseStatement, exposure.Target{})
	default:
		return x, e.policy(&x, d.text, iampolicy.Parse, exposure.Target{})
	}
}

func (e *explainer) policy(x *explanation, text string, parse func(string) (iampolicy.Document, error), on exposure.Target) error {
	d, err := parse(text)
	if err != nil {
		return err
	}
	if on.Account == "" {
		on.Account = cmp.Or(e.account, owner(d))
	}
	verdicts := exposure.Judge(d, on, e.trusted, e.now)
	x.Level = exposure.Worst(verdicts)
	if on.Account == "" && slices.ContainsFunc(verdicts, func(v exposure.Verdict) bool { return v.Level == exposure.External }) {
		x.Reason = "whose function it is cannot be told, so every account counts as another one: say it with --account"
	}
	for i, v := range verdicts {
		x.Statements = append(x.Statements, judged{i, d.Statements[i].Sid, v})
	}
	return nil
}

// owner is the account in the Resources of a policy, if there is one and no more:
// a function's policy can name nothing but the function.
func owner(d iampolicy.Document) (account string) {
	for _, s := range d.Statements {
		for _, arn := range s.Resource.List {
			fields := strings.SplitN(arn, ":", 6)
			if len(fields) < 6 || !isAccount(fields[4]) || fields[4] == account {
				continue
			}
			if account != "" {
				return ""
			}
			account = fields[4]
		}
	}
	return account
}

func (e *explainer) event(x *explanation, text string) error {
	event, err := cloudtrail.ParseEvent([]byte(text))
	if err != nil {
		return err
	}
	record := recordOf(text)
	if event.Ignored != "" {
		x.Reason = "not a call that changes the policy of a function: " + event.Ignored
		if record.ErrorCode != "" {
			x.Reason = "nothing was granted: the call failed: " + record.ErrorCode
		}
		return nil
	}
	x.Resource = event.Candidate.Resource.ARN()
	on := exposure.Target(event.Candidate.Resource)
	switch {
	case event.Candidate.Statement != "":
		x.Reason = "this is what the event says; the live policy decides"
		return e.policy(x, event.Candidate.Statement, iampolicy.ParseStatement, on)
	case record.policy() != "":
		x.Reason = "this is what the event says; the live policy decides"
		return e.policy(x, record.policy(), iampolicy.Parse, on)
	}
	x.Level, x.Reason = exposure.Undetermined, "the event carries no statement: the live policy decides"
	return nil
}

// text prints an explanation for people.
func (e *explainer) text(x explanation) {
	if e.printed++; e.printed > 1 {
		e.out.printf("\n")
	}
	e.out.printf("%s (%s): %s\n", x.place.String(), string(x.Kind), e.out.paint(x.Level.String(), 0))
	for _, about := range []string{x.Resource, x.Reason} {
		if about != "" {
			e.out.printf("  %s\n", about)
		}
	}
	for _, s := range x.Statements {
		e.out.printf("  %s  statement %d", e.out.paint(s.Level.String(), levelWidth), s.Index)
		if s.Sid != "" {
			e.out.printf(", %s", s.Sid)
		}
		e.out.printf("\n")
		if s.Level == exposure.Undetermined {
			e.out.printf("  %*s  nobody can tell from the policy: a person must look\n", levelWidth, "")
		}
		for _, w := range s.Strangers {
			e.out.printf("  %*s  %s\n", levelWidth, "", w.Sentence())
		}
		for _, r := range s.Reasons {
			e.out.printf("  %*s  - %s %s\n", levelWidth, "", r.Path(), r.Text())
		}
	}
}

// levelWidth is that of the longest level.
var levelWidth = len(exposure.ConfusedDeputy.String())
