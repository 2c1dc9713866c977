package lambdaadmin_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdaadmin"
	"lambda-guardrail/internal/lambdatest"
)

var fn = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "fn"}

const (
	everyone  = `{"Sid":"everyone","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-west-1:111122223333:function:fn"}`
	bucket    = `{"Sid":"bucket","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-west-1:111122223333:function:fn","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}}`
	partner   = `{"Sid":"partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-west-1:111122223333:function:fn"}`
	written   = "{ \"Effect\":\"Allow\",\n\t\"Principal\":{\"AWS\":[\"*\"]}, \"Action\":\"lambda:*\" }" // by a person
	variables = `{"Sid":"tag","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"aws:PrincipalTag/team":"${aws:username}"}}}`
)

func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

func older(policy string) string { return strings.Replace(policy, "2012-10-17", "2008-10-17", 1) }

func (w *world) restore(t *testing.T, statement, before string) (*lambdaadmin.Write, error) {
	t.Helper()
	return w.functions.Restore(t.Context(), lambdaadmin.Removed{Resource: fn, Statement: statement, Before: before})
}

// operations are what was called, with the revision that was given.
func (w *world) operations() (all []string) {
	for _, c := range w.Calls() {
		name := c.Operation
		if c.RevisionID != "" {
			name += " compared"
		}
		all = append(all, name)
	}
	return all
}

func TestRestore(t *testing.T) {
	const (
		get   = "GetPolicy"
		add   = "AddPermission compared"
		put   = "PutResourcePolicy compared"
		fresh = "AddPermission" // there is nothing to compare
	)
	tests := []struct {
		name, statement, before, now string
		want                         string
		calls                        []string
	}{
		{"the only one", everyone, policyOf(everyone), "", policyOf(everyone), []string{get, fresh, get}},
		{"beside others", everyone, policyOf(everyone, bucket), policyOf(bucket), policyOf(bucket, everyone), []string{get, add, get}},
		{"beside what came since", everyone, policyOf(everyone, bucket), policyOf(partner), policyOf(partner, everyone), []string{get, add, get}},
		{"into a policy that was written by hand", everyone, policyOf(everyone, written), policyOf(written), policyOf(written, everyone), []string{get, add, get}},
		{"of which the policy before is not known", everyone, "", policyOf(bucket), policyOf(bucket, everyone), []string{get, add, get}},
		{"that AddPermission cannot write", written, policyOf(bucket, written), policyOf(bucket), policyOf(bucket, written), []string{get, put, get}},
		{"with white space inside", strings.Replace(everyone, ",", ", ", 1), "", policyOf(bucket), policyOf(bucket, strings.Replace(everyone, ",", ", ", 1)), []string{get, put, get}},
		{"the only one, that AddPermission cannot write", written, policyOf(bucket, written), "", policyOf(written), []string{get, "GetFunctionConfiguration", put, get}},
		{"the only one, of an older policy", everyone, older(policyOf(everyone)), "", older(policyOf(everyone)), []string{get, "GetFunctionConfiguration", put, get}},
		{"of an older policy, without variables", everyone, older(policyOf(everyone)), policyOf(bucket), policyOf(bucket, everyone), []string{get, add, get}},
		{"with variables", variables, policyOf(variables), policyOf(bucket), policyOf(bucket, variables), []string{get, put, get}},
		{"twice in the policy before", written, policyOf(written, written), "", policyOf(written), []string{get, "GetFunctionConfiguration", put, get}},
		{"beside a statement that is no list", written, "", `{"Statement":` + bucket + `}`, `{"Statement":[` + bucket + `,` + written + `]}`, []string{get, put, get}},
		{"that stands", everyone, policyOf(everyone), policyOf(bucket, everyone), policyOf(bucket, everyone), []string{get}},
		{"that stands in other words", everyone, policyOf(everyone), policyOf(strings.Replace(everyone, ",", " , ", -1)), policyOf(strings.Replace(everyone, ",", " , ", -1)), []string{get}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.Seed("fn", test.now)
			plan, err := w.functions.Plan(t.Context(), lambdaadmin.Removed{Resource: fn, Statement: test.statement, Before: test.before})
			if err != nil || w.Policy("fn") != test.now {
				t.Fatalf("planning: %v; the policy is %s", err, w.Policy("fn"))
			}
			w.Forget()
			write, err := w.restore(t, test.statement, test.before)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Policy("fn"); got != test.want {
				t.Errorf("the policy is\n%s, want\n%s", got, test.want)
			}
			if diff := cmp.Diff(test.calls, w.operations()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if stood := len(test.calls) == 1; stood != (write == nil) || stood != (plan == nil) {
				t.Errorf("the write is %+v, planned %+v", write, plan)
			}
			if write != nil && (write.Policy != test.want || plan.Policy != test.want) {
				t.Errorf("it says that the policy becomes %s, and before %s", write.Policy, plan.Policy)
			}
		})
	}
}

func TestRestoreOnAnAlias(t *testing.T) {
	w := newWorld()
	live := fn
	live.Qualifier = "live"
	w.Seed("fn:live", "")
	_, err := w.functions.Restore(t.Context(), lambdaadmin.Removed{Resource: live, Statement: written})
	if err != nil || w.Policy("fn:live") != policyOf(written) || w.Policy("fn") != "" {
		t.Errorf("%v; the policies are %v", err, w.Policies())
	}
	if diff := cmp.Diff([]string{"GetPolicy", "GetAlias", "PutResourcePolicy compared", "GetPolicy"}, w.operations()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestRestoreThatIsRefused(t *testing.T) {
	tests := []struct{ name, statement, before, now, want string }{
		{"the Sid has another content", everyone, policyOf(everyone), policyOf(strings.Replace(everyone, `"*"`, `{"Service":"s3.amazonaws.com"}`, 1)),
			`holds another statement with the Sid "everyone": {"Sid":"everyone","Effect":"Allow","Principal":{"Service"`},
		{"variables mean something else", variables, older(policyOf(variables)), policyOf(bucket), "has the Version 2012-10-17, and had 2008-10-17 with the statement"},
		{"variables may mean something else", variables, "", policyOf(bucket), "the Version is not known"},
		{"variables may mean something else, alone", variables, "", "", "the Version is not known"},
		{"no statement", "", "", policyOf(bucket), "reading the statement"},
		{"two statements", everyone + bucket, "", policyOf(bucket), "reading the statement"},
		{"another policy before", everyone, policyOf(bucket), "", "they do not belong together"},
		{"a policy before that is none", everyone, "<policy/>", "", "the policy before: "},
		{"a policy that nobody can read", everyone, "", "<policy/>", "the policy of " + fn.ARN()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.Seed("fn", test.now)
			_, err := w.restore(t, test.statement, test.before)
			wants(t, err, test.want)
			_, err = w.functions.Plan(t.Context(), lambdaadmin.Removed{Resource: fn, Statement: test.statement, Before: test.before})
			wants(t, err, test.want)
			if w.Policy("fn") != test.now {
				t.Errorf("the policy is %s", w.Policy("fn"))
			}
			for _, c := range w.Calls() {
				if !strings.HasPrefix(c.Operation, "Get") {
					t.Errorf("called %s", c.Operation)
				}
			}
		})
	}
}

// What goes wrong in between costs a neighbour nothing, and is told apart from what
// went well.
func TestRestoreUnderFaults(t *testing.T) {
	for operation, statement := range map[string]string{"AddPermission": everyone, "PutResourcePolicy": written} {
		order := func(kind lambdatest.Kind, applied bool, times int) func(*world) {
			return func(w *world) {
				w.Order(lambdatest.Fault{Operation: operation, Kind: kind, Applied: applied, Times: times})
			}
		}
		meanwhile := func(after string) func(*world) {
			return func(w *world) {
				w.Order(lambdatest.Fault{Operation: operation, Do: func() { w.Seed("fn", after) }})
			}
		}
		early := func(w *world) {
			w.Order(lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.Stale, After: 1, Times: 3})
		}
		whole := []string{bucket, statement}
		tests := []struct {
			name   string
			setUp  func(*world)
			want   string // of the error; "" is none
			holds  []string
			writes int
		}{
			{"answer lost", order(lambdatest.Drop, true, 1), "", whole, 1},
			{"answer garbled", order(lambdatest.Garble, true, 1), "", whole, 1},
			{"server error, applied", order(lambdatest.ServerError, true, 1), "", whole, 1},
			{"server error, not applied", order(lambdatest.ServerError, false, 1), "", whole, 2},
			{"write lost", order(lambdatest.Drop, false, 1), "", whole, 2},
			{"throttled", order(lambdatest.Throttle, false, 2), "", whole, 3},
			{"an update is under way", order(lambdatest.Conflict, false, 1), "", whole, 2},
			{"always a conflict", order(lambdatest.Conflict, false, 100), "given up after 5 writes", []string{bucket}, 5},
			{"never an answer", order(lambdatest.Drop, false, 100), "given up after 5 writes", []string{bucket}, 5},
			{"denied", order(lambdatest.AccessDenied, false, 1), "AccessDeniedException", []string{bucket}, 1},
			{"public access is blocked", order(lambdatest.PublicPolicy, false, 1), "PublicPolicyException", []string{bucket}, 1},
			{"a neighbour comes first", meanwhile(policyOf(bucket, partner)), "", []string{bucket, partner, statement}, 2},
			{"somebody else restores it", meanwhile(policyOf(bucket, statement)), "", whole, 1},
			{"a neighbour vanishes with it", order(lambdatest.LoseNeighbour, false, 1), "others have vanished since it was read: bucket; before, it was {", []string{statement}, 1},
			{"reading is late", early, "", whole, 1},
			{"reading back is denied", func(w *world) {
				w.Order(lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.AccessDenied, After: 1})
			}, "the statement was sent, and could not be seen to be there: ", whole, 1},
			{"reading is denied", func(w *world) {
				w.Order(lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.AccessDenied})
			}, "reading the policy of " + fn.ARN(), []string{bucket}, 0},
			{"the guardrail takes it out", func(w *world) {
				w.Order(lambdatest.Fault{Operation: "GetPolicy", After: 1, Do: func() { w.Seed("fn", policyOf(bucket)) }})
			}, "is gone again: the guardrail, or somebody else, has taken it out", []string{bucket}, 1},
		}
		for _, test := range tests {
			t.Run(operation+", "+test.name, func(t *testing.T) {
				w := newWorld()
				w.Seed("fn", "")
				w.Seed("fn", policyOf(bucket))
				test.setUp(w)
				_, err := w.restore(t, statement, policyOf(bucket, statement))
				if test.want == "" && err != nil {
					t.Error(err)
				}
				wants(t, err, test.want)
				if got := w.Policy("fn"); got != policyOf(test.holds...) {
					t.Errorf("the policy is %s", got)
				}
				if got := w.counts()[operation]; got != test.writes {
					t.Errorf("%d writes, want %d", got, test.writes)
				}
				if w.Pending() > 0 && test.writes < 5 {
					t.Errorf("%d orders are left", w.Pending())
				}
			})
		}
	}
}

// The same content in other bytes is the same statement, and said to be that.
func TestRestoreThatLambdaWritesOtherwise(t *testing.T) {
	w := newWorld()
	w.Seed("fn", policyOf(bucket))
	otherwise := policyOf(bucket, strings.Replace(everyone, ",", " ,", 1))
	w.Order(lambdatest.Fault{Operation: "GetPolicy", After: 1, Do: func() { w.Seed("fn", otherwise) }})
	write, err := w.restore(t, everyone, policyOf(bucket, everyone))
	if err != nil || write.Exact || w.counts()["AddPermission"] != 1 {
		t.Errorf("the write is %+v, %v", write, err)
	}
}

// Lambda made something else of the arguments than what was taken for granted.
func TestRestoreThatMakesAnotherStatement(t *testing.T) {
	w := newWorld()
	w.Seed("fn", policyOf(bucket))
	w.Order(lambdatest.Fault{Operation: "GetPolicy", After: 1, Do: func() { w.Seed("fn", policyOf(bucket, strings.Replace(everyone, `"*"`, `{"AWS":"*"}`, 1))) }})
	_, err := w.restore(t, everyone, policyOf(bucket, everyone))
	wants(t, err, `has the Sid now, but with another content; take it out again: {"Sid":"everyone"`)
}

func TestRestoreOnWhatIsGone(t *testing.T) {
	gone := fn
	gone.Function = "gone"
	for _, statement := range []string{everyone, written} {
		_, err := newWorld().functions.Restore(t.Context(), lambdaadmin.Removed{Resource: gone, Statement: strings.ReplaceAll(statement, "function:fn", "function:gone")})
		wants(t, err, "ResourceNotFoundException")
	}
}

func TestRestoreInterrupted(t *testing.T) {
	w := newWorld()
	w.Seed("fn", policyOf(bucket))
	ctx, cancel := context.WithCancel(t.Context())
	w.Order(lambdatest.Fault{Operation: "AddPermission", Kind: lambdatest.Conflict, Do: cancel})
	_, err := w.functions.Restore(ctx, lambdaadmin.Removed{Resource: fn, Statement: everyone})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
