package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/lambdatest"
)

const (
	ordersARN = "arn:aws:lambda:eu-west-1:111122223333:function:orders"
	everyone  = `{"Sid":"everyone","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + ordersARN + `"}`
	handmade  = `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"lambda:InvokeFunction","Resource":"` + ordersARN + `"}`
)

func evidenceOf(statement string) string {
	return string(mustWrite(map[string]any{"resource": map[string]string{"arn": ordersARN}, "statement": statement}))
}

// restore runs the command at what passes for a terminal, on a clock that takes no
// time.
func (d *deployment) restore(t *testing.T, finding, answer string, args ...string) (code int, stdout, stderr string) {
	file := filepath.Join(t.TempDir(), "finding.json")
	if err := os.WriteFile(file, []byte(finding), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &restore{access: access{clock: guardtest.NewClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)), asks: func(any) bool { return true }}}
	cmd := r.command()
	var out, complaints bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{file}, args...))
	cmd.SetIn(strings.NewReader(answer))
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	if err := cmd.ExecuteContext(t.Context()); err == exitYes {
		code = 1
	} else if err != nil {
		t.Fatal(err)
	}
	return code, out.String(), complaints.String()
}

// deployInAudit stands in for a guardrail that takes nothing out, and a function.
func deployInAudit(t *testing.T) *deployment {
	d := deploy(t)
	d.SetEnvironment(brakeFunction, environmentIn("audit", "audit"))
	d.Seed("orders", "")
	return d
}

func TestRestoreAsks(t *testing.T) {
	exempt := filepath.Join(t.TempDir(), "exemptions.json")
	for answer, want := range map[string]int{"yes\n": 0, "Y\n": 0, "no\n": 1, "": 1} {
		t.Run(answer, func(t *testing.T) {
			d := deployInAudit(t)
			os.Remove(exempt)
			code, stdout, stderr := d.restore(t, evidenceOf(everyone), answer, "--exempt-in", exempt, "--owner", "o", "--reason", "r", "--until", "2027-01-31")
			if code != want || stderr != "" {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			says(t, "stdout", stdout, "Type yes to restore: ")
			_, err := os.Stat(exempt)
			if done := d.Policy("orders") != ""; done != (want == 0) || done != (err == nil) {
				t.Errorf("the policy is %q, the exemption %v", d.Policy("orders"), err)
			}
			if want == 1 {
				says(t, "stdout", stdout, "Nothing was changed.\n")
			}
		})
	}
}

func TestRestoreThatFails(t *testing.T) {
	refuse := func(operation string, kind lambdatest.Kind, times int) func(*deployment) {
		return func(d *deployment) { d.Order(lambdatest.Fault{Operation: operation, Kind: kind, Times: times}) }
	}
	for _, test := range []struct {
		name  string
		setUp func(*deployment)
		wants []string
	}{
		{"reading the policy is denied", refuse("GetPolicy", lambdatest.AccessDenied, 1), []string{ordersARN + ": reading the policy", "want credentials that may call lambda:GetPolicy, lambda:AddPermission", "in the account of the function"}},
		{"writing is denied", refuse("AddPermission", lambdatest.AccessDenied, 1), []string{"restoring the statement in the policy of " + ordersARN, "AccessDenied", "want credentials that may call lambda:GetPolicy, lambda:AddPermission"}},
		{"public access is blocked", refuse("AddPermission", lambdatest.PublicPolicy, 1), []string{"PublicPolicyException"}},
		{"nothing is answered", refuse("AddPermission", lambdatest.Drop, 5), []string{"given up after 5 writes"}},
		{"the stack is not to be read", func(d *deployment) { d.refusal = "AccessDenied" }, []string{"nobody can tell whether the guardrail takes it out again: the stack lambda-guardrail: ", "cloudformation:DescribeStacks", "not restoring without --anyway"}},
		{"the guardrail's function is not to be read", refuse("GetFunctionConfiguration", lambdatest.AccessDenied, 1), []string{"nobody can tell whether the guardrail takes it out again: lambda-guardrail-respond: "}},
		{"the guardrail's function is another", func(d *deployment) { d.SetEnvironment(brakeFunction, nil) }, []string{"nobody can tell", "has no GUARDRAIL_MODE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := deployInAudit(t)
			test.setUp(d)
			code, stdout, stderr := d.restore(t, evidenceOf(everyone), "", "--yes")
			if code != 1 || strings.Contains(stdout, "is back") || d.Pending() != 0 || d.Policy("orders") != "" {
				t.Errorf("exit code %d, %d orders left, policy %q: %s", code, d.Pending(), d.Policy("orders"), stdout)
			}
			says(t, "stderr", stderr, test.wants...)
		})
	}
	t.Run("the function is gone", func(t *testing.T) {
		d := deploy(t)
		d.SetEnvironment(brakeFunction, environmentIn("audit", "audit"))
		code, _, stderr := d.restore(t, evidenceOf(everyone), "", "--yes")
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		says(t, "stderr", stderr, "Function not found", "the function, or the version or alias, is gone, or is of another account than the credentials")
	})
	t.Run("anyway", func(t *testing.T) {
		d := deployInAudit(t)
		d.refusal = "AccessDenied"
		if code, stdout, stderr := d.restore(t, evidenceOf(everyone), "", "--yes", "--anyway"); code != 0 || d.Policy("orders") == "" {
			t.Errorf("exit code %d: %s%s", code, stdout, stderr)
		}
	})
}

// Only a Deny beside it keeps strangers out: the guardrail would leave it.
func TestRestoreAsksWhatTheGuardrailMakesOfTheWholePolicy(t *testing.T) {
	d := deploy(t)
	lock := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"*"}]}`
	d.Seed("orders", lock)
	code, stdout, stderr := d.restore(t, evidenceOf(handmade), "", "--yes")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	says(t, "stdout", stdout, "leaves it where it is: mode enforce", "It is back, by PutResourcePolicy")
}

func TestRestoreAgainstSomebodyElse(t *testing.T) {
	d := deployInAudit(t)
	theirs := `{"Version":"2012-10-17","Id":"default","Statement":[` + everyone + `]}`
	d.Order(lambdatest.Fault{Operation: "GetFunctionConfiguration", Do: func() { d.Seed("orders", theirs) }})
	code, stdout, _ := d.restore(t, evidenceOf(everyone), "yes\n")
	if code != 0 || d.Policy("orders") != theirs {
		t.Errorf("exit code %d, policy %s", code, d.Policy("orders"))
	}
	says(t, "stdout", stdout, "It is already there: somebody else has put it back.\n")
}

// The region of the function counts, not that of the environment: there the guardrail
// is found.
func TestRestoreInTheRegionOfTheFunction(t *testing.T) {
	d := deploy(t)
	d.Seed("orders", "")
	t.Setenv("AWS_REGION", "us-east-1")
	code, _, stderr := d.restore(t, evidenceOf(everyone), "", "--yes")
	if code != 1 || d.Policy("orders") != "" {
		t.Errorf("exit code %d", code)
	}
	says(t, "stderr", stderr, "the guardrail takes it out again: lambda-guardrail-respond is in enforce")
}

// Whoever may read the file may do so afterwards, and a link stays one.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file)
	info, _ := os.Lstat(file)
	if is, _ := os.Lstat(link); string(text) != "new" || info.Mode() != 0o600 || is.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%s, %v, %v", text, info.Mode(), is.Mode())
	}
	if err := replaceFile(dir, nil); err == nil {
		t.Error("a folder was replaced")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStatesOfAnExemption(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		until time.Time
		state string
		days  int
	}{
		{"long", now.Add(guard.Notice + 1), inForce, 14},
		{"two weeks", now.Add(guard.Notice), lapsesSoon, 14},
		{"a day less a moment", now.Add(24*time.Hour - 1), lapsesSoon, 0},
		{"a moment", now.Add(1), lapsesSoon, 0},
		{"the end", now, lapsed, 0},
		{"a moment ago", now.Add(-1), lapsed, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := check(guard.Exemption{Function: ordersARN, Sid: "a", Until: test.until}, now)
			if c.State != test.state || c.DaysLeft != test.days || len(c.Warnings) != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
	for name, test := range map[string]struct {
		e     guard.Exemption
		wants []string
	}{
		"any statement":             {guard.Exemption{Function: ordersARN}, []string{"neither sid nor fingerprint"}},
		"a content":                 {guard.Exemption{Function: ordersARN, Fingerprint: iampolicy.Fingerprint(everyone)}, nil},
		"any account":               {guard.Exemption{Function: "arn:aws:lambda:*:*:function:a", Sid: "a"}, []string{"a wildcard in the account"}},
		"any statement and account": {guard.Exemption{Function: "arn:aws:lambda:*:1111222233??:function:a"}, []string{"neither", "account"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := check(test.e, now)
			if len(c.Warnings) != len(test.wants) {
				t.Errorf("warnings %q", c.Warnings)
			}
			says(t, "warnings", strings.Join(c.Warnings, "\n"), test.wants...)
		})
	}
}

// What goes out as a finding, or as evidence, comes in again.
func TestEveryFindingCanBeRead(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/findings/*.*")
	files = slices.DeleteFunc(files, func(name string) bool { // what other sinks make of it
		kind := name[strings.Index(filepath.Base(name), ".")+len(name)-len(filepath.Base(name)):]
		return kind != ".json" && kind != ".log"
	})
	if err != nil || len(files) == 0 {
		t.Fatal("no findings", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := []string{string(text)}
		if filepath.Ext(file) == ".log" {
			documents = strings.Split(strings.TrimSpace(string(text)), "\n")
		}
		for _, document := range documents {
			got, err := readFinding("-", strings.NewReader(document))
			if strings.Contains(file, "needs-review-document") {
				says(t, file, fmt.Sprint(err), "the finding holds no statement")
			} else if err != nil || got.Resource.String() != "orders:live" || got.fingerprint != iampolicy.Fingerprint(got.Statement) {
				t.Errorf("%s: %+v, %v", file, got, err)
			}
		}
	}
}

// Whatever is piped in, it is read or refused.
func FuzzFinding(f *testing.F) {
	f.Add(evidenceOf(everyone))
	f.Add(`{"Messages":[{"Body":"{\"Message\":\"{\\\"detail\\\":{\\\"finding\\\":{}}}\"}"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readFinding("-", strings.NewReader(text))
		if err != nil {
			return
		}
		if _, parsed := iampolicy.ParseStatement(got.Statement); parsed != nil || got.Resource.Function == "" {
			t.Errorf("%+v, %v", got, parsed)
		}
	})
}
