package lambdaadmin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/lambdaadmin"
	"lambda-guardrail/internal/lambdatest"
)

const (
	read  = "GetFunctionConfiguration"
	write = "UpdateFunctionConfiguration"
)

// world is the adapter, the real client of the SDK, which sends every call once,
// and the stand-in.
type world struct {
	*lambdatest.Account
	clock     *guardtest.Clock
	functions *lambdaadmin.Functions
}

func newWorld() *world {
	w := &world{Account: lambdatest.New("aws", "eu-west-1", "111122223333"), clock: guardtest.NewClock(time.Unix(0, 0))}
	w.SetEnvironment("fn", before())
	w.connect(w.Account)
	return w
}

func (w *world) connect(transport http.RoundTripper) {
	w.functions = lambdaadmin.New(once(transport), w.clock)
}

// once returns settings by which every call is sent once.
func once(transport http.RoundTripper) aws.Config {
	cfg := awstest.Config("eu-west-1", transport)
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return cfg
}

func before() map[string]string { return map[string]string{"ROLE": "mine", "MODE": "on", "URLS": "on"} }
func after() map[string]string {
	return map[string]string{"ROLE": "mine", "MODE": "off", "URLS": "off"}
}

var set = map[string]string{"MODE": "off", "URLS": "off"}

// counts are how often what was called.
func (w *world) counts() map[string]int {
	all := map[string]int{}
	for _, c := range w.Calls() {
		all[c.Operation]++
	}
	return all
}

func TestSetKeepsTheOtherVariables(t *testing.T) {
	w := newWorld()
	revision := w.Revision("fn")
	was, err := w.functions.Set(t.Context(), "fn", set)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before(), was); diff != "" {
		t.Errorf("was (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(after(), w.Environment("fn")); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{read: 2, write: 1}, w.counts()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, c := range w.Calls() {
		if c.Operation == write && c.RevisionID != revision {
			t.Errorf("written over revision %q, want %q", c.RevisionID, revision)
		}
	}

	w.Forget()
	was, err = w.functions.Set(t.Context(), "fn", set)
	if was != nil || err != nil {
		t.Errorf("once more: was %v, error %v; want nothing to write", was, err)
	}
	if diff := cmp.Diff(map[string]int{read: 1}, w.counts()); diff != "" {
		t.Errorf("calls once more (-want +got):\n%s", diff)
	}
}

func TestSetWaitsUntilTheUpdateHasEnded(t *testing.T) {
	w := newWorld()
	w.UpdateReads = 3
	if _, err := w.functions.Set(t.Context(), "fn", set); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{read: 5, write: 1}, w.counts()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got := w.clock.Slept(); got != 6*time.Second {
		t.Errorf("slept %s", got)
	}
}

// Somebody else's change is neither overwritten nor an error.
func TestSetAfterSomebodyElse(t *testing.T) {
	for name, fault := range map[string]lambdatest.Fault{
		"revision":  {Operation: write},
		"in update": {Operation: write, Kind: lambdatest.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			fault.Do = func() {
				w.SetEnvironment("fn", map[string]string{"ROLE": "mine", "MODE": "on", "URLS": "on", "NEW": "theirs"})
			}
			w.Order(fault)
			if _, err := w.functions.Set(t.Context(), "fn", set); err != nil {
				t.Fatal(err)
			}
			want := after()
			want["NEW"] = "theirs"
			if diff := cmp.Diff(want, w.Environment("fn")); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			if got := w.counts()[write]; got != 2 || w.Pending() != 0 {
				t.Errorf("%d writes, %d orders left", got, w.Pending())
			}
		})
	}
}

// A write is believed when it is read, and not before.
func TestSetReadsBack(t *testing.T) {
	t.Run("answer lost", func(t *testing.T) {
		for _, kind := range []lambdatest.Kind{lambdatest.Drop, lambdatest.ServerError, lambdatest.Garble} {
			w := newWorld()
			w.Order(lambdatest.Fault{Operation: write, Kind: kind, Applied: true})
			was, err := w.functions.Set(t.Context(), "fn", set)
			if err != nil || was["MODE"] != "on" || w.counts()[write] != 1 {
				t.Errorf("kind %d: was %v, error %v, calls %v", kind, was, err, w.counts())
			}
		}
	})
	t.Run("write lost", func(t *testing.T) {
		w := newWorld()
		w.Order(lambdatest.Fault{Operation: write, Kind: lambdatest.Drop})
		if _, err := w.functions.Set(t.Context(), "fn", set); err != nil || w.Environment("fn")["MODE"] != "off" {
			t.Errorf("error %v, environment %v", err, w.Environment("fn"))
		}
	})
	t.Run("undone each time", func(t *testing.T) {
		w := newWorld()
		w.Order(lambdatest.Fault{Operation: read, Times: 100, Do: func() { w.SetEnvironment("fn", before()) }})
		_, err := w.functions.Set(t.Context(), "fn", set)
		wants(t, err, "given up after 5 writes: what is read back is not what was written")
		if got := w.counts()[write]; got != 5 {
			t.Errorf("%d writes", got)
		}
	})
}

func TestSetThatFails(t *testing.T) {
	tests := []struct {
		name   string
		order  lambdatest.Fault
		want   string
		writes int
	}{
		{"the update fails afterwards", lambdatest.Fault{Operation: write, Kind: lambdatest.FailUpdate}, "Lambda took the update and then failed it: InternalError: The update could not be completed.", 1},
		{"writing is denied", lambdatest.Fault{Operation: write, Kind: lambdatest.AccessDenied}, "AccessDeniedException", 1},
		{"reading is denied", lambdatest.Fault{Operation: read, Kind: lambdatest.AccessDenied}, "reading the configuration of fn: ", 0},
		{"reading back is denied", lambdatest.Fault{Operation: read, Kind: lambdatest.AccessDenied, After: 1}, "reading the configuration of fn: ", 1},
		{"always a conflict", lambdatest.Fault{Operation: write, Kind: lambdatest.Conflict, Times: 100}, "given up after 5 writes: updating the environment of fn: somebody else changes the function", 5},
		{"always lost", lambdatest.Fault{Operation: write, Kind: lambdatest.ServerError, Times: 100}, "given up after 5 writes: updating the environment of fn: " + guard.ErrUnknownOutcome.Error(), 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.Order(test.order)
			_, err := w.functions.Set(t.Context(), "fn", set)
			wants(t, err, test.want)
			if got := w.counts()[write]; got != test.writes {
				t.Errorf("%d writes, want %d", got, test.writes)
			}
		})
	}

	t.Run("no such function", func(t *testing.T) {
		_, err := newWorld().functions.Set(t.Context(), "gone", set)
		wants(t, err, "reading the configuration of gone: ")
	})
	t.Run("an update without an end", func(t *testing.T) {
		w := newWorld()
		w.UpdateReads = 1000
		_, err := w.functions.Set(t.Context(), "fn", set)
		wants(t, err, "waiting for the update of fn: it is still in progress after 2m0s")
	})
	t.Run("interrupted", func(t *testing.T) {
		w := newWorld()
		w.UpdateReads = 1000
		ctx, cancel := context.WithCancel(t.Context())
		w.Order(lambdatest.Fault{Operation: read, After: 3, Do: cancel})
		_, err := w.functions.Set(ctx, "fn", set)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// An environment that Lambda does not show would be lost if it were written back.
func TestSetOfWhatIsNotShown(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"undecipherable": {`{"RevisionId":"1","LastUpdateStatus":"Successful","Environment":{"Error":{"ErrorCode":"AccessDeniedException","Message":"no key"}}}`,
			"reading the environment of fn: AccessDeniedException: no key"},
		"no revision": {`{"LastUpdateStatus":"Successful","Environment":{"Variables":{"ROLE":"mine"}}}`,
			"it has no revision to compare"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.connect(transport(func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodGet {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body{strings.NewReader(test.answer)}}, nil
			}))
			_, err := w.functions.Set(t.Context(), "fn", set)
			wants(t, err, test.want)
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type body struct{ *strings.Reader }

func (body) Close() error { return nil }

func wants(t *testing.T, err error, want string) {
	t.Helper()
	if !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("error %v, want %q in it", err, want)
	}
}
