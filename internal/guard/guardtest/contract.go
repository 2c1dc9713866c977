package guardtest

import (
	"errors"
	"strings"
	"testing"

	"lambda-guardrail/internal/guard"
)

// World is an implementation of [guard.Policies], with the means to arrange what
// it finds and to look behind it.
type World interface {
	Policies() guard.Policies
	// Seed gives r a policy, verbatim, past the implementation: it moves the
	// revision, as anybody's edit does. It creates r if there is none; with "" r
	// has no policy.
	Seed(r guard.Resource, document string)
	// Document returns the policy that r really has, verbatim; "" if none.
	Document(r guard.Resource) string
	// LoseNextAnswer makes the next write fail without a definite answer, after
	// or without being applied.
	LoseNextAnswer(applied bool)
}

// The statements have white space and an order of members that nobody would
// write again in the same way.
const (
	first  = `{ "Sid":"first", "Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
	second = `{"Effect" : "Allow","Principal":{"AWS":["444455556666"]},"Action":"lambda:*","Resource":"*", "Sid":"second"}`
	third  = `{"Sid":"third","Effect":"Deny","Principal":{"AWS":"*"},"Action":"lambda:InvokeFunction","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`
	noSid  = `{"Effect":"Allow","Principal":"*","Action":"lambda:GetFunction","Resource":"*"}`
	oddSid = `{"Sid":"with space/and ünïcode","Effect":"Allow","Principal":"*","Action":"lambda:GetFunction","Resource":"*"}`
	dotSid = `{"Sid":"..","Effect":"Allow","Principal":"*","Action":"lambda:GetFunction","Resource":"*"}`
	twin   = `{"Sid":"first","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
)

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

var (
	function = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "fn"}
	alias    = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "fn", Qualifier: "live"}
	version  = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "fn", Qualifier: "7"}
	other    = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "other"}
)

// resources are all of a world: after every case each of them is checked.
var resources = []guard.Resource{function, alias, version, other}

// TestPolicies tests what [guard.Policies] promises. newWorld returns a world of
// the account 111122223333 in eu-west-1, with nothing in it.
func TestPolicies(t *testing.T, newWorld func(t *testing.T) World) {
	t.Run("Policy", func(t *testing.T) { testPolicy(t, newWorld) })
	t.Run("Remove", func(t *testing.T) { testRemove(t, newWorld) })
	t.Run("Refused", func(t *testing.T) { testRefused(t, newWorld) })
	t.Run("Changed", func(t *testing.T) { testChanged(t, newWorld) })
	t.Run("LostAnswer", func(t *testing.T) { testLostAnswer(t, newWorld) })
}

func testPolicy(t *testing.T, newWorld func(t *testing.T) World) {
	ugly := "{\n \"Statement\" : " + second + ", \"Version\":\"2008-10-17\" }"
	tests := []struct {
		name string
		seed map[guard.Resource]string
		of   guard.Resource
		want string // "": ErrNotFound
	}{
		{"a missing function", nil, function, ""},
		{"a function without a policy", map[guard.Resource]string{function: ""}, function, ""},
		{"a missing alias of a function with a policy", map[guard.Resource]string{function: document(first)}, alias, ""},
		{"an alias without a policy of a function with one", map[guard.Resource]string{function: document(first), alias: ""}, alias, ""},
		{"a function without a policy with an alias with one", map[guard.Resource]string{function: "", alias: document(first)}, function, ""},
		{"reads back verbatim", map[guard.Resource]string{function: ugly}, function, ugly},
		{"the alias, not the function", map[guard.Resource]string{function: document(first), alias: document(second)}, alias, document(second)},
		{"the version, not the function", map[guard.Resource]string{function: document(first), version: document(third)}, version, document(third)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			for _, r := range resources {
				if d, ok := test.seed[r]; ok {
					w.Seed(r, d)
				}
			}
			got, err := w.Policies().Policy(t.Context(), test.of)
			switch {
			case test.want == "":
				if !errors.Is(err, guard.ErrNotFound) {
					t.Errorf("got %+v, %v, want ErrNotFound", got, err)
				}
			case err != nil || got.Document != test.want:
				t.Errorf("got %q, %v, want %q", got.Document, err, test.want)
			case got.Revision == "":
				t.Error("no revision")
			}
			check(t, w, test.seed)
		})
	}
}

func testRemove(t *testing.T, newWorld func(t *testing.T) World) {
	tests := []struct {
		name       string
		statements []string
		which      []int
		want       string
	}{
		{"the first", []string{first, second, third}, []int{0}, document(second, third)},
		{"one in the middle", []string{first, second, third}, []int{1}, document(first, third)},
		{"the last in the list", []string{first, second, third}, []int{2}, document(first, second)},
		{"several in one write", []string{first, second, third, noSid}, []int{0, 3}, document(second, third)},
		{"several in any order", []string{first, second, third, noSid}, []int{3, 0}, document(second, third)},
		{"one without a Sid", []string{noSid, second}, []int{0}, document(second)},
		{"one of two without a Sid", []string{noSid, second, noSid}, []int{2}, document(noSid, second)},
		{"one with a Sid that RemovePermission cannot name", []string{first, oddSid, second}, []int{1}, document(first, second)},
		{"one with a Sid that is a path", []string{first, dotSid, second}, []int{1}, document(first, second)},
		{"the first of two with the same Sid", []string{first, second, twin}, []int{0}, document(second, twin)},
		{"the second of two with the same Sid", []string{first, second, twin}, []int{2}, document(first, second)},
		{"both with the same Sid", []string{first, second, twin}, []int{0, 2}, document(second)},
		{"the only one", []string{first}, []int{0}, ""},
		{"the only one, without a Sid", []string{noSid}, []int{0}, ""},
		{"all of several", []string{first, noSid, third}, []int{0, 1, 2}, ""},
	}
	for _, of := range []guard.Resource{function, alias, version} {
		for _, test := range tests {
			t.Run(test.name+" of "+of.String(), func(t *testing.T) {
				w := newWorld(t)
				want := seedAll(w)
				w.Seed(of, document(test.statements...))
				p := read(t, w, of)
				if err := w.Policies().Remove(t.Context(), of, p, test.which); err != nil {
					t.Errorf("got %v", err)
				}
				want[of] = test.want
				check(t, w, want)

				after, err := w.Policies().Policy(t.Context(), of)
				if test.want == "" && !errors.Is(err, guard.ErrNotFound) {
					t.Errorf("reading after the last statement: got %+v, %v, want ErrNotFound", after, err)
				}
				if test.want != "" && (err != nil || after.Document != test.want || after.Revision == p.Revision) {
					t.Errorf("reading after the removal: got %+v, %v, want %s at a new revision", after, err, test.want)
				}
			})
		}
	}

	t.Run("from a document that is not a list", func(t *testing.T) {
		w := newWorld(t)
		w.Seed(function, `{"Version":"2012-10-17","Statement":`+noSid+`}`)
		if err := w.Policies().Remove(t.Context(), function, read(t, w, function), []int{0}); err != nil {
			t.Errorf("got %v", err)
		}
		check(t, w, nil)
	})
}

func testRefused(t *testing.T, newWorld func(t *testing.T) World) {
	tests := []struct {
		name   string
		change func(p *guard.Policy)
		which  []int
	}{
		{"without a revision", func(p *guard.Policy) { p.Revision = "" }, []int{0}},
		{"an index past the end", func(*guard.Policy) {}, []int{0, 2}},
		{"a negative index", func(*guard.Policy) {}, []int{-1}},
		{"from a document that cannot be read", func(p *guard.Policy) { p.Document = p.Document[1:] }, []int{0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			want := seedAll(w)
			p := read(t, w, function)
			test.change(&p)
			if err := w.Policies().Remove(t.Context(), function, p, test.which); err == nil || isSentinel(err) {
				t.Errorf("got %v, want an error that is none of the sentinels", err)
			}
			check(t, w, want)
		})
	}
}

func testChanged(t *testing.T, newWorld func(t *testing.T) World) {
	tests := []struct {
		name  string
		now   string
		which []int
		want  []error // any of these
	}{
		{"the same document at another revision", document(first, second), []int{0}, []error{guard.ErrConflict}},
		{"the same document at another revision, several", document(first, second), []int{0, 1}, []error{guard.ErrConflict}},
		{"a neighbour more", document(first, second, third), []int{0}, []error{guard.ErrConflict}},
		{"a neighbour less", document(first), []int{0}, []error{guard.ErrConflict}},
		{"a neighbour less, several", document(first), []int{0, 1}, []error{guard.ErrConflict}},
		// Lambda looks for the Sid before it looks at the revision.
		{"the statement is gone", document(second), []int{0}, []error{guard.ErrConflict, guard.ErrNotFound}},
		{"the policy is gone", "", []int{0}, []error{guard.ErrConflict, guard.ErrNotFound}},
		{"the policy is gone, several", "", []int{0, 1}, []error{guard.ErrConflict, guard.ErrNotFound}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			want := seedAll(w)
			p := read(t, w, function)
			w.Seed(function, test.now)
			err := w.Policies().Remove(t.Context(), function, p, test.which)
			if !isAny(err, test.want) || errors.Is(err, guard.ErrUnknownOutcome) {
				t.Errorf("got %v, want one of %v", err, test.want)
			}
			want[function] = test.now
			check(t, w, want)
		})
	}

	t.Run("there is no such function", func(t *testing.T) {
		w := newWorld(t)
		p := guard.Policy{Document: document(first, noSid), Revision: "some"}
		for _, which := range [][]int{{0}, {1}, {0, 1}} {
			if err := w.Policies().Remove(t.Context(), function, p, which); !errors.Is(err, guard.ErrNotFound) {
				t.Errorf("removing %v: got %v, want ErrNotFound", which, err)
			}
		}
		check(t, w, nil)
	})
	t.Run("a revision of another resource", func(t *testing.T) {
		w := newWorld(t)
		want := seedAll(w)
		p := read(t, w, alias)
		if err := w.Policies().Remove(t.Context(), function, p, []int{0}); !errors.Is(err, guard.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
		check(t, w, want)
	})
}

func testLostAnswer(t *testing.T, newWorld func(t *testing.T) World) {
	writes := []struct {
		name  string
		which []int
		left  string
	}{
		{"one", []int{0}, document(second, noSid)},
		{"one without a Sid", []int{2}, document(first, second)},
		{"all", []int{0, 1, 2}, ""},
	}
	for _, write := range writes {
		for _, applied := range []bool{true, false} {
			name := write.name + ", not applied"
			if applied {
				name = write.name + ", applied"
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				want := seedAll(w)
				w.Seed(function, document(first, second, noSid))
				p := read(t, w, function)
				w.LoseNextAnswer(applied)
				if err := w.Policies().Remove(t.Context(), function, p, write.which); !errors.Is(err, guard.ErrUnknownOutcome) {
					t.Errorf("got %v, want ErrUnknownOutcome", err)
				}
				want[function] = document(first, second, noSid)
				if applied {
					want[function] = write.left
				}
				check(t, w, want)

				// The loss is over, and the revision tells the two apart.
				err := w.Policies().Remove(t.Context(), function, p, write.which)
				if applied && !isAny(err, []error{guard.ErrConflict, guard.ErrNotFound}) {
					t.Errorf("the same write once more: got %v, want ErrConflict or ErrNotFound", err)
				}
				if !applied && err != nil {
					t.Errorf("the same write once more: got %v", err)
				}
				want[function] = write.left
				check(t, w, want)
			})
		}
	}
}

// seedAll gives every resource of the world a policy of two statements.
func seedAll(w World) map[guard.Resource]string {
	all := map[guard.Resource]string{}
	for _, r := range resources {
		all[r] = document(first, second)
		w.Seed(r, all[r])
	}
	return all
}

func read(t *testing.T, w World, r guard.Resource) guard.Policy {
	t.Helper()
	p, err := w.Policies().Policy(t.Context(), r)
	if err != nil {
		t.Fatalf("reading the policy of %s: %v", r, err)
	}
	return p
}

// check compares the whole world, not only what the case was about.
func check(t *testing.T, w World, want map[guard.Resource]string) {
	t.Helper()
	for _, r := range resources {
		if got := w.Document(r); got != want[r] {
			t.Errorf("the policy of %s is\n %q, want\n %q", r, got, want[r])
		}
	}
}

func isSentinel(err error) bool {
	return isAny(err, []error{guard.ErrNotFound, guard.ErrConflict, guard.ErrUnknownOutcome})
}

func isAny(err error, sentinels []error) bool {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}
