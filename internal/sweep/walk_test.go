package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/sweep"
)

// endless makes up functions f0, f1, ..., each with an alias "live" and a version 1.
type endless struct {
	functions, page int
	refuses         string // a marker
	unlisted        error  // of f1
	calls           []string
}

func resource(name string) guard.Resource {
	function, qualifier, _ := strings.Cut(name, ":")
	return guard.Resource{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Function: function, Qualifier: qualifier}
}

func (e *endless) Functions(_ context.Context, marker string, versions bool) (items []sweep.Item, next string, err error) {
	e.calls = append(e.calls, fmt.Sprintf("Functions %q %t", marker, versions))
	if marker != "" && marker == e.refuses {
		return nil, "", sweep.ErrMarker
	}
	first, _ := strconv.Atoi(marker)
	for i := first; i < min(first+e.page, e.functions); i++ {
		name := "f" + strconv.Itoa(i)
		if versions {
			name += ":1"
		}
		items = append(items, sweep.Item{Resource: resource(name), Revision: "r"})
	}
	if first+e.page < e.functions {
		next = strconv.Itoa(first + e.page)
	}
	return items, next, nil
}

func (e *endless) Aliases(_ context.Context, of guard.Resource) ([]sweep.Item, error) {
	e.calls = append(e.calls, "Aliases "+of.Function)
	if of.Function == "f1" && e.unlisted != nil {
		return nil, e.unlisted
	}
	of.Qualifier = "live"
	return []sweep.Item{{Resource: of, Revision: "r"}}, nil
}

// visits walks, and returns what was visited, up to the one that stops it.
func visits(t *testing.T, w sweep.Walk, from sweep.Place, stop string) (names []string, last sweep.Place, err error) {
	t.Helper()
	err = w.From(t.Context(), from, func(_ context.Context, item sweep.Item, next sweep.Place) error {
		name := item.Resource.String()
		if item.Unlisted != nil {
			name += "!"
		}
		names, last = append(names, name), next
		if name == stop {
			return errStop
		}
		return nil
	})
	return names, last, err
}

var errStop = errors.New("stop")

var all = strings.Fields("f0 f0:live f1 f1:live f2 f2:live f3 f3:live f4 f4:live f0:1 f1:1 f2:1 f3:1 f4:1")

func TestAWalkGoesThroughEverything(t *testing.T) {
	got, _, err := visits(t, sweep.Walk{Inventory: &endless{functions: 5, page: 2}}, sweep.Place{}, "")
	if diff := cmp.Diff(all, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAWalkGoesOnAfterAnyPlace(t *testing.T) {
	for i, stop := range all {
		w := sweep.Walk{Inventory: &endless{functions: 5, page: 2}}
		before, place, err := visits(t, w, sweep.Place{}, stop)
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		after, _, err := visits(t, w, place, "")
		if diff := cmp.Diff(all, append(before, after...)); diff != "" || err != nil || len(before) != i+1 {
			t.Errorf("stopped at %s: %v (-want +got):\n%s", stop, err, diff)
		}
	}
}

func TestAWalkGoesOnWhereAPageWasTurned(t *testing.T) {
	turns := []sweep.Place{{Marker: "2"}, {Marker: "4"}, {Versions: true}, {Versions: true, Marker: "2"}, {Versions: true, Marker: "4"}}
	for i, want := range turns {
		var got sweep.Place
		n := 0
		w := sweep.Walk{Inventory: &endless{functions: 5, page: 2}, Turned: func(next sweep.Place) error {
			if got = next; n == i {
				return errStop
			}
			n++
			return nil
		}}
		before, _, err := visits(t, w, sweep.Place{}, "")
		if got != want || !errors.Is(err, errStop) {
			t.Fatalf("page %d: %+v, %v", i, got, err)
		}
		after, _, err := visits(t, sweep.Walk{Inventory: w.Inventory}, got, "")
		if diff := cmp.Diff(all, append(before, after...)); diff != "" || err != nil {
			t.Errorf("stopped at %+v: %v (-want +got):\n%s", got, err, diff)
		}
	}
	n := 0
	w := sweep.Walk{Inventory: &endless{functions: 5, page: 2}, Turned: func(sweep.Place) error { n++; return nil }}
	if _, _, err := visits(t, w, sweep.Place{}, ""); err != nil || n != len(turns) {
		t.Errorf("%d pages were turned, want %d; %v", n, len(turns), err)
	}
}

func TestAWalkPassesOverWhatDoesNotMatch(t *testing.T) {
	e := &endless{functions: 5, page: 5}
	got, _, err := visits(t, sweep.Walk{Inventory: e, Match: func(name string) bool { return name == "f3" }}, sweep.Place{}, "")
	if diff := cmp.Diff([]string{"f3", "f3:live", "f3:1"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{`Functions "" false`, "Aliases f3", `Functions "" true`}, e.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAWalkAndWhatCannotBeListed(t *testing.T) {
	tests := []struct {
		name      string
		inventory *endless
		want      string
	}{
		{"aliases", &endless{functions: 3, page: 3, unlisted: errors.New("no")}, "f0 f0:live f1! f2 f2:live f0:1 f1:1 f2:1"},
		{"aliases of a function that is gone", &endless{functions: 3, page: 3, unlisted: guard.ErrNotFound}, "f0 f0:live f1 f2 f2:live f0:1 f1:1 f2:1"},
	}
	for _, tt := range tests {
		got, _, err := visits(t, sweep.Walk{Inventory: tt.inventory}, sweep.Place{}, "")
		if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
	_, _, err := visits(t, sweep.Walk{Inventory: &endless{functions: 5, page: 2, refuses: "2"}}, sweep.Place{}, "")
	if !errors.Is(err, sweep.ErrMarker) {
		t.Errorf("a marker that is refused for ever: %v", err)
	}
}

// nothing finds every policy restricted.
type nothing struct{}

func (nothing) Inspect(context.Context, guard.Resource, guard.Inspection) (guard.Inspected, error) {
	return guard.Inspected{Level: exposure.Restricted, Timeless: true, Revision: "r"}, nil
}

// heap is a Seen that drops what it is given, and an inventory that looks at the
// live heap on the way.
type heap struct {
	*endless
	live []uint64
}

func (h *heap) Functions(ctx context.Context, marker string, versions bool) ([]sweep.Item, string, error) {
	if n, _ := strconv.Atoi(marker); n%(h.functions/10) == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		h.live = append(h.live, m.HeapAlloc)
	}
	h.calls = nil
	return h.endless.Functions(ctx, marker, versions)
}

func (h *heap) Aliases(ctx context.Context, of guard.Resource) ([]sweep.Item, error) {
	h.calls = nil
	return h.endless.Aliases(ctx, of)
}

func (*heap) Load(context.Context, string) ([]byte, error) { return nil, errStop }
func (*heap) Store(context.Context, string, []byte) error  { return nil }

func TestMemoryDoesNotGrowWithTheAccount(t *testing.T) {
	const functions = 100_000
	for name, perPolicy := range map[string]float64{"without a store": 0, "with one": 2 * 16} {
		clock := guardtest.NewClock(start)
		h := &heap{endless: &endless{functions: functions, page: 50}}
		parts := sweep.Parts{Inventory: h, Inspector: nothing{}, Clock: clock, Pace: sweep.NewPace(clock, 33), MaxReverts: 1}
		if perPolicy > 0 {
			parts.Seen = h
		}
		r, err := sweep.New(parts).Run(t.Context(), sweep.Run{Kind: sweep.Full, Until: start.Add(time.Hour)})
		if err != nil || r.Summary.Read != 3*functions {
			t.Fatal(r, err)
		}
		if len(h.live) != 20 {
			t.Fatalf("%d measurements", len(h.live))
		}
		for i, live := range h.live {
			if grown, limit := float64(live)-float64(h.live[0]), float64(1<<20)+perPolicy*3*functions; grown > limit {
				t.Errorf("%s: measurement %d is %.1f MB above the first, want at most %.1f", name, i, grown/1e6, limit/1e6)
			}
		}
	}
}
