package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sweep"
	"lambda-guardrail/internal/wire"
)

// The size of a world.
const (
	numFunctions = 50
	numActors    = 8
	numCalls     = 208 // of actors, at the least
)

// qualifiers are what each function has: itself, an alias and a version.
var qualifiers = []string{"", ":live", ":1"}

// start is when virtual time begins. See schedule.
var start = time.Date(2126, 11, 23, 12, 0, 0, 0, time.UTC)

// world is one account with everybody in it.
type world struct {
	schedule
	seed     uint64
	names    []string // of functions
	account  *lambdatest.Account
	api      *api
	bus      *bus
	function *function
	model    *model
	settings config.Config
	chance   *rand.Rand
	sids     int
	exempt   []string // ARNs
	sinkOdds float64  // of a line that cannot be written
	calm     bool     // no faults any more

	counts  map[string]int
	history io.Writer // nil keeps none
}

// stream returns a source of chance of its own for each use, so that one more
// draw in one place changes nothing elsewhere.
func stream(seed, use uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, use)) }

// weather is how often things go wrong: in some worlds never, in some often.
var weather = []float64{0, 0.02, 0.05, 0.15, 0.3}

func newWorld(seed uint64, history io.Writer) *world {
	w := &world{schedule: schedule{now: start}, seed: seed, history: history, counts: map[string]int{}, chance: stream(seed, 0)}
	settings := config.Config{Mode: guard.Enforce, TrustedOrgs: []string{trusted}, OwnRoles: []string{ownRole}}
	if w.chance.IntN(6) == 0 {
		settings.Mode = guard.Audit
	} else if w.chance.IntN(2) == 0 {
		settings.FunctionURLs = guard.Enforce
	}
	if w.chance.IntN(8) == 0 {
		everySink(&settings)
	}
	w.settings, w.model = settings, newModel(&w.schedule, settings)
	w.model.note = w.note

	w.account = lambdatest.New("aws", region, accountID)
	w.account.PerSecond = 15
	w.account.Now = w.Now
	odds := func() float64 { return weather[w.chance.IntN(len(weather))] }
	w.bus = &bus{schedule: &w.schedule, chance: stream(seed, 1), odds: odds(), count: w.count, note: w.note}
	w.api = &api{schedule: &w.schedule, account: w.account, model: w.model, bus: w.bus, chance: stream(seed, 2), odds: odds(), latency: 60 * time.Millisecond, count: w.count, note: w.note}
	w.account.Chaos = w.api.choose
	w.sinkOdds = odds() / 2
	w.api.sinks = &sinks{seed: seed, odds: odds() / 2}
	kills := odds()
	deaths := stream(seed, 3)
	w.function = &function{schedule: &w.schedule, chance: stream(seed, 4), concurrency: 1 + w.chance.IntN(5), again: odds() / 4, count: w.count}
	w.function.prepare = func(p *process) {
		if deaths.Float64() < kills {
			p.dies = 1 + deaths.IntN(12)
		}
		w.note("an attempt begins")
	}
	w.function.ended = func(a *attempt) {
		w.note("an attempt ends: %v", a.err)
		w.end(a)
	}
	w.bus.deliver = w.function.deliver

	for i := range 3 {
		w.exempt = append(w.exempt, functions+name(i*7))
	}
	w.function.invoke = wire.NewHandler(newGuard(w.api, settings, w.exemptions(), w, &w.schedule), region).Invoke
	w.populate()
	return w
}

func newGuard(client aws.HTTPClient, settings config.Config, exemptions []guard.Exemption, log io.Writer, clock guard.Clock) *guard.Guard {
	return wire.Guard(calling(client), settings, exemptions, log, clock)
}

func calling(client aws.HTTPClient) aws.Config {
	cfg, err := wire.AWS([]string{"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=chaos", "AWS_SECRET_ACCESS_KEY=chaos"})
	if err != nil {
		panic(err) // constants
	}
	cfg.HTTPClient = client
	return cfg
}

func name(i int) string { return fmt.Sprintf("fn-%02d", i) }

func (w *world) exemptions() []guard.Exemption {
	var list []guard.Exemption
	for _, arn := range w.exempt {
		list = append(list, guard.Exemption{Function: arn, Sid: exemptedSid, Owner: "data", Reason: "published", Until: start.AddDate(1, 0, 0)})
	}
	return list
}

func (w *world) exemptAt(chance *rand.Rand) string { return w.exempt[chance.IntN(len(w.exempt))] }

// populate makes functions, each with a version and an alias, and some policies.
func (w *world) populate() {
	for i := range numFunctions {
		w.names = append(w.names, name(i))
		for _, qualifier := range qualifiers {
			arn := functions + name(i) + qualifier
			var statements []string
			for range max(0, w.chance.IntN(6)-2) {
				k := kinds[w.chance.IntN(len(kinds))]
				w.sids++
				text := k.statement(fmt.Sprintf("s%d", w.sids), arn)
				w.model.knows(arn, text, k)
				statements = append(statements, text)
			}
			text := ""
			if len(statements) > 0 {
				text = document(statements)
			}
			w.account.Seed(arn, text)
			w.observe(arn, nil)
		}
	}
}

// live runs the world to its end, and returns what happened that may not.
func (w *world) live() []string {
	for i := range numActors {
		a := &actor{world: w, name: fmt.Sprintf("actor-%d", i), chance: stream(w.seed, uint64(100+i))}
		p := &process{}
		w.after(0, func() {
			w.start(p, func() { a.live(numCalls / numActors) }, func(bool) { w.end(&p.attempt) })
		})
	}
	if w.chance.IntN(2) == 0 { // a sweep in the middle of it
		w.after(time.Duration(w.chance.Int64N(int64(5*time.Minute))), w.sweep)
	}
	w.run()
	w.model.settled(w.function.letters)

	w.note("the last event is over; a sweep")
	w.api.quiet, w.api.sinks.quiet, w.calm = true, true, true
	w.sweep()
	w.run()
	w.model.swept()
	w.counts["reverted, and told of by the evidence alone"] += w.model.untold()
	return w.model.problems
}

// end looks at what an attempt has done.
func (w *world) end(a *attempt) {
	a.sent = w.api.sinks.take()
	for _, c := range a.sent {
		w.count("sink: " + c.host)
		if c.refused != "" {
			w.count("fault: " + c.host + " " + c.refused)
		}
	}
	w.model.ended(a)
}

// sweep runs the periodic function as its state machine does: until it is done,
// and again with the same token when it fails.
func (w *world) sweep() {
	p := &process{}
	inspector := &inspector{w, p, nil}
	pace := sweep.NewPace(&w.schedule, config.DefaultQuotaShare)
	cfg := lambdapolicy.Paced(calling(w.api), pace)
	inspector.guard = wire.Guard(cfg, w.settings, w.exemptions(), w, &w.schedule)
	s := sweep.New(sweep.Parts{
		Inventory: lambdapolicy.New(cfg, &w.schedule, nil), Inspector: inspector, Clock: &w.schedule, Pace: pace,
		Settings: w.settings.Settings(w.exemptions()), MaxReverts: math.MaxInt,
	})
	w.start(p, func() {
		run := sweep.Run{Kind: sweep.Full}
		for failures := 0; ; {
			run.Until = w.now.Add(20 * time.Second)
			r, err := s.Run(context.Background(), run)
			switch {
			case err != nil && (w.calm || failures == 5):
				if w.calm {
					w.model.wrong("a sweep in calm weather: %v", err)
				}
				w.count("sweep: given up")
				return
			case err != nil:
				failures++
				w.Sleep(context.Background(), 10*time.Second)
				continue
			case !r.Done:
				w.count("sweep: goes on with a token")
				run.Token = r.Token
				continue
			}
			w.note("the sweep has ended: %+v", r.Summary)
			if w.calm && (r.Summary.Unreadable > 0 || r.Summary.Read < r.Summary.Resources || r.Summary.Resources < numFunctions) {
				w.model.wrong("a sweep in calm weather has left something out: %+v", r.Summary)
			}
			return
		}
	}, func(bool) { w.end(&p.attempt) })
}

// inspector is the guard of a sweep, of which each look is an attempt of its own.
type inspector struct {
	*world
	process *process
	guard   *guard.Guard
}

// Inspect implements [sweep.Inspector].
func (i *inspector) Inspect(ctx context.Context, on guard.Resource, how guard.Inspection) (guard.Inspected, error) {
	p := i.process
	p.attempt = attempt{began: i.now, reported: map[string]bool{}}
	i.note("the sweep looks at %s", short(on.ARN()))
	inspected, err := i.guard.Inspect(ctx, on, how)
	i.count("sweep: policy")
	i.note("it has looked: %v", err)
	if err != nil && i.calm {
		i.model.wrong("a sweep in calm weather: %v", err)
	}
	p.err = err
	i.end(&p.attempt)
	p.attempt = attempt{}
	return inspected, err
}

var errLog = errors.New("chaos: the log cannot be written")

// Write implements [io.Writer]: it is the function's log.
func (w *world) Write(line []byte) (int, error) {
	var said struct {
		Msg                     string
		Resource                struct{ ARN string }
		Statement, PolicyBefore string
		Finding                 found
	}
	if err := json.Unmarshal(line, &said); err != nil {
		w.model.wrong("a line of the log that is not JSON: %v", err)
		return len(line), nil
	}
	attempt := &w.running.attempt
	if !w.calm && w.chance.Float64() < w.sinkOdds {
		w.count("fault: log not written")
		w.note("  a line is not written")
		if said.Msg == "finding" {
			attempt.unsaid = append(attempt.unsaid, said.Finding.ID)
		}
		return 0, errLog
	}
	switch said.Msg {
	case "evidence":
		attempt.evidence = append(attempt.evidence, evidence{said.Resource.ARN, said.Statement, said.PolicyBefore})
	case "finding":
		w.count("outcome: " + string(said.Finding.Outcome))
		w.note("  finding: %s %s %s", said.Finding.Outcome, said.Finding.Statement, said.Finding.Error)
		w.model.report(attempt, said.Finding)
	}
	return len(line), nil
}

func (w *world) count(what string) { w.counts[what]++ }

func (w *world) note(format string, args ...any) {
	if w.history != nil {
		fmt.Fprintf(w.history, "%10.3f  %s\n", w.now.Sub(start).Seconds(), strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
	}
}
