package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/wire"
)

const brakeFunction = "lambda-guardrail-respond"

// deployment is a stack and its function, as AWS shows them.
type deployment struct {
	*lambdatest.Account
	mu      sync.Mutex                   // of what follows, against the server
	stacks  map[string]map[string]string // outputs, by region
	refusal string                       // code of CloudFormation's error
	agents  []string                     // of the calls to CloudFormation
}

// deploy stands in for what is deployed in enforce, and points the SDK at it.
func deploy(t *testing.T) *deployment {
	d, environment, stop, err := newDeployment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for name, value := range environment {
		t.Setenv(name, value)
	}
	return d
}

// newDeployment returns the environment that points the SDK at the stand-ins too.
func newDeployment(empty string) (d *deployment, environment map[string]string, stop func(), err error) {
	d = &deployment{
		Account: lambdatest.New("aws", "eu-west-1", "111122223333"),
		stacks:  map[string]map[string]string{"eu-west-1": {"FunctionName": brakeFunction, "Mode": "enforce", "FunctionUrls": "enforce", "TopicArn": "arn"}},
	}
	d.SetEnvironment(brakeFunction, environmentIn("enforce", "enforce"))
	url, stopLambda, err := d.Start()
	if err != nil {
		return nil, nil, nil, err
	}
	cloudFormation := httptest.NewServer(http.HandlerFunc(d.describeStacks))
	return d, map[string]string{
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_LAMBDA": url, "AWS_ENDPOINT_URL_CLOUDFORMATION": cloudFormation.URL,
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
		"AWS_CONFIG_FILE": empty + "/config", "AWS_SHARED_CREDENTIALS_FILE": empty + "/credentials",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
		"HTTP_PROXY": "", "http_proxy": "",
	}, func() { stopLambda(); cloudFormation.Close() }, nil
}

func environmentIn(mode, urls string) map[string]string {
	return map[string]string{
		"GUARDRAIL_MODE": mode, "GUARDRAIL_FUNCTION_URLS": urls, "GUARDRAIL_TRUSTED_ACCOUNTS": "444455556666",
		"GUARDRAIL_OWN_ROLE": "arn:aws:iam::111122223333:role/lambda-guardrail-respond-eu-west-1", "GODEBUG": "x=1",
	}
}

// describeStacks knows one call, in the query protocol.
func (d *deployment) describeStacks(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.agents = append(d.agents, r.UserAgent())
	region := strings.Split(r.Header.Get("Authorization"), "/")[2]
	code, message := d.refusal, "no"
	outputs := d.stacks[region]
	if outputs == nil || r.FormValue("StackName") != "lambda-guardrail" {
		code, message = "ValidationError", "Stack with id "+r.FormValue("StackName")+" does not exist"
	}
	if r.FormValue("Action") != "DescribeStacks" {
		code, message = "InvalidAction", r.FormValue("Action")
	}
	w.Header().Set("Content-Type", "text/xml")
	if code != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
		return
	}
	io.WriteString(w, "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>lambda-guardrail</StackName><StackStatus>UPDATE_COMPLETE</StackStatus><Outputs>")
	for key, value := range outputs {
		fmt.Fprintf(w, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", key, value)
	}
	io.WriteString(w, "</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>")
}

func (d *deployment) environmentIs(t *testing.T, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, d.Environment(brakeFunction)); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func (d *deployment) writes() (n int) {
	for _, c := range d.Calls() {
		if c.Operation != "GetFunctionConfiguration" {
			n++
		}
	}
	return n
}

func says(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s is\n%s\nwant %q in it", what, text, want)
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	d := deploy(t)
	code, stdout, stderr := guardrail(t, "", "pause", "--yes")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	d.environmentIs(t, environmentIn("audit", "audit"))
	says(t, "stdout", stdout,
		"eu-west-1: lambda-guardrail-respond is paused, read back and confirmed: GUARDRAIL_MODE from enforce to audit, GUARDRAIL_FUNCTION_URLS from enforce to audit\n",
		"Its role still holds the permission to write", "a drift, which the next deployment that changes the function undoes",
		"A tamper message goes to", "To resume: guardrail resume --region eu-west-1\n")

	d.Forget()
	code, stdout, stderr = guardrail(t, "", "pause", "--yes")
	if code != 0 || stderr != "" || stdout != "eu-west-1: lambda-guardrail-respond is paused already: GUARDRAIL_MODE and GUARDRAIL_FUNCTION_URLS are audit\n" || d.writes() != 0 {
		t.Errorf("again: exit code %d, %d writes: %s%s", code, d.writes(), stdout, stderr)
	}

	d.stacks["eu-west-1"]["FunctionUrls"] = "audit" // that it was deployed with, not that before the pause
	code, stdout, stderr = guardrail(t, "", "resume", "--yes")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	d.environmentIs(t, environmentIn("enforce", "audit"))
	says(t, "stdout", stdout, "lambda-guardrail-respond is resumed, read back and confirmed: GUARDRAIL_MODE from audit to enforce\n", "What was reported in the pause still stands", "A tamper message goes to")

	d.Forget()
	code, stdout, _ = guardrail(t, "", "resume", "--yes")
	if code != 0 || stdout != "eu-west-1: lambda-guardrail-respond runs already as it was deployed: GUARDRAIL_MODE is enforce, GUARDRAIL_FUNCTION_URLS is audit\n" || d.writes() != 0 {
		t.Errorf("again: exit code %d, %d writes: %s", code, d.writes(), stdout)
	}

	for _, c := range d.Calls() {
		says(t, "user agent", c.UserAgent, "lambda-guardrail/"+wire.Version)
	}
	for _, agent := range d.agents {
		says(t, "user agent", agent, "lambda-guardrail/"+wire.Version)
	}
}

// URLs in enforce and the rest in audit would not start.
func TestPauseOfHalfAPause(t *testing.T) {
	d := deploy(t)
	d.SetEnvironment(brakeFunction, environmentIn("audit", "enforce"))
	if code, _, stderr := guardrail(t, "", "pause", "--yes"); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	d.environmentIs(t, environmentIn("audit", "audit"))
}

func TestPauseOfWhatWasDeployedInAudit(t *testing.T) {
	d := deploy(t)
	maps.Copy(d.stacks["eu-west-1"], map[string]string{"Mode": "audit", "FunctionUrls": "audit"})
	d.SetEnvironment(brakeFunction, environmentIn("audit", "audit"))
	for _, verb := range []string{"pause", "resume"} {
		code, stdout, _ := guardrail(t, "", verb, "--yes")
		if code != 0 || d.writes() != 0 {
			t.Errorf("exit code %d, %d writes", code, d.writes())
		}
		says(t, "stdout", stdout, "runs in audit, as it was deployed: there is nothing to "+verb)
	}
}

func TestPauseDryRun(t *testing.T) {
	d := deploy(t)
	code, stdout, stderr := guardrail(t, "", "pause", "--dry-run")
	if code != 0 || stderr != "" || d.writes() != 0 {
		t.Errorf("exit code %d, %d writes: %s", code, d.writes(), stderr)
	}
	d.environmentIs(t, environmentIn("enforce", "enforce"))
	says(t, "stdout", stdout, "pause would change GUARDRAIL_MODE from enforce to audit and GUARDRAIL_FUNCTION_URLS from enforce to audit of lambda-guardrail-respond",
		"not made: lambda:UpdateFunctionConfiguration FunctionName=lambda-guardrail-respond RevisionId="+d.Revision(brakeFunction),
		"    GUARDRAIL_FUNCTION_URLS=audit\n", "    GUARDRAIL_OWN_ROLE as it is\n", "Nothing was changed.\n")
}

func TestPauseAsks(t *testing.T) {
	t.Run("nobody", func(t *testing.T) {
		d := deploy(t)
		code, stdout, stderr := guardrail(t, "yes\n", "pause")
		if code != 2 || stdout != "" || len(d.Calls())+len(d.agents) != 0 {
			t.Errorf("exit code %d, %d calls: %s", code, len(d.Calls())+len(d.agents), stdout)
		}
		says(t, "stderr", stderr, "guardrail: pause changes a deployed function, and there is no terminal to ask at: want --yes, or --dry-run; nothing was changed\n")
	})
	for answer, want := range map[string]string{"yes\n": "audit", " Y \n": "audit", "no\n": "enforce", "\n": "enforce", "": "enforce", "yesterday\n": "enforce"} {
		t.Run(answer, func(t *testing.T) {
			d := deploy(t)
			code, stdout, stderr := d.brake(t, "pause", answer)
			if stderr != "" || (code == 0) != (want == "audit") || code > 1 {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			d.environmentIs(t, environmentIn(want, want))
			says(t, "stdout", stdout, "Type yes to pause: ")
			if want == "enforce" {
				says(t, "stdout", stdout, "Nothing was changed.\n")
			}
		})
	}
}

// brake runs a command at what passes for a terminal, on a clock that takes no time.
func (d *deployment) brake(t *testing.T, verb, stdin string, args ...string) (code int, stdout, stderr string) {
	b := &brake{verb: verb, access: access{clock: guardtest.NewClock(time.Unix(0, 0)), asks: func(any) bool { return true }}}
	cmd := b.command("", "", "")
	var out, complaints bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{}, args...))
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	if err := cmd.ExecuteContext(t.Context()); err == exitYes {
		code = 1
	} else if err != nil {
		t.Fatal(err)
	}
	return code, out.String(), complaints.String()
}

func TestPauseAgainstSomebodyElse(t *testing.T) {
	d := deploy(t)
	d.UpdateReads = 2
	d.Order(lambdatest.Fault{Operation: "UpdateFunctionConfiguration", Do: func() { d.Touch(brakeFunction) }})
	if code, _, stderr := d.brake(t, "pause", "", "--yes"); code != 0 || d.Pending() != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	d.environmentIs(t, environmentIn("audit", "audit"))
}

func TestPauseThatFails(t *testing.T) {
	update := func(kind lambdatest.Kind) func(*deployment) {
		return func(d *deployment) { d.Order(lambdatest.Fault{Operation: "UpdateFunctionConfiguration", Kind: kind}) }
	}
	tests := []struct {
		name  string
		setUp func(*deployment)
		args  []string
		wants []string
	}{
		{"no such stack", func(*deployment) {}, []string{"--stack", "other"}, []string{"eu-west-1: the stack other: ", "Stack with id other does not exist", "want the name and the region that the guardrail was deployed with: --stack, --region"}},
		{"stack without an output", func(d *deployment) { delete(d.stacks["eu-west-1"], "FunctionUrls") }, nil, []string{"eu-west-1: the stack lambda-guardrail (UPDATE_COMPLETE) has no output FunctionUrls: want"}},
		{"output that is no mode", func(d *deployment) { d.stacks["eu-west-1"]["Mode"] = "on" }, nil, []string{`the outputs Mode and FunctionUrls of the stack lambda-guardrail: mode is "on": want audit or enforce`}},
		{"stack is not to be read", func(d *deployment) { d.refusal = "AccessDenied" }, nil, []string{"the stack lambda-guardrail: ", "AccessDenied", "want credentials that may call cloudformation:DescribeStacks"}},
		{"function is gone", func(d *deployment) { d.stacks["eu-west-1"]["FunctionName"] = "gone" }, nil, []string{"eu-west-1: gone: ", "the stack names a function that is gone: deploy the stack lambda-guardrail again"}},
		{"function is another", func(d *deployment) { d.SetEnvironment(brakeFunction, nil) }, nil, []string{"has no GUARDRAIL_MODE: it is not, or no longer, the guardrail's"}},
		{"update is denied", update(lambdatest.AccessDenied), nil, []string{"lambda-guardrail-respond: updating the environment", "want credentials that may call"}},
		{"update fails", update(lambdatest.FailUpdate), nil, []string{"Lambda took the update and then failed it"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := deploy(t)
			test.setUp(d)
			code, stdout, stderr := d.brake(t, "pause", "", append(test.args, "--yes")...)
			if code != 1 || strings.Contains(stdout, "paused") || d.Pending() != 0 {
				t.Errorf("exit code %d: %s", code, stdout)
			}
			says(t, "stderr", stderr, test.wants...)
		})
	}
}

// One region in trouble keeps no other from being paused.
func TestPauseInRegions(t *testing.T) {
	d := deploy(t)
	code, stdout, stderr := guardrail(t, "", "pause", "--yes", "--region", "us-east-1", "--region", "eu-west-1")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, "stderr", stderr, "guardrail: us-east-1: the stack lambda-guardrail: ")
	says(t, "stdout", stdout, "eu-west-1: lambda-guardrail-respond is paused", "To resume: guardrail resume --region eu-west-1\n")
	d.environmentIs(t, environmentIn("audit", "audit"))
}

func TestPauseWithoutCredentials(t *testing.T) {
	d := deploy(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	code, _, stderr := guardrail(t, "", "pause", "--yes")
	if code != 1 || len(d.Calls())+len(d.agents) != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, "stderr", stderr, "want credentials as for the AWS command line: sign in, or say --profile\n")
}

func TestACallThatIsNeverAnsweredEnds(t *testing.T) {
	d := deploy(t)
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // until then the server does not notice that nobody waits
		<-r.Context().Done()
	}))
	t.Cleanup(hung.Close)
	t.Setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", hung.URL)
	defer func(limit time.Duration) { answerWithin = limit }(answerWithin)
	answerWithin = 10 * time.Millisecond
	code, _, stderr := guardrail(t, "", "pause", "--yes")
	if code != 1 || len(d.Calls()) != 0 {
		t.Errorf("exit code %d, %d calls", code, len(d.Calls()))
	}
	says(t, "stderr", stderr, "CloudFormation: DescribeStacks")
}

func TestPauseWithBadFlags(t *testing.T) {
	for want, args := range map[string][]string{
		`--stack is ""`:                               {"--stack", ""},
		`--stack is "No Name"`:                        {"--stack", "No Name"},
		`--region is "nowhere": want`:                 {"--region", "nowhere"},
		`--region is "eu-west-1": want`:               {"--region", "eu-west-1,eu-west-1"},
		`"eu-west-1:enforce": want`:                   {"--region", "eu-west-1:enforce"},
		"failed to get shared config profile, nobody": {"--profile", "nobody"},
		"no region is known":                          nil,
		"unknown command":                             {"now"},
	} {
		t.Run(want, func(t *testing.T) {
			d := deploy(t)
			if args == nil {
				t.Setenv("AWS_REGION", "")
			}
			code, stdout, stderr := guardrail(t, "", append([]string{"pause", "--yes"}, args...)...)
			if code != 2 || stdout != "" || len(d.Calls())+len(d.agents) != 0 {
				t.Errorf("exit code %d: %s", code, stdout)
			}
			says(t, "stderr", stderr, want)
		})
	}
}

// The sweep writes too: a guardrail is paused when both of its functions are.
func TestBothFunctionsArePausedAndResumed(t *testing.T) {
	d := deploy(t)
	const sweep = "lambda-guardrail-sweep"
	d.stacks["eu-west-1"]["SweepFunctionName"] = sweep
	d.SetEnvironment(sweep, environmentIn("enforce", "enforce"))
	for _, step := range []struct{ verb, mode string }{{"pause", "audit"}, {"resume", "enforce"}} {
		code, stdout, stderr := guardrail(t, "", step.verb, "--yes")
		if code != 0 {
			t.Fatalf("%s: exit code %d: %s", step.verb, code, stderr)
		}
		says(t, "stdout", stdout, brakeFunction+" is "+step.verb+"d", sweep+" is "+step.verb+"d")
		d.environmentIs(t, environmentIn(step.mode, step.mode))
		if diff := cmp.Diff(environmentIn(step.mode, step.mode), d.Environment(sweep)); diff != "" {
			t.Errorf("environment of the sweep (-want +got):\n%s", diff)
		}
	}
	d.Delete(sweep)
	code, stdout, stderr := guardrail(t, "", "pause", "--yes")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, "stdout", stdout, brakeFunction+" is paused")
	says(t, "stderr", stderr, sweep, "the stack names a function that is gone")
}
