package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

func newExemptions() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exemptions",
		Short: "Look after the statements that may stand",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newExemptionsCheck(time.Now))
	return cmd
}

func newExemptionsCheck(now func() time.Time) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [flags] FILE | -",
		Short: "Check a file of exemptions: its format, what lapses when, and what is too broad",
		Long: `check reads a file of exemptions as the deployment does, and says of each how long it
is in force. The file is JSON:

  {"exemptions": [{
    "function": "arn:aws:lambda:eu-west-1:111122223333:function:open-data",
    "sid": "everyone",
    "fingerprint": "d5777575af56b0561344d14cda4f5018dce62ad369441c0e448ba01740330fa5",
    "owner": "data team",
    "reason": "any AWS account may query the published figures",
    "until": "2027-01-31"
  }]}

  function     ARN of the function, or of a version or alias (NAME:QUALIFIER), each of
               which has a policy of its own. * stands for any characters, ? for one;
               a * at the end of NAME covers its versions and aliases too. NAME
               cannot be all wildcards.
  sid          of the statement; left out, any
  fingerprint  of the statement, as a finding has it; left out, any content
  owner        who answers for it
  reason       why the statement may stand
  until        last day, in UTC, or the instant of its end: 2027-01-31T12:00:00Z

Every other member is an error, and all errors of a file are said at once. A lapsed
exemption is none, and fails the next deployment. One lapses soon if it ends within
14 days. What is broader than it needs to be is warned of: an entry with neither sid
nor fingerprint covers every statement that anybody adds later, and a wildcard in the
account covers functions of others.

Exit codes: 0 all are in force, those that lapse soon too; 1 one has lapsed; 2 the file
or a flag is bad.`,
		Example: `  guardrail exemptions check exemptions.json
  guardrail exemptions check --format json exemptions.json | jq -r 'select(.state != "in force") | .owner'`,
		Args: cobra.ExactArgs(1),
	}
	format := chooseFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := readText(args[0], cmd.InOrStdin())
		if err != nil {
			return err
		}
		list, err := config.ParseExemptions(text)
		if err != nil {
			return fmt.Errorf("%s: %w", place{Input: args[0]}, err)
		}
		var all []checked
		for _, e := range list {
			all = append(all, check(e, now()))
		}
		out := newPage(cmd.OutOrStdout())
		if format.value == "json" {
			for _, c := range all {
				out.json(c)
			}
		} else {
			tell(out, all)
		}
		for _, c := range all {
			if c.State == lapsed {
				return out.close(exitYes)
			}
		}
		return out.close(nil)
	}
	return cmd
}

func readText(input string, stdin io.Reader) ([]byte, error) {
	if input == "-" {
		return io.ReadAll(&limited{from: stdin, left: maxDocument})
	}
	return os.ReadFile(input)
}

// States of an exemption.
const (
	inForce     = "in force"
	lapsesSoon  = "lapses soon"
	lapsed      = "lapsed"
	stateWidth  = len(lapsesSoon)
	untilLayout = "2006-01-02 15:04"
)

// checked is what there is to say of one exemption.
type checked struct {
	Function    string    `json:"function"`
	Sid         string    `json:"sid,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Owner       string    `json:"owner"`
	Reason      string    `json:"reason"`
	Until       time.Time `json:"until"`    // the first instant that is not exempt
	DaysLeft    int       `json:"daysLeft"` // whole ones; below 0 if it has lapsed
	State       string    `json:"state"`
	Warnings    []string  `json:"warnings"`
}

func check(e guard.Exemption, now time.Time) checked {
	c := checked{
		Function: e.Function, Sid: e.Sid, Fingerprint: e.Fingerprint, Owner: e.Owner, Reason: e.Reason, Until: e.Until,
		DaysLeft: int(math.Floor(e.Until.Sub(now).Hours() / 24)), State: inForce, Warnings: []string{},
	}
	switch {
	case e.Ended(now):
		c.State = lapsed
	case e.Ends(now):
		c.State = lapsesSoon
	}
	if e.Sid == "" && e.Fingerprint == "" {
		c.Warnings = append(c.Warnings, "neither sid nor fingerprint: it covers whatever anybody adds to the policy; want one of them")
	}
	if strings.ContainsAny(strings.Split(e.Function, ":")[4], "*?") {
		c.Warnings = append(c.Warnings, "a wildcard in the account: it covers functions of other accounts too; want twelve digits")
	}
	return c
}

// tell prints a table, and the warnings below the rows.
func tell(out *page, all []checked) {
	if len(all) == 0 {
		out.printf("There are no exemptions.\n")
		return
	}
	function, sid, owner := len("function"), len("sid"), len("owner")
	for _, c := range all {
		function, sid, owner = max(function, len(visible(c.Function))), max(sid, len(visible(c.Sid))), max(owner, len(visible(c.Owner)))
	}
	out.printf("%-*s  %-*s  %-*s  %-*s  %-*s  days left\n", stateWidth, "state", function, "function", sid, "sid", owner, "owner", len(untilLayout), "until (UTC)")
	for _, c := range all {
		out.printf("%s  %-*s  %-*s  %-*s  %s  %9d\n", out.paint(c.State, stateWidth), function, c.Function, sid, c.Sid, owner, c.Owner, c.Until.UTC().Format(untilLayout), c.DaysLeft)
		for _, w := range c.Warnings {
			out.printf("%*s  - %s\n", stateWidth, "", w)
		}
	}
}
