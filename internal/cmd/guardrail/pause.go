package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/spf13/cobra"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdaadmin"
	"lambda-guardrail/internal/wire"
)

// The variables of the deployed function that pause sets. The function does not
// start with URLs in enforce and the rest in audit, so both change at once.
const (
	modeVariable = "GUARDRAIL_MODE"
	urlsVariable = "GUARDRAIL_FUNCTION_URLS"
)

const brakeNeeds = "cloudformation:DescribeStacks on the stack, and lambda:GetFunctionConfiguration and lambda:UpdateFunctionConfiguration on its function"

const brakeHelp = `
It finds the function by the outputs of the stack, and changes two variables of its
environment, GUARDRAIL_MODE and GUARDRAIL_FUNCTION_URLS; all others are kept. It
returns when Lambda has confirmed the change and it has been read back. Credentials
are those of the AWS command line; they need cloudformation:DescribeStacks on the
stack, and lambda:GetFunctionConfiguration and lambda:UpdateFunctionConfiguration on
the function. AWS_ENDPOINT_URL and its like are honoured.

Exit codes: 0 done, or there was nothing to do; 1 AWS refused or did not confirm in
some region (the others are done all the same), or you said no; 2 a flag is bad, or
there is nobody to ask and no --yes: nothing was changed.`

func newPause() *cobra.Command {
	return (&brake{verb: "pause", clock: wire.Clock{}, asks: isTerminal}).command(
		"Put the deployed guardrail into audit at once, without a deployment",
		`pause is the emergency brake: the deployed guardrail goes on to report public
statements, and no longer takes them out.
`+brakeHelp,
		`  guardrail pause
  guardrail pause --region eu-central-1 --region us-east-1 --yes
  guardrail pause --stack lambda-guardrail --profile security --dry-run`)
}

func newResume() *cobra.Command {
	return (&brake{verb: "resume", clock: wire.Clock{}, asks: isTerminal}).command(
		"Put the deployed guardrail back into the mode that it was deployed with",
		`resume ends a pause: the function gets the mode back that the outputs Mode and
FunctionUrls of the stack say it was deployed with.
`+brakeHelp,
		`  guardrail resume
  guardrail resume --region eu-central-1 --region us-east-1 --yes
  guardrail resume --stack lambda-guardrail --profile security --dry-run`)
}

// brake is pause or resume.
type brake struct {
	verb  string
	clock guard.Clock
	asks  func(stdin any) bool // whether there is somebody to ask

	deployed
	yes, dryRun bool

	out *page
}

// deployed says which guardrails a command is about.
type deployed struct {
	stack string
	account
}

// account says where a command goes.
type account struct {
	regions []string
	profile string
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
	b.flags(cmd)
	cmd.Flags().StringSliceVar(&b.regions, "region", nil, "`REGION` of a stack, once for each (default: that of the profile or the environment)")
	cmd.Flags().BoolVar(&b.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&b.dryRun, "dry-run", false, "read, and show the calls that would be made; change nothing")
	return cmd
}

// flags are those that every such command has.
func (d *deployed) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.stack, "stack", "lambda-guardrail", "`NAME` of the guardrail's stack")
	d.account.flags(cmd)
}

func (a *account) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.profile, "profile", "", "`NAME` of the profile in the AWS configuration")
}

func (b *brake) run(ctx context.Context, stdin io.Reader, stderr io.Writer) error {
	if err := b.check(); err != nil {
		return err
	}
	if !b.yes && !b.dryRun && !b.asks(stdin) {
		return fmt.Errorf("%s changes a deployed function, and there is no terminal to ask at: want --yes, or --dry-run; nothing was changed", b.verb)
	}
	cfg, err := b.load(ctx)
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
		p, err := b.plan(ctx, cfg, region)
		if err != nil {
			failed(region, err)
			continue
		}
		if len(p.changes()) == 0 {
			b.out.printf("%s: %s\n", region, p.already(b.verb))
			continue
		}
		plans = append(plans, p)
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
		b.out.printf("Nothing was changed.\n")
		return result
	}
	if !b.yes {
		if err := confirm(ctx, b.out, stdin, b.verb); err != nil {
			return err
		}
	}
	var done []*plan
	for _, p := range plans {
		was, err := p.functions.Set(ctx, p.function, p.set)
		if err != nil {
			failed(p.region, b.explain(err, p.function, brakeNeeds))
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
func (d *deployed) check() error {
	if _, err := config.FromContext(map[string]any{"name": d.stack}); err != nil || d.stack == "" {
		return fmt.Errorf("--stack is %q: want the name of a guardrail's stack, like lambda-guardrail", d.stack)
	}
	return d.account.check()
}

func (a *account) check() error {
	for i, region := range a.regions {
		_, err := config.FromContext(map[string]any{"regions": region})
		if err != nil || region == "" || strings.ContainsAny(region, ":, ") || slices.Contains(a.regions[:i], region) {
			return fmt.Errorf("--region is %q: want regions like eu-central-1, each once", region)
		}
	}
	return nil
}

// load finds credentials as all tools of AWS do, and the region if no flag says it.
func (a *account) load(ctx context.Context) (aws.Config, error) {
	var options []func(*awsconfig.LoadOptions) error
	if a.profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(a.profile))
	}
	if len(a.regions) > 0 {
		options = append(options, awsconfig.WithRegion(a.regions[0]))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	cfg.APIOptions = append(cfg.APIOptions, awsmiddleware.AddUserAgentKeyValue(guard.UserAgent, wire.Version))
	if len(a.regions) == 0 {
		if cfg.Region == "" {
			return cfg, errors.New("no region is known: want --region, AWS_REGION, or a profile that has one")
		}
		a.regions = []string{cfg.Region}
	}
	return cfg, nil
}

// plan is what there is to do in a region.
type plan struct {
	region, function string
	functions        *lambdaadmin.Functions
	deployed         map[string]string // by the outputs of the stack
	status           string            // of the stack
	revision         string
	was, set         map[string]string
}

func (b *brake) plan(ctx context.Context, cfg aws.Config, region string) (*plan, error) {
	cfg = cfg.Copy()
	cfg.Region = region
	p := &plan{region: region, functions: lambdaadmin.New(cfg, b.clock)}
	if err := p.read(ctx, cfg, b.stack); err != nil {
		return nil, b.explain(err, "the stack "+b.stack, brakeNeeds)
	}
	c, err := p.functions.Configuration(ctx, p.function)
	if err != nil {
		return nil, b.explain(err, p.function, brakeNeeds)
	}
	if c.Environment[modeVariable] == "" {
		return nil, fmt.Errorf("the function %s has no %s: it is not, or no longer, the guardrail's; deploy the stack %s again", p.function, modeVariable, b.stack)
	}
	p.was, p.revision, p.set = c.Environment, c.Revision, p.deployed
	if b.verb == "pause" {
		p.set = map[string]string{modeVariable: guard.Audit.String(), urlsVariable: guard.Audit.String()}
	}
	return p, nil
}

// outputsOf returns the outputs of a stack, which must have those that are wanted,
// and its status.
func outputsOf(ctx context.Context, cfg aws.Config, stack string, wanted ...string) (outputs map[string]string, status string, err error) {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return nil, "", fmt.Errorf("reading the outputs of the stack %s: %w", stack, err)
	}
	if len(out.Stacks) != 1 {
		return nil, "", fmt.Errorf("reading the outputs of the stack %s: CloudFormation answers %d stacks, want 1", stack, len(out.Stacks))
	}
	status, outputs = string(out.Stacks[0].StackStatus), map[string]string{}
	for _, o := range out.Stacks[0].Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, name := range wanted {
		if outputs[name] == "" {
			return nil, "", fmt.Errorf("the stack %s (%s) has no output %s: want the stack of a guardrail, as --stack names it, deployed with this version or a later one", stack, status, name)
		}
	}
	return outputs, status, nil
}

// read takes the outputs of the stack.
func (p *plan) read(ctx context.Context, cfg aws.Config, stack string) error {
	outputs, status, err := outputsOf(ctx, cfg, stack, "FunctionName", "Mode", "FunctionUrls")
	if err != nil {
		return err
	}
	if _, err := config.FromContext(map[string]any{"mode": outputs["Mode"], "functionUrls": outputs["FunctionUrls"]}); err != nil {
		return fmt.Errorf("the outputs Mode and FunctionUrls of the stack %s: %w", stack, err)
	}
	p.function, p.status = outputs["FunctionName"], status
	p.deployed = map[string]string{modeVariable: outputs["Mode"], urlsVariable: outputs["FunctionUrls"]}
	return nil
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
	case p.deployed[modeVariable] == guard.Audit.String():
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

// confirm asks whether to do what the verb says.
func confirm(ctx context.Context, out *page, stdin io.Reader, verb string) error {
	out.printf("Type yes to %s: ", verb)
	answer := make(chan string, 1)
	go func() { // reading does not end with ctx
		line, _ := bufio.NewReader(stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "yes" || a == "y" {
			return nil
		}
	case <-ctx.Done():
		out.printf("\n")
	}
	out.printf("Nothing was changed.\n")
	return exitYes
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
		held = held || p.deployed[modeVariable] == guard.Enforce.String()
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

// explain adds what would be right to an error of AWS; needs are the calls that
// the credentials must be allowed.
func (d *deployed) explain(err error, what, needs string) error {
	if strings.Contains(err.Error(), "get credentials: ") { // the SDK has no type for it
		return fmt.Errorf("%w; want credentials as for the AWS command line: sign in, or say --profile", err)
	}
	api, ok := errors.AsType[interface {
		error
		ErrorCode() string
		ErrorMessage() string
	}](err)
	if !ok {
		return err
	}
	hint := ""
	switch code := api.ErrorCode(); {
	case strings.HasPrefix(code, "AccessDenied"):
		hint = "want credentials that may call " + needs
	case code == "ResourceNotFoundException":
		hint = "the stack names a function that is gone: deploy the stack " + d.stack + " again"
	case code == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist"):
		hint = "want the name and the region that the guardrail was deployed with: --stack, --region"
	case strings.HasPrefix(code, "ExpiredToken"):
		hint = "want new credentials: sign in again"
	default:
		return err
	}
	return fmt.Errorf("%s: %w; %s", what, err, hint)
}
