package lambdapolicy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sweep"
)

// listed is every item of every page, with its revision checked.
func (w *world) listed(t *testing.T, versions bool) (names []string, pages int) {
	t.Helper()
	for marker := ""; ; {
		items, next, err := w.policies.Functions(t.Context(), marker, versions)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		names = append(names, w.named(t, items)...)
		if marker = next; marker == "" {
			return names, pages
		}
	}
}

func (w *world) named(t *testing.T, items []sweep.Item) (names []string) {
	t.Helper()
	for _, item := range items {
		if item.Revision == "" || item.Revision != w.Revision(item.Resource.ARN()) {
			t.Errorf("%s is listed at revision %q", item.Resource, item.Revision)
		}
		names = append(names, item.Resource.String())
	}
	return names
}

func TestEveryPolicyIsListedOnce(t *testing.T) {
	w := newWorld()
	var functions, versions []string
	for i := range 60 {
		name := fmt.Sprintf("fn-%02d", i)
		functions = append(functions, name)
		w.Account.Seed(name, "")
		w.Account.Seed(name+":live", "")
		for k := range 2 {
			version := fmt.Sprintf("%s:%d", name, k+1)
			versions = append(versions, version)
			w.Account.Seed(version, "")
		}
	}
	got, pages := w.listed(t, false)
	if diff := cmp.Diff(functions, got); diff != "" || pages != 2 {
		t.Errorf("functions in %d pages (-want +got):\n%s", pages, diff)
	}
	got, pages = w.listed(t, true)
	if diff := cmp.Diff(versions, got); diff != "" || pages != 4 {
		t.Errorf("versions in %d pages (-want +got):\n%s", pages, diff)
	}

	var aliases []string
	for i := range 120 {
		name := fmt.Sprintf("fn:a%03d", i)
		aliases = append(aliases, name)
		w.Account.Seed(name, "")
	}
	w.Account.Seed("fn:1", "")
	items, err := w.policies.Aliases(t.Context(), function)
	if diff := cmp.Diff(aliases, w.named(t, items)); diff != "" || err != nil {
		t.Errorf("aliases: %v (-want +got):\n%s", err, diff)
	}
}

func TestWhatAnErrorOfAListingMeans(t *testing.T) {
	w := newWorld()
	for i := range 51 {
		w.Account.Seed(fmt.Sprintf("fn-%02d", i), "")
	}
	if _, err := w.policies.Aliases(t.Context(), function); !errors.Is(err, guard.ErrNotFound) || !strings.Contains(err.Error(), arn) {
		t.Errorf("aliases of a function that is gone: %v", err)
	}
	_, marker, err := w.policies.Functions(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	w.ExpireMarkers()
	if _, _, err := w.policies.Functions(t.Context(), marker, false); !errors.Is(err, sweep.ErrMarker) {
		t.Errorf("a marker that is refused: %v", err)
	}
	w.Order(lambdatest.Fault{Kind: lambdatest.AccessDenied, Times: 2})
	for _, marker := range []string{"", marker} {
		if _, _, err := w.policies.Functions(t.Context(), marker, false); err == nil || errors.Is(err, sweep.ErrMarker) || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("a refusal: %v", err)
		}
	}
}

// ledger is a Pace that writes everything down.
type ledger struct {
	lines []string
	err   error // of Wait
}

func (l *ledger) Wait(_ context.Context, operation string) error {
	l.lines = append(l.lines, operation)
	return l.err
}

func (l *ledger) Answered(operation string, throttled bool) {
	if throttled {
		operation += " throttled"
	} else {
		operation += " answered"
	}
	l.lines = append(l.lines, operation)
}

func (l *ledger) policies(w *world) *lambdapolicy.Policies {
	return lambdapolicy.New(lambdapolicy.Paced(awstest.Config("eu-west-1", w.Account), l), &w.clock, nil)
}

func TestEachTimeThatACallIsSentKeepsThePace(t *testing.T) {
	w, l := newWorld(), &ledger{}
	w.Seed(function, document(one))
	w.Order(lambdatest.Fault{Kind: lambdatest.Throttle, Times: 2}, lambdatest.Fault{Kind: lambdatest.Drop})
	policies := l.policies(w)
	p, err := policies.Policy(t.Context(), function)
	if err != nil {
		t.Fatal(err)
	}
	// The way by Sid is refused, and there is another.
	w.Order(lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.PublicPolicy})
	if err := policies.Remove(t.Context(), function, p, []int{0}); err != nil {
		t.Fatal(err)
	}
	if _, err := policies.Aliases(t.Context(), function); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GetPolicy", "GetPolicy throttled", "GetPolicy", "GetPolicy throttled", "GetPolicy", "GetPolicy answered", "GetPolicy", "GetPolicy answered",
		"RemovePermission", "RemovePermission answered", "DeleteResourcePolicy", "DeleteResourcePolicy answered", "ListAliases", "ListAliases answered",
	}
	if diff := cmp.Diff(want, l.lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACallThatIsNotItsTurnIsNotSent(t *testing.T) {
	w := newWorld()
	w.Seed(function, document(one))
	p := w.read(t, function)
	l := &ledger{err: context.DeadlineExceeded}
	if _, err := l.policies(w).Policy(t.Context(), function); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
	if err := l.policies(w).Remove(t.Context(), function, p, []int{0}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("removing: %v", err)
	}
	if calls := w.Calls(); len(calls) != 0 {
		t.Errorf("called %v", calls)
	}
}
