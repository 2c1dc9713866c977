package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"guardrail": main})
}

func TestScripts(t *testing.T) {
	corpus, err := filepath.Abs("../../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			d, environment, stop, err := newDeployment(env.WorkDir)
			if err != nil {
				return err
			}
			env.Defer(stop)
			env.Values["deployment"] = d
			for name, value := range environment {
				env.Setenv(name, value)
			}
			// So that scripts and messages name files as people do.
			return os.Symlink(corpus, filepath.Join(env.WorkDir, "corpus"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "policy": policyOf, "mode": modeOf},
	})
}

// exits runs a command and checks its exit code: exits 2 guardrail explain x.json
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG]...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// policyOf gives a function of the stand-in the policy of a file, or checks, after
// "is", that it has it: policy orders policy.json; policy orders is policy.json. The
// policy none is no policy.
func policyOf(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 && (len(args) != 3 || args[1] != "is") {
		ts.Fatalf("usage: policy NAME [is] FILE")
	}
	d, text := ts.Value("deployment").(*deployment), ""
	if file := args[len(args)-1]; file != "none" {
		text = strings.TrimSpace(ts.ReadFile(file))
	}
	if len(args) == 2 {
		d.Seed(args[0], text)
	} else if got := d.Policy(args[0]); got != text {
		ts.Fatalf("the policy is\n%s\nwant\n%s", got, text)
	}
}

// modeOf puts the deployed guardrail into a mode, and function URLs into another:
// mode enforce audit; or mode enforce audit none, without a file of exemptions. Without
// arguments there is no guardrail.
func modeOf(ts *testscript.TestScript, negated bool, args []string) {
	d := ts.Value("deployment").(*deployment)
	switch {
	case !negated && len(args) == 2:
		environment := environmentIn(args[0], args[1])
		environment["GUARDRAIL_EXEMPTIONS"] = "exemptions.json"
		d.SetEnvironment(brakeFunction, environment)
	case !negated && len(args) == 3 && args[2] == "none":
		d.SetEnvironment(brakeFunction, environmentIn(args[0], args[1]))
	case !negated && len(args) == 0:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stacks = nil
	default:
		ts.Fatalf("usage: mode [MODE FUNCTION_URLS [none]]")
	}
}

// guardrail runs the command in this process.
func guardrail(t testing.TB, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &complaints)
	return code, out.String(), complaints.String()
}

func TestStoryInJSON(t *testing.T) {
	for name, args := range map[string][]string{
		"story-enforce": {},
		"story-audit":   {"--mode", "audit"},
		"story-urls":    {"--function-urls", "enforce"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := guardrail(t, "", append([]string{"rehearse", "--format", "json"}, args...)...)
			if code != 0 || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			got := timeless(t, stdout)
			isGolden(t, name+".golden", got)
		})
	}
}

var period = regexp.MustCompile(`from [0-9T:-]+Z( to [0-9T:-]+Z)?`)

// timeless indents JSON lines, and takes out of them what differs from run to run.
func timeless(t *testing.T, lines string) string {
	var all strings.Builder
	for line := range strings.Lines(lines) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if _, ok := v["ms"].(float64); !ok {
			t.Errorf("no ms in %s", line)
		}
		delete(v, "ms")
		for _, f := range v["findings"].([]any) {
			f := f.(map[string]any)
			for _, moment := range []string{"openedAt", "closedAt", "secondsOpen"} {
				delete(f, moment)
			}
			for i, step := range f["nextSteps"].([]any) {
				f["nextSteps"].([]any)[i] = period.ReplaceAllString(step.(string), "from THEN")
			}
		}
		text, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(append(text, '\n'))
	}
	return all.String()
}

// isGolden compares a text with the file of that name in testdata, or makes it that.
func isGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run with -update if this is as it should be:\n%s", diff)
	}
}
