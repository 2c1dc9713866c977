package sweep_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/sweep"
)

// rate is how many calls of an operation a second go through in that time.
func rate(t *testing.T, clock *guardtest.Clock, pace *sweep.Pace, operation string, during time.Duration) float64 {
	t.Helper()
	begin, n := clock.Now(), 0
	for ; clock.Now().Sub(begin) < during; n++ {
		if err := pace.Wait(t.Context(), operation); err != nil {
			t.Fatal(err)
		}
		pace.Answered(operation, false)
	}
	return float64(n) / clock.Now().Sub(begin).Seconds()
}

func between(t *testing.T, what string, got, low, high float64) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: %.2f calls a second, want %.2f to %.2f", what, got, low, high)
	}
}

func TestPace(t *testing.T) {
	clock := guardtest.NewClock(start)
	pace := sweep.NewPace(clock, 40) // 6 a second
	between(t, "GetPolicy", rate(t, clock, pace, "GetPolicy", 10*time.Second), 5.9, 6.2)
	between(t, "other calls, which have a quota of their own", rate(t, clock, pace, "ListAliases", 10*time.Second), 5.9, 7)

	clock.Sleep(t.Context(), time.Hour)
	between(t, "after an hour's rest", rate(t, clock, pace, "GetPolicy", 10*time.Second), 5.9, 7)

	pace.Answered("GetPolicy", true)
	between(t, "after one throttled call", rate(t, clock, pace, "GetPolicy", 10*time.Second), 5.9, 6.2)

	pace.Answered("GetPolicy", true)
	pace.Answered("GetPolicy", true)
	between(t, "after two in a row", rate(t, clock, pace, "GetPolicy", 5*time.Second), 2.9, 3.5)
	between(t, "and what has another quota", rate(t, clock, pace, "RemovePermission", 10*time.Second), 5.9, 7)
	clock.Sleep(t.Context(), time.Minute)
	between(t, "a minute later", rate(t, clock, pace, "GetPolicy", 10*time.Second), 5.9, 7)

	for range 100 {
		pace.Answered("GetPolicy", true)
	}
	between(t, "if all is used up", rate(t, clock, pace, "GetPolicy", 2*time.Second), 0.3, 0.6)
	between(t, "while it recovers", rate(t, clock, pace, "GetPolicy", 10*time.Second), 0.5, 2)
}

func TestPaceEndsWithItsCaller(t *testing.T) {
	pace := sweep.NewPace(guardtest.NewClock(start), 33)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if err := pace.Wait(ctx, "GetPolicy"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if got := pace.Calls(); got != 0 {
		t.Errorf("%d calls", got)
	}
}
