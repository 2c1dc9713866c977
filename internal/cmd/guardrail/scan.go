package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/sweep"
)

const scanNeeds = "lambda:ListFunctions, lambda:ListAliases, lambda:GetPolicy, lambda:GetFunctionConfiguration and lambda:GetFunctionUrlConfig"

const fixNeeds = "lambda:RemovePermission, lambda:PutResourcePolicy, lambda:AddPermission and lambda:DeleteResourcePolicy"

func newScan() *cobra.Command { return (&scan{access: newAccess()}).command() }

// scan is one run.
type scan struct {
	access
	regions        []string
	function       string // pattern
	format         *choice
	output         string // file
	exemptions     string // file
	accounts, orgs []string
	share          int
	fix            bool
	urls           *choice
	log            string // file

	settings   guard.Settings // in audit
	fixing     guard.Settings // the same in enforce
	evidence   *os.File
	talk       *page // of --fix: what goes, and questions
	complaints io.Writer

	mu              sync.Mutex
	looked, reports int // for progress
}

func (s *scan) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scan [flags]",
		Short: "Look at every policy of an account, and say who gets in",
		Long: `scan reads the policy of every function, alias and version in one or more regions and
judges each as the deployed guardrail does. It needs no deployed guardrail, and calls
Lambda no faster than its share of the account's quota allows. It changes nothing.

With --fix it then takes the public statements out, as the deployed guardrail in
enforce does: exactly those, proved by reading again. It shows what goes, and asks
before each policy; what is to go is first written to the file of --log, as JSON
lines with the whole policy and the command that puts it back.

Credentials are those of the AWS command line. They need ` + strings.Replace(scanNeeds, "lambda:GetPolicy,", "\nlambda:GetPolicy,", 1) + `;
account:ListRegions for --region all; and for --fix, lambda:RemovePermission,
lambda:PutResourcePolicy, lambda:AddPermission and lambda:DeleteResourcePolicy.
AWS_ENDPOINT_URL and its like are honoured.

Exit codes: 0 nothing is public; 1 something is public, and neither exempt nor taken
out; 2 a flag is bad, or not everything could be read, or Ctrl-C ended it: the result
is then a part, and says so. What is undetermined is not public, and needs a person.`,
		Example: `  guardrail scan
  guardrail scan --region all --format html --output scan.html
  guardrail scan --region eu-central-1,us-east-1 --function 'shop-*' --exemptions exemptions.json
  guardrail scan --format json | jq -r 'select(.severity == "critical") | .resource.arn'
  guardrail scan --fix --log evidence.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.complaints = cmd.ErrOrStderr()
			s.out, s.talk = newPage(cmd.OutOrStdout()), newPage(s.complaints)
			return s.out.close(s.run(cmd.Context(), cmd.InOrStdin()))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.profile, "profile", "", "`NAME` of the profile in the AWS configuration")
	flags.StringSliceVar(&s.regions, "region", nil, "`REGION`, once for each, or all that the account has enabled (default: that of the profile or the environment)")
	flags.StringVar(&s.function, "function", "*", "`PATTERN` of the functions' names, with * and ?")
	s.format = choose(cmd, "format", "table for people, json, sarif, csv and html for others", "table", "json", "sarif", "csv", "html")
	flags.StringVarP(&s.output, "output", "o", "", "`FILE` for the result (default: standard output)")
	flags.StringVar(&s.exemptions, "exemptions", "", "`FILE` of exemptions, as the deployed guardrail has it")
	flags.StringSliceVar(&s.accounts, "trusted-accounts", nil, "`ID,...` of accounts whose access is not reported")
	flags.StringSliceVar(&s.orgs, "trusted-orgs", nil, "`ID,...` of organizations whose access is not reported")
	flags.IntVar(&s.share, "share", config.DefaultQuotaShare, "`PERCENT` of the account's Lambda quota to use, in each region")
	flags.BoolVar(&s.fix, "fix", false, "take public statements out, and ask before each policy")
	flags.BoolVar(&s.yes, "yes", false, "with --fix: do not ask")
	s.urls = choose(cmd, "function-urls", "with --fix: whether statements that let in nobody but callers of the function URL go too", "audit", "enforce")
	flags.StringVar(&s.log, "log", "", "with --fix: `FILE` to which evidence and findings are added")
	return cmd
}

func (s *scan) run(ctx context.Context, stdin io.Reader) error {
	if err := s.check(stdin); err != nil {
		return err
	}
	if s.fix {
		log, err := os.OpenFile(s.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("--log: %w; nothing was looked at", err)
		}
		defer log.Close()
		s.evidence = log
	}
	everywhere := slices.Equal(s.regions, []string{allRegions})
	if everywhere {
		s.regions = nil // the region of the profile tells the partition
	}
	cfg, err := s.loadRegions(ctx, &s.regions)
	if err != nil {
		return err
	}
	if everywhere {
		if s.regions, err = enabledRegions(ctx, cfg); err != nil {
			return s.help(err, "listing the regions", "account:ListRegions")
		}
	}

	all := make([]*regionScan, len(s.regions))
	var wait sync.WaitGroup
	for i, region := range s.regions { // each has a quota of its own
		all[i] = newRegionScan(cfg, region, s)
		wait.Go(func() { all[i].walk(ctx) })
	}
	wait.Wait()
	s.endProgress()
	if s.fix {
		s.fixAll(ctx, bufio.NewReader(stdin), all)
	}
	report := make(scanReport, len(all))
	for i, r := range all {
		report[i] = r.report()
		for _, u := range report[i].Unreadable {
			complain(s.complaints, fmt.Errorf("%s: %s", u.Resource, u.Error))
		}
		if r.stopped != nil {
			complain(s.complaints, fmt.Errorf("%s: the result is a part: %w", r.region, s.help(r.stopped, "the scan", scanNeeds)))
		}
	}
	if err := s.write(report); err != nil {
		return err
	}
	return report.exit()
}

// check reads the flags, and the files that they name.
func (s *scan) check(stdin io.Reader) error {
	if !slices.Equal(s.regions, []string{allRegions}) {
		if err := checkRegions(s.regions); err != nil {
			return fmt.Errorf("%w, or all and no other", err)
		}
	}
	if _, err := path.Match(s.function, ""); err != nil || s.function == "" || strings.Contains(s.function, ":") {
		return fmt.Errorf("--function is %q: want a pattern of functions' names with * and ?, like shop-*", s.function)
	}
	switch {
	case !s.fix && (s.yes || s.log != "" || s.urls.value != "audit"):
		return errors.New("--yes, --log and --function-urls go with --fix: without it nothing is changed")
	case s.fix && s.log == "":
		return errors.New("--fix writes down what it takes out before it does: want --log FILE; nothing was looked at")
	case s.fix && !s.yes && !s.asks(stdin):
		return errors.New("--fix changes policies, and there is no terminal to ask at: want --yes; nothing was looked at")
	}
	c, err := config.FromContext(map[string]any{
		"trustedAccounts": strings.Join(s.accounts, ","), "trustedOrgs": strings.Join(s.orgs, ","),
		"quotaShare": strconv.Itoa(s.share),
	})
	if err != nil {
		return fmt.Errorf("--trusted-accounts, --trusted-orgs, --share: %w", err)
	}
	var exemptions []guard.Exemption
	if s.exemptions != "" {
		text, err := os.ReadFile(s.exemptions)
		if err != nil {
			return fmt.Errorf("--exemptions: %w", err)
		}
		if exemptions, err = config.ParseExemptions(text); err != nil {
			return fmt.Errorf("%s: %w", s.exemptions, err)
		}
	}
	s.settings = c.Settings(exemptions)
	s.fixing = s.settings
	s.fixing.Mode = guard.Enforce
	if s.urls.value == "enforce" {
		s.fixing.FunctionURLs = guard.Enforce
	}
	if s.output != "" { // hours of calls are not to end at a folder that is not there
		f, err := os.OpenFile(s.output, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("--output: %w; nothing was looked at", err)
		}
		return f.Close()
	}
	return nil
}

// help adds what would be right to an error of AWS.
func (s *scan) help(err error, what, needs string) error {
	return s.explain(err, what, needs, "it is gone by now")
}

func (s *scan) write(report scanReport) error {
	if s.output == "" {
		formats[s.format.value](s.out, report)
		return nil
	}
	var b bytes.Buffer
	p := &page{w: &b}
	formats[s.format.value](p, report)
	if p.err == nil {
		p.err = os.WriteFile(s.output, b.Bytes(), 0o600)
	}
	return p.close(nil)
}

// formats write a report.
var formats = map[string]func(*page, scanReport){
	"table": writeTable,
	"json":  writeJSON,
	"csv":   writeCSV,
	"sarif": writeSARIF,
	"html":  writeHTML,
}

// progress shows how far it is, if somebody sees it.
func (s *scan) progress(findings int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked++
	s.reports += findings
	if s.asks(s.complaints) {
		fmt.Fprintf(s.complaints, "\r\x1b[K%s read, %s", counted(s.looked, "policy", "policies"), counted(s.reports, "finding", "findings"))
	}
}

func (s *scan) endProgress() {
	if s.looked > 0 && s.asks(s.complaints) {
		fmt.Fprint(s.complaints, "\r\x1b[K")
	}
}

// regionScan is the part of a scan that is about one region.
type regionScan struct {
	*scan
	region   string
	policies *lambdapolicy.Policies
	guard    *guard.Guard
	pace     *sweep.Pace
	began    time.Time
	visits   []visit
	stopped  error // why not everything was visited
}

// visit is what was seen of one resource.
type visit struct {
	item sweep.Item
	seen guard.Inspected
	err  error
}

func newRegionScan(cfg aws.Config, region string, s *scan) *regionScan {
	r := &regionScan{scan: s, region: region, pace: sweep.NewPace(s.clock, s.share), began: s.clock.Now().UTC()}
	cfg = cfg.Copy()
	cfg.Region = region
	r.policies = lambdapolicy.New(lambdapolicy.Paced(cfg, r.pace), s.clock, nil)
	r.guard = guard.New(r.policies, r.policies, nil, nil, s.clock, s.settings) // in audit there is no evidence
	return r
}

var errStopped = errors.New("stopped before the end")

// walk visits everything, until ctx ends.
func (r *regionScan) walk(ctx context.Context) {
	walk := sweep.Walk{Inventory: r.policies, Match: func(name string) bool {
		ok, _ := path.Match(r.function, name) // check has tried the pattern
		return ok
	}}
	r.stopped = walk.From(ctx, sweep.Place{}, func(ctx context.Context, item sweep.Item, _ sweep.Place) error {
		seen, err := r.guard.Inspect(ctx, item.Resource, guard.Inspection{FoundBy: guard.ByScan})
		if err != nil && ctx.Err() != nil {
			return err
		}
		r.visits = append(r.visits, visit{item, seen, err})
		r.progress(len(seen.Findings))
		return nil
	})
	if ctx.Err() != nil && r.stopped != nil {
		r.stopped = errStopped
	}
}

// report sums up, what matters most first.
func (r *regionScan) report() regionReport {
	x := regionReport{Region: r.region, Complete: r.stopped == nil, Findings: []guard.Finding{}}
	if r.stopped != nil {
		x.Error = r.stopped.Error()
	}
	for _, v := range r.visits {
		x.add(v)
	}
	x.Summary.Started, x.Summary.Calls = r.began, r.pace.Calls()
	x.sort()
	return x
}

// scanReport is what a scan came to, by region.
type scanReport []regionReport

type regionReport struct {
	Region     string          `json:"region"`
	Complete   bool            `json:"complete"`             // everything was visited; Unreadable may still hold something
	Error      string          `json:"error,omitempty"`      // why it is not complete
	Unreadable []unread        `json:"unreadable,omitempty"` // what may be open, for all that is known
	Summary    sweep.Summary   `json:"summary"`
	Findings   []guard.Finding `json:"-"`
}

// unread is a policy, or the aliases of a function, that could not be read.
type unread struct {
	Resource string `json:"resource"` // ARN
	Error    string `json:"error"`
}

func (x *regionReport) add(v visit) {
	before := x.Summary.Unreadable
	x.Summary.Add(v.item, v.seen, v.err)
	arn := v.item.Resource.ARN()
	if v.item.Unlisted != nil {
		x.Unreadable = append(x.Unreadable, unread{arn, "its aliases: " + v.item.Unlisted.Error()})
		before++
	}
	if x.Summary.Unreadable > before {
		x.Unreadable = append(x.Unreadable, unread{arn, v.err.Error()})
	}
	for _, f := range v.seen.Findings {
		if f.Statement == "" { // a finding already
			x.Unreadable = append(x.Unreadable, unread{arn, f.Error})
		}
	}
	x.Findings = append(x.Findings, v.seen.Findings...)
}

// sort puts first what stands and matters most.
func (x *regionReport) sort() {
	rank := func(f guard.Finding) int {
		at := f.Severity.Rank()
		if closed(f) {
			at += len(guard.Severities())
		}
		return at
	}
	slices.SortStableFunc(x.Findings, func(a, b guard.Finding) int { return rank(a) - rank(b) })
}

// closed reports whether the statement of a finding is gone.
func closed(f guard.Finding) bool {
	return f.Outcome == guard.Reverted || f.Outcome == guard.AlreadyGone
}

// stillOpen reports whether it lets strangers in, and nobody wants it so.
func stillOpen(f guard.Finding) bool {
	return f.Verdict.Level == exposure.Public && f.Outcome != guard.Exempt && !closed(f)
}

// exit is the exit code, as an error; nil is 0.
func (report scanReport) exit() error {
	var code error
	for _, x := range report {
		if !x.Complete || len(x.Unreadable) > 0 {
			return exitBadInput
		}
		if slices.ContainsFunc(x.Findings, stillOpen) {
			code = exitYes
		}
	}
	return code
}
