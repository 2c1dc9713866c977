package lambdapolicy_test

import (
	"errors"
	"slices"
	"testing"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdatest"
)

func TestRole(t *testing.T) {
	w := newWorld()
	w.Touch(alias.ARN())
	for _, r := range []guard.Resource{function, alias} {
		role, err := w.policies.Role(t.Context(), r)
		if err != nil || role != "arn:aws:iam::111122223333:role/fn" {
			t.Errorf("%s: %q, %v", r, role, err)
		}
	}
	if got := w.operations(); !slices.Equal(got, []string{"GetFunctionConfiguration", "GetFunctionConfiguration :live"}) {
		t.Errorf("called %q", got)
	}
}

func TestURL(t *testing.T) {
	w := newWorld()
	w.SetURL(alias.ARN(), "NONE")
	authType, address, err := w.policies.URL(t.Context(), alias)
	if err != nil || authType != "NONE" || address != "https://fnlive.lambda-url.eu-west-1.on.aws/" {
		t.Errorf("%q, %q, %v", authType, address, err)
	}
	if _, _, err = w.policies.URL(t.Context(), function); !errors.Is(err, guard.ErrNotFound) {
		t.Errorf("without a URL: %v", err)
	}
}

func TestAQuestionThatAFindingCanDoWithoutIsAskedTwiceAtTheMost(t *testing.T) {
	w := newWorld()
	w.Touch(function.ARN())
	w.Order(lambdatest.Fault{Kind: lambdatest.Throttle, Times: 100})
	if _, err := w.policies.Role(t.Context(), function); err == nil {
		t.Error("no error")
	}
	if _, _, err := w.policies.URL(t.Context(), function); err == nil || errors.Is(err, guard.ErrNotFound) {
		t.Errorf("a throttled question says %v", err)
	}
	if n := len(w.Calls()); n != 4 {
		t.Errorf("%d calls", n)
	}
}
