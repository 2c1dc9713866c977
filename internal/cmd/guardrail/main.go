// Guardrail is the command line of lambda-guardrail: a file here for each of its
// commands. It does not know what makes a policy public nor how a statement is
// taken out: it asks the packages that the deployed functions are made of.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes that all commands share. What 1 stands for is in the help of each.
const (
	exitYes      exit = 1
	exitBadInput exit = 2
)

// exit is an error of which everything has been said but the exit code.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "guardrail",
		Short: "Find out who can call a Lambda function, and watch the guardrail take strangers out",
		Long: `guardrail says whether an AWS Lambda resource policy lets strangers in, proves it
with a request that they could make, and shows how the deployed guardrail takes
such statements out again.`,
		Example: `  guardrail rehearse                 # see all of it happen, on this machine, in a second
  guardrail explain policy.json      # who gets in, and why`,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // they come as several lines
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(newExplain(), newScan(), newRehearse(), newDrill(), newPause(), newResume(), newRestore(), newExemptions())

	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	complain(stderr, err)
	return int(exitBadInput)
}

// choice is a flag with few legal values.
type choice struct {
	value string
	legal []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.legal, "|") }

func (c *choice) Set(s string) error {
	for _, legal := range c.legal {
		if s == legal {
			c.value = s
			return nil
		}
	}
	return errors.New("want " + strings.Join(c.legal, " or "))
}

// choose adds such a flag; the first legal value is the default.
func choose(cmd *cobra.Command, name, usage string, legal ...string) *choice {
	c := &choice{legal[0], legal}
	cmd.Flags().Var(c, name, usage)
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(legal, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag, or two
	}
	return c
}

func chooseFormat(cmd *cobra.Command) *choice {
	return choose(cmd, "format", "text for people, json for machines", "text", "json")
}
