package guardtest_test

import (
	"errors"
	"testing"
	"time"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

type memoryWorld struct{ *guardtest.Memory }

func (w memoryWorld) Policies() guard.Policies { return w.Memory }

func (w memoryWorld) Seed(r guard.Resource, document string) { w.Put(r, document) }

func (w memoryWorld) LoseNextAnswer(applied bool) {
	w.Order(guardtest.Remove, guardtest.Fault{Err: guard.ErrUnknownOutcome, Applied: applied})
}

func TestMemoryKeepsTheContract(t *testing.T) {
	guardtest.TestPolicies(t, func(*testing.T) guardtest.World { return memoryWorld{&guardtest.Memory{}} })
}

var (
	fn         = guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: "fn"}
	two        = `{"Statement":[{"Sid":"a"},{"Sid":"b"}]}`
	errRefused = errors.New("refused")
)

func TestFaults(t *testing.T) {
	tests := []struct {
		name  string
		on    guardtest.Operation
		fault func(m *guardtest.Memory) guardtest.Fault
		err   error
		read  string // what Policy answers
		left  string // what is there after Remove of the first statement
	}{
		{name: "none", fault: func(*guardtest.Memory) guardtest.Fault { return guardtest.Fault{} },
			read: two, left: `{"Statement":[{"Sid":"b"}]}`},
		{name: "a stale reading has a stale revision", on: guardtest.Policy,
			fault: func(m *guardtest.Memory) guardtest.Fault { return guardtest.Fault{Stale: 1} },
			err:   guard.ErrConflict, read: `{"Statement":[{"Sid":"old"}]}`, left: two},
		{name: "failed, not applied", on: guardtest.Remove,
			fault: func(*guardtest.Memory) guardtest.Fault { return guardtest.Fault{Err: errRefused} },
			err:   errRefused, read: two, left: two},
		{name: "failed, applied", on: guardtest.Remove,
			fault: func(*guardtest.Memory) guardtest.Fault { return guardtest.Fault{Err: errRefused, Applied: true} },
			err:   errRefused, read: two, left: `{"Statement":[{"Sid":"b"}]}`},
		{name: "a neighbour is lost", on: guardtest.Remove,
			fault: func(*guardtest.Memory) guardtest.Fault { return guardtest.Fault{Loses: true} },
			read:  two, left: ""},
		{name: "somebody is faster", on: guardtest.Remove,
			fault: func(m *guardtest.Memory) guardtest.Fault {
				return guardtest.Fault{Before: func() { m.Touch(fn) }}
			},
			err: guard.ErrConflict, read: two, left: two},
		{name: "somebody is next", on: guardtest.Remove,
			fault: func(m *guardtest.Memory) guardtest.Fault {
				return guardtest.Fault{After: func() { m.Put(fn, two) }}
			},
			read: two, left: two},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &guardtest.Memory{}
			m.Put(fn, `{"Statement":[{"Sid":"old"}]}`)
			m.Put(fn, two)
			m.Order(tt.on, tt.fault(m))
			p, err := m.Policy(t.Context(), fn)
			if err != nil || p.Document != tt.read {
				t.Fatalf("Policy = %+v, %v", p, err)
			}
			if err := m.Remove(t.Context(), fn, p, []int{0}); !errors.Is(err, tt.err) {
				t.Errorf("Remove: %v, want %v", err, tt.err)
			}
			if got := m.Document(fn); got != tt.left {
				t.Errorf("left %q, want %q", got, tt.left)
			}
			if got := len(m.Calls()); got != 2 {
				t.Errorf("%d calls", got)
			}
		})
	}
}

func TestMemoryRefusesWhatAWSCannotKnow(t *testing.T) {
	m := &guardtest.Memory{}
	m.Put(fn, two)
	p, err := m.Policy(t.Context(), fn)
	if err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]guard.Policy{
		"no revision":      {Document: p.Document},
		"another document": {Document: `{"Statement":[]}`, Revision: p.Revision},
	} {
		if err := m.Remove(t.Context(), fn, wrong, []int{0}); err == nil {
			t.Errorf("%s: removed", name)
		}
	}
	if got := m.Document(fn); got != two {
		t.Errorf("left %q", got)
	}
}

func TestClockPassesTheTimeByItself(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c := guardtest.NewClock(start)
	if err := c.Sleep(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := c.Now().Sub(start); got != time.Minute || c.Slept() != time.Minute {
		t.Errorf("%s passed, %s slept", got, c.Slept())
	}
}
