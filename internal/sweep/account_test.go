package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sweep"
)

// Statements that are public, in each way that is removed in its own way. ARN is
// replaced.
var publicForms = []string{
	`{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN"}`,
	`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"lambda:*","Resource":"ARN"}`,
	`{"Sid":"with a space","Effect":"Allow","Principal":{"AWS":["*"]},"Action":["lambda:GetFunction"],"Resource":"ARN"}`,
	`{"Sid":"org","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN","Condition":{"StringLike":{"aws:PrincipalOrgID":"o-*"}}}`,
	`{"Sid":"anywhere","Effect":"Allow","Principal":"*","Action":"lambda:invoke*","Resource":"ARN","Condition":{"IpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}}}`,
	`{"Sid":"vacuous","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN","Condition":{"ForAllValues:StringEquals":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/*"}}}`,
	`{"Sid":"FunctionURLAllowPublicAccess","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"ARN","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`,
	`{"Sid":"FunctionURLInvokeAllowPublicAccess","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`,
	`{"Sid":"s3","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN"}`, // the Sid of a neighbour
}

// Statements that let in nobody.
var closedForms = []string{
	`{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"ARN","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::uploads"}}}`,
	`{"Sid":"own","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"lambda:InvokeFunction","Resource":"ARN"}`,
	`{"Sid":"members","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`,
}

func policyOf(arn string, statements ...string) string {
	if len(statements) == 0 {
		return ""
	}
	return strings.ReplaceAll(`{"Version":"2012-10-17","Id":"default","Statement":[`+strings.Join(statements, ",")+`]}`, "ARN", arn)
}

// simulation is an account, and what sweeps it, on a virtual clock.
type simulation struct {
	*lambdatest.Account
	clock    *guardtest.Clock
	found    *found
	store    *memory
	settings guard.Settings
	share    int // percent
	random   *rand.Rand

	names  []string          // of all that can have a policy
	want   map[string]string // by ARN: policies that a sweep has to change, as they must be then
	faults float64           // of all calls
	kill   int               // the call that is the last; 0 is none

	mu    sync.Mutex
	calls int
}

// size is that of an account.
type size struct {
	functions, aliases, versions int
	public                       float64 // of all policies
}

func (z size) resources() int { return z.functions * (1 + z.aliases + z.versions) }

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newSimulation(z size, seed uint64) *simulation {
	s := &simulation{
		Account:  lambdatest.New("aws", "eu-west-1", "111122223333"),
		clock:    guardtest.NewClock(start),
		found:    &found{ids: map[string]bool{}},
		store:    &memory{objects: map[string][]byte{}},
		settings: guard.Settings{Mode: guard.Enforce, FunctionURLs: guard.Enforce, Trust: exposure.Trust{Orgs: []string{"o-a1b2c3d4e5"}}},
		share:    33,
		random:   rand.New(rand.NewPCG(seed, seed)),
		want:     map[string]string{},
	}
	s.PerSecond, s.Now, s.Sleep, s.Chaos = sweep.Quota, s.clock.Now, s.clock.Sleep, s.chaos
	for i := range z.functions {
		function := fmt.Sprintf("fn-%05d", i)
		s.seed(function)
		for k := range z.versions {
			s.seed(function + ":" + strconv.Itoa(k+1))
		}
		for k := range z.aliases {
			s.seed(function + ":" + []string{"live", "beta", "canary"}[k%3])
		}
	}
	for range int(float64(len(s.names))*z.public + 0.5) {
		s.open(s.names[s.random.IntN(len(s.names))])
	}
	return s
}

func arnOf(name string) string { return "arn:aws:lambda:eu-west-1:111122223333:function:" + name }

// seed creates a resource that may have a policy, and lets in nobody.
func (s *simulation) seed(name string) {
	s.names = append(s.names, name)
	var statements []string
	for range max(0, s.random.IntN(4)-1) {
		statements = append(statements, closedForms[s.random.IntN(len(closedForms))])
	}
	slices.Sort(statements)
	s.Seed(name, policyOf(arnOf(name), slices.Compact(statements)...))
}

// open gives a resource one or two public statements among others.
func (s *simulation) open(name string) {
	var closed []string
	for range s.random.IntN(3) {
		closed = append(closed, closedForms[s.random.IntN(len(closedForms))])
	}
	slices.Sort(closed)
	closed = slices.Compact(closed)
	open := []string{publicForms[s.random.IntN(len(publicForms))]}
	if second := publicForms[s.random.IntN(len(publicForms))]; second != open[0] {
		open = append(open, second)
	}
	arn := arnOf(name)
	s.Seed(name, policyOf(arn, slices.Insert(slices.Clone(closed), s.random.IntN(len(closed)+1), open...)...))
	s.want[arn] = policyOf(arn, closed...)
}

// errKilled is the panic that ends a sweep as the end of its sandbox does.
var errKilled = errors.New("killed")

// chaos is throttles, server errors and lost answers, as many of each.
func (s *simulation) chaos(lambdatest.Call) lambdatest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.calls == s.kill {
		panic(errKilled)
	}
	if s.random.Float64() >= s.faults {
		return lambdatest.Fault{}
	}
	return []lambdatest.Fault{
		{Kind: lambdatest.Throttle},
		{Kind: lambdatest.ServerError}, {Kind: lambdatest.ServerError, Applied: true},
		{Kind: lambdatest.Drop}, {Kind: lambdatest.Drop, Applied: true},
	}[s.random.IntN(5)]
}

// sweep is new in every invocation: nothing is kept in the process.
func (s *simulation) sweep() *sweep.Sweep {
	pace := sweep.NewPace(s.clock, s.share)
	policies := lambdapolicy.New(lambdapolicy.Paced(awstest.Config("eu-west-1", s.Account), pace), s.clock, nil)
	parts := sweep.Parts{
		Inventory: policies, Clock: s.clock, Pace: pace, Settings: s.settings, MaxReverts: 1_000_000,
		Inspector: guard.New(policies, policies, []guard.Sink{s.found}, s.found, s.clock, s.settings),
	}
	if s.store != nil {
		parts.Seen = s.store
	}
	return sweep.New(parts)
}

// invocation is how long a part of a run works.
const invocation = 13 * time.Minute

// part is one invocation. Its third result is whether it was killed.
func (s *simulation) part(ctx context.Context, run sweep.Run) (r sweep.Result, err error, dead bool) {
	defer func() {
		if p := recover(); p == errKilled {
			dead = true
		} else if p != nil {
			panic(p)
		}
	}()
	run.Until = s.clock.Now().Add(invocation)
	r, err = s.sweep().Run(ctx, run)
	return r, err, false
}

// run invokes until the run is done, and again with the same token after an error
// or a kill. Killings are the calls, counted from the last kill, that are not
// answered.
func (s *simulation) run(ctx context.Context, kind sweep.Kind, killings ...int) (sweep.Result, error) {
	token := ""
	var notes []string
	for failures := 0; ; {
		s.calls, s.kill = 0, 0
		if len(killings) > 0 {
			s.kill, killings = killings[0], killings[1:]
		}
		r, err, dead := s.part(ctx, sweep.Run{Kind: kind, Token: token})
		notes = append(notes, r.Notes...)
		switch {
		case dead:
			continue
		case err != nil:
			if failures++; failures == 5 {
				return r, err
			}
			continue
		case r.Done:
			r.Notes = notes
			return r, nil
		}
		token = r.Token
	}
}

// found keeps as little as it can of what it is told of: accounts are large.
type found struct {
	mu     sync.Mutex
	ids    map[string]bool // of what was reported, or written down before its removal
	errors []string
	refuse error // of every Report
}

// Name implements [guard.Sink].
func (*found) Name() string { return "found" }

// Report implements [guard.Sink].
func (f *found) Report(ctx context.Context, finding guard.Finding) error {
	if f.refuse != nil {
		return f.refuse
	}
	return f.Record(ctx, []guard.Finding{finding})
}

// Record implements [guard.Evidence].
func (f *found) Record(_ context.Context, fs []guard.Finding) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, finding := range fs {
		f.ids[finding.ID] = true
		if finding.Error != "" {
			f.errors = append(f.errors, finding.Error)
		}
	}
	return nil
}

// memory is a Seen.
type memory struct {
	objects map[string][]byte
	err     error // of every Store
}

func (m *memory) Load(_ context.Context, name string) ([]byte, error) {
	if object, ok := m.objects[name]; ok {
		return object, nil
	}
	return nil, errors.New("there is none")
}

func (m *memory) Store(_ context.Context, name string, data []byte) error {
	if m.err == nil {
		m.objects[name] = slices.Clone(data)
	}
	return m.err
}

// untouched is every policy as it is, for what a sweep must leave alone.
func (s *simulation) untouched() map[string]string {
	all := s.Policies()
	for arn := range s.want {
		delete(all, arn)
	}
	return all
}

// statements returns how many statements a sweep has to take out.
func (s *simulation) statements() int {
	n := 0
	for arn, after := range s.want {
		before, _ := iampolicy.Parse(s.Policy(arn))
		n += len(before.Statements)
		if after != "" {
			d, _ := iampolicy.Parse(after)
			n -= len(d.Statements)
		}
	}
	return n
}
