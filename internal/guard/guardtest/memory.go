// Package guardtest holds the contract of guard.Policies as a test, and stand-ins
// for everything that a Guard holds: policies with faults, a clock, a sink and an
// evidence book. It knows neither HTTP nor the AWS SDK, and decides nothing.
package guardtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
)

// Memory is a [guard.Policies] with the semantics of AWS: every resource has a
// policy of its own, every change a new revision, and a policy without statements
// does not exist.
type Memory struct {
	mu       sync.Mutex
	versions map[guard.Resource][]guard.Policy // oldest first; no document is no policy
	revision int
	faults   map[Operation][]Fault
	calls    []Call
}

// Operation names a method of [guard.Policies].
type Operation string

const (
	Policy Operation = "Policy"
	Remove Operation = "Remove"
)

// Fault orders how one call goes. The zero value lets it go well. Faults of a
// write come in pairs: an Err that is Applied, and one that is not.
type Fault struct {
	Before, After func() // what somebody else does just then; may call the Memory's methods
	Err           error  // the answer, whatever happens
	Applied       bool   // a Remove with an Err happens all the same
	Stale         int    // a Policy answers as so many changes ago
	Loses         bool   // a Remove that happens takes the first neighbour with it
}

// Call is one call as it was made, and what it did.
type Call struct {
	Operation Operation
	Resource  guard.Resource
	Policy    guard.Policy // as passed to Remove
	Which     []int
	Applied   bool
}

// Order makes the next calls of an operation meet the faults, one each.
func (m *Memory) Order(on Operation, faults ...Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.faults == nil {
		m.faults = map[Operation][]Fault{}
	}
	m.faults[on] = append(m.faults[on], faults...)
}

// Pending returns how many faults no call has met: a test that ends with some has
// not tested what it meant to.
func (m *Memory) Pending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.faults[Policy]) + len(m.faults[Remove])
}

// Discard forgets the faults that no call has met.
func (m *Memory) Discard() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
}

// Calls returns the calls made so far.
func (m *Memory) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Call(nil), m.calls...)
}

// Put replaces the policy of r, as somebody else would. An empty document takes
// it away.
func (m *Memory) Put(r guard.Resource, document string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(r, document)
}

// Touch moves the revision and nothing else, as an update of the function does.
func (m *Memory) Touch(r guard.Resource) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(r, m.at(r, 0).Document)
}

// Document returns the policy of r, "" if there is none.
func (m *Memory) Document(r guard.Resource) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at(r, 0).Document
}

// Policy implements [guard.Policies].
func (m *Memory) Policy(ctx context.Context, r guard.Resource) (guard.Policy, error) {
	f := m.fault(Policy)
	f.before()
	defer f.after()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, Call{Operation: Policy, Resource: r})
	if err := errors.Join(ctx.Err(), f.Err); err != nil {
		return guard.Policy{}, err
	}
	p := m.at(r, f.Stale)
	if p.Document == "" {
		return guard.Policy{}, fmt.Errorf("the policy of %s: %w", r, guard.ErrNotFound)
	}
	return p, nil
}

// Remove implements [guard.Policies].
func (m *Memory) Remove(ctx context.Context, r guard.Resource, p guard.Policy, which []int) error {
	f := m.fault(Remove)
	f.before()
	defer f.after()
	m.mu.Lock()
	defer m.mu.Unlock()
	call := Call{Operation: Remove, Resource: r, Policy: p, Which: which}
	defer func() { m.calls = append(m.calls, call) }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.Err != nil && !f.Applied {
		return f.Err
	}
	rest, err := m.without(r, p, which, f)
	if err != nil {
		return err
	}
	m.put(r, rest)
	call.Applied = true
	return f.Err
}

func (m *Memory) without(r guard.Resource, p guard.Policy, which []int, f Fault) (string, error) {
	live := m.at(r, 0)
	switch {
	case p.Revision == "":
		return "", errors.New("a removal without a revision")
	case live.Document == "":
		return "", fmt.Errorf("the policy of %s: %w", r, guard.ErrNotFound)
	case live.Revision != p.Revision:
		return "", fmt.Errorf("the policy of %s: %w", r, guard.ErrConflict)
	case live.Document != p.Document:
		return "", errors.New("a removal from another document than was read")
	}
	d, err := iampolicy.Parse(live.Document)
	if err != nil {
		return "", err
	}
	drop := map[int]bool{}
	for _, i := range which {
		if i < 0 || i >= len(d.Statements) {
			return "", fmt.Errorf("there is no statement %d in a policy of %d", i, len(d.Statements))
		}
		drop[i] = true
	}
	for i := range d.Statements {
		if f.Loses && !drop[i] {
			which = append(which[:len(which):len(which)], i)
			break
		}
	}
	rest, left := d.Without(which)
	if left == 0 {
		return "", nil
	}
	return rest, nil
}

// put and at are called with the lock held.
func (m *Memory) put(r guard.Resource, document string) {
	if m.versions == nil {
		m.versions = map[guard.Resource][]guard.Policy{}
	}
	m.revision++
	m.versions[r] = append(m.versions[r], guard.Policy{Document: document, Revision: "revision-" + strconv.Itoa(m.revision)})
}

func (m *Memory) at(r guard.Resource, ago int) guard.Policy {
	versions := m.versions[r]
	if len(versions) <= ago {
		return guard.Policy{}
	}
	return versions[len(versions)-1-ago]
}

func (m *Memory) fault(on Operation) Fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.faults[on]
	if len(queue) == 0 {
		return Fault{}
	}
	m.faults[on] = queue[1:]
	return queue[0]
}

func (f Fault) before() {
	if f.Before != nil {
		f.Before()
	}
}

func (f Fault) after() {
	if f.After != nil {
		f.After()
	}
}
