package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/lambdaadmin"
)

// restoreNeeds are the permissions that restore asks for.
const restoreNeeds = "lambda:GetPolicy, lambda:AddPermission, lambda:PutResourcePolicy and lambda:RemovePermission on the function, " +
	"and cloudformation:DescribeStacks and lambda:GetFunctionConfiguration for the guardrail, in the account of the function"

func newRestore() *cobra.Command { return (&restore{access: newAccess()}).command() }

// restore puts back what the guardrail took out.
type restore struct {
	access
	anyway     bool
	exemptions string // file that the guardrail was deployed with

	exemptIn             string // file to write an exemption into
	owner, reason, until string
}

func (r *restore) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore [flags] FINDING.json | -",
		Short: "Put a statement back that was taken out, exactly as it was",
		Long: `restore puts the statement of a finding back into the policy of its function,
version or alias. It reads a finding; a line of the guardrail's log, be it of a finding
or of evidence; or a message of SNS, SQS or EventBridge with a finding in it.

What was changed since stays: the statement goes into the policy as it is now, by
AddPermission where that writes the same bytes, otherwise by PutResourcePolicy. It is
written only over the revision that was read, and then read back: it must be there, and
every neighbour as it was, byte for byte. Nothing is written if the policy holds
another statement of that Sid, or has another Version and the statement holds
variables.

A guardrail in enforce would take it out again. restore looks for the guardrail by the
outputs of its stack and the environment of its function, and refuses unless an
exemption is in force there. Which exemptions are, nobody can see from outside: say
--exemptions FILE with the file that it was deployed with. So the way back is to write
an exemption (--exempt-in does), to deploy it, and then to restore with --exemptions.
A guardrail that cannot be looked at counts as one in enforce; a stack that does not
exist as none. --anyway restores in spite of it.

Credentials are those of the AWS command line, the region is that of the function.
They need lambda:GetPolicy and lambda:AddPermission on the function; for a statement that
AddPermission cannot write, lambda:PutResourcePolicy, and lambda:RemovePermission which
AWS asks for with it; if that was the only one, lambda:GetFunctionConfiguration or
lambda:GetAlias of the function; and cloudformation:DescribeStacks on the guardrail's
stack and lambda:GetFunctionConfiguration on its function.

Exit codes: 0 it is back, or was there already; 1 it is not: AWS refused or did not
confirm, the policy has changed so that it cannot go in, the guardrail would take it
out again, or you said no; 2 the finding, a file or a flag is bad, or there is nobody
to ask and no --yes: nothing was changed.`,
		Example: `  guardrail restore finding.json --dry-run
  guardrail restore finding.json --exempt-in exemptions.json --owner "web team" --reason "public by design" --until 2027-01-31
  guardrail restore finding.json --exemptions exemptions.json
  aws logs filter-log-events --log-group-name GROUP --filter-pattern '{ $.msg = "evidence" && $.id = "ID" }' | guardrail restore - --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.out = newPage(cmd.OutOrStdout())
			return r.out.close(r.run(cmd.Context(), args[0], cmd.InOrStdin(), cmd.ErrOrStderr()))
		},
	}
	r.addFlags(cmd)
	cmd.Flags().BoolVar(&r.anyway, "anyway", false, "restore even if the guardrail takes it out again, or may")
	cmd.Flags().StringVar(&r.exemptions, "exemptions", "", "`FILE` of exemptions that the guardrail was deployed with")
	cmd.Flags().StringVar(&r.exemptIn, "exempt-in", "", "`FILE` of exemptions to write one into for this statement; made if it is not there")
	cmd.Flags().StringVar(&r.owner, "owner", "", "`NAME` of who answers for the exemption")
	cmd.Flags().StringVar(&r.reason, "reason", "", "`TEXT` that says why the statement may stand")
	cmd.Flags().StringVar(&r.until, "until", "", "last `DAY` of the exemption, or the instant of its end: 2027-01-31, 2027-01-31T12:00:00Z")
	return cmd
}

func (r *restore) run(ctx context.Context, input string, stdin io.Reader, stderr io.Writer) error {
	if err := r.checkStack(); err != nil {
		return err
	}
	if err := r.mayAsk(stdin, "restore changes the policy of a function"); err != nil {
		return err
	}
	t, err := readFinding(input, stdin)
	if err != nil {
		return err
	}
	exempt, err := r.newExemption(t)
	if err != nil {
		return err
	}
	exemptions, err := readExemptions(r.exemptions)
	if err != nil {
		return err
	}
	cfg, err := r.load(ctx, t.Resource.Region)
	if err != nil {
		return err
	}

	refused := func(err error) error {
		complain(stderr, err)
		return exitYes
	}
	arn := t.Resource.ARN()
	functions := lambdaadmin.New(cfg, r.clock)
	write, err := functions.Plan(ctx, t.Removed)
	if err != nil {
		return refused(r.explainFor(err, arn))
	}
	r.out.printf("%s: %s\n", arn, cmp.Or(t.sid, noSid))
	if write == nil {
		r.out.printf("It is already there: the policy holds the same statement, and is left as it is.\n")
		if err := r.exempt(exempt); err != nil {
			return refused(err)
		}
		return nil
	}
	r.introduce(t, write)
	problem := r.guardrail(ctx, cfg, t, write, exemptions)
	if r.dryRun {
		r.calls(write)
	}
	switch {
	case problem != nil && r.anyway:
		r.out.printf("  in spite of this: %s\n", problem.Error())
	case problem != nil:
		return refused(errors.Join(fmt.Errorf("%w; not restoring without --anyway", problem), r.exempt(exempt)))
	}
	if !r.dryRun {
		if err := r.confirm(ctx, stdin, "restore", unchanged); err != nil {
			return err
		}
	}
	if err := r.exempt(exempt); err != nil {
		return refused(err)
	}
	if r.dryRun {
		r.out.printf("%s\n", unchanged)
		return nil
	}
	write, err = functions.Restore(ctx, t.Removed)
	if err != nil {
		return refused(r.explainFor(err, arn))
	}
	if write == nil { // somebody else was faster
		r.out.printf("It is already there: somebody else has put it back.\n")
		return nil
	}
	how := "byte for byte"
	if !write.Exact {
		how = "in the same content, though Lambda writes it otherwise"
	}
	r.out.printf("It is back, by %s: read again, it is there %s, and every other statement is as it was.\n", operation(write), how)
	return nil
}

// explainFor explains what AWS says of the function of the finding.
func (r *restore) explainFor(err error, arn string) error {
	return r.explain(err, arn, restoreNeeds, "the function, or the version or alias, is gone, or is of another account than the credentials")
}

// introduce says what the statement opens in the policy as it is to be.
func (r *restore) introduce(t taken, w *lambdaadmin.Write) {
	d, err := iampolicy.Parse(w.Policy)
	if err != nil {
		return // of what could be read before, it is made
	}
	for i, v := range exposure.Judge(d, exposure.Target(t.Resource), exposure.Trust{}, r.clock.Now()) {
		if iampolicy.Fingerprint(d.Statements[i].Raw) != t.fingerprint {
			continue
		}
		sentence := "lets no stranger in"
		switch {
		case len(v.Strangers) > 0:
			sentence = v.Strangers[0].Sentence()
		case v.Level == exposure.Undetermined:
			sentence = "nobody can tell from the policy whom it lets in"
		}
		r.out.printf("  %s: %s\n", v.Level.String(), sentence)
		return
	}
}

// newExemption is the one that the flags ask for, nil if they ask for none.
func (r *restore) newExemption(t taken) (*guard.Exemption, error) {
	if r.exemptIn == "" {
		if r.owner+r.reason+r.until != "" {
			return nil, errors.New("--owner, --reason and --until are those of an exemption: want --exempt-in too")
		}
		return nil, nil
	}
	end, err := config.ParseUntil(r.until)
	if err != nil {
		return nil, fmt.Errorf("--until: %w", err)
	}
	e := &guard.Exemption{
		Function: t.Resource.ARN(), Sid: t.sid, Fingerprint: t.fingerprint,
		Owner: r.owner, Reason: r.reason, Until: end,
	}
	if e.Ended(r.clock.Now()) {
		return nil, fmt.Errorf("--until is %q, which is over: want a later day", r.until)
	}
	if _, err := config.AddExemption(nil, *e); err != nil {
		return nil, fmt.Errorf("--exempt-in with --owner and --reason: %w", err)
	}
	if _, err := r.withExemption(e); err != nil {
		return nil, err
	}
	return e, nil
}

// withExemption returns the file with the exemption, nil if it has one already that
// covers the statement.
func (r *restore) withExemption(e *guard.Exemption) ([]byte, error) {
	text, err := os.ReadFile(r.exemptIn)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("reading the exemptions: %w", err)
	case len(text) == 0:
		text = []byte(" ") // a file that is empty is not one that is not there
	}
	if list, err := config.ParseExemptions(text); err == nil {
		if slices.ContainsFunc(list, func(other guard.Exemption) bool {
			return other.Covers(e.Function, e.Sid, e.Fingerprint, r.clock.Now()) && !other.Until.Before(e.Until)
		}) {
			return nil, nil
		}
	}
	text, err = config.AddExemption(text, *e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.exemptIn, err)
	}
	return text, nil
}

// exempt writes the exemption, if there is to be one.
func (r *restore) exempt(e *guard.Exemption) error {
	if e == nil {
		return nil
	}
	text, err := r.withExemption(e)
	switch {
	case err != nil:
		return err
	case text == nil:
		r.out.printf("  %s exempts it already\n", r.exemptIn)
		return nil
	case r.dryRun:
		r.out.printf("  would write an exemption into %s\n", r.exemptIn)
		return nil
	}
	if err := replaceFile(r.exemptIn, text); err != nil {
		return fmt.Errorf("writing the exemption: %w", err)
	}
	r.out.printf("  wrote an exemption into %s; it is in force when that is deployed\n", r.exemptIn)
	return nil
}

// replaceFile writes a file whole or not at all, and keeps its mode.
func replaceFile(name string, text []byte) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func readExemptions(name string) ([]guard.Exemption, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the exemptions: %w", err)
	}
	list, err := config.ParseExemptions(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// guardrail says what the deployed one makes of the statement. Its error is that it
// takes it out again, or that it may.
func (r *restore) guardrail(ctx context.Context, cfg aws.Config, t taken, w *lambdaadmin.Write, exemptions []guard.Exemption) error {
	d, err := r.find(ctx, cfg, t.Resource.Region, restoreNeeds)
	if noStack(err) {
		r.out.printf("  guardrail: there is no stack %s in %s; one of another name may take it out again (--stack)\n", r.stack, t.Resource.Region)
		return nil
	}
	var c config.Config
	if err == nil {
		c, err = config.FromContext(map[string]any{"mode": d.environment[modeVariable], "functionUrls": d.environment[urlsVariable]})
	}
	if err != nil {
		return fmt.Errorf("nobody can tell whether the guardrail takes it out again: %w", err)
	}
	takesOut := func(exemptions []guard.Exemption) bool {
		settings := c.Settings(exemptions)
		return settings.TakesOut(w.Policy, t.Resource, t.fingerprint, r.clock.Now())
	}
	switch {
	case !takesOut(nil):
		r.out.printf("  guardrail: %s leaves it where it is: mode %s, function URLs %s\n", d.function, c.Mode.String(), c.FunctionURLs.String())
	case takesOut(exemptions):
		return fmt.Errorf("the guardrail takes it out again: %s is in enforce, and no exemption is known to be in force there; write one (--exempt-in FILE), deploy it, then restore with --exemptions FILE", d.function)
	case d.environment[exemptionsVariable] == "":
		return fmt.Errorf("the guardrail takes it out again: %s is in enforce, and was deployed without exemptions; set exemptions to the name of the file, and deploy", d.function)
	default:
		r.out.printf("  guardrail: %s exempts it, if it was deployed with %s as it is now\n", d.function, r.exemptions)
	}
	return nil
}

func operation(w *lambdaadmin.Write) string {
	if w.Grant != nil {
		return "AddPermission"
	}
	return "PutResourcePolicy"
}

// calls shows what would be called.
func (r *restore) calls(w *lambdaadmin.Write) {
	function := w.Resource
	function.Qualifier = ""
	type argument struct{ name, value string }
	arguments := []argument{{"ResourceArn", w.Resource.ARN()}, {"RevisionId", w.Revision}, {"Policy", guard.PrintableJSON(w.Policy)}}
	if g := w.Grant; g != nil {
		arguments = []argument{
			{"FunctionName", function.ARN()}, {"Qualifier", w.Resource.Qualifier}, {"RevisionId", w.Revision},
			{"StatementId", g.StatementID}, {"Action", g.Action}, {"Principal", g.Principal},
			{"SourceArn", g.SourceARN}, {"SourceAccount", g.SourceAccount}, {"PrincipalOrgID", g.PrincipalOrgID},
			{"EventSourceToken", g.EventSourceToken}, {"FunctionUrlAuthType", g.FunctionURLAuthType}, {"InvokedViaFunctionUrl", g.InvokedViaFunctionURL},
		}
	}
	r.out.printf("  made:     lambda:GetPolicy FunctionName=%s\n", w.Resource.ARN())
	r.out.printf("  not made: lambda:%s\n", operation(w))
	for _, a := range arguments {
		if a.value != "" {
			r.out.printf("              %s=%s\n", a.name, a.value)
		}
	}
}
