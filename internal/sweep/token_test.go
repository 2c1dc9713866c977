package sweep

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func someProgress() *progress {
	return &progress{
		Version: tokenVersion, Kind: Full,
		Place:   Place{Versions: true, Marker: "m", After: "arn:aws:lambda:eu-west-1:111122223333:function:orders:7", Restarts: 1},
		Summary: Summary{Started: now.Add(-time.Hour), Read: 7, Reverted: 2, Examples: []string{"arn: <no>"}},
	}
}

func TestATokenIsReadAsItWasGiven(t *testing.T) {
	begun := Summary{Started: now}
	for _, p := range []*progress{
		someProgress(),
		{Version: tokenVersion, Kind: Full, Summary: begun},
		{Version: tokenVersion, Kind: Full, Place: Place{Marker: "m"}, Summary: begun},
		{Version: tokenVersion, Kind: Full, Place: Place{Versions: true}, Summary: begun},
	} {
		got, err := readToken(p.token(), Full, now)
		if diff := cmp.Diff(p, got); diff != "" || err != nil {
			t.Errorf("%v (-given +read):\n%s", err, diff)
		}
	}
}

// What an error says may be anything, and is cut somewhere.
func TestATokenWithErrorsInItIsReadAsItWasGiven(t *testing.T) {
	for _, text := range []string{"<html>\u2028&", "\xff\xfe", strings.Repeat("é", 1000), strings.Repeat("x", 400) + strings.Repeat("日", 100)} {
		p := someProgress()
		for range 2 * maxExamples {
			p.Summary.unreadable("arn", errors.New(text))
			example(&p.Summary.UndeliveredExamples, "arn", errors.New(text))
		}
		got, err := readToken(p.token(), Full, now)
		if err != nil || len(got.Summary.Examples) != maxExamples || got.Summary.Unreadable != 2*maxExamples {
			t.Errorf("%q: %v", text, err)
		}
		if len(p.token()) > 64<<10 { // a quarter of what a state of Step Functions takes
			t.Errorf("the token has %d bytes", len(p.token()))
		}
	}
}

func TestTokensThatNoRunHasGivenAreRefused(t *testing.T) {
	change := func(f func(*progress)) string {
		p := someProgress()
		f(p)
		return p.token()
	}
	as := func(old, new string) string {
		text, _ := base64.RawURLEncoding.DecodeString(someProgress().token())
		return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), old, new, 1)))
	}
	tests := []struct{ name, token, want string }{
		{"not base64", "!", "base64"},
		{"nothing", "", "cannot be read"},
		{"not JSON", base64.RawURLEncoding.EncodeToString([]byte("orders")), "cannot be read"},
		{"another version", change(func(p *progress) { p.Version++ }), "version 2, and this is 1"},
		{"no version", as(`"version":1,`, ""), "version 0"},
		{"another kind", change(func(p *progress) { p.Kind = Incremental }), `kind "incremental"`},
		{"no beginning", change(func(p *progress) { p.Summary.Started = time.Time{} }), "not begun"},
		{"a beginning that is still to come", change(func(p *progress) { p.Summary.Started = now.Add(1) }), "not begun"},
		{"reverts to come", change(func(p *progress) { p.Summary.Reverted = -50 }), "less than nothing"},
		{"writes to come", change(func(p *progress) { p.Summary.Writes = -50 }), "less than nothing"},
		{"restarts to come", change(func(p *progress) { p.Place.Restarts = -50 }), "less than nothing"},
		{"no ARN", change(func(p *progress) { p.Place.After = "orders" }), "ARN"},
		{"a member that there is not", as(`{`, `{"skip":true,`), "skip"},
		{"the same twice", as(`"reverted":2`, `"reverted":2,"reverted":0`), "in the form"},
		{"a member in another case", as(`"reverted"`, `"REVERTED"`), "in the form"},
		{"something after it", as(`}`, `}`) + base64.RawURLEncoding.EncodeToString([]byte("{}{")), ""},
	}
	for _, tt := range tests {
		if p, err := readToken(tt.token, Full, now); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, error %v, want %q in it", tt.name, p, err, tt.want)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(someProgress().token())
	f.Add("")
	f.Add("e30")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := readToken(token, Full, now)
		if (p == nil) == (err == nil) {
			t.Fatalf("%+v and %v", p, err)
		}
		if err != nil {
			return
		}
		if p.token() != token || p.Kind != Full || p.Version != tokenVersion || p.Summary.removed() < 0 {
			t.Errorf("read as %+v", p)
		}
	})
}

func someSet(n int) *set {
	s := &set{}
	for i := range n {
		s.add(markOf("arn", string(rune('a'+i))))
	}
	return s
}

func TestASetIsReadAsItWasStored(t *testing.T) {
	d := digestOf(guard.Settings{})
	for _, n := range []int{0, 1, 20} {
		s := someSet(n)
		s.add(markOf("arn", "a")) // twice
		text := s.encode(d, "run")
		if want := len(magic) + 32 + 4 + 4 + 16*max(n, 1); len(text) != want {
			t.Errorf("%d marks take %d bytes, want %d", n, len(text), want)
		}
		got, err := decode(text, d, "run")
		if err != nil || !got.has(markOf("arn", "a")) || got.has(markOf("arn", "A")) || got.has(markOf("ar", "na")) {
			t.Errorf("%d marks: %v", n, err)
		}
		for i := range text {
			if got, err := decode(text[:i], d, "run"); err == nil {
				t.Errorf("cut after %d bytes it has %d marks", i, len(got.sorted))
			}
		}
	}
}

func TestTheDigestFollowsAllThatAVerdictFollowsFrom(t *testing.T) {
	all := map[digest]string{}
	for name, settings := range map[string]guard.Settings{
		"nothing":                {},
		"the mode":               {Mode: guard.Enforce},
		"that of function URLs":  {FunctionURLs: guard.Enforce},
		"an account":             {Trust: exposure.Trust{Accounts: []string{"444455556666"}}},
		"an organization":        {Trust: exposure.Trust{Orgs: []string{"o-a1b2c3d4e5"}}},
		"an exemption":           {Exemptions: []guard.Exemption{{Function: "*", Until: now}}},
		"one that lasts longer":  {Exemptions: []guard.Exemption{{Function: "*", Until: now.Add(1)}}},
		"one of another content": {Exemptions: []guard.Exemption{{Function: "*", Until: now, Fingerprint: "f"}}},
	} {
		d := digestOf(settings)
		if other, ok := all[d]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		if all[d] = name; d != digestOf(settings) {
			t.Errorf("%s has two digests", name)
		}
	}
}

func FuzzSet(f *testing.F) {
	d := digestOf(guard.Settings{})
	f.Add(someSet(0).encode(d, ""))
	f.Add(someSet(3).encode(d, ""))
	f.Add(someSet(3).encode(d, "run"))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decode(text, d, "")
		if err == nil && !bytes.Equal(s.encode(d, ""), text) {
			t.Errorf("%q is read as %d marks", text, len(s.sorted))
		}
	})
}
