package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdatest"
)

// attemptTime is when the deployed function's client gives up an attempt of a call.
const attemptTime = 5 * time.Second

// fault is a way for a call of the guardrail to go wrong.
type fault struct {
	name    string
	kind    lambdatest.Kind
	applied bool
	weight  int
	on      []string // operations; nil is any
}

var (
	reads  = []string{"GetPolicy"}
	writes = []string{"RemovePermission", "PutResourcePolicy", "DeleteResourcePolicy"}
)

var faults = []fault{
	{"throttled", lambdatest.Throttle, false, 6, nil},
	{"failed", lambdatest.ServerError, false, 3, nil},
	{"failed, but applied", lambdatest.ServerError, true, 3, writes},
	{"answer lost", lambdatest.Drop, false, 3, nil},
	{"answer lost, but applied", lambdatest.Drop, true, 4, writes},
	{"garbled", lambdatest.Garble, false, 2, nil},
	{"garbled, but applied", lambdatest.Garble, true, 2, writes},
	{"stale", lambdatest.Stale, false, 60, reads},
	{"update in progress", lambdatest.Conflict, false, 4, writes},
	{"public access blocked", lambdatest.PublicPolicy, false, 2, []string{"RemovePermission"}},
	{"neighbour lost", lambdatest.LoseNeighbour, false, 1, writes},
	{"access denied", lambdatest.AccessDenied, false, 1, nil},
}

// api is the way of the guardrail to the account: it takes time, and goes wrong.
type api struct {
	*schedule
	account *lambdatest.Account
	model   *model
	bus     *bus
	sinks   *sinks
	chance  *rand.Rand
	odds    float64 // of a fault in a call
	latency time.Duration
	quiet   bool // no faults
	count   func(string)
	note    func(string, ...any)

	met  lambdatest.Call // the call that is carried out just now
	kind lambdatest.Kind
	was  string // the policy before it
}

// errTimeout is what net/http answers when its patience is at an end.
type errTimeout struct{}

func (errTimeout) Error() string { return "chaos: no answer in time" }
func (errTimeout) Timeout() bool { return true }

// Do implements the SDK's HTTPClient.
func (a *api) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Host, "lambda.") {
		return a.sinks.Do(r)
	}
	ctx := r.Context()
	if err := a.pass(ctx, a.late("slow call")); err != nil {
		return nil, err
	}
	a.met = lambdatest.Call{}
	resp, err := a.account.RoundTrip(r)
	a.observe(resp)
	if err := a.pass(ctx, a.late("late answer")); err != nil {
		return nil, err
	}
	return resp, err
}

// late draws how long one way takes.
func (a *api) late(what string) time.Duration {
	usual := a.latency/2 + time.Duration(a.chance.Int64N(int64(a.latency)))
	if a.quiet || a.chance.Float64() >= a.odds/8 {
		return usual
	}
	a.count("fault: " + what)
	return usual + time.Duration(a.chance.Int64N(int64(8*time.Second)))
}

// pass waits, as long as the client does.
func (a *api) pass(ctx context.Context, d time.Duration) error {
	if d < attemptTime {
		return a.Sleep(ctx, d)
	}
	a.count("fault: no answer in time")
	if err := a.Sleep(ctx, attemptTime); err != nil {
		return err
	}
	return errTimeout{}
}

// choose is asked by the account how a call shall go.
func (a *api) choose(c lambdatest.Call) lambdatest.Fault {
	if !ours(c.UserAgent) {
		return lambdatest.Fault{}
	}
	a.met, a.kind = c, lambdatest.NoFault
	a.was = a.model.policy(c.Resource).text
	if a.quiet || a.chance.Float64() >= a.odds {
		return lambdatest.Fault{}
	}
	fits := func(f *fault) bool {
		return (f.on == nil || slices.Contains(f.on, c.Operation)) &&
			(f.kind != lambdatest.Stale || a.now.Sub(a.model.policy(c.Resource).changed) < staleFor)
	}
	total := 0
	for i := range faults {
		if fits(&faults[i]) {
			total += faults[i].weight
		}
	}
	pick := a.chance.IntN(total)
	for i := range faults {
		f := &faults[i]
		if !fits(f) {
			continue
		}
		if pick -= f.weight; pick < 0 {
			a.count("fault: " + f.name)
			a.note("  %s of %s: %s", c.Operation, short(c.Resource), f.name)
			a.kind = f.kind
			return lambdatest.Fault{Kind: f.kind, Applied: f.applied}
		}
	}
	return lambdatest.Fault{}
}

func ours(userAgent string) bool { return strings.Contains(userAgent, guard.UserAgent+"/") }

// observe looks at what a call of the guardrail has done.
func (a *api) observe(resp *http.Response) {
	c := a.met
	if c.Operation == "" {
		a.count("guardrail: over the quota")
		return
	}
	a.count("guardrail: " + c.Operation)
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	a.note("  %s of %s: %d", c.Operation, short(c.Resource), status)
	attempt := &a.running.attempt
	switch {
	case c.Operation == "GetPolicy" && (status == http.StatusOK || status == http.StatusNotFound):
		attempt.reads++
		attempt.lastRead, attempt.where = a.now, c.Resource
	case slices.Contains(writes, c.Operation):
		after := a.account.Policy(c.Resource)
		lost := a.lost(after)
		attempt.lost = append(attempt.lost, lost...)
		a.model.wrote(attempt, c.Resource, a.was, after, c.RevisionID, lost)
		by := &call{operation: c.Operation, arn: c.Resource, sid: c.Statement}
		a.model.observe(c.Resource, after, by)
		if a.was != after {
			a.note("    now %s", after)
			a.bus.publish(by, guardrail(c.UserAgent))
		}
	}
}

// lost returns what vanished with a removal that was not asked for.
func (a *api) lost(after string) []string {
	if a.kind != lambdatest.LoseNeighbour {
		return nil
	}
	left := split(after)
	var lost []string
	for _, s := range split(a.was) {
		if !slices.Contains(left, s) && !a.model.enforced(a.model.kind(a.met.Resource, s)) {
			lost = append(lost, s)
		}
	}
	return lost
}

// call is one call of an actor, or a write of the guardrail, as CloudTrail sees it.
type call struct {
	operation, arn, sid string
	named               string // how the function is named
	params              map[string]any
	recorded            string // the statement in the answer
	lost                bool   // the bus told nobody
}

// paths are those of the operations that actors call.
var paths = map[string]struct{ method, path string }{
	"AddPermission":               {"POST", "/2015-03-31/functions/NAME/policy"},
	"RemovePermission":            {"DELETE", "/2015-03-31/functions/NAME/policy/SID"},
	"PutResourcePolicy":           {"PUT", "/2026-07-09/resource-policy/NAME"},
	"DeleteResourcePolicy":        {"DELETE", "/2026-07-09/resource-policy/NAME"},
	"CreateFunctionUrlConfig":     {"POST", "/2021-10-31/functions/NAME/url"},
	"UpdateFunctionUrlConfig":     {"PUT", "/2021-10-31/functions/NAME/url"},
	"UpdateFunctionConfiguration": {"PUT", "/2015-03-31/functions/NAME/configuration"},
	"DeleteFunction":              {"DELETE", "/2015-03-31/functions/NAME"},
}

// request is the call as it is sent.
func (c *call) request() *http.Request {
	at := paths[c.operation]
	path := strings.NewReplacer("NAME", url.PathEscape(c.arn), "SID", url.PathEscape(c.sid)).Replace(at.path)
	body := map[string]any{}
	if c.operation == "AddPermission" {
		body["StatementId"] = c.sid
	}
	maps.Copy(body, c.params)
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and booleans
	}
	r, err := http.NewRequest(at.method, "http://lambda.invalid"+path, bytes.NewReader(text))
	if err != nil {
		panic(err) // the path is escaped
	}
	return r
}

// send carries out an actor's call, and returns the status of its answer.
func (c *call) send(account *lambdatest.Account) int {
	resp, err := account.RoundTrip(c.request())
	if err != nil {
		panic(err) // actors meet no faults
	}
	var out struct{ Statement string }
	if resp.StatusCode < 300 && c.operation == "AddPermission" {
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			panic(err)
		}
	}
	c.recorded = out.Statement
	return resp.StatusCode
}
