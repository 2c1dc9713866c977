package wire_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/sweep"
	"lambda-guardrail/internal/wire"
)

func TestASweepKeepsToTheSettings(t *testing.T) {
	number := func(n int) *int { return &n }
	tests := []struct {
		name                string
		settings            config.Sweep
		slowest, fastest    float64 // policies a second
		reverted, published int
	}{
		{"none", config.Sweep{}, 4.9, 5.2, config.DefaultMaxReverts, 60},
		{"half of the quota", config.Sweep{QuotaShare: number(50)}, 7.4, 7.9, config.DefaultMaxReverts, 60},
		{"two reverts", config.Sweep{MaxReverts: number(2)}, 4.9, 5.2, 2, 60},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, environ := account(t, policy)
			for i := range 59 {
				name := fmt.Sprintf("orders-%02d", i)
				a.Seed(name, strings.ReplaceAll(policy, "function:orders", "function:"+name))
			}
			cfg, err := wire.AWS(environ)
			if err != nil {
				t.Fatal(err)
			}
			clock := guardtest.NewClock(now)
			var log bytes.Buffer
			s := wire.Sweep(cfg, config.Config{Mode: guard.Enforce, Sweep: tt.settings}, nil, &log, clock, nil)
			r, err := s.Run(t.Context(), sweep.Run{Kind: sweep.Full})
			if err != nil || !r.Done {
				t.Fatal(r, err)
			}
			if r.Summary.Reverted != tt.reverted || r.Summary.Held != tt.published-tt.reverted {
				t.Errorf("%d reverted and %d held of %d", r.Summary.Reverted, r.Summary.Held, tt.published)
			}
			if got := strings.Count(log.String(), `"msg":"finding"`); got != tt.published {
				t.Errorf("%d findings", got)
			}
			policies := 0
			for _, c := range a.Calls() {
				if c.Operation == "GetPolicy" {
					policies++
				}
				if !strings.Contains(c.UserAgent, "lambda-guardrail/"+wire.Version) {
					t.Errorf("%s with user agent %q", c.Operation, c.UserAgent)
				}
			}
			if r.Summary.Calls != len(a.Calls()) {
				t.Errorf("%d calls were counted, and %d made", r.Summary.Calls, len(a.Calls()))
			}
			others := float64(len(a.Calls()) - policies) // the more of them, the slower
			if rate := max(float64(policies), others) / clock.Slept().Seconds(); rate < tt.slowest || rate > tt.fastest {
				t.Errorf("%.2f calls a second, want %.2f to %.2f", rate, tt.slowest, tt.fastest)
			}
		})
	}
}

func TestStart(t *testing.T) {
	const exemptions = `{"exemptions":[{"function":"arn:aws:lambda:*:111122223333:function:orders","owner":"shop","reason":"a webhook","until":"2999-12-31"}]}`
	root := fstest.MapFS{"exemptions.json": {Data: []byte(exemptions)}, "bad.json": {Data: []byte("{}")}}
	tests := []struct {
		name       string
		set        map[string]string
		exemptions int
		want       string // in the error
	}{
		{name: "nothing"},
		{name: "exemptions", set: map[string]string{"GUARDRAIL_EXEMPTIONS": "exemptions.json"}, exemptions: 1},
		{name: "exemptions that are not there", set: map[string]string{"GUARDRAIL_EXEMPTIONS": "none.json"}, want: "none.json"},
		{name: "exemptions that are none", set: map[string]string{"GUARDRAIL_EXEMPTIONS": "bad.json"}, want: "bad.json: "},
		{name: "a setting that is none", set: map[string]string{"GUARDRAIL_MOOD": "good"}, want: "reading the settings: "},
		{name: "no region", set: map[string]string{"AWS_REGION": ""}, want: "reading the environment: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _, got, err := wire.Start(environ(tt.set), root)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || cfg.Region != "" {
					t.Errorf("region %q, error %v, want %q in it", cfg.Region, err, tt.want)
				}
				return
			}
			if err != nil || len(got) != tt.exemptions || cfg.Region != "eu-central-1" {
				t.Errorf("%d exemptions, region %q, %v", len(got), cfg.Region, err)
			}
		})
	}
}
