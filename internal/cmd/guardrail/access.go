package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
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

// exemptionsVariable names the file of exemptions; where it is empty, there is none.
const exemptionsVariable = "GUARDRAIL_EXEMPTIONS"

// answerWithin is how long a call may take, which the SDK does not limit. No call of
// ours takes AWS more than seconds.
var answerWithin = time.Minute // but in a test

// access is how a command that changes something in AWS gets at it, and at the
// consent of whoever runs it.
type access struct {
	clock guard.Clock
	asks  func(stdin any) bool // whether there is somebody to ask

	stack, profile string
	yes, dryRun    bool

	out *page
}

func newAccess() access { return access{clock: wire.Clock{}, asks: isTerminal} }

func (a *access) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.stack, "stack", "lambda-guardrail", "`NAME` of the guardrail's stack")
	cmd.Flags().StringVar(&a.profile, "profile", "", "`NAME` of the profile in the AWS configuration")
	cmd.Flags().BoolVar(&a.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "read, and show the calls that would be made; change nothing")
}

// checkStack reads the flag as strictly as the setting is.
func (a *access) checkStack() error {
	if _, err := config.FromContext(map[string]any{"name": a.stack}); err != nil || a.stack == "" {
		return fmt.Errorf("--stack is %q: want the name of a guardrail's stack, like lambda-guardrail", a.stack)
	}
	return nil
}

// mayAsk fails if nobody could say yes to what is done.
func (a *access) mayAsk(stdin any, does string) error {
	if !a.yes && !a.dryRun && !a.asks(stdin) {
		return fmt.Errorf("%s, and there is no terminal to ask at: want --yes, or --dry-run; nothing was changed", does)
	}
	return nil
}

// load finds credentials as all tools of AWS do, and the region if none is given.
func (a *access) load(ctx context.Context, region string) (aws.Config, error) {
	options := []func(*awsconfig.LoadOptions) error{awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(answerWithin))}
	if a.profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(a.profile))
	}
	if region != "" {
		options = append(options, awsconfig.WithRegion(region))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	cfg.APIOptions = append(cfg.APIOptions, awsmiddleware.AddUserAgentKeyValue(guard.UserAgent, wire.Version))
	if cfg.Region == "" {
		return cfg, errors.New("no region is known: want --region, AWS_REGION, or a profile that has one")
	}
	return cfg, nil
}

// loadRegions is load for a command that takes several regions, and puts that of
// the profile there if there are none.
func (a *access) loadRegions(ctx context.Context, regions *[]string) (aws.Config, error) {
	first := ""
	if len(*regions) > 0 {
		first = (*regions)[0]
	}
	cfg, err := a.load(ctx, first)
	if err == nil && first == "" {
		*regions = []string{cfg.Region}
	}
	return cfg, err
}

// unchanged is what a no comes to, unless something was done before.
const unchanged = "Nothing was changed."

// confirm asks once for all that is to be done, unless that was said before. After
// anything but a yes it prints otherwise.
func (a *access) confirm(ctx context.Context, stdin io.Reader, verb, otherwise string) error {
	if a.yes {
		return nil
	}
	a.out.printf("Type yes to %s: ", verb)
	answer := make(chan string, 1)
	go func() { // reading does not end with ctx
		line, _ := bufio.NewReader(stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case word := <-answer:
		if word == "yes" || word == "y" {
			return nil
		}
	case <-ctx.Done():
		a.out.printf("\n")
	}
	a.out.printf("%s\n", otherwise)
	return exitYes
}

// deployed is a guardrail as its stack and one of its functions show it.
type deployed struct {
	functions   *lambdaadmin.Functions
	function    string            // name
	sweep       string            // name of the periodic function; "" if it was deployed before there was one
	logGroup    string            // the same
	status      string            // of the stack
	outputs     map[string]string // Mode and FunctionUrls, by the variable of the function
	environment map[string]string
	revision    string
}

// find looks for the guardrail of a region.
func (a *access) find(ctx context.Context, cfg aws.Config, region, needs string) (*deployed, error) {
	cfg = cfg.Copy()
	cfg.Region = region
	d := &deployed{functions: lambdaadmin.New(cfg, a.clock)}
	if err := d.read(ctx, cfg, a.stack); err != nil {
		return nil, a.explain(err, "the stack "+a.stack, needs, a.functionGone())
	}
	return d, a.look(ctx, d, needs)
}

// findSweep returns the periodic function of a guardrail that was found, nil if it
// has none.
func (a *access) findSweep(ctx context.Context, of *deployed, needs string) (*deployed, error) {
	if of.sweep == "" {
		return nil, nil
	}
	d := *of
	d.function = of.sweep
	return &d, a.look(ctx, &d, needs)
}

// look reads the environment of the function.
func (a *access) look(ctx context.Context, d *deployed, needs string) error {
	c, err := d.functions.Configuration(ctx, d.function)
	if err != nil {
		return a.explain(err, d.function, needs, a.functionGone())
	}
	if c.Environment[modeVariable] == "" {
		return fmt.Errorf("the function %s has no %s: it is not, or no longer, the guardrail's; deploy the stack %s again", d.function, modeVariable, a.stack)
	}
	d.environment, d.revision = c.Environment, c.Revision
	return nil
}

func (a *access) functionGone() string {
	return "the stack names a function that is gone: deploy the stack " + a.stack + " again"
}

// read takes the outputs of the stack.
func (d *deployed) read(ctx context.Context, cfg aws.Config, stack string) error {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return fmt.Errorf("reading the outputs of the stack %s: %w", stack, err)
	}
	if len(out.Stacks) != 1 {
		return fmt.Errorf("reading the outputs of the stack %s: CloudFormation answers %d stacks, want 1", stack, len(out.Stacks))
	}
	d.status = string(out.Stacks[0].StackStatus)
	outputs := map[string]string{}
	for _, o := range out.Stacks[0].Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, name := range []string{"FunctionName", "Mode", "FunctionUrls"} {
		if outputs[name] == "" {
			return fmt.Errorf("the stack %s (%s) has no output %s: want the stack of a guardrail, as --stack names it, deployed with this version or a later one", stack, d.status, name)
		}
	}
	if _, err := config.FromContext(map[string]any{"mode": outputs["Mode"], "functionUrls": outputs["FunctionUrls"]}); err != nil {
		return fmt.Errorf("the outputs Mode and FunctionUrls of the stack %s: %w", stack, err)
	}
	d.function, d.sweep, d.logGroup = outputs["FunctionName"], outputs["SweepFunctionName"], outputs["LogGroupName"]
	d.outputs = map[string]string{modeVariable: outputs["Mode"], urlsVariable: outputs["FunctionUrls"]}
	return nil
}

// apiError is an error as an API of AWS answers it.
type apiError interface {
	error
	ErrorCode() string
	ErrorMessage() string
}

// noStack reports whether CloudFormation says that there is no such stack.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func noStack(err error) bool {
	api, ok := errors.AsType[apiError](err)
	return ok && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}

// explain adds what would be right to an error of AWS: which permissions the command
// needs, and what it means that a function is gone.
func (a *access) explain(err error, what, needs, gone string) error {
	if strings.Contains(err.Error(), "get credentials: ") { // the SDK has no type for it
		return fmt.Errorf("%w; want credentials as for the AWS command line: sign in, or say --profile", err)
	}
	api, ok := errors.AsType[apiError](err)
	if !ok {
		return err
	}
	hint := ""
	switch code := api.ErrorCode(); {
	case strings.HasPrefix(code, "AccessDenied"):
		hint = "want credentials that may call " + needs
	case code == "ResourceNotFoundException":
		hint = gone
	case noStack(err):
		hint = "want the name and the region that the guardrail was deployed with: --stack, --region"
	case strings.HasPrefix(code, "ExpiredToken"):
		hint = "want new credentials: sign in again"
	default:
		return err
	}
	return fmt.Errorf("%s: %w; %s", what, err, hint)
}
