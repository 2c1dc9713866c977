package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sweep"
)

const (
	forEveryone = `{"Sid":"everyone","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
	forMyself   = `{"Sid":"mine","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"lambda:InvokeFunction","Resource":"*"}`
	forCallers  = `{"Sid":"url","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"*","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`
)

func policyWith(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

// scanned is an account with what a scan meets, at which the SDK points.
type scanned struct{ *deployment }

func scanAccount(t *testing.T) scanned {
	d := scanned{deploy(t)}
	d.Delete(brakeFunction)
	d.Seed("orders", policyWith(forMyself))
	d.Seed("orders:live", policyWith(forMyself, forEveryone))
	d.Seed("orders:1", policyWith(forEveryone, forMyself))
	d.Seed("landing", policyWith(forCallers))
	d.SetURL("landing", "NONE")
	d.Seed("quiet", "")
	return d
}

// scan runs the command on a clock that takes no time, as at a terminal if there is
// an answer.
func (d scanned) scan(t *testing.T, ctx context.Context, answers string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	s := &scan{access: access{clock: guardtest.NewClock(guardtest.ExampleTime), asks: func(stream any) bool {
		_, stdin := stream.(io.Reader)
		_, buffer := stream.(*bytes.Buffer)
		return stdin && !buffer && answers != ""
	}}}
	cmd := s.command()
	var out, complaints bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{}, args...))
	cmd.SetIn(strings.NewReader(answers))
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	switch err := cmd.ExecuteContext(ctx).(type) {
	case nil:
	case exit:
		code = int(err)
	default:
		code = 2
		complain(&complaints, err)
	}
	return code, out.String(), complaints.String()
}

// result is the answer of --format json.
type result struct {
	findings []map[string]any
	Complete bool           `json:"complete"`
	Regions  []regionReport `json:"regions"`
}

func readResult(t *testing.T, stdout string) (r result) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	for _, line := range lines[:len(lines)-1] {
		var f map[string]any
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		r.findings = append(r.findings, f)
	}
	return r
}

// are compares the findings with lines of resource, Sid, level and outcome.
func (r result) are(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, f := range r.findings {
		on := f["resource"].(map[string]any)
		name := on["function"].(string)
		if q, ok := on["qualifier"].(string); ok {
			name += ":" + q
		}
		got = append(got, strings.Join([]string{name, f["sid"].(string), f["verdict"].(map[string]any)["level"].(string), f["outcome"].(string)}, " "))
		if f["foundBy"] != "scan" {
			t.Errorf("found by %v", f["foundBy"])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func (d scanned) writes() (all []string) {
	for _, c := range d.Calls() {
		if !strings.HasPrefix(c.Operation, "Get") && !strings.HasPrefix(c.Operation, "List") {
			all = append(all, c.Operation)
		}
	}
	return all
}

func TestScanFindsWhatIsPublicOnAliasVersionAndURL(t *testing.T) {
	d := scanAccount(t)
	before := d.Policies()
	code, stdout, stderr := d.scan(t, t.Context(), "", "--format", "json")
	if code != 1 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	r := readResult(t, stdout)
	r.are(t, "landing url public audited", "orders:live everyone public audited", "orders:1 everyone public audited")
	s := r.Regions[0].Summary
	if !r.Complete || s.Functions != 3 || s.Resources != 5 || s.Read != 5 || s.Public != 3 || s.Calls != len(d.Calls()) || s.Started != guardtest.ExampleTime {
		t.Errorf("summary %+v after %d calls", s, len(d.Calls()))
	}
	if diff := cmp.Diff(before, d.Policies()); diff != "" || d.writes() != nil {
		t.Errorf("a scan wrote %v: %s", d.writes(), diff)
	}
	for _, c := range d.Calls() {
		says(t, "user agent", c.UserAgent, "lambda-guardrail/")
	}
}

func TestScanOfWhatIsNotPublicExitsWith0(t *testing.T) {
	d := scanAccount(t)
	code, stdout, stderr := d.scan(t, t.Context(), "", "--function", "qu?et")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	says(t, "stdout", stdout, "eu-west-1: 1 function, 1 policy looked for: nothing was found")
}

func TestScanWithExemptionsAndTrust(t *testing.T) {
	d := scanAccount(t)
	d.Seed("feed", policyWith(`{"Sid":"partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"lambda:InvokeFunction","Resource":"*"}`))
	file := filepath.Join(t.TempDir(), "exemptions.json")
	entry := `{"function":"arn:aws:lambda:*:111122223333:function:NAME","owner":"shop","reason":"meant","until":"2027-01-31"}`
	entries := `{"exemptions":[` + strings.Replace(entry, "NAME", "orders:*", 1) + "," + strings.Replace(entry, "NAME", "landing", 1) + `]}`
	if err := os.WriteFile(file, []byte(entries), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := d.scan(t, t.Context(), "", "--format", "json", "--exemptions", file, "--trusted-accounts", "444455556666")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	readResult(t, stdout).are(t, "landing url public exempt", "orders:live everyone public exempt", "orders:1 everyone public exempt")
}

func TestScanFixTakesOutExactlyWhatIsPublicAfterTheEvidence(t *testing.T) {
	for urls, landing := range map[string]string{"audit": policyWith(forCallers), "enforce": ""} {
		t.Run(urls, func(t *testing.T) {
			d := scanAccount(t)
			log := filepath.Join(t.TempDir(), "evidence.jsonl")
			d.Order(lambdatest.Fault{Operation: "RemovePermission", Do: func() {
				if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), `"msg":"evidence"`) {
					t.Errorf("there is no evidence when the first statement goes: %v %s", err, text)
				}
			}})
			code, stdout, stderr := d.scan(t, t.Context(), "", "--format", "json", "--fix", "--yes", "--log", log, "--function-urls", urls)
			if want := map[string]int{"audit": 1, "enforce": 0}[urls]; code != want {
				t.Errorf("exit code %d, want %d: %s", code, want, stderr)
			}
			says(t, "stderr", stderr, "eu-west-1: 1 of 2 statements of orders:live would go:\n  "+forEveryone+"\n", "any AWS account can call lambda:InvokeFunction on orders:live", "orders:live: reverted\n")
			want := map[string]string{"orders": policyWith(forMyself), "orders:live": policyWith(forMyself), "orders:1": policyWith(forMyself), "landing": landing, "quiet": ""}
			for name, policy := range want {
				if got := d.Policy(name); got != policy {
					t.Errorf("the policy of %s is %s, want %s", name, got, policy)
				}
			}
			r := readResult(t, stdout)
			if s := r.Regions[0].Summary; s.Public != 3 || s.Reverted != len(d.writes()) || s.Writes != len(d.writes()) || s.Failed != 0 {
				t.Errorf("%d writes, and %+v", len(d.writes()), s)
			}
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			says(t, "log", string(text), `"msg":"evidence"`, `"restore":"aws lambda put-resource-policy`, `"outcome":"reverted"`)
		})
	}
}

func TestScanFixAsksBeforeEachPolicy(t *testing.T) {
	tests := []struct {
		answers   string
		live, one string
		code      int
	}{
		{"no\nno\n", policyWith(forMyself, forEveryone), policyWith(forEveryone, forMyself), 1},
		{"\n", policyWith(forMyself, forEveryone), policyWith(forEveryone, forMyself), 1},
		{"no\nyes\n", policyWith(forMyself, forEveryone), policyWith(forMyself), 1},
		{"yes\nno\n", policyWith(forMyself), policyWith(forEveryone, forMyself), 1},
		{"yes\nyes\n", policyWith(forMyself), policyWith(forMyself), 0},
	}
	for _, test := range tests {
		t.Run(test.answers, func(t *testing.T) {
			d := scanAccount(t)
			code, _, stderr := d.scan(t, t.Context(), test.answers, "--fix", "--log", filepath.Join(t.TempDir(), "log"), "--function", "orders")
			if code != test.code {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			says(t, "stderr", stderr, "Type yes to take out: ")
			for name, asIs := range map[string]bool{
				"orders:live": test.live == policyWith(forMyself, forEveryone), "orders:1": test.one == policyWith(forEveryone, forMyself),
			} {
				if strings.Contains(stderr, name+" was left as it is.\n") != asIs {
					t.Errorf("of %s it says: %s", name, stderr)
				}
			}
			if strings.Contains(stderr, unchanged) {
				t.Errorf("it says: %s", stderr)
			}
			if d.Policy("orders:live") != test.live || d.Policy("orders:1") != test.one {
				t.Errorf("policies are %v", d.Policies())
			}
		})
	}
}

func TestScanFixThatIsRefusedSaysSo(t *testing.T) {
	d := scanAccount(t)
	before := d.Policies()
	d.Order(lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.AccessDenied, Times: 9}, lambdatest.Fault{Operation: "PutResourcePolicy", Kind: lambdatest.AccessDenied, Times: 9})
	code, stdout, stderr := d.scan(t, t.Context(), "", "--format", "json", "--fix", "--yes", "--log", filepath.Join(t.TempDir(), "log"), "--function", "orders")
	if code != 1 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	says(t, "stderr", stderr, "orders:live: failed\n", "AccessDenied", "want credentials that may call lambda:RemovePermission")
	readResult(t, stdout).are(t, "orders:live everyone public failed", "orders:1 everyone public failed")
	if diff := cmp.Diff(before, d.Policies()); diff != "" {
		t.Error(diff)
	}
}

// Nothing goes without evidence, as on a disk that is full.
func TestScanFixTakesNothingOutIfTheLogCannotBeWritten(t *testing.T) {
	d := scanAccount(t)
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here to write to")
	}
	code, _, stderr := d.scan(t, t.Context(), "", "--fix", "--yes", "--log", "/dev/full", "--function", "orders")
	if code != 1 || d.writes() != nil {
		t.Errorf("exit code %d, and %v", code, d.writes())
	}
	says(t, "stderr", stderr, "recording the evidence for orders:live, without which nothing is removed")
}

// What comes between the question and the removal was shown to nobody.
func TestScanFixLeavesWhatItHasNotShown(t *testing.T) {
	d := scanAccount(t)
	another := strings.Replace(forEveryone, "everyone", "another", 1)
	after := policyWith(forMyself, forEveryone, another)
	d.Order(lambdatest.Fault{Operation: "GetPolicy", After: 3, Do: func() { d.Seed("orders:live", after) }})
	code, _, stderr := d.scan(t, t.Context(), "", "--fix", "--yes", "--log", filepath.Join(t.TempDir(), "log"), "--function", "orders")
	if code == 0 || d.Pending() != 0 || d.Policy("orders:live") != after {
		t.Errorf("exit code %d, %d pending, and the policy is %s", code, d.Pending(), d.Policy("orders:live"))
	}
	says(t, "stderr", stderr, "there is another public statement by now, which nobody was shown: scan again")
}

func TestScanThatIsStoppedSaysThatItIsAPart(t *testing.T) {
	d := scanAccount(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.Order(lambdatest.Fault{Operation: "GetPolicy", After: 3, Do: cancel})
	code, stdout, stderr := d.scan(t, ctx, "", "--format", "json", "--fix", "--yes", "--log", filepath.Join(t.TempDir(), "log"))
	if code != 2 || d.Pending() != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, "stderr", stderr, "eu-west-1: the result is a part: stopped before the end")
	r := readResult(t, stdout)
	r.are(t, "landing url public audited", "orders:live everyone public audited")
	if r.Complete || r.Regions[0].Complete || r.Regions[0].Error == "" || d.writes() != nil {
		t.Errorf("%+v, and %d writes", r.Regions[0], len(d.writes()))
	}
}

func TestScanListsWhatItCannotRead(t *testing.T) {
	for name, test := range map[string]struct {
		setUp func(scanned)
		wants []string
	}{
		"policy": {func(d scanned) {
			d.Order(lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.AccessDenied, Times: 9})
		}, []string{"function:quiet", "AccessDenied"}},
		"aliases": {func(d scanned) {
			d.Order(lambdatest.Fault{Operation: "ListAliases", Kind: lambdatest.AccessDenied, Times: 9})
		}, []string{"function:quiet", "its aliases: "}},
		"document": {func(d scanned) { d.Seed("quiet", "<policy/>") }, []string{"function:quiet"}},
		"listing": {func(d scanned) {
			d.Order(lambdatest.Fault{Operation: "ListFunctions", Kind: lambdatest.AccessDenied, Times: 9})
		}, []string{"This is a part", "AccessDenied"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := scanAccount(t)
			test.setUp(d)
			code, stdout, stderr := d.scan(t, t.Context(), "", "--function", "quiet")
			if code != 2 || stderr == "" {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			says(t, "stdout", stdout, test.wants...)
		})
	}
}

func TestScanOfTwoRegions(t *testing.T) {
	d := scanAccount(t)
	other := lambdatest.New("aws", "us-east-1", "111122223333")
	other.Seed("shop", policyWith(forEveryone))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/listRegions":
			io.WriteString(w, `{"Regions":[{"RegionName":"us-east-1"},{"RegionName":"eu-west-1"}]}`)
		case callerOf(r.Header.Get("Authorization")).region == "us-east-1":
			other.ServeHTTP(w, r)
		default:
			d.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "")
	for _, regions := range []string{"eu-west-1,us-east-1", "all"} {
		code, stdout, stderr := d.scan(t, t.Context(), "", "--format", "json", "--region", regions)
		if code != 1 || stderr != "" {
			t.Errorf("%s: exit code %d: %s", regions, code, stderr)
		}
		readResult(t, stdout).are(t, "landing url public audited", "orders:live everyone public audited", "orders:1 everyone public audited", "shop everyone public audited")
	}
}

func TestScanWithBadFlags(t *testing.T) {
	folder := t.TempDir()
	for want, args := range map[string][]string{
		`--region is "nowhere"`:                       {"--region", "nowhere"},
		`--region is "all"`:                           {"--region", "all,eu-west-1"},
		`--function is "[": want`:                     {"--function", "["},
		`--function is "": want`:                      {"--function", ""},
		`want table or json or sarif or csv or html`:  {"--format", "xml"},
		`quotaShare is "51"`:                          {"--share", "51"},
		`quotaShare is "0"`:                           {"--share", "0"},
		`trustedAccounts`:                             {"--trusted-accounts", "me"},
		`trustedOrgs`:                                 {"--trusted-orgs", "me"},
		`--exemptions: open `:                         {"--exemptions", folder + "/nothing"},
		`--output: open `:                             {"--output", folder + "/nothing/x"},
		`go with --fix`:                               {"--yes"},
		`want --log FILE; nothing was looked at`:      {"--fix", "--yes"},
		`there is no terminal to ask at: want --yes`:  {"--fix", "--log", folder + "/log"},
		`--log: open `:                                {"--fix", "--yes", "--log", folder},
		`unknown command "now"`:                       {"now"},
		`failed to get shared config profile, nobody`: {"--profile", "nobody"},
	} {
		t.Run(want, func(t *testing.T) {
			d := scanAccount(t)
			code, stdout, stderr := d.scan(t, t.Context(), "", args...)
			if code != 2 || stdout != "" || len(d.Calls()) != 0 {
				t.Errorf("exit code %d, %d calls: %s", code, len(d.Calls()), stdout)
			}
			says(t, "stderr", stderr, want)
		})
	}
}

func TestScanWritesToAFileThatOthersCannotRead(t *testing.T) {
	d := scanAccount(t)
	file := filepath.Join(t.TempDir(), "scan.csv")
	if code, stdout, _ := d.scan(t, t.Context(), "", "--format", "csv", "-o", file); code != 1 || stdout != "" {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// exampleReport is a report of every kind of finding, and of what goes wrong.
func exampleReport() scanReport {
	x := regionReport{Region: "eu-central-1", Complete: true, Summary: sweep.Summary{Started: guardtest.ExampleTime}}
	seen := map[string]bool{}
	for _, e := range guardtest.Examples() {
		f := e.Finding
		f.ClosedAt, f.SecondsOpen = time.Time{}, 0
		for i, step := range f.NextSteps {
			f.NextSteps[i] = period.ReplaceAllString(step, "from THEN")
		}
		item := sweep.Item{Resource: f.Resource}
		if seen[f.Resource.ARN()] = true; len(seen) > 1 {
			panic("want examples of one function")
		}
		x.add(visit{item, guard.Inspected{Findings: []guard.Finding{f}, Revision: "1"}, nil})
	}
	x.Summary.RevisionsDiffer = 0
	x.sort()
	other := regionReport{
		Region: "us-east-1", Error: "stopped before the end", Summary: sweep.Summary{Started: guardtest.ExampleTime, Functions: 1, Resources: 1, Unreadable: 1},
		Unreadable: []unread{{"arn:aws:lambda:us-east-1:111122223333:function:secret", "reading the policy: AccessDeniedException: \x1b[31mno\u202e <b>"}},
	}
	return scanReport{x, other}
}

func render(t *testing.T, format string, report scanReport) string {
	t.Helper()
	var b bytes.Buffer
	p := &page{w: &b}
	formats[format](p, report)
	if p.err != nil {
		t.Fatal(p.err)
	}
	return b.String()
}

func TestScanFormats(t *testing.T) {
	for format := range formats {
		t.Run(format, func(t *testing.T) {
			got := render(t, format, exampleReport())
			isGolden(t, "scan."+format, got)
			if again := render(t, format, exampleReport()); again != got {
				t.Error("the same report is written in two ways")
			}
		})
	}
}

var foreign = regexp.MustCompile(`[^\n -~]`)

// hostileReport has texts that an attacker chose, wherever there can be some.
func hostileReport() scanReport {
	const text = "=HYPERLINK(\"http://example.com\")\x1b[2J\u202e</script><script>alert(1)</script>[x](http://example.com){0}`rm`\nsecond,\"line\""
	report := exampleReport()
	for i := range report[0].Findings {
		f := &report[0].Findings[i]
		f.Sid, f.Error, f.Statement, f.Role = text, text, text, text
		f.Resource.Function = text
		if f.Exemption != nil {
			e := *f.Exemption
			e.Owner, e.Reason = text, text
			f.Exemption = &e
		}
	}
	report[1].Unreadable[0].Error, report[1].Error = text, text
	return report
}

func TestScanFormatsAreInertWhateverTheTextsSay(t *testing.T) {
	for format := range formats {
		got := render(t, format, hostileReport())
		if at := foreign.FindStringIndex(got); at != nil {
			t.Errorf("%s has %q", format, got[at[0]:min(len(got), at[0]+40)])
		}
		switch format {
		case "html":
			if strings.Contains(got, "<script") {
				t.Error("html has a script")
			}
		case "csv":
			rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if cell != "" && strings.Contains("=+-@\t\r", cell[:1]) {
						t.Errorf("csv has a formula: %s", cell)
					}
				}
			}
		case "table":
			for line := range strings.Lines(got) {
				if strings.HasPrefix(line, "=HYPERLINK") || strings.HasPrefix(line, "second") {
					t.Errorf("the table has a line of the attacker's: %s", line)
				}
			}
		case "json":
			readResult(t, got)
		}
	}
}

func TestScanTableFitsBesideAnotherWindow(t *testing.T) {
	for line := range strings.Lines(render(t, "table", exampleReport())) {
		if n := len(strings.TrimSuffix(line, "\n")); n > pageWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestScanSARIFIsValid(t *testing.T) {
	text := render(t, "sarif", exampleReport())
	log, err := sarif.FromString(text, sarif.WithStrictValidation())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, f := range exampleReport()[0].Findings {
		ids[f.ID] = true
	}
	for _, r := range log.Runs[0].Results {
		if !ids[r.PartialFingerprints["lambdaGuardrail/v1"]] || len(r.Locations) != 1 {
			t.Errorf("%v at %v", r.PartialFingerprints, r.Locations)
		}
	}
	if done := log.Runs[0].Invocations[0]; done.ExecutionSuccessful == nil || *done.ExecutionSuccessful {
		t.Error("what was not complete passes for a success")
	}
	if !jsontext.Value(text).IsValid() {
		t.Error("this is no JSON")
	}
}

func TestScanOfTheServedAccount(t *testing.T) {
	s := newStage(t, guard.Audit, guard.Audit)
	code, stdout, stderr := scanned{}.scan(t, t.Context(), "", "--region", "all", "--format", "json")
	if code != 1 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	r := readResult(t, stdout)
	if len(r.Regions) != 1 || r.Regions[0].Region != "eu-central-1" || !r.Complete {
		t.Errorf("regions %+v", r.Regions)
	}
	levels := map[any]bool{}
	for _, f := range r.findings {
		levels[f["verdict"].(map[string]any)["level"]] = true
	}
	for _, level := range []string{"public", "undetermined", "confused-deputy", "external"} {
		if !levels[level] {
			t.Errorf("nothing is %s", level)
		}
	}
	if diff := cmp.Diff(s.before, s.account.Policies()); diff != "" {
		t.Error(diff)
	}
}

func TestScanFixOfWhatSomebodyElseCloses(t *testing.T) {
	d := scanAccount(t)
	d.Order(lambdatest.Fault{Operation: "GetPolicy", After: 3, Do: func() { d.Seed("orders:live", policyWith(forMyself)) }})
	code, _, stderr := d.scan(t, t.Context(), "", "--fix", "--yes", "--log", filepath.Join(t.TempDir(), "log"), "--function", "orders")
	if code != 0 || d.Pending() != 0 || d.Policy("orders:live") != policyWith(forMyself) || d.Policy("orders:1") != policyWith(forMyself) {
		t.Errorf("exit code %d, policies are %v", code, d.Policies())
	}
	says(t, "stderr", stderr, "orders:live: already-gone\n", "orders:1: reverted\n")
}

func TestTheRegionsOfAPartitionAreListedThere(t *testing.T) {
	for region, want := range map[string]string{"eu-central-1": "us-east-1", "cn-north-1": "cn-northwest-1", "us-gov-east-1": "us-gov-west-1", "eusc-de-east-1": "eusc-de-east-1"} {
		d := scanAccount(t)
		asked := ""
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = callerOf(r.Header.Get("Authorization")).region
			io.WriteString(w, `{"Regions":[{"RegionName":"eu-west-1"}]}`)
		}))
		t.Setenv("AWS_REGION", region)
		t.Setenv("AWS_ENDPOINT_URL_ACCOUNT", server.URL)
		if code, _, stderr := d.scan(t, t.Context(), "", "--region", "all"); code != 1 || asked != want {
			t.Errorf("%s: asked in %s, want %s: %s", region, asked, want, stderr)
		}
		server.Close()
	}
}

func TestScanOfAllRegionsThatCannotBeListed(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"denied":  {"", "want credentials that may call account:ListRegions"},
		"none":    {`{"Regions":[]}`, "the answer names none"},
		"no name": {`{"Regions":[{"RegionName":"../x"}]}`, "or what is no region"},
		"endless": {`{"Regions":[{"RegionName":"eu-west-1"}],"NextToken":"x"}`, "the pages do not end"},
	} {
		t.Run(name, func(t *testing.T) {
			d := scanAccount(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.answer == "" {
					w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
					w.WriteHeader(http.StatusForbidden)
				}
				io.WriteString(w, test.answer)
			}))
			t.Cleanup(server.Close)
			t.Setenv("AWS_ENDPOINT_URL_ACCOUNT", server.URL)
			code, stdout, stderr := d.scan(t, t.Context(), "", "--region", "all")
			if code != 2 || stdout != "" || len(d.Calls()) != 0 {
				t.Errorf("exit code %d: %s", code, stdout)
			}
			says(t, "stderr", stderr, test.want)
		})
	}
}

func TestScanShowsProgressToPeopleAlone(t *testing.T) {
	d := scanAccount(t)
	s := &scan{access: access{clock: guardtest.NewClock(guardtest.ExampleTime), asks: func(any) bool { return true }}}
	var out, complaints bytes.Buffer
	cmd := s.command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"--function", "landing"})
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	if err := cmd.ExecuteContext(t.Context()); err != exitYes {
		t.Error(err)
	}
	if got := complaints.String(); got != "\r\x1b[K1 policy read, 1 finding\r\x1b[K" {
		t.Errorf("progress is %q", got)
	}
	if strings.Contains(out.String(), "\r") || len(d.Calls()) == 0 {
		t.Errorf("stdout is %q", out.String())
	}
}
