package exposure_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
)

// mostWork is the part of its bound that judging may take: what is begun when the
// bound is reached is not torn in the middle.
const mostWork = 2

// largest is the length of a policy that Lambda takes.
const largest = 20_480

func FuzzJudge(f *testing.F) {
	for _, file := range policyFiles(f) {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, policy string) {
		if len(policy) > largest {
			return
		}
		d, err := iampolicy.Parse(policy)
		if err != nil {
			return
		}
		if work := exposure.Work(d, target, now); work > mostWork {
			t.Fatalf("%.1f times the work that there may be\n%s", work, policy)
		}
		verdicts := exposure.Judge(d, target, exposure.Trust{}, now)
		if len(verdicts) != len(d.Statements) {
			t.Fatalf("%d verdicts on %d statements", len(verdicts), len(d.Statements))
		}
		_ = asJSON(t, verdicts)
		exposure.Judge(d, exposure.Target{}, exposure.Trust{}, now) // nothing known of the resource

		doc, err := decode(policy)
		if err != nil {
			return // JSON that encoding/json reads otherwise
		}
		n := namesIn(doc)
		if hasDuplicateNames(policy) || slices.Contains(n.services, "") {
			return
		}
		for _, v := range verdicts {
			for _, w := range v.Strangers {
				got, err := evaluate(doc, callOf(w, n, target))
				if errors.Is(err, errUnreadable) {
					continue
				}
				if got != allowed {
					t.Fatalf("the policy does not allow the witness (%v)\n%s\n%s", got, w.Sentence(), policy)
				}
			}
		}
		if err := strangersTry(t, policy, target, verdicts, 20, uint64(len(policy))); err != nil && !errors.Is(err, errUnreadable) {
			t.Fatalf("%v\n%s", err, policy)
		}
	})
}

// What most policies are takes next to nothing of the work that there may be.
func TestTypicalStatementsTakeLittleWork(t *testing.T) {
	for _, text := range append(typicalDocuments(), document(open(""), open(`"StringLike":{"aws:UserAgent":"a*"}`), open(`"StringEquals":{"aws:UserAgent":"ab"}`, `"Effect":"Deny"`))) {
		if part := exposure.Work(parse(t, text), target, now); part < 0 || part > 0.001 {
			t.Errorf("%g of the work that there may be: %s", part, text)
		}
	}
}

// A policy of the largest size must not take longer, however it is made: a guard
// that times out on it would leave it in place.
func TestWorkIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	for name, policy := range expensive() {
		t.Run(name, func(t *testing.T) {
			if len(policy) > largest {
				t.Fatalf("%d bytes: no such policy", len(policy))
			}
			d := parse(t, policy)
			for _, on := range []exposure.Target{target, {}} {
				verdicts := exposure.Judge(d, on, exposure.Trust{}, now)
				work := exposure.Work(d, on, now)
				t.Logf("%.2f of the work that there may be: %v", work, exposure.Worst(verdicts))
				if work > mostWork {
					t.Errorf("%.1f times the work that there may be, for %d bytes", work, len(policy))
				}
				if on.Function != "" {
					checkStrangers(t, policy, on, verdicts, 20, 1)
				}
			}
		})
	}
}

// Denies that a caller has many ways round are no work, since one way is as good as
// another.
func TestManyWaysAreAsGoodAsOne(t *testing.T) {
	const letters = `["a","b","c","d","e","f"]`
	statements := []string{open("")}
	for i := range 8 {
		statements = append(statements, open(fmt.Sprintf(`"StringEquals":{"aws:PrincipalTag/%d":%s},"StringNotEquals":{"aws:PrincipalTag/%d":%s}`, i, letters, (i+1)%8, letters), `"Effect":"Deny"`))
	}
	lock := open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`)
	for policy, want := range map[string]exposure.Level{
		document(statements...):               exposure.Public,
		document(append(statements, lock)...): exposure.External,
	} {
		if got := exposure.Worst(exposure.Judge(parse(t, policy), target, exposure.Trust{}, now)); got != want {
			t.Errorf("judged %v, want %v\n%s", got, want, policy)
		}
	}
}

// What is expensive hides no open statement beside it, whichever comes first.
func TestAnExpensiveStatementHidesNoOther(t *testing.T) {
	statements := []string{
		open(`"ArnLike":{"aws:PrincipalArn":["arn:aws:iam::111122223333:role/app","*","arn:aws:iam::444455556666:*"]}`),
		open("", `"Action":"lambda:Invoke*"`),
		open(`"StringNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/app","arn:aws:iam::44445555666?:role/app","arn:aws:iam::*:user/${aws:username}"]},"Null":{"aws:TagKeys":"false"}`, `"Effect":"Deny"`),
	}
	for range 2 {
		policy := strings.Replace(document(statements...), "2012-10-17", "2008-10-17", 1)
		if got := exposure.Worst(exposure.Judge(parse(t, policy), target, exposure.Trust{}, now)); got != exposure.Public {
			t.Errorf("judged %v\n%s", got, policy)
		}
		slices.Reverse(statements)
	}
}

// To list the versions that the patterns of these tell apart takes half of the work.
func TestTheListOfVersionsHidesNoStatement(t *testing.T) {
	const function = "arn:aws:lambda:us-east-1:111122223333:function:f"
	statements := []string{
		`{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + function + `"}`,
		`{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:*:111122223333:function:f*","Condition":{"StringEquals":{"aws:TagKeys":[]}}}`,
		`{"Effect":"Deny","Principal":{"Service":"sns.amazonaws.com"},"Action":"lambda:InvokeFunctionUrl","Resource":["` + function + `","` + function + `:v*"]}`,
		`{"Effect":"Deny","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","NotResource":["` + function + `:live","` + function + `:4711"]}`,
	}
	for range 2 {
		policy := document(statements...)
		if got := exposure.Worst(exposure.Judge(parse(t, policy), target, exposure.Trust{}, now)); got != exposure.Public {
			t.Errorf("judged %v\n%s", got, policy)
		}
		slices.Reverse(statements)
	}
}

// Where the versions of a function are too many to try, one that was not tried may
// be the one that is open.
func TestAVersionThatWasNotTriedMayBeOpen(t *testing.T) {
	verdicts := exposure.Judge(parse(t, expensive()["long patterns of a qualifier"]), target, exposure.Trust{}, now)
	if got := exposure.Worst(verdicts); got != exposure.Undetermined {
		t.Errorf("judged %v", got)
	}
	if !slices.ContainsFunc(verdicts[0].Reasons, func(r exposure.Reason) bool {
		return r.Code == exposure.GaveUp && r.Path() == "$.Statement[0].Resource"
	}) {
		t.Errorf("without the reason: %s", asJSON(t, verdicts[0].Reasons))
	}
}
