// Package lambdatest stands in for the policy part of the Lambda API over HTTP,
// with the semantics, the texts and the quotas of AWS, and with faults to order.
// It knows neither the AWS SDK, nor signatures and permissions, nor what any
// policy means.
package lambdatest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Account is the Lambda service of one account in one region. It is an
// [http.Handler] for a server, and an [http.RoundTripper] for a client in the
// same process. Its methods may be called from anywhere at any time; its
// optional fields are to be set before the first call.
//
// Methods name a function, version or alias as Lambda does: name,
// name:qualifier, account:function:name, or ARN.
type Account struct {
	// PerSecond is the rate, and the burst, above which calls are throttled:
	// GetPolicy by itself, all other operations together. AWS allows 15 of
	// each; 0 is no limit.
	PerSecond float64
	// Now is the clock of the throttle; nil is time.Now.
	Now func() time.Time
	// Sleep waits out the delay of a fault; nil waits in real time.
	Sleep func(context.Context, time.Duration) error
	// Chaos is asked how a call shall go for which no fault is in order. It may
	// call the account's methods.
	Chaos func(Call) Fault
	// Hear, if set, is told of each call that reached its operation, before it is
	// answered. It may call the account's methods.
	Hear func(Heard)
	// UpdateReads is how many reads of a configuration say that its update is in
	// progress, during which there cannot be another.
	UpdateReads int
	// CountOnly keeps no calls, only their number: for accounts so large that
	// what comes in would not fit.
	CountOnly bool

	partition, region, id string
	mux                   *http.ServeMux

	mu        sync.Mutex
	functions map[string]resources // by name
	names     []string             // of functions, in order
	revisions int
	markers   int // generation of those that are accepted
	buckets   map[string]*bucket
	orders    []Fault
	calls     []*Call
	counts    map[string]int // calls, by operation
}

// resources are a function and its versions and aliases, by qualifier; "" is
// the function itself.
type resources map[string]*resource

// resource is what has a policy of its own: a function, version or alias.
type resource struct {
	current, previous state
	version           string // that an alias points to
	urlAuthType       string // "" if it has no function URL

	description, role string
	tags              map[string]string
	concurrency       *int // reserved; nil if none is

	environment  map[string]string
	updating     int // reads until the update of the configuration has ended
	updateFailed bool
}

// state is what GetPolicy answers. The revision is not that of the policy but of
// the resource, and moves with any change of it.
type state struct {
	policy   string // verbatim; "" if there is none
	revision string
}

// New returns an account without functions, for example of "aws", "eu-west-1",
// "111122223333".
func New(partition, region, account string) *Account {
	a := &Account{
		partition: partition, region: region, id: account,
		functions: map[string]resources{},
		buckets:   map[string]*bucket{},
		counts:    map[string]int{},
	}
	a.mux = a.newMux()
	return a
}

// Seed gives a resource a policy, verbatim and unchecked, and moves its
// revision. It creates what does not exist; "" takes the policy away.
func (a *Account) Seed(name, policy string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.change(a.create(parse(name)), policy)
}

// Touch moves the revision of a resource, as a change of its configuration does.
// It creates what does not exist.
func (a *Account) Touch(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.create(parse(name))
	a.change(r, r.current.policy)
}

// Delete deletes a version or an alias, or a function with all that belongs to it.
func (a *Account) Delete(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deleteFunction(parse(name), nil)
}

// SetURL gives a resource a function URL, with auth type NONE or AWS_IAM; "" takes
// it away. It creates what does not exist.
func (a *Account) SetURL(name, authType string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.create(parse(name)).urlAuthType = authType
}

// Policy returns the policy of a resource as it really is, verbatim; "" if there
// is none.
func (a *Account) Policy(name string) string { return a.stateOf(name).policy }

// Revision returns the revision of a resource as it really is; "" if it does not
// exist.
func (a *Account) Revision(name string) string { return a.stateOf(name).revision }

// Policies returns every policy of the account, by ARN.
func (a *Account) Policies() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]string{}
	for name, rs := range a.functions {
		for qualifier, r := range rs {
			if r.current.policy != "" {
				all[a.arn(target{name, qualifier})] = r.current.policy
			}
		}
	}
	return all
}

func (a *Account) stateOf(name string) state {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.find(parse(name)); r != nil {
		return r.current
	}
	return state{}
}

// target names a resource of the account.
type target struct{ function, qualifier string }

// latest is the qualifier of the function itself.
const latest = "$LATEST"

// parse reads a name that a caller of a method gave.
func parse(name string) target {
	m := functionName.FindStringSubmatch(name)
	if m == nil {
		panic(fmt.Sprintf("lambdatest: %q does not name a function", name))
	}
	return target{function: m[2], qualifier: strings.TrimPrefix(m[3], latest)}
}

func (a *Account) arn(t target) string {
	arn := fmt.Sprintf("arn:%s:lambda:%s:%s:function:%s", a.partition, a.region, a.id, t.function)
	if t.qualifier != "" {
		arn += ":" + t.qualifier
	}
	return arn
}

// find returns nil if there is no such resource.
func (a *Account) find(t target) *resource {
	if t.qualifier == latest {
		t.qualifier = ""
	}
	return a.functions[t.function][t.qualifier]
}

func (a *Account) create(t target) *resource {
	if a.functions[t.function] == nil {
		a.functions[t.function] = resources{"": a.newResource()}
		i, _ := slices.BinarySearch(a.names, t.function)
		a.names = slices.Insert(a.names, i, t.function)
	}
	rs := a.functions[t.function]
	if rs[t.qualifier] == nil {
		rs[t.qualifier] = a.newResource()
	}
	return rs[t.qualifier]
}

func (a *Account) newResource() *resource {
	r := &resource{version: latest}
	a.change(r, "")
	return r
}

// change is the one way in which anything about a resource changes.
func (a *Account) change(r *resource, policy string) {
	a.revisions++
	r.previous = r.current
	r.current = state{policy, fmt.Sprintf("00000000-0000-4000-8000-%012d", a.revisions)}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
