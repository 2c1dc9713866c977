package sweep_test

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sweep"
)

// A full run through a large account, and an incremental one after a change of 1 %
// of its functions:
//
//	go test ./internal/sweep -run '^$' -bench FullAccount -benchtime 1x
func BenchmarkFullAccount(b *testing.B) {
	z := size{functions: 50_000, aliases: 3, versions: 10, public: 0.002}
	for b.Loop() {
		s := newSimulation(z, 1)
		s.CountOnly, s.faults = true, 0.05
		statements := s.statements()
		runtime.GC()
		peak := s.watchHeap()

		r, err := s.run(b.Context(), sweep.Full)
		if err != nil {
			b.Fatal(err)
		}
		took := s.clock.Now().Sub(start)
		s.settled(b, s.untouched())
		if got := len(s.found.ids); got != statements || r.Summary.Reverted != statements || r.Summary.Read != z.resources() {
			b.Errorf("%d statements found, want %d: %+v", got, statements, r.Summary)
		}
		calls := s.Counts()
		allowed := float64(z.resources()) / (sweep.Quota * float64(s.share) / 100)
		b.ReportMetric(float64(z.functions), "functions")
		b.ReportMetric(float64(z.resources()), "policies")
		b.ReportMetric(float64(statements), "reverted")
		b.ReportMetric(float64(calls["GetPolicy"]), "GetPolicy")
		b.ReportMetric(float64(r.Summary.Calls-calls["GetPolicy"]), "other-calls")
		b.ReportMetric(took.Hours(), "hours")
		b.ReportMetric(took.Seconds()/allowed, "times-allowed")
		b.ReportMetric(float64(*peak)/1e6, "peak-MB")
		b.ReportMetric(float64(len(s.store.objects["seen"]))/1e6, "seen-MB")

		// What was changed is known to be so no more; after that, all is still.
		if _, err := s.run(b.Context(), sweep.Incremental); err != nil {
			b.Fatal(err)
		}
		clear(s.want)
		for i := range z.functions / 100 {
			name := s.names[i*100*14]
			s.Touch(name)
			if i%10 == 0 {
				s.open(name + ":live")
			}
		}
		s.Forget()
		found, then := len(s.found.ids), s.clock.Now()
		statements = s.statements()
		if r, err = s.run(b.Context(), sweep.Incremental); err != nil {
			b.Fatal(err)
		}
		s.settled(b, s.untouched())
		if got := len(s.found.ids) - found; got != statements {
			b.Errorf("the incremental run found %d statements, want %d", got, statements)
		}
		b.ReportMetric(float64(s.Counts()["GetPolicy"]), "GetPolicy-incremental")
		b.ReportMetric(s.clock.Now().Sub(then).Hours(), "hours-incremental")
	}
}

// watchHeap looks at the live heap from time to time, and returns the most that it
// was above what it is now, in bytes.
func (s *simulation) watchHeap() *uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	base, peak, n := live[0].Value.Uint64(), new(uint64), 0
	s.Chaos = func(c lambdatest.Call) lambdatest.Fault {
		if n++; n%1000 == 0 {
			if metrics.Read(live); live[0].Value.Uint64() > base {
				*peak = max(*peak, live[0].Value.Uint64()-base)
			}
		}
		return s.chaos(c)
	}
	return peak
}
