package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdatest"
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
	guard    *guard.Guard
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
	w.model = newModel(&w.schedule, settings)
	w.model.note = w.note

	w.account = lambdatest.New("aws", region, accountID)
	w.account.PerSecond = 15
	w.account.Now = w.Now
	odds := func() float64 { return weather[w.chance.IntN(len(weather))] }
	w.bus = &bus{schedule: &w.schedule, chance: stream(seed, 1), odds: odds(), count: w.count, note: w.note}
	w.api = &api{schedule: &w.schedule, account: w.account, model: w.model, bus: w.bus, chance: stream(seed, 2), odds: odds(), latency: 60 * time.Millisecond, count: w.count, note: w.note}
	w.account.Chaos = w.api.choose
	w.sinkOdds = odds() / 2
	kills := odds()
	deaths := stream(seed, 3)
	w.function = &function{schedule: &w.schedule, chance: stream(seed, 4), concurrency: 1 + w.chance.IntN(5), spread: w.chance.Float64(), count: w.count}
	w.function.prepare = func(p *process) {
		if deaths.Float64() < kills {
			p.dies = 1 + deaths.IntN(12)
		}
		w.note("an attempt begins")
	}
	w.function.ended = func(a *attempt) {
		w.note("an attempt ends: %v", a.err)
		w.model.ended(a)
	}
	w.bus.deliver = w.function.deliver

	for i := range 3 {
		w.exempt = append(w.exempt, functions+name(i*7))
	}
	w.guard = newGuard(w.api, settings, w.exemptions(), w, &w.schedule)
	w.function.invoke = wire.NewHandler(w.guard, region).Invoke
	w.populate()
	return w
}

func newGuard(client aws.HTTPClient, settings config.Config, exemptions []guard.Exemption, log io.Writer, clock guard.Clock) *guard.Guard {
	cfg, err := wire.AWS([]string{"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=chaos", "AWS_SECRET_ACCESS_KEY=chaos"})
	if err != nil {
		panic(err) // constants
	}
	cfg.HTTPClient = client
	return wire.Guard(cfg, settings, exemptions, log, clock)
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
			w.start(p, func() { a.live(numCalls / numActors) }, func(bool) { w.model.ended(&p.attempt) })
		})
	}
	if w.chance.IntN(2) == 0 { // a sweep in the middle of it
		w.after(time.Duration(w.chance.Int64N(int64(5*time.Minute))), w.sweep)
	}
	w.run()
	w.model.settled(w.function.letters)

	w.note("the last event is over; a sweep")
	w.api.quiet, w.calm = true, true
	w.sweep()
	w.run()
	w.model.swept()
	w.counts["reverted, and told of by the evidence alone"] += w.model.untold()
	return w.model.problems
}

// sweep looks at every policy there is.
func (w *world) sweep() {
	p := &process{}
	w.schedule.start(p, func() {
		for _, arn := range slices.Sorted(maps.Keys(w.account.Policies())) {
			on, err := guard.ParseResource(arn)
			if err != nil {
				w.model.wrong("sweeping: %v", err)
				return
			}
			p.attempt = attempt{began: w.now, reported: map[string]bool{}}
			w.note("the sweep looks at %s", short(arn))
			_, p.err = w.guard.Inspect(context.Background(), on, guard.Inspection{FoundBy: guard.BySweep})
			w.count("sweep: policy")
			w.note("it has looked: %v", p.err)
			if p.err != nil && w.calm {
				w.model.wrong("a sweep in calm weather: %v", p.err)
			}
			w.model.ended(&p.attempt)
		}
		p.attempt = attempt{}
	}, func(bool) { w.model.ended(&p.attempt) })
}

var errLog = errors.New("chaos: the log cannot be written")

// Write implements [io.Writer]: it is the function's log.
func (w *world) Write(line []byte) (int, error) {
	if !w.calm && w.chance.Float64() < w.sinkOdds {
		w.count("fault: log not written")
		w.note("  a line is not written")
		return 0, errLog
	}
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
