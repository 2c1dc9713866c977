package main

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/lambdatest"
)

// stage is what rehearse --serve serves, with a clock of its own: whoever sleeps
// passes the time and, if events are delivered at all, lets them be.
type stage struct {
	*served
	*guardtest.Clock
	deaf     bool              // no event is delivered
	sleeping func()            // what else happens meanwhile
	before   map[string]string // the policies
	log      bytes.Buffer      // of the function
	shown    []played          // by the event loop
	ctx      context.Context
	cancel   context.CancelFunc
}

func (s *stage) Now() time.Time { return s.Clock.Now() }

func (s *stage) Sleep(ctx context.Context, d time.Duration) error {
	if !s.deaf {
		s.deliver(ctx)
	}
	if s.sleeping != nil {
		s.sleeping()
	}
	return s.Clock.Sleep(ctx, d)
}

func newStage(t *testing.T, mode, urls guard.Mode) *stage {
	t.Helper()
	s := &stage{Clock: guardtest.NewClock(time.Now())}
	s.ctx, s.cancel = context.WithCancel(t.Context())
	t.Cleanup(s.cancel)
	var err error
	if s.served, err = newServed(config.Config{Mode: mode, FunctionURLs: urls}, &s.log, s); err != nil {
		t.Fatal(err)
	}
	s.show = func(_ step, x played) { s.shown = append(s.shown, x) }
	s.warn = func(err error) { t.Error(err) }
	if err := s.start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.before = s.account.Policies()
	pointAt(t, s.url)
	return s
}

// pointAt makes a stand-in the AWS of this process.
func pointAt(t *testing.T, url string) {
	deploy(t) // for what else the SDK reads
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_LAMBDA": "", "AWS_ENDPOINT_URL_CLOUDFORMATION": "",
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": visitorKey,
	} {
		t.Setenv(name, value)
	}
}

// run drills at what passes for a terminal.
func (s *stage) run(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	d := &drill{access: access{clock: s, asks: func(any) bool { return true }}}
	cmd := d.command()
	var out, complaints bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{}, args...)) // nil would be those of the test
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	switch err := cmd.ExecuteContext(s.ctx); err {
	case nil:
	case exitYes:
		code = 1
	default:
		t.Fatal(err)
	}
	return code, out.String(), complaints.String()
}

// report drills, and returns what machines are told.
func (s *stage) report(t *testing.T, args ...string) (int, drillReport, string) {
	t.Helper()
	code, stdout, stderr := s.run(t, "", append([]string{"--yes", "--format", "json"}, args...)...)
	var r drillReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %q; stderr %q", err, stdout, stderr)
	}
	return code, r, stderr
}

// isClean checks that a drill has left nothing, and has touched nobody else's.
func (s *stage) isClean(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(s.before, s.account.Policies()); diff != "" {
		t.Errorf("policies (-before +after):\n%s", diff)
	}
	if functions := s.drillFunctions(); len(functions) > 0 || len(s.services.roles) > 0 {
		t.Errorf("left behind: functions %q, roles %v", functions, s.services.roles)
	}
}

// drillFunctions are those whose names are of a drill.
func (s *stage) drillFunctions() (names []string) {
	for _, name := range s.account.Names() {
		if strings.HasPrefix(name, drillPrefix) {
			names = append(names, name)
		}
	}
	return names
}

// outcomes says of each way what came of it.
func (r drillReport) outcomes() map[string]string {
	all := map[string]string{}
	for _, w := range r.Ways {
		var words []string
		for word, is := range map[string]bool{"detected": w.Detected, "reverted": w.Reverted, "ok": w.OK, "blocked": w.Blocked} {
			if is {
				words = append(words, word)
			}
		}
		slices.Sort(words)
		all[w.Way] = strings.Join(words, " ")
	}
	return all
}

func TestDrillShowsAFullCycle(t *testing.T) {
	const reverted, found = "detected ok reverted", "detected ok"
	tests := map[string]struct {
		mode, urls guard.Mode
		want       map[string]string
	}{
		"enforce": {guard.Enforce, guard.Audit, map[string]string{
			"bucket": "ok", "own-account": "ok", "everybody": reverted, "alias": reverted, "whole-policy": reverted, "function-url": found}},
		"enforce, for function URLs": {guard.Enforce, guard.Enforce, map[string]string{
			"bucket": "ok", "own-account": "ok", "everybody": reverted, "alias": reverted, "whole-policy": reverted, "function-url": reverted}},
		"audit": {guard.Audit, guard.Audit, map[string]string{
			"bucket": "ok", "own-account": "ok", "everybody": found, "alias": found, "whole-policy": found, "function-url": found}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, test.mode, test.urls)
			started := s.Now()
			code, r, stderr := s.report(t)
			if code != 0 || stderr != "" || !r.OK || !r.Deleted {
				t.Errorf("exit code %d, %+v, stderr %s", code, r, stderr)
			}
			if diff := cmp.Diff(test.want, r.outcomes()); diff != "" {
				t.Errorf("ways (-want +got):\n%s", diff)
			}
			for _, w := range r.Ways {
				switch {
				case w.Harmless && (len(w.Findings) > 0 || w.Want != ""):
					t.Errorf("%s: findings %q", w.Way, w.Findings)
				case !w.Harmless && (w.Seconds <= 0 || len(w.Findings) == 0):
					t.Errorf("%s: %.1f s, findings %q", w.Way, w.Seconds, w.Findings)
				}
				for _, id := range w.Findings {
					says(t, "the log", s.log.String(), `"id":"`+id+`"`)
				}
			}
			s.isClean(t)
			if spent := s.Now().Sub(started); spent > time.Minute {
				t.Errorf("it took %s", spent)
			}
		})
	}
}

// What a person reads, and what was made on the way.
func TestDrillTellsAndKeepsItsFunctionFromRunning(t *testing.T) {
	s := newStage(t, guard.Enforce, guard.Audit)
	var tags, role map[string]string
	s.sleeping = func() {
		for _, name := range s.drillFunctions() {
			tags, role = s.account.Tags(name), s.services.roles[name]
			if n, ok := s.account.Concurrency(name); !ok || n != 0 {
				t.Errorf("%s may run: %d, %v", name, n, ok)
			}
		}
	}
	code, stdout, stderr := s.run(t, "yes\n")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	want := map[string]string{drillTag: "lambda-guardrail/eu-central-1"}
	if !maps.Equal(tags, want) || !maps.Equal(role, want) {
		t.Errorf("tags of the function %v, of the role %v, want %v", tags, role, want)
	}
	says(t, "stdout", stdout,
		"eu-central-1: lambda-guardrail-respond runs in enforce, function URLs in audit\n", "Type yes to drill: ",
		"\nbucket        -         -               -  left alone, as it should be\n",
		"\neverybody     yes       yes           2.0  ", "\nfunction-url  yes       in audit      2.0  ",
		"Deleted "+drillPrefix, "The guardrail did as it should.\n")
	s.isClean(t)
}

// A guardrail that is paused is asked for no more than it does.
func TestDrillOfAPausedGuardrail(t *testing.T) {
	s := newStage(t, guard.Enforce, guard.Audit)
	if code, _, stderr := guardrail(t, "", "pause", "--yes"); code != 0 {
		t.Fatal(stderr)
	}
	code, r, stderr := s.report(t)
	if code != 0 || r.Mode != "audit" || stderr != "" {
		t.Errorf("exit code %d, %+v, stderr %s", code, r, stderr)
	}
	s.isClean(t)
}

func TestDrillOfAGuardrailThatFails(t *testing.T) {
	const nothing = "there is no finding, and the statement stands"
	everyWay := func(problem string) map[string]string {
		return map[string]string{"everybody": problem, "alias": problem, "whole-policy": problem, "function-url": problem}
	}
	tests := map[string]struct {
		set  func(*stage)
		want map[string]string // problems
	}{
		"no event comes": {func(s *stage) { s.deaf = true }, everyWay(nothing)},
		"it cannot write": {func(s *stage) {
			s.warn = func(error) {}
			s.account.Chaos = func(c lambdatest.Call) lambdatest.Fault {
				if strings.HasPrefix(c.Operation, "RemovePermission") || c.Operation == "DeleteResourcePolicy" {
					return lambdatest.Fault{Kind: lambdatest.AccessDenied}
				}
				return lambdatest.Fault{}
			}
		}, map[string]string{"everybody": "the outcome is failed: ", "alias": "the outcome is failed: "}},
		"an exemption covers everything": {func(s *stage) {
			s.r.exemptions = append(s.r.exemptions, guard.Exemption{Function: "*", Owner: "nobody\x1b", Reason: "lazy", Until: time.Now().Add(time.Hour)})
		}, everyWay("the outcome is exempt: an exemption of nobody\x1b covers it")},
		"somebody else is faster": {func(s *stage) {
			s.deaf = true
			s.sleeping = func() {
				for _, name := range s.drillFunctions() {
					s.account.Seed(name+":drill-alias", "")
				}
			}
		}, map[string]string{"everybody": nothing, "whole-policy": nothing, "function-url": nothing,
			"alias": "there is no finding; but the statement is gone: somebody else took it out"}},
		"it takes the neighbours, too": {func(s *stage) {
			s.sleeping = func() {
				for _, name := range s.drillFunctions() {
					s.account.Seed(name, "")
				}
			}
		}, map[string]string{"bucket": "a grant that harms nobody was taken out", "own-account": "a grant that harms nobody was taken out"}},
		"a statement cannot be added": {func(s *stage) {
			s.account.Order(lambdatest.Fault{Operation: "PutResourcePolicy", Kind: lambdatest.AccessDenied})
		}, map[string]string{"whole-policy": "it could not be opened: putting the policy of"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, guard.Enforce, guard.Audit)
			test.set(s)
			code, r, _ := s.report(t, "--timeout", "5m")
			if code != 1 || r.OK || !r.Deleted {
				t.Errorf("exit code %d, %+v", code, r)
			}
			for _, w := range r.Ways {
				want := test.want[w.Way]
				if w.OK != (want == "") || !strings.HasPrefix(w.Problem, want) {
					t.Errorf("%s: ok %v, problem %q, want %q", w.Way, w.OK, w.Problem, want)
				}
			}
			s.isClean(t)
		})
	}
}

// A look that fails is taken again; if none succeeds, nothing passes for fine.
func TestDrillThatCannotLook(t *testing.T) {
	for name, failing := range map[string]int{"for a while": 9, "ever": 10000} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, guard.Enforce, guard.Audit)
			group := s.services.log.name
			s.sleeping = func() {
				failing--
				s.services.log.name = map[bool]string{true: "gone", false: group}[failing > 0]
			}
			code, r, stderr := s.report(t, "--timeout", "1m")
			if wantCode := map[string]int{"for a while": 0, "ever": 1}[name]; code != wantCode || stderr != "" {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			for _, w := range r.Ways {
				if name == "ever" && (w.OK || w.Problem == "") {
					t.Errorf("%s: ok %v, %s", w.Way, w.OK, w.Problem)
				}
			}
			s.isClean(t)
		})
	}
}

// Where Lambda itself refuses public grants there is nothing to close; but if no way
// is left, nothing is proven either.
func TestDrillWhereLambdaBlocks(t *testing.T) {
	for operations, wantCode := range map[string]int{"PutResourcePolicy": 0, "PutResourcePolicy AddPermission CreateFunctionUrlConfig": 1} {
		s := newStage(t, guard.Enforce, guard.Audit)
		s.account.Chaos = func(c lambdatest.Call) lambdatest.Fault {
			if slices.Contains(strings.Fields(operations), c.Operation) && !strings.Contains(c.Statement, "bucket") && !strings.Contains(c.Statement, "own-account") {
				return lambdatest.Fault{Kind: lambdatest.PublicPolicy}
			}
			return lambdatest.Fault{}
		}
		code, r, _ := s.report(t)
		if got := r.outcomes()["whole-policy"]; code != wantCode || got != "blocked ok" {
			t.Errorf("%s: exit code %d, %s", operations, code, got)
		}
		s.isClean(t)
	}
}

// Whenever it is stopped, it cleans up.
func TestDrillStoppedByCtrlC(t *testing.T) {
	for _, operation := range []string{"CreateFunction", "CreateAlias", "AddPermission", "PutResourcePolicy", "GetPolicy"} {
		t.Run(operation, func(t *testing.T) {
			s := newStage(t, guard.Enforce, guard.Audit)
			s.account.Order(lambdatest.Fault{Operation: operation, Do: s.cancel})
			code, stdout, stderr := s.run(t, "", "--yes")
			if code != 1 || s.account.Pending() != 0 {
				t.Errorf("exit code %d: %s", code, stdout)
			}
			says(t, "stderr", stderr, "guardrail: eu-central-1: stopped before the end\n")
			says(t, "stdout", stdout, "The guardrail is not proven.\n")
			s.isClean(t)
		})
	}
}

// What could not be deleted is said, and deleted by --cleanup; what only looks like
// a drill's stays.
func TestDrillCleanup(t *testing.T) {
	s := newStage(t, guard.Enforce, guard.Audit)
	s.account.Order(lambdatest.Fault{Operation: "DeleteFunction", Kind: lambdatest.AccessDenied})
	code, r, stderr := s.report(t)
	if code != 1 || r.Deleted || len(s.drillFunctions()) != 1 {
		t.Errorf("exit code %d, %+v, functions %q", code, r, s.drillFunctions())
	}
	says(t, "stderr", stderr, "deleting the function "+r.Function, "to try again: guardrail drill --cleanup\n")

	s.account.Seed(drillPrefix+"not_ours", "")
	s.services.roles[drillPrefix+"not_ours"] = map[string]string{drillTag: "lambda-guardrail/us-east-1"}
	s.services.roles[drillPrefix+"ours"] = map[string]string{drillTag: "lambda-guardrail/eu-central-1"}
	code, stdout, stderr := s.run(t, "", "--cleanup", "--dry-run")
	if code != 0 || len(s.drillFunctions()) != 2 {
		t.Errorf("dry run: exit code %d: %s", code, stderr)
	}
	says(t, "stdout", stdout, "eu-central-1: function "+r.Function+"\neu-central-1: role "+drillPrefix+"ours\nNothing was deleted.\n")
	if code, _, _ := s.run(t, "no\n", "--cleanup"); code != 1 || len(s.drillFunctions()) != 2 {
		t.Errorf("no: exit code %d", code)
	}
	code, stdout, stderr = s.run(t, "", "--cleanup", "--yes")
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	says(t, "stdout", stdout, "Deleted.\n")
	if diff := cmp.Diff([]string{drillPrefix + "not_ours"}, s.drillFunctions()); diff != "" || len(s.services.roles) != 1 {
		t.Errorf("roles %v, functions (-want +got):\n%s", s.services.roles, diff)
	}
	if code, stdout, _ = s.run(t, "", "--cleanup", "--yes"); code != 0 || stdout != "eu-central-1: no drill has left anything.\n" {
		t.Errorf("again: exit code %d: %s", code, stdout)
	}
}

// A role of yours is used, and kept.
func TestDrillWithARole(t *testing.T) {
	s := newStage(t, guard.Enforce, guard.Audit)
	made := ""
	s.sleeping = func() {
		for name := range s.services.roles {
			made = name
		}
	}
	code, _, stderr := s.report(t, "--role", "arn:aws:iam::111122223333:role/nothing")
	if code != 0 || made != "" {
		t.Errorf("exit code %d, made the role %s: %s", code, made, stderr)
	}
	s.isClean(t)
}

func TestDrillThatMakesNothing(t *testing.T) {
	tests := map[string]struct {
		args []string
		set  func(*stage)
		code int
		want string
	}{
		"dry run":              {[]string{"--dry-run"}, nil, 0, ""},
		"you say no":           {nil, nil, 1, ""},
		"no such stack":        {[]string{"--yes", "--stack", "other"}, nil, 1, "the stack other: "},
		"no such region":       {[]string{"--yes", "--region", "us-east-1"}, nil, 1, "us-east-1: the stack lambda-guardrail: "},
		"no log group":         {[]string{"--yes"}, func(s *stage) { s.services.log.name = "other" }, 1, "reading the log group /aws/lambda/lambda-guardrail-respond"},
		"settings of no sense": {[]string{"--yes"}, func(s *stage) { s.account.SetEnvironment(servedFunction, map[string]string{modeVariable: "on"}) }, 1, `GUARDRAIL_MODE is "on"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, guard.Enforce, guard.Audit)
			if test.set != nil {
				test.set(s)
			}
			code, stdout, stderr := s.run(t, "no\n", test.args...)
			if code != test.code {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
			says(t, "stderr", stderr, test.want)
			for _, c := range s.account.Calls() {
				if !strings.HasPrefix(c.Operation, "Get") {
					t.Errorf("called %s", c.Operation)
				}
			}
			s.isClean(t)
		})
	}
}

func TestDrillWithBadFlags(t *testing.T) {
	for want, args := range map[string][]string{
		`--role is "nothing": want the ARN`:           {"--yes", "--role", "nothing"},
		"--timeout is 0s: want":                       {"--yes", "--timeout", "0s"},
		`--region is "nowhere": want`:                 {"--yes", "--region", "nowhere"},
		`--stack is "": want`:                         {"--yes", "--stack", ""},
		"there is nobody to ask: want --yes":          {},
		"drill makes a function and opens it":         {"--format", "json"},
		`unknown command "now" for "guardrail drill"`: {"now"},
	} {
		t.Run(want, func(t *testing.T) {
			s := newStage(t, guard.Enforce, guard.Audit)
			code, stdout, stderr := guardrail(t, "", append([]string{"drill"}, args...)...)
			if code != 2 || stdout != "" || len(s.account.Calls()) != 0 {
				t.Errorf("exit code %d: %s", code, stdout)
			}
			says(t, "stderr", stderr, want)
		})
	}
}

// The role is denied to write to functions called STACK-*, and stacks have no
// underscore in their names: the guardrail may write to those of a drill.
func TestDrillPrefixIsNoStacks(t *testing.T) {
	if head, _, hyphen := strings.Cut(drillPrefix, "-"); hyphen {
		t.Errorf("a stack called %s would own %s*", head, drillPrefix)
	}
	if _, err := config.FromContext(map[string]any{"name": strings.TrimSuffix(drillPrefix, "_")}); err == nil {
		t.Error("a stack can be called like a drill")
	}
}
