package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/spf13/cobra"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdaadmin"
	"lambda-guardrail/internal/lambdapolicy"
)

// The name of what a drill makes. Its underscores keep it out of the names of any
// stack, which have none: the guardrail's role is denied to write to functions
// whose names begin with its stack's and a hyphen.
const (
	drillPrefix      = "guardrail_drill_"
	drillTag         = "guardrail-drill" // its value is STACK/REGION
	drillDescription = "Throwaway of guardrail drill, which opens it to see the guardrail close it. It does nothing. Delete it if no drill runs."
)

const (
	pollEvery = 2 * time.Second // of GetPolicy, which has a quota of 15 a second, that is 3 a second
	cleanTime = time.Minute
	logSkew   = 10 * time.Minute // between clocks; the name of the function keeps others out
)

const drillNeeds = "cloudformation:DescribeStacks, lambda:GetFunctionConfiguration, logs:FilterLogEvents and the calls that guardrail drill --dry-run shows"

func newDrill() *cobra.Command {
	return (&drill{access: newAccess()}).command()
}

// drill is one run.
type drill struct {
	access
	region  string
	role    string
	cleanup bool
	timeout time.Duration
	format  *choice

	functions *lambdaadmin.Throwaways
	policies  guard.Policies
	roles     drillRoles
	logs      *cloudwatchlogs.Client
	guardrail string // its function
	group     string // its log group
	mode      guard.Mode
	urls      guard.Mode
}

func (d *drill) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill [flags]",
		Short: "Prove on a throwaway function that the deployed guardrail works",
		Long: `drill makes a function that does nothing, may do nothing and cannot be run, opens it
in each way that an attacker would, and watches: the guardrail must find each opening
and, in enforce, take exactly that statement out. Grants that harm nobody are made
beside them, and must be left alone and not reported. Then it deletes what it made,
also after Ctrl-C. The openings are real: other tools that look for them will speak
up. They are made at the same time, since CloudTrail can take minutes.

It finds the guardrail by the outputs of its stack, its mode by its function's
environment (a pause counts), and its findings in its log group. The function needs
an execution role: without --role the drill makes one that permits nothing, and
deletes it, too. Functions and roles are called ` + drillPrefix + `..., and carry
the tag ` + drillTag + `; --cleanup deletes those of the stack and region that carry it,
and must not run beside another drill. AWS_ENDPOINT_URL and its like are honoured;
see guardrail rehearse --serve for a drill of the drill.

Exit codes: 0 all went as it should, or there was nothing to clean up; 1 the
guardrail failed some of it, AWS refused, something could not be deleted, or you
stopped it; 2 a flag is bad, or there is nobody to ask and no --yes: nothing was made.`,
		Example: `  guardrail drill --dry-run
  guardrail drill --yes
  guardrail drill --yes --region eu-central-1 --role arn:aws:iam::111122223333:role/nothing --format json
  guardrail drill --cleanup --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out = newPage(cmd.OutOrStdout())
			return d.out.close(d.run(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr()))
		},
	}
	d.addFlags(cmd)
	d.format = chooseFormat(cmd)
	cmd.Flags().StringVar(&d.region, "region", "", "`REGION` of the stack (default: that of the profile or the environment)")
	cmd.Flags().StringVar(&d.role, "role", "", "`ARN` of a role for the function that Lambda can assume and that permits nothing")
	cmd.Flags().DurationVar(&d.timeout, "timeout", 10*time.Minute, "how long to wait for what must come of each opening")
	cmd.Flags().BoolVar(&d.cleanup, "cleanup", false, "only delete what drills have left behind")
	return cmd
}

func (d *drill) run(ctx context.Context, stdin io.Reader, stderr io.Writer) error {
	if err := d.checkStack(); err != nil {
		return err
	}
	if d.region != "" {
		if err := checkRegions([]string{d.region}); err != nil {
			return err
		}
	}
	if role := strings.Split(d.role, ":"); d.role != "" && (len(role) != 6 || role[2] != "iam" || !strings.HasPrefix(role[5], "role/")) {
		return fmt.Errorf("--role is %q: want the ARN of a role, like arn:aws:iam::111122223333:role/nothing", d.role)
	}
	if d.timeout <= 0 {
		return fmt.Errorf("--timeout is %s: want a time like 10m", d.timeout)
	}
	machine := d.format.value == "json"
	if !d.yes && !d.dryRun && (machine || !d.asks(stdin)) {
		return errors.New("drill makes a function and opens it, and there is nobody to ask: want --yes, or --dry-run; nothing was made")
	}
	cfg, err := d.load(ctx, d.region)
	if err != nil {
		return err
	}
	d.region = cfg.Region

	fail := func(err error) error {
		complain(stderr, fmt.Errorf("%s: %w", d.region, err))
		return exitYes
	}
	d.functions, d.policies = lambdaadmin.NewThrowaways(cfg, d.clock), lambdapolicy.New(cfg, d.clock, nil)
	d.roles, d.logs = drillRoles{iam.NewFromConfig(cfg)}, cloudwatchlogs.NewFromConfig(cfg)
	if d.cleanup {
		if err := d.cleanUp(ctx, stdin); err == exitYes {
			return err
		} else if err != nil {
			return fail(d.explain(err, "cleaning up", "lambda:ListFunctions, lambda:ListTags, lambda:DeleteFunction, iam:ListRoles, iam:ListRoleTags and iam:DeleteRole", d.functionGone()))
		}
		return nil
	}
	if err := d.learn(ctx, cfg); err != nil {
		return fail(err)
	}

	r := &drillReport{
		Region: d.region, Guardrail: d.guardrail, Mode: d.mode.String(), FunctionURLs: d.urls.String(),
		Function: drillPrefix + strings.ToLower(rand.Text()[:8]), Ways: []wayReport{},
	}
	d.say("%s: %s runs in %s, function URLs in %s\n", d.region, d.guardrail, r.Mode, r.FunctionURLs)
	if d.dryRun {
		d.calls(r.Function)
		return nil
	}
	if !d.yes {
		d.say("The drill makes the function %s, which does nothing, and opens it in %d ways.\n", r.Function, len(ways))
	}
	if err := d.confirm(ctx, stdin, "drill", unchanged); err != nil {
		return err
	}
	attempts, err := d.perform(ctx, r.Function)
	if ctx.Err() != nil {
		err = errors.New("stopped before the end")
	}
	cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	left := d.delete(cleaning, r.Function)
	r.add(attempts)
	r.Deleted = left == nil
	r.OK = r.OK && r.Deleted && err == nil
	if machine {
		d.out.json(r)
	} else {
		r.print(d.out)
	}
	if left != nil {
		fail(fmt.Errorf("%w; to try again: guardrail drill --cleanup", left))
	}
	if err != nil {
		return fail(d.explain(err, "the drill", drillNeeds, d.functionGone()))
	}
	if !r.OK {
		return exitYes
	}
	return nil
}

// say tells people how it goes; machines get one answer at the end.
func (d *drill) say(format string, args ...any) {
	if d.format.value == "text" {
		d.out.printf(format, args...)
	}
}

// learn learns what is deployed, and that the log can be read.
func (d *drill) learn(ctx context.Context, cfg aws.Config) error {
	found, err := d.find(ctx, cfg, d.region, drillNeeds)
	if err != nil {
		return err
	}
	if found.logGroup == "" {
		return fmt.Errorf("the stack %s has no output LogGroupName: deploy it with this version or a later one", d.stack)
	}
	d.guardrail, d.group = found.function, found.logGroup
	settings, err := config.FromEnv([]string{modeVariable + "=" + found.environment[modeVariable], urlsVariable + "=" + found.environment[urlsVariable]})
	if err != nil {
		return fmt.Errorf("the environment of %s: %w", d.guardrail, err)
	}
	d.mode, d.urls = settings.Mode, settings.FunctionURLs
	if _, err = findings(ctx, d.logs, d.group, drillPrefix, d.clock.Now()); err != nil {
		return d.explain(err, "the log "+d.group, drillNeeds, d.functionGone())
	}
	return nil
}

// wants is what must come of what a way opens.
func (d *drill) wants(w way) guard.Outcome {
	if d.mode == guard.Enforce && (d.urls == guard.Enforce || !w.urlOnly) {
		return guard.Reverted
	}
	return guard.Audited
}

func (d *drill) tag() string { return d.stack + "/" + d.region }

// calls shows what would be called.
func (d *drill) calls(name string) {
	d.out.printf("Would be made, in this order:\n")
	if d.role == "" {
		d.out.printf("  iam:CreateRole %s Path=%s (iam:TagRole, iam:PassRole)\n", name, rolePath)
	}
	d.out.printf("  lambda:CreateFunction %s (lambda:TagResource)\n  lambda:GetFunctionConfiguration %s\n  lambda:PutFunctionConcurrency %s ReservedConcurrentExecutions=0\n", name, name, name)
	for _, alias := range aliases() {
		d.out.printf("  lambda:CreateAlias %s Name=%s\n", name, alias)
	}
	for _, w := range ways {
		for _, call := range w.calls(guard.Resource{Function: name}) {
			d.out.printf("  %s\n", call)
		}
	}
	d.out.printf("  lambda:GetPolicy, and logs:FilterLogEvents %s, every %s\n  lambda:DeleteFunction %s\n", d.group, pollEvery.String(), name)
	if d.role == "" {
		d.out.printf("  iam:DeleteRole %s\n", name)
	}
	d.out.printf("Nothing was made.\n")
}

// perform makes the function, opens it, and watches until all has come of it that
// must, or nothing more is waited for. After an error, what it made is still there.
func (d *drill) perform(ctx context.Context, name string) (attempts []*attempt, err error) {
	since := d.clock.Now().Add(-logSkew)
	role := d.role
	if role == "" {
		if role, err = d.roles.make(ctx, name, d.tag()); err != nil {
			return nil, err
		}
	}
	arn, err := d.functions.Make(ctx, lambdaadmin.Throwaway{
		Name: name, Description: drillDescription, Role: role, Tags: map[string]string{drillTag: d.tag()}, Aliases: aliases(),
	})
	if err != nil {
		return nil, err
	}
	on, err := guard.ParseResource(arn)
	if err != nil {
		return nil, err
	}
	d.say("Made %s: it does nothing, may do nothing, and cannot be run.\n", name)
	for _, w := range ways {
		a := w.try(ctx, d.functions, on, d.clock)
		a.want = d.wants(w)
		attempts = append(attempts, a)
		d.say("  %-12s  %s\n", w.name, w.what)
	}
	d.say("Watching for up to %s ...\n", d.timeout.String())
	return attempts, d.watch(ctx, attempts, name, since)
}

// watch looks until everything that was opened has settled or has had its time, and
// then once more: a report of what harms nobody would have come by then. A look that
// fails is taken again.
func (d *drill) watch(ctx context.Context, attempts []*attempt, name string, since time.Time) error {
	for calm := false; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		told, err := findings(ctx, d.logs, d.group, name, since)
		now := d.clock.Now()
		before := calm
		calm = true
		for _, a := range attempts {
			if a.refused != nil {
				continue
			}
			was := a.settled()
			if a.err = err; err == nil {
				a.err = a.look(ctx, d.policies, told, now)
			}
			if !was && a.settled() {
				d.say("  %-12s  after %.1f s\n", a.name, a.seconds())
			}
			done := a.err == nil && a.settled()
			calm = calm && (done || now.Sub(a.opened) >= d.timeout)
		}
		if calm && before {
			return nil
		}
		if err := d.clock.Sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// delete deletes the function and the role of a drill, if they are there.
func (d *drill) delete(ctx context.Context, name string) error {
	err := d.functions.Delete(ctx, name)
	if d.role == "" {
		err = errors.Join(err, d.roles.delete(ctx, name))
	}
	return err
}

// cleanUp deletes what earlier drills have left.
func (d *drill) cleanUp(ctx context.Context, stdin io.Reader) error {
	functions, err := d.functions.Tagged(ctx, drillPrefix, drillTag, d.tag())
	if err != nil {
		return err
	}
	roles, err := d.roles.tagged(ctx, drillPrefix, d.tag())
	if err != nil {
		return err
	}
	deleted := struct {
		Functions []string `json:"functions"`
		Roles     []string `json:"roles"`
	}{[]string{}, []string{}}
	for _, name := range functions {
		d.say("%s: function %s\n", d.region, name)
	}
	for _, name := range roles {
		d.say("%s: role %s\n", d.region, name)
	}
	switch {
	case len(functions)+len(roles) == 0:
		d.say("%s: no drill has left anything.\n", d.region)
	case d.dryRun:
		d.say("Nothing was deleted.\n")
	default:
		if err := d.confirm(ctx, stdin, "delete them", unchanged); err != nil {
			return err
		}
		for _, name := range functions {
			if err = errors.Join(err, d.functions.Delete(ctx, name)); err == nil {
				deleted.Functions = append(deleted.Functions, name)
			}
		}
		for _, name := range roles {
			if err = errors.Join(err, d.roles.delete(ctx, name)); err == nil {
				deleted.Roles = append(deleted.Roles, name)
			}
		}
		if err == nil {
			d.say("Deleted.\n")
		}
	}
	if d.format.value == "json" {
		d.out.json(deleted)
	}
	return err
}
