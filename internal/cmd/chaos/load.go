package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sweep"
	"lambda-guardrail/internal/wire"
)

const (
	quota        = 15.0 // calls a second: GetPolicy, and all the rest together
	readsARevert = 2    // GetPolicy, before and after
	oneWay       = 20 * time.Millisecond
	invocation   = 2 * time.Millisecond // what Lambda's runtime and our own work take
)

// flood is a load: so many statements are opened, and so many harmless ones
// added, within a time.
type flood struct {
	public, harmless int
	within           time.Duration
	statements       int     // that each policy has beside the public one
	asynchronous     bool    // see function
	spread           float64 // see function
}

// concurrency is what the stack reserves.
const concurrency = 5

// outcome is what came of a flood.
type outcome struct {
	flood
	left, letters int           // public statements; dead letters
	last          time.Duration // until the last finding
	attempts      int           // of the function
	errors        int
	throttled     int           // attempts that Lambda put off
	calls, over   int           // of the API; those over the quota
	passed, cpu   time.Duration // in virtual time, and of the processor
}

// bound is how long the quota makes it take.
func (o outcome) bound() time.Duration {
	return max(o.within, time.Duration(float64(o.public*readsARevert)/quota*float64(time.Second)))
}

// scene is an account under load.
type scene struct {
	schedule
	account *lambdatest.Account
	outcome
}

// Do implements the SDK's HTTPClient.
func (s *scene) Do(r *http.Request) (*http.Response, error) {
	if err := s.Sleep(r.Context(), oneWay); err != nil {
		return nil, err
	}
	resp, err := s.account.RoundTrip(r)
	s.calls++
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		s.over++
	}
	if s.calls%1000 == 0 {
		s.account.Forget()
	}
	if err := s.Sleep(r.Context(), oneWay); err != nil {
		return nil, err
	}
	return resp, err
}

// Write implements [io.Writer]: it is the function's log.
func (s *scene) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`"msg":"finding"`)) {
		s.last = s.now.Sub(start)
	}
	return len(line), nil
}

// newScene returns an account with a guardrail that enforces.
func newScene() (*scene, *guard.Guard) {
	s := &scene{schedule: schedule{now: start}}
	s.account = lambdatest.New("aws", region, accountID)
	s.account.PerSecond, s.account.Now = quota, s.Now
	return s, newGuard(s, config.Config{Mode: guard.Enforce, TrustedOrgs: []string{trusted}, OwnRoles: []string{ownRole}}, nil, s, &s.schedule)
}

// policyOf returns a policy with so many harmless statements, and one to add.
func policyOf(arn string, statements int, more ...string) string {
	var all []string
	closed := kindsOf(true, closed)
	for n := range statements {
		all = append(all, closed[n%len(closed)].statement(fmt.Sprintf("n%d", n), arn))
	}
	return document(append(all, more...))
}

func (f flood) run() outcome {
	s, g := newScene()
	s.flood = f
	times := map[string]*int{"invocation": &s.attempts, "invocation throttled": &s.throttled, "invocation failed": &s.errors, "dead letter": &s.letters}
	lambda := &function{
		schedule: &s.schedule, chance: stream(1, 4), concurrency: concurrency, own: invocation, asynchronous: f.asynchronous, spread: f.spread,
		invoke: wire.NewHandler(g, region).Invoke,
		count: func(what string) {
			if n := times[what]; n != nil {
				*n++
			}
		},
	}
	events := &bus{schedule: &s.schedule}
	chance := stream(1, 5)
	sometime := func() time.Duration { return time.Duration(chance.Int64N(int64(f.within))) }
	began := cpu()
	for i := range f.public {
		s.after(sometime(), func() {
			arn := fmt.Sprintf("%sfn-%07d", functions, i)
			backdoor := kinds[0].statement("backdoor", arn)
			s.account.Seed(arn, policyOf(arn, f.statements, backdoor))
			lambda.deliver(&event{text: events.record(&call{operation: "AddPermission", arn: arn, sid: "backdoor", recorded: backdoor}, user("mallory"))})
		})
	}
	thumbnails := functions + "thumbnails"
	bucket := kindsOf(true, closed)[0]
	harmless := &event{text: events.record(&call{operation: "AddPermission", arn: thumbnails, sid: "bucket", recorded: bucket.statement("bucket", thumbnails)}, user("deploy"))}
	for range f.harmless {
		s.after(sometime(), func() { lambda.deliver(harmless) })
	}
	s.run()
	s.passed, s.cpu = s.now.Sub(start), cpu()-began
	for _, policy := range s.account.Policies() {
		if strings.Contains(policy, "backdoor") {
			s.left++
		}
	}
	return s.outcome
}

// load prints what comes of floods, as Markdown. To is the largest number in the
// table of growth, as a power of ten.
func load(to int) {
	fmt.Printf("At most %d at a time. To compare: what Lambda would make of it without a queue. AWS does not say how much of the interval between two of its attempts is left to chance; half of it is assumed.\n\n", concurrency)
	fmt.Println("| public, within | harmless beside them | before the function | left open | dead letters | last revert | the quota allows | times | attempts put off | errors | API calls | over the quota |")
	fmt.Println("|" + strings.Repeat("---|", 12))
	for _, f := range []flood{
		{public: 1000, within: time.Second},
		{public: 10_000, within: time.Minute},
		{public: 10_000, within: time.Minute, harmless: 1_000_000},
	} {
		for _, before := range []string{"a queue", "nothing"} {
			f.asynchronous, f.spread = before == "nothing", 0.5
			o := f.run()
			fmt.Printf("| %d in %s | %d | %s | %d | %d | %.0f s | %.0f s | %.2f | %d | %d | %d | %d |\n",
				o.public, o.within, o.harmless, before, o.left, o.letters, o.last.Seconds(), o.bound().Seconds(), o.last.Seconds()/o.bound().Seconds(), o.throttled, o.errors, o.calls, o.over)
		}
	}

	fmt.Print("\n| what grows | number | API calls | time until the last | processor time | for each |\n|" + strings.Repeat("---|", 6) + "\n")
	row := func(what string, n, calls int, took, used time.Duration) {
		fmt.Printf("| %s | %d | %d | %s | %.1f s | %s |\n", what, n, calls, took.Round(100*time.Millisecond), used.Seconds(), (used / time.Duration(n)).Round(100*time.Nanosecond))
	}
	most := int(math.Pow10(to))
	for n := 100; n <= max(most, 1_000_000); n *= 10 { // one costs little
		o := flood{harmless: n, within: time.Minute}.run()
		row("harmless events in a minute", n, o.calls, o.passed, o.cpu)
	}
	for n := 100; n <= most; n *= 10 {
		o := flood{public: n, within: time.Minute}.run()
		row("public grants in a minute", n, o.calls, o.passed, o.cpu)
	}
	for n := 1; n <= 100; n *= 10 { // 20 KB hold no more
		o := flood{public: 1000, within: time.Minute, statements: n - 1}.run()
		fmt.Printf("| statements in each of 1000 opened policies | %d | %d | %s | %.1f s | %s |\n", n, o.calls, o.passed.Round(100*time.Millisecond), o.cpu.Seconds(), (o.cpu / 1000).Round(100*time.Nanosecond))
	}
	for n := 100; n <= most; n *= 10 {
		calls, took, used := sweepAll(n)
		row("functions in a sweep, at a third of the quota", n, calls, took, used)
	}
}

// sweepAll runs the periodic function over so many functions, each with a policy of
// three statements.
func sweepAll(n int) (calls int, took, used time.Duration) {
	s, _ := newScene()
	for i := range n {
		arn := fmt.Sprintf("%sfn-%07d", functions, i)
		s.account.Seed(arn, policyOf(arn, 3))
	}
	began := cpu()
	sweeper := wire.Sweep(calling(s), config.Config{TrustedOrgs: []string{trusted}}, nil, s, &s.schedule, nil)
	s.start(&process{}, func() {
		r, err := sweeper.Run(context.Background(), sweep.Run{Kind: sweep.Full})
		if err != nil || !r.Done || r.Summary.Read < n {
			panic(fmt.Sprintf("chaos: a sweep without faults: %+v, %v", r, err))
		}
	}, func(bool) {})
	s.run()
	return s.calls, s.now.Sub(start), cpu() - began
}
