package sweep_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/sweep"
)

var small = size{functions: 300, aliases: 3, versions: 10, public: 0.01}

// settled checks that all is as it must be after a sweep.
func (s *simulation) settled(t interface {
	Errorf(string, ...any)
	Helper()
}, untouched map[string]string) {
	t.Helper()
	for arn, want := range s.want {
		if got := s.Policy(arn); got != want {
			t.Errorf("the policy of %s is %s, want %s", arn, got, want)
		}
	}
	if diff := cmp.Diff(untouched, s.untouched()); diff != "" {
		t.Errorf("something else was touched (-want +got):\n%s", diff)
	}
}

func TestEverythingPublicIsFoundAndTakenOutAndNothingElseIsTouched(t *testing.T) {
	s := newSimulation(small, 1)
	s.faults = 0.05
	untouched, statements := s.untouched(), s.statements()
	r, err := s.run(t.Context(), sweep.Full)
	if err != nil {
		t.Fatal(err)
	}
	s.settled(t, untouched)
	if got := len(s.found.ids); got != statements {
		t.Errorf("%d statements were found, want %d", got, statements)
	}
	sum := r.Summary
	if sum.Functions != 300 || sum.Resources != small.resources() || sum.Read != small.resources() || sum.Unreadable != 0 || sum.Reverted != statements || sum.Failed+sum.RevisionsDiffer+sum.Undelivered != 0 {
		t.Errorf("the summary is %+v", sum)
	}
	if len(r.Notes) > 0 {
		t.Errorf("notes: %q", r.Notes)
	}

	answered := map[string]int{}
	for _, c := range s.Calls() {
		if c.Status == 429 && s.faults == 0 {
			t.Errorf("%s was throttled", c.Operation)
		}
		if c.Operation == "GetPolicy" && (c.Status == 200 || c.Status == 404) {
			answered[c.Resource]++
		}
	}
	for arn, n := range answered {
		if _, changed := s.want[arn]; n > 1 && !changed {
			t.Errorf("the policy of %s was read %d times", arn, n)
		}
	}
	if len(answered) != small.resources() {
		t.Errorf("%d policies were read, want %d", len(answered), small.resources())
	}

	allowed := float64(small.resources()) / (sweep.Quota * float64(s.share) / 100)
	if took := s.clock.Now().Sub(start).Seconds(); took > 1.15*allowed {
		t.Errorf("it took %.0f s, more than 1.15 times the %.0f s that the share allows: %.3f", took, allowed, took/allowed)
	}
}

func TestTheShareOfTheQuotaIsKept(t *testing.T) {
	s := newSimulation(size{functions: 40, aliases: 3, versions: 10, public: 0.1}, 2)
	type window struct {
		second int
		policy bool
	}
	windows := map[window]int{}
	s.Chaos = func(c lambdatest.Call) lambdatest.Fault {
		windows[window{int(s.clock.Now().Sub(start) / (10 * time.Second)), c.Operation == "GetPolicy"}]++
		return lambdatest.Fault{}
	}
	if _, err := s.run(t.Context(), sweep.Full); err != nil {
		t.Fatal(err)
	}
	for w, n := range windows {
		// 4.95 a second, and what may be caught up with.
		if limit := 4.95*10 + 8; float64(n) > limit {
			t.Errorf("%+v: %d calls in ten seconds, want at most %.0f", w, n, limit)
		}
	}
	for _, c := range s.Calls() {
		if c.Status == 429 {
			t.Errorf("%s of %s was throttled", c.Operation, c.Resource)
		}
	}
}

func TestAnIncrementalRunReadsWhatHasChanged(t *testing.T) {
	s := newSimulation(small, 3)
	s.faults = 0.05
	if _, err := s.run(t.Context(), sweep.Full); err != nil {
		t.Fatal(err)
	}
	full := s.Counts()["GetPolicy"]
	// What was taken out, and its function, has a new revision.
	if _, err := s.run(t.Context(), sweep.Incremental); err != nil {
		t.Fatal(err)
	}

	s.want = map[string]string{}
	for i := range 3 { // 1 % of the functions
		name := s.names[i*14*97]
		s.Touch(name)
		s.open(name + ":" + []string{"live", "7", "canary"}[i])
	}
	s.Forget()
	found := len(s.found.ids)
	untouched, statements := s.untouched(), s.statements()
	r, err := s.run(t.Context(), sweep.Incremental)
	if err != nil {
		t.Fatal(err)
	}
	s.settled(t, untouched)
	if got := len(s.found.ids) - found; got != statements || r.Summary.Public != statements {
		t.Errorf("%d statements were found, want %d; %+v", got, statements, r.Summary)
	}
	if got := s.Counts()["GetPolicy"]; float64(got) > 0.05*float64(full) {
		t.Errorf("it reads %d policies, more than 5 %% of the %d of a full run", got, full)
	}
	if sum := r.Summary; sum.Read+sum.Skipped != small.resources() || sum.Read != 6 || len(r.Notes) > 0 {
		t.Errorf("%+v, notes %q", sum, r.Notes)
	}
}

// What makes the sweep forget what it has seen costs calls, and hides nothing.
func TestEverythingIsReadIfWhatWasSeenIsNotToBeTrusted(t *testing.T) {
	z := size{functions: 20, aliases: 2, versions: 2}
	tests := []struct {
		name   string
		change func(*simulation)
		note   string // a part of one; "" if there is none
		read   int
	}{
		{"nothing", func(*simulation) {}, "", 0},
		{"it is missing", func(s *simulation) { delete(s.store.objects, "seen") }, "there is none", 100},
		{"it is empty", func(s *simulation) { s.store.objects["seen"] = nil }, "format", 100},
		{"it is something else", func(s *simulation) { s.store.objects["seen"] = []byte("all is well") }, "format", 100},
		{"it is cut off", func(s *simulation) { s.store.objects["seen"] = s.store.objects["seen"][:500] }, "marks", 100},
		{"it is longer", func(s *simulation) { s.store.objects["seen"] = append(s.store.objects["seen"], 0) }, "marks", 100},
		{"it is of a run that has not finished", func(s *simulation) {
			o := s.store.objects["seen"]
			o = slices.Insert(slices.Clone(o), 56+1, 'x')
			o[56] = 1
			s.store.objects["seen"] = o
		}, "another run", 100},
		{"its marks are not in order", func(s *simulation) {
			o := slices.Clone(s.store.objects["seen"])
			o[len(o)-16] = 0
			s.store.objects["seen"] = o
		}, "order", 100},
		{"a trusted account more", func(s *simulation) { s.settings.Trust.Accounts = []string{"444455556666"} }, "other settings", 100},
		{"an organization less", func(s *simulation) { s.settings.Trust.Orgs = nil; s.settings.Mode = guard.Audit }, "other settings", 100},
		{"another exemption", func(s *simulation) {
			s.settings.Exemptions = []guard.Exemption{{Function: "arn:*", Owner: "shop", Reason: "a webhook", Until: start.AddDate(1, 0, 0)}}
		}, "other settings", 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSimulation(z, 4)
			if _, err := s.run(t.Context(), sweep.Full); err != nil {
				t.Fatal(err)
			}
			tt.change(s)
			r, err := s.run(t.Context(), sweep.Incremental)
			if err != nil {
				t.Fatal(err)
			}
			if r.Summary.Read != tt.read || r.Summary.Read+r.Summary.Skipped != z.resources() {
				t.Errorf("%d read, %d skipped, want %d read", r.Summary.Read, r.Summary.Skipped, tt.read)
			}
			if got := strings.Join(r.Notes, "; "); (got == "") != (tt.note == "") || !strings.Contains(got, tt.note) {
				t.Errorf("notes %q, want %q in them", got, tt.note)
			}
			r, err = s.run(t.Context(), sweep.Incremental)
			if read := r.Summary.Read; err != nil || tt.name != "an organization less" && read != 0 {
				t.Errorf("the run after it reads %d, %v", read, err)
			}
		})
	}
}

func TestOnlyWhatIsAndStaysRestrictedIsPassedOver(t *testing.T) {
	const arn = "ARN"
	tests := []struct {
		name, statement string
		want            int // reads in the second run
	}{
		{"no policy", "", 0},
		{"restricted", closedForms[0], 0},
		{"restricted until a date", `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}}}`, 1},
		{"public", publicForms[0], 1},
		{"undetermined", `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"ARN","Condition":{"StringEquals":{"example:Badge":"blue"}}}`, 1},
		{"a confused deputy", `{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"ARN"}`, 1},
		{"external", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"lambda:InvokeFunction","Resource":"ARN"}`, 1},
		{"unreadable", "<policy/>", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSimulation(size{}, 5)
			s.settings.Mode, s.settings.FunctionURLs = guard.Audit, guard.Audit
			switch policy := strings.ReplaceAll(tt.statement, arn, arnOf("fn")); {
			case policy == "" || policy[0] == '<':
				s.Seed("fn", policy)
			default:
				s.Seed("fn", policyOf("", policy))
			}
			for i, want := range []int{1, tt.want, tt.want} {
				s.Forget()
				if _, err := s.run(t.Context(), sweep.Incremental); err != nil {
					t.Fatal(err)
				}
				if got := s.Counts()["GetPolicy"]; got != want {
					t.Errorf("run %d reads %d policies, want %d", i+1, got, want)
				}
			}
		})
	}
}

// A sweep that is killed at any call, several times, and goes on from its last
// token comes to the same as one that is not.
func TestASweepThatIsKilledGoesOn(t *testing.T) {
	z := size{functions: 30, aliases: 1, versions: 2, public: 0.1}
	undisturbed := newSimulation(z, 6)
	if _, err := undisturbed.run(t.Context(), sweep.Full); err != nil {
		t.Fatal(err)
	}
	want := undisturbed.found.ids
	rapid.Check(t, func(t *rapid.T) {
		s := newSimulation(z, 6)
		kind := rapid.SampledFrom([]sweep.Kind{sweep.Full, sweep.Incremental}).Draw(t, "kind")
		s.share = rapid.IntRange(1, 10).Draw(t, "share") // of the quota: the less, the more invocations
		s.faults = rapid.SampledFrom([]float64{0, 0.05}).Draw(t, "faults")
		untouched := s.untouched()
		killings := rapid.SliceOfN(rapid.IntRange(1, 150), 0, 5).Draw(t, "killings")
		r, err := s.run(t.Context(), kind, killings...)
		if err != nil {
			t.Fatal(err)
		}
		s.settled(t, untouched)
		if diff := cmp.Diff(want, s.found.ids); diff != "" {
			t.Errorf("findings (-undisturbed +killed):\n%s", diff)
		}
		if sum := r.Summary; sum.Resources != z.resources() || sum.Read+sum.Skipped != z.resources() {
			t.Errorf("%+v", sum)
		}
		s.kill = 0
		if r, err = s.run(t.Context(), sweep.Incremental); err != nil || len(s.want) < r.Summary.Read {
			t.Errorf("the next run reads %d policies, want at most the %d that were changed; %v", r.Summary.Read, len(s.want), err)
		}
	})
}

func TestFunctionsComeAndGoDuringASweep(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *simulation)
	}{
		{"the function that was looked at last is deleted", func(s *simulation) { s.Delete("fn-00049") }},
		{"functions before and after it are deleted", func(s *simulation) { s.Delete("fn-00003"); s.Delete("fn-00059") }},
		{"one is created", func(s *simulation) { s.Seed("fn-00000a", ""); s.Seed("fn-00070a", "") }},
		{"no marker is accepted any more", func(s *simulation) { s.ExpireMarkers() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := size{functions: 120, aliases: 1, versions: 1, public: 0.05}
			s := newSimulation(z, 7)
			s.share = 2
			token, parts := "", 0
			for {
				r, err, _ := s.part(t.Context(), sweep.Run{Kind: sweep.Full, Token: token})
				if err != nil {
					t.Fatal(err)
				}
				if r.Done {
					break
				}
				if parts++; parts == 1 {
					tt.change(s)
					for arn := range s.want {
						if s.Revision(arn) == "" {
							delete(s.want, arn)
						}
					}
				}
				token = r.Token
			}
			if parts < 1 {
				t.Fatalf("the run had %d parts", parts)
			}
			s.settled(t, s.untouched())
		})
	}
}

func TestATokenThatIsNoneBeginsAnew(t *testing.T) {
	s := newSimulation(size{functions: 120, aliases: 1, versions: 1}, 8)
	s.share = 2
	first, err, _ := s.part(t.Context(), sweep.Run{Kind: sweep.Full})
	if err != nil || first.Done {
		t.Fatal(first, err)
	}
	for name, token := range map[string]string{
		"garbage":             "%%%",
		"empty JSON":          "e30",
		"one of another kind": first.Token,
		"one that was cut":    first.Token[:len(first.Token)-3],
		"one with more in it": first.Token + "AA",
	} {
		kind := sweep.Full
		if name == "one of another kind" {
			kind = sweep.Incremental
		}
		r, err, _ := s.part(t.Context(), sweep.Run{Kind: kind, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Notes, "; "); !strings.Contains(got, "the token is refused, and the run begins anew") || r.Done || r.Summary.Read+r.Summary.Skipped > first.Summary.Read {
			t.Errorf("%s: notes %q, %+v", name, got, r.Summary)
		}
	}
}

func TestARunStopsWritingAfterSoManyReverts(t *testing.T) {
	s := newSimulation(size{functions: 60, aliases: 1, versions: 1, public: 0.2}, 9)
	s.share = 3
	statements := s.statements()
	token := ""
	var sum sweep.Summary
	for done := false; !done; {
		w := s.sweep()
		w.MaxReverts = 10
		r, err := w.Run(t.Context(), sweep.Run{Kind: sweep.Full, Token: token, Until: s.clock.Now().Add(invocation)})
		if err != nil {
			t.Fatal(err)
		}
		token, done, sum = r.Token, r.Done, r.Summary
	}
	// A policy that has been begun is finished.
	if sum.Reverted < 10 || sum.Reverted > 11 || sum.Held != statements-sum.Reverted || sum.Failed != sum.Held {
		t.Errorf("of %d: %+v", statements, sum)
	}
	for _, text := range s.found.errors {
		if !strings.Contains(text, guard.ErrHeld.Error()) {
			t.Errorf("failed with %q", text)
		}
	}
}

func TestARunComesToItsEndWhereThereIsNothingToVisit(t *testing.T) {
	s := newSimulation(size{functions: 1000}, 13) // twenty pages of versions, with none on them
	s.share = 1
	token, among := "", 0
	for done := false; !done; {
		before := s.clock.Now()
		until := before.Add(time.Minute)
		r, err := s.sweep().Run(t.Context(), sweep.Run{Kind: sweep.Full, Token: token, Until: until})
		if err != nil || len(r.Notes) > 0 {
			t.Fatal(r.Notes, err)
		}
		// What had begun takes a few calls more, of 7 s each.
		if now := s.clock.Now(); now.After(until.Add(30 * time.Second)) {
			t.Fatalf("a part took %s, want a minute", now.Sub(before))
		}
		if r.Summary.Functions == 1000 {
			among++
		}
		if token, done = r.Token, r.Done; done && (r.Summary.Resources != 1000 || r.Summary.Read != 1000) {
			t.Errorf("%+v", r.Summary)
		}
	}
	if among < 3 {
		t.Errorf("%d parts were among the versions, want several", among)
	}
}

func TestWhatCannotBeReadIsSaidToBe(t *testing.T) {
	s := newSimulation(size{functions: 5, aliases: 2, versions: 1}, 10)
	s.Chaos = func(c lambdatest.Call) lambdatest.Fault {
		if c.Operation == "GetPolicy" && c.Resource == arnOf("fn-00002:live") || c.Operation == "ListAliases" && c.Resource == arnOf("fn-00003") {
			return lambdatest.Fault{Kind: lambdatest.AccessDenied}
		}
		return lambdatest.Fault{}
	}
	for _, kind := range []sweep.Kind{sweep.Full, sweep.Incremental, sweep.Incremental} {
		r, err := s.run(t.Context(), kind)
		if err != nil {
			t.Fatal(err)
		}
		examples := strings.Join(r.Summary.Examples, "\n")
		if r.Summary.Unreadable != 2 || !strings.Contains(examples, arnOf("fn-00002:live")+": ") || !strings.Contains(examples, arnOf("fn-00003")+" (aliases): ") {
			t.Errorf("%s: %+v", kind, r.Summary)
		}
	}
	s.Chaos = func(c lambdatest.Call) lambdatest.Fault {
		if c.Operation == "ListFunctions" {
			return lambdatest.Fault{Kind: lambdatest.AccessDenied}
		}
		return lambdatest.Fault{}
	}
	if r, err := s.run(t.Context(), sweep.Full); err == nil {
		t.Errorf("without a listing: %+v", r)
	}
}

func TestASinkThatRefusesIsNamed(t *testing.T) {
	s := newSimulation(size{functions: 30, public: 1}, 12)
	s.found.refuse = errors.New("AuthorizationError on the topic")
	for _, kind := range []sweep.Kind{sweep.Full, sweep.Incremental} {
		s.settings.Mode = guard.Audit // so that it is there in the second run, too
		r, err := s.run(t.Context(), kind)
		if err != nil {
			t.Fatal(err)
		}
		list := r.Summary.UndeliveredExamples
		if r.Summary.Undelivered == 0 || len(list) != min(r.Summary.Undelivered, 20) || !strings.HasPrefix(list[0], arnOf("fn-000")) || !strings.Contains(list[0], "AuthorizationError on the topic") {
			t.Errorf("%s: %d, %q", kind, r.Summary.Undelivered, list)
		}
	}
}

func TestASweepWithoutAStoreReadsEverything(t *testing.T) {
	s := newSimulation(size{functions: 5, aliases: 2, versions: 1}, 11)
	s.store = nil
	for range 2 {
		if r, err := s.run(t.Context(), sweep.Incremental); err != nil || r.Summary.Read != 20 || len(r.Notes) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	s.store = &memory{err: errors.New("full")}
	if r, err := s.run(t.Context(), sweep.Full); err != nil || !strings.Contains(strings.Join(r.Notes, ""), "full") {
		t.Errorf("%+v, %v", r, err)
	}
}
