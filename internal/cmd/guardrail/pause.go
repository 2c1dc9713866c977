package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

// brakeNeeds are the permissions that the brake asks for.
const brakeNeeds = "cloudformation:DescribeStacks on the stack, and lambda:GetFunctionConfiguration and lambda:UpdateFunctionConfiguration on its functions"

const brakeHelp = `
It finds both functions by the outputs of the stack, and changes two variables of
their environment, GUARDRAIL_MODE and GUARDRAIL_FUNCTION_URLS; all others are kept. It
returns when Lambda has confirmed the change and it has been read back. Credentials
are those of the AWS command line; they need cloudformation:DescribeStacks on the
stack, and lambda:GetFunctionConfiguration and lambda:UpdateFunctionConfiguration on
the functions. AWS_ENDPOINT_URL and its like are honoured.

Exit codes: 0 done, or there was nothing to do; 1 AWS refused or did not confirm in
some region (the others are done all the same), or you said no; 2 a flag is bad, or
there is nobody to ask and no --yes: nothing was changed.`

func newPause() *cobra.Command {
	return (&brake{verb: "pause", access: newAccess()}).command(
		"Put the deployed guardrail into audit at once, without a deployment",
		`pause is the emergency brake: the deployed guardrail goes on to report public
statements, and no longer takes them out.
`+brakeHelp,
		`  guardrail pause
  guardrail pause --region eu-central-1 --region us-east-1 --yes
  guardrail pause --stack lambda-guardrail --profile security --dry-run`)
}

func newResume() *cobra.Command {
	return (&brake{verb: "resume", access: newAccess()}).command(
		"Put the deployed guardrail back into the mode that it was deployed with",
		`resume ends a pause: the functions get the mode back that the outputs Mode and
FunctionUrls of the stack say it was deployed with.
`+brakeHelp,
		`  guardrail resume
  guardrail resume --region eu-central-1 --region us-east-1 --yes
  guardrail resume --stack lambda-guardrail --profile security --dry-run`)
}

// brake is pause or resume.
type brake struct {
	access
	verb    string
	regions []string
}

func (b *brake) command(short, long, example string) *cobra.Command {
	cmd := &cobra.Command{
		Use: b.verb + " [flags]", Short: short, Long: long, Example: example,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b.out = newPage(cmd.OutOrStdout())
			return b.out.close(b.run(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().StringSliceVar(&b.regions, "region", nil, "`REGION` of a stack, once for each (default: that of the profile or the environment)")
	b.addFlags(cmd)
	return cmd
}

func (b *brake) run(ctx context.Context, stdin io.Reader, stderr io.Writer) error {
	if err := b.check(); err != nil {
		return err
	}
	if err := b.mayAsk(stdin, b.verb+" changes a deployed function"); err != nil {
		return err
	}
	cfg, err := b.loadRegions(ctx, &b.regions)
	if err != nil {
		return err
	}

	var result error
	failed := func(region string, err error) {
		complain(stderr, fmt.Errorf("%s: %w", region, err))
		result = exitYes
	}
	var plans []*plan
	for _, region := range b.regions {
		here, err := b.plan(ctx, cfg, region)
		if err != nil {
			failed(region, err)
		}
		for _, p := range here {
			if len(p.changes()) == 0 {
				b.out.printf("%s: %s\n", region, p.already(b.verb))
				continue
			}
			plans = append(plans, p)
		}
	}
	if len(plans) == 0 {
		return result
	}
	for _, p := range plans {
		b.out.printf("%s: %s would change %s of %s\n", p.region, b.verb, strings.Join(p.changes(), " and "), p.function)
		if b.dryRun {
			b.calls(p)
		}
	}
	if b.dryRun {
		b.out.printf("%s\n", unchanged)
		return result
	}
	if err := b.confirm(ctx, stdin, b.verb, unchanged); err != nil {
		return err
	}
	var done []*plan
	for _, p := range plans {
		was, err := p.functions.Set(ctx, p.function, p.set)
		if err != nil {
			failed(p.region, b.explain(err, p.function, brakeNeeds, b.functionGone()))
			continue
		}
		if was == nil { // somebody else was faster
			b.out.printf("%s: %s\n", p.region, p.already(b.verb))
			continue
		}
		p.was = was
		b.out.printf("%s: %s is %sd, read back and confirmed: %s\n", p.region, p.function, b.verb, strings.Join(p.changes(), ", "))
		done = append(done, p)
	}
	if len(done) > 0 {
		b.notes(done)
	}
	return result
}

// check reads the flags as strictly as the settings of the stack are.
func (b *brake) check() error {
	if err := b.checkStack(); err != nil {
		return err
	}
	return checkRegions(b.regions)
}

// checkRegions reads the values of --region as strictly.
func checkRegions(regions []string) error {
	for i, region := range regions {
		_, err := config.FromContext(map[string]any{"regions": region})
		if err != nil || region == "" || strings.ContainsAny(region, ":, ") || slices.Contains(regions[:i], region) {
			return fmt.Errorf("--region is %q: want regions like eu-central-1, each once", region)
		}
	}
	return nil
}

// plan is what there is to do to one function in a region.
type plan struct {
	*deployed
	region   string
	was, set map[string]string
}

// plan returns a plan for each of the guardrail's functions, also beside an error
// about another one.
func (b *brake) plan(ctx context.Context, cfg aws.Config, region string) (plans []*plan, err error) {
	d, err := b.find(ctx, cfg, region, brakeNeeds)
	for ; err == nil && d != nil; d, err = b.findSweep(ctx, d, brakeNeeds) {
		p := &plan{deployed: d, region: region, was: d.environment, set: d.outputs}
		if b.verb == "pause" {
			p.set = map[string]string{modeVariable: guard.Audit.String(), urlsVariable: guard.Audit.String()}
		}
		plans = append(plans, p)
		if d.function == d.sweep {
			break
		}
	}
	return plans, err
}

// changes are those from what was, in words.
func (p *plan) changes() []string {
	var all []string
	for _, name := range []string{modeVariable, urlsVariable} {
		was, ok := p.was[name]
		if !ok {
			was = "nothing"
		}
		if was != p.set[name] {
			all = append(all, fmt.Sprintf("%s from %s to %s", name, was, p.set[name]))
		}
	}
	return all
}

// already says why there is nothing to do.
func (p *plan) already(verb string) string {
	switch {
	case p.outputs[modeVariable] == guard.Audit.String():
		return fmt.Sprintf("%s runs in audit, as it was deployed: there is nothing to %s", p.function, verb)
	case verb == "pause":
		return fmt.Sprintf("%s is paused already: %s and %s are audit", p.function, modeVariable, urlsVariable)
	}
	return fmt.Sprintf("%s runs already as it was deployed: %s is %s, %s is %s", p.function, modeVariable, p.set[modeVariable], urlsVariable, p.set[urlsVariable])
}

// calls shows what would be called.
func (b *brake) calls(p *plan) {
	b.out.printf("  made:     cloudformation:DescribeStacks StackName=%s\n", b.stack)
	b.out.printf("  made:     lambda:GetFunctionConfiguration FunctionName=%s\n", p.function)
	b.out.printf("  not made: lambda:UpdateFunctionConfiguration FunctionName=%s RevisionId=%s\n", p.function, p.revision)
	for _, name := range slices.Sorted(maps.Keys(p.set)) {
		b.out.printf("              %s=%s\n", name, p.set[name])
	}
	for _, name := range slices.Sorted(maps.Keys(p.was)) {
		if _, ours := p.set[name]; !ours {
			b.out.printf("              %s as it is\n", name)
		}
	}
}

// notes say what follows from what was done.
func (b *brake) notes(done []*plan) {
	flags := ""
	if b.stack != "lambda-guardrail" {
		flags += " --stack " + b.stack
	}
	if b.profile != "" {
		flags += " --profile " + b.profile
	}
	held, deploying := false, false
	for _, p := range done {
		flags += " --region " + p.region
		held = held || p.outputs[modeVariable] == guard.Enforce.String()
		deploying = deploying || strings.HasSuffix(p.status, "_IN_PROGRESS")
	}
	b.out.printf("\n")
	if b.verb == "pause" {
		b.out.printf("- It goes on to report, and takes nothing out. An event that it already works on ends as it began.\n")
		if held {
			b.out.printf("- Its role still holds the permission to write: this changed a setting, and took no right away.\n")
		}
		b.out.printf("- The stack does not know: this is a drift, which the next deployment that changes the function undoes. To stay in audit, deploy mode audit.\n")
	} else {
		b.out.printf("- The function is as the stack says again: there is no drift in these two settings.\n")
		b.out.printf("- What was reported in the pause still stands, and no event comes a second time: see the findings in the log.\n")
	}
	if deploying {
		b.out.printf("- The stack is being deployed at this moment, which may undo this: look again afterwards.\n")
	}
	b.out.printf("- A tamper message goes to the stack's topic: this was a call against the guardrail's own function.\n")
	if b.verb == "pause" {
		b.out.printf("- To resume: guardrail resume%s\n", flags)
	}
}
