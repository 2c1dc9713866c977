package lambdapolicy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/lambdatest"
)

const arn = "arn:aws:lambda:eu-west-1:111122223333:function:fn"

var (
	function = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "fn"}
	alias    = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "fn", Qualifier: "live"}
)

// clock is a guard.Clock on which all sleep is over at once.
type clock struct {
	now   time.Time
	slept []time.Duration
	err   error // of Sleep
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return c.err
}

// world is the adapter, the real client of the SDK, and the stand-in.
type world struct {
	*lambdatest.Account
	clock
	policies *lambdapolicy.Policies
	attempts int // of the configuration
	failures []lambdapolicy.Failure
}

func newWorld() *world {
	w := &world{Account: lambdatest.New("aws", "eu-west-1", "111122223333")}
	w.connect("https://lambda.invalid", w.Account)
	return w
}

func (w *world) connect(url string, transport http.RoundTripper) {
	cfg := awstest.Config("eu-west-1", transport)
	cfg.BaseEndpoint, cfg.RetryMaxAttempts = &url, w.attempts
	w.policies = lambdapolicy.New(cfg, &w.clock, func(f lambdapolicy.Failure) { w.failures = append(w.failures, f) })
}

// operations returns what was called on what, with which revision.
func (w *world) operations() []string {
	var all []string
	for _, c := range w.Calls() {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Operation, strings.TrimPrefix(c.Resource, arn), c.RevisionID)))
	}
	return all
}

func (w *world) read(t *testing.T, r guard.Resource) guard.Policy {
	t.Helper()
	p, err := w.policies.Policy(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	w.Forget()
	return p
}

// Methods of guardtest.World.

func (w *world) Policies() guard.Policies          { return w.policies }
func (w *world) Document(r guard.Resource) string  { return w.Policy(r.ARN()) }
func (w *world) Seed(r guard.Resource, doc string) { w.Account.Seed(r.ARN(), doc) }

type lostBy struct {
	*world
	kind lambdatest.Kind
}

func (w lostBy) LoseNextAnswer(applied bool) {
	for _, write := range []string{"RemovePermission", "PutResourcePolicy", "DeleteResourcePolicy"} {
		w.Order(lambdatest.Fault{Operation: write, Kind: w.kind, Applied: applied})
	}
}

var lostAnswers = map[string]lambdatest.Kind{
	"connection dropped": lambdatest.Drop,
	"server error":       lambdatest.ServerError,
	"garbled answer":     lambdatest.Garble,
}

func TestContract(t *testing.T) {
	for name, kind := range lostAnswers {
		t.Run(name, func(t *testing.T) {
			guardtest.TestPolicies(t, func(*testing.T) guardtest.World { return lostBy{newWorld(), kind} })
		})
	}
}

const (
	one   = `{"Sid":"one","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
	two   = `{"Sid":"two.2_-","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
	noSid = `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
)

func withSid(sid string) string { return strings.Replace(one, `"one"`, `"`+sid+`"`, 1) }

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestEachRemovalIsOneCallWithTheRevisionThatWasRead(t *testing.T) {
	tests := []struct {
		name       string
		statements []string
		which      []int
		want       string
	}{
		{"one with a Sid", []string{one, two}, []int{0}, "RemovePermission"},
		{"a Sid with all that RemovePermission takes", []string{one, two}, []int{1}, "RemovePermission"},
		{"a Sid of 100 characters", []string{withSid(strings.Repeat("x", 100))}, []int{0}, "RemovePermission"},
		{"the last one with a Sid", []string{one}, []int{0}, "RemovePermission"},
		{"beside one without a Sid", []string{one, noSid}, []int{0}, "RemovePermission"},
		{"beside two with the same Sid", []string{one, two, two}, []int{0}, "RemovePermission"},
		{"two at once", []string{one, two, noSid}, []int{0, 1}, "PutResourcePolicy"},
		{"without a Sid", []string{one, noSid}, []int{1}, "PutResourcePolicy"},
		{"an empty Sid", []string{one, withSid("")}, []int{1}, "PutResourcePolicy"},
		{"a Sid that another bears too", []string{one, two, one}, []int{2}, "PutResourcePolicy"},
		{"a Sid with a space", []string{one, withSid("a b")}, []int{1}, "PutResourcePolicy"},
		{"a Sid with a slash", []string{one, withSid("a/b")}, []int{1}, "PutResourcePolicy"},
		{"a Sid that is a folder", []string{one, withSid("..")}, []int{1}, "PutResourcePolicy"},
		{"a Sid with a line feed at its end", []string{one, withSid(`a\n`)}, []int{1}, "PutResourcePolicy"},
		{"a Sid of 101 characters", []string{one, withSid(strings.Repeat("x", 101))}, []int{1}, "PutResourcePolicy"},
		{"the last one without a Sid", []string{noSid}, []int{0}, "DeleteResourcePolicy"},
		{"all", []string{one, two}, []int{0, 1}, "DeleteResourcePolicy"},
	}
	for _, r := range []guard.Resource{function, alias} {
		for _, test := range tests {
			t.Run(test.name+" of "+r.String(), func(t *testing.T) {
				w := newWorld()
				w.Seed(r, document(test.statements...))
				p := w.read(t, r)
				if err := w.policies.Remove(t.Context(), r, p, test.which); err != nil {
					t.Error(err)
				}
				want := []string{test.want + " " + strings.TrimPrefix(r.ARN(), arn) + " " + p.Revision}
				if diff := cmp.Diff(want, w.operations()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestNothingIsCalledForARemovalThatMakesNoSense(t *testing.T) {
	good := guard.Policy{Document: document(one, noSid), Revision: "some"}
	tests := []struct {
		name  string
		from  guard.Policy
		which []int
		want  string
	}{
		{"no revision", guard.Policy{Document: good.Document}, []int{0}, "revision"},
		{"not JSON", guard.Policy{Document: good.Document + "}", Revision: "some"}, []int{0}, "policy"},
		{"no document", guard.Policy{Revision: "some"}, []int{0}, "policy"},
		{"no index", good, nil, "no statement"},
		{"an index past the end", good, []int{0, 2}, "statement 2"},
		{"a negative index", good, []int{-1}, "statement -1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			err := w.policies.Remove(t.Context(), function, test.from, test.which)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), arn) {
				t.Errorf("got %v, want an error that names %q and the function", err, test.want)
			}
			if calls := w.operations(); calls != nil {
				t.Errorf("called %v", calls)
			}
		})
	}
}

// removals are one by each operation that writes, and what they leave.
var removals = []struct {
	operation string
	which     []int
	left      string
}{
	{"RemovePermission", []int{0}, document(noSid)},
	{"PutResourcePolicy", []int{1}, document(one)},
	{"DeleteResourcePolicy", []int{0, 1}, ""},
}

func TestAWriteOfUnknownOutcomeIsNotSentAgain(t *testing.T) {
	for _, removal := range removals {
		for name, kind := range lostAnswers {
			for _, applied := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, applied=%t", removal.operation, name, applied), func(t *testing.T) {
					w := newWorld()
					w.Seed(function, document(one, noSid))
					p := w.read(t, function)
					w.Order(lambdatest.Fault{Kind: kind, Applied: applied})
					if err := w.policies.Remove(t.Context(), function, p, removal.which); !errors.Is(err, guard.ErrUnknownOutcome) {
						t.Errorf("got %v, want ErrUnknownOutcome", err)
					}
					if diff := cmp.Diff([]string{removal.operation + "  " + p.Revision}, w.operations()); diff != "" {
						t.Errorf("calls (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// net/http sends a call again by itself where it takes that to be safe, if the
// connection had been used before.
func TestAWriteIsNotSentAgainOverAKeptConnection(t *testing.T) {
	for _, removal := range removals {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, applied=%t", removal.operation, applied), func(t *testing.T) {
				w := newWorld()
				url, stop, err := w.Start()
				if err != nil {
					t.Fatal(err)
				}
				defer stop()
				transport := &http.Transport{}
				defer transport.CloseIdleConnections()
				w.connect(url, transport)

				w.Seed(function, document(one, noSid))
				p := w.read(t, function)
				w.Order(lambdatest.Fault{Kind: lambdatest.Drop, Applied: applied})
				if err := w.policies.Remove(t.Context(), function, p, removal.which); !errors.Is(err, guard.ErrUnknownOutcome) {
					t.Errorf("got %v, want ErrUnknownOutcome", err)
				}
				if calls := w.operations(); len(calls) != 1 {
					t.Errorf("called %v", calls)
				}
				want := document(one, noSid)
				if applied {
					want = removal.left
				}
				if got := w.Document(function); got != want {
					t.Errorf("the policy is %q, want %q", got, want)
				}
			})
		}
	}
}

func TestACallerThatGivesUpDuringAWriteDoesNotKnowItsOutcome(t *testing.T) {
	for _, applied := range []bool{false, true} {
		w := newWorld()
		w.Seed(function, document(one, noSid))
		p := w.read(t, function)
		ctx, cancel := context.WithCancel(t.Context())
		w.Order(lambdatest.Fault{Kind: lambdatest.Hang, Applied: applied, Do: cancel})
		err := w.policies.Remove(ctx, function, p, []int{0})
		if !errors.Is(err, guard.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
			t.Errorf("applied=%t: got %v, want ErrUnknownOutcome because of a canceled context", applied, err)
		}
		if got := w.Document(function) == document(noSid); got != applied {
			t.Errorf("applied=%t, but the policy is %s", applied, w.Document(function))
		}
	}
}

func TestAThrottledWriteIsSentAgain(t *testing.T) {
	for _, removal := range removals {
		t.Run(removal.operation, func(t *testing.T) {
			w := newWorld()
			w.Seed(function, document(one, noSid))
			p := w.read(t, function)
			w.Order(lambdatest.Fault{Kind: lambdatest.Throttle, Times: 5})
			if err := w.policies.Remove(t.Context(), function, p, removal.which); err != nil {
				t.Error(err)
			}
			if got := w.Document(function); got != removal.left {
				t.Errorf("the policy is %q, want %q", got, removal.left)
			}
			if calls := w.Calls(); len(calls) != 6 || len(w.slept) != 5 {
				t.Errorf("%d calls and %d delays on the clock, want 6 and 5", len(calls), len(w.slept))
			}
		})
	}
}

func TestThrottlingThatDoesNotEnd(t *testing.T) {
	w := newWorld()
	w.Seed(function, document(one, noSid))
	p := w.read(t, function)
	w.Order(lambdatest.Fault{Kind: lambdatest.Throttle, Times: 1000})
	for _, call := range []func() error{
		func() error { _, err := w.policies.Policy(t.Context(), function); return err },
		func() error { return w.policies.Remove(t.Context(), function, p, []int{0}) },
	} {
		w.Forget()
		w.slept = nil
		if err := call(); err == nil || isSentinel(err) {
			t.Errorf("got %v, want an error that is none of the sentinels: nothing was written", err)
		}
		if calls := w.Calls(); len(calls) < 6 || len(calls) > 10 {
			t.Errorf("%d calls, want at least 6, and an end", len(calls))
		}
		var total time.Duration
		for _, d := range w.slept {
			total += d
		}
		if total == 0 {
			t.Error("no delay between attempts")
		}
	}
	if got := w.Document(function); got != p.Document {
		t.Errorf("the policy is %s", got)
	}
}

func TestDelaysGrowAndDiffer(t *testing.T) {
	w := newWorld()
	w.Order(lambdatest.Fault{Kind: lambdatest.Throttle, Times: 7 * 200})
	sums := make([]time.Duration, 7)
	var longest time.Duration
	distinct := map[time.Duration]bool{}
	for range 200 {
		w.slept = nil
		w.policies.Policy(t.Context(), function)
		for i, d := range w.slept {
			sums[i] += d
			longest = max(longest, d)
			distinct[d] = true
		}
	}
	if sums[0] > 200*time.Second || sums[1] < sums[0] || sums[2] < sums[1] {
		t.Errorf("mean delays before the next attempts: %v", sums)
	}
	if longest > 5*time.Second || longest < 4*time.Second {
		t.Errorf("the longest of 1400 delays is %v, want just under 5 s", longest)
	}
	if len(distinct) < 1000 {
		t.Errorf("%d different delays of 1400: no jitter", len(distinct))
	}
}

func TestTheSameClockGivesTheSameDelays(t *testing.T) {
	delays := func(start time.Time) []time.Duration {
		w := newWorld()
		w.now = start
		w.Order(lambdatest.Fault{Kind: lambdatest.Throttle, Times: 7})
		w.policies.Policy(t.Context(), function)
		return w.slept
	}
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	first := delays(start)
	if again := delays(start); !slices.Equal(again, first) {
		t.Errorf("%v, then %v", first, again)
	}
	if other := delays(start.Add(1)); slices.Equal(other, first) {
		t.Errorf("a nanosecond later the delays are %v, too", other)
	}
}

func TestManyAttemptsStayWithinTheLongestDelay(t *testing.T) {
	w := newWorld()
	w.attempts = 80
	w.connect("http://lambda.test", w.Account)
	w.Order(lambdatest.Fault{Kind: lambdatest.Throttle, Times: 79})
	if _, err := w.policies.Policy(t.Context(), function); !errors.Is(err, guard.ErrNotFound) {
		t.Error(err)
	}
	if n, longest := len(w.slept), slices.Max(w.slept); n != 79 || longest > 5*time.Second {
		t.Errorf("%d delays, the longest of %s", n, longest)
	}
}

func TestAWriteWhoseDelayIsCutShortDidNotHappen(t *testing.T) {
	w := newWorld()
	w.Seed(function, document(one, noSid))
	p := w.read(t, function)
	w.clock.err = context.DeadlineExceeded
	w.Order(lambdatest.Fault{Kind: lambdatest.Throttle})
	err := w.policies.Remove(t.Context(), function, p, []int{0})
	if !errors.Is(err, context.DeadlineExceeded) || isSentinel(err) {
		t.Errorf("got %v, want the deadline, and no unknown outcome", err)
	}
	if calls := w.Calls(); len(calls) != 1 {
		t.Errorf("%d calls after the deadline", len(calls)-1)
	}
}

func TestReadsOutlastWhatMayPass(t *testing.T) {
	for _, kind := range []lambdatest.Kind{lambdatest.Throttle, lambdatest.ServerError, lambdatest.Drop, lambdatest.Garble} {
		w := newWorld()
		w.Seed(alias, document(one))
		w.Order(lambdatest.Fault{Kind: kind, Times: 5})
		p, err := w.policies.Policy(t.Context(), alias)
		if err != nil || p.Document != document(one) || p.Revision != w.Revision(alias.ARN()) {
			t.Errorf("after 5 faults of kind %d: got %+v, %v", kind, p, err)
		}
		if len(w.slept) != 5 {
			t.Errorf("%d delays on the clock, want 5", len(w.slept))
		}
	}
}

func TestRetriesAreNotRationed(t *testing.T) {
	w := newWorld()
	w.Seed(function, document(one))
	for i := range 100 { // the SDK's quota is 500 tokens, of which a retry costs 14
		w.Order(lambdatest.Fault{Kind: lambdatest.ServerError, Times: 5})
		if _, err := w.policies.Policy(t.Context(), function); err != nil {
			t.Fatalf("read %d: %v", i, err)
		}
	}
}

func TestErrorsOfReads(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name  string
		ctx   context.Context
		fault lambdatest.Fault
		want  error // nil: none of the sentinels
	}{
		{"not found", t.Context(), lambdatest.Fault{}, guard.ErrNotFound},
		{"access denied", t.Context(), lambdatest.Fault{Kind: lambdatest.AccessDenied}, nil},
		{"server errors without an end", t.Context(), lambdatest.Fault{Kind: lambdatest.ServerError, Times: 100}, nil},
		{"a context that has ended", ended, lambdatest.Fault{}, nil},
	}
	for _, test := range tests {
		w := newWorld()
		w.Order(test.fault)
		_, err := w.policies.Policy(test.ctx, alias)
		if err == nil || !errors.Is(err, test.want) && test.want != nil || test.want == nil && isSentinel(err) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "reading the policy of "+alias.ARN()+": ") {
			t.Errorf("%s: %v does not say what was done to what", test.name, err)
		}
	}
}

func TestRefusedWrites(t *testing.T) {
	for _, removal := range removals {
		w := newWorld()
		w.Seed(function, document(one, noSid))
		p := w.read(t, function)
		w.Order(lambdatest.Fault{Kind: lambdatest.AccessDenied})
		err := w.policies.Remove(t.Context(), function, p, removal.which)
		if err == nil || isSentinel(err) || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%s: got %v, want a refusal that is none of the sentinels", removal.operation, err)
		}
		if diff := cmp.Diff([]string{removal.operation + "  " + p.Revision}, w.operations()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
}

func TestWritesThatConflictWithAnotherUpdate(t *testing.T) {
	for _, removal := range removals {
		w := newWorld()
		w.Seed(function, document(one, noSid))
		p := w.read(t, function)
		w.Order(lambdatest.Fault{Kind: lambdatest.Conflict})
		if err := w.policies.Remove(t.Context(), function, p, removal.which); !errors.Is(err, guard.ErrConflict) {
			t.Errorf("%s: got %v, want ErrConflict", removal.operation, err)
		}
		if got := w.Document(function); got != p.Document {
			t.Errorf("%s: the policy is %q", removal.operation, got)
		}
	}
}

func TestAnAnswerThatIsNotLambdasLeavesTheOutcomeUnknown(t *testing.T) {
	for _, status := range []int{200, 304, 403, 500, 504} {
		w := newWorld()
		w.connect("https://lambda.invalid", awstest.RoundTripper(func(*http.Request) (*http.Response, error) {
			return awstest.Response(status, nil, "<html>"), nil
		}))
		from := guard.Policy{Document: document(one, noSid), Revision: "some"}
		if err := w.policies.Remove(t.Context(), function, from, []int{1}); !errors.Is(err, guard.ErrUnknownOutcome) {
			t.Errorf("%d: got %v, want ErrUnknownOutcome", status, err)
		}
	}
}

func TestWhereRemovePermissionIsRefusedTheWholePolicyIsWritten(t *testing.T) {
	tests := []struct {
		name       string
		statements []string
		edit       bool // by somebody else, between the two writes
		second     lambdatest.Fault
		calls      []string
		want       error
		left       string
	}{
		{"the rest", []string{one, two}, false, lambdatest.Fault{}, []string{"RemovePermission", "PutResourcePolicy"}, nil, document(two)},
		{"nothing left", []string{one}, false, lambdatest.Fault{}, []string{"RemovePermission", "DeleteResourcePolicy"}, nil, ""},
		{"an edit in between", []string{one, two}, true, lambdatest.Fault{}, []string{"RemovePermission", "PutResourcePolicy"}, guard.ErrConflict, document(one, two)},
		{"an answer lost, applied", []string{one, two}, false, lambdatest.Fault{Operation: "PutResourcePolicy", Kind: lambdatest.Drop, Applied: true}, []string{"RemovePermission", "PutResourcePolicy"}, guard.ErrUnknownOutcome, document(two)},
		{"an answer lost, not applied", []string{one, two}, false, lambdatest.Fault{Operation: "PutResourcePolicy", Kind: lambdatest.Drop}, []string{"RemovePermission", "PutResourcePolicy"}, guard.ErrUnknownOutcome, document(one, two)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.Seed(function, document(test.statements...))
			p := w.read(t, function)
			w.Order(lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.PublicPolicy, Do: func() {
				if test.edit {
					w.Touch(function.ARN())
				}
			}}, test.second)
			err := w.policies.Remove(t.Context(), function, p, []int{0})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got := w.Document(function); got != test.left {
				t.Errorf("the policy is %q, want %q", got, test.left)
			}
			for i := range test.calls {
				test.calls[i] += "  " + p.Revision
			}
			if diff := cmp.Diff(test.calls, w.operations()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func isSentinel(err error) bool {
	return errors.Is(err, guard.ErrNotFound) || errors.Is(err, guard.ErrConflict) || errors.Is(err, guard.ErrUnknownOutcome)
}

func TestTheConfigurationSaysHowOftenACallIsSent(t *testing.T) {
	for configured, want := range map[int]int{0: 8, 2: 6, 12: 12} {
		w := newWorld()
		w.attempts = configured
		w.connect("https://lambda.invalid", w.Account)
		w.Order(lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.Throttle, Times: 100})
		if _, err := w.policies.Policy(t.Context(), function); err == nil {
			t.Error("no error though every call was throttled")
		}
		if got := len(w.Calls()); got != want {
			t.Errorf("%d configured: %d calls, want %d", configured, got, want)
		}
	}
}

func TestEachAttemptThatFailsIsToldOnceWithItsClass(t *testing.T) {
	const throttled, denied, conflict, failed = lambdapolicy.Throttled, lambdapolicy.Denied, lambdapolicy.Conflict, lambdapolicy.Failed
	type failures = []lambdapolicy.Failure
	read := func(w *world) error { _, err := w.policies.Policy(context.Background(), function); return err }
	remove := func(w *world) error {
		p, err := w.policies.Policy(context.Background(), function)
		if err != nil {
			return err
		}
		return w.policies.Remove(context.Background(), function, p, []int{0})
	}
	outdated := func(w *world) error {
		p, err := w.policies.Policy(context.Background(), function)
		if err != nil {
			return err
		}
		w.Seed(function, `{"Version":"2012-10-17","Statement":[`+one+`]}`)
		return w.policies.Remove(context.Background(), function, p, []int{0})
	}
	role := func(w *world) error { _, err := w.policies.Role(context.Background(), function); return err }
	for _, tt := range []struct {
		name  string
		call  func(*world) error
		fault lambdatest.Fault
		fails bool
		want  failures
	}{
		{name: "a call that goes well is not told of", call: remove},
		{name: "a read that is throttled twice, and goes well then", call: read, fault: lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.Throttle, Times: 2},
			want: failures{{"GetPolicy", throttled, "TooManyRequestsException"}, {"GetPolicy", throttled, "TooManyRequestsException"}}},
		{name: "a write that is throttled", call: remove, fault: lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.Throttle},
			want: failures{{"RemovePermission", throttled, "TooManyRequestsException"}}},
		{name: "a read that is refused", call: read, fault: lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.AccessDenied}, fails: true,
			want: failures{{"GetPolicy", denied, "AccessDeniedException"}}},
		{name: "a write while the function is updated", call: remove, fault: lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.Conflict}, fails: true,
			want: failures{{"RemovePermission", conflict, "ResourceConflictException"}}},
		{name: "a write on an outdated revision", call: outdated, fails: true,
			want: failures{{"RemovePermission", conflict, "PreconditionFailedException"}}},
		{name: "a write that the API gives up on is not sent again", call: remove, fault: lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.ServerError}, fails: true,
			want: failures{{"RemovePermission", failed, "ServiceException"}}},
		{name: "a read that is cut off", call: read, fault: lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.Drop},
			want: failures{{"GetPolicy", failed, ""}}},
		{name: "a question that is given up after two attempts", call: role, fault: lambdatest.Fault{Operation: "GetFunctionConfiguration", Kind: lambdatest.ServerError, Times: 2}, fails: true,
			want: failures{{"GetFunctionConfiguration", failed, "ServiceException"}, {"GetFunctionConfiguration", failed, "ServiceException"}}},
		{name: "a policy that there is not is an answer", fails: true,
			call: func(w *world) error { _, err := w.policies.Policy(context.Background(), alias); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.Seed(function, `{"Version":"2012-10-17","Statement":[`+one+`,`+two+`]}`)
			if tt.fault.Kind != lambdatest.NoFault {
				w.Order(tt.fault)
			}
			if err := tt.call(w); (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, w.failures); diff != "" {
				t.Error(diff)
			}
			if n := w.Pending(); n != 0 {
				t.Errorf("%d faults met no call", n)
			}
		})
	}
}
