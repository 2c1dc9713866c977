package sink

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sweep"
)

func TestSwept(t *testing.T) {
	exemptions := []guard.Exemption{
		{Function: "long-gone", Owner: "shop", Reason: "a webhook", Until: now},
		{Function: "soon", Owner: "shop", Reason: "a webhook\u202e", Until: now.Add(guard.Notice)},
		{Function: "later", Owner: "shop", Reason: "a webhook", Until: now.Add(guard.Notice + time.Second)},
	}
	started := now.Add(-time.Hour)
	tests := []struct {
		name       string
		result     sweep.Result
		exemptions []guard.Exemption
		want       []string // members of the last line
		lines      int
		heartbeat  bool
	}{
		{"a run that is done beats", sweep.Result{Done: true, Summary: sweep.Summary{Started: started, Functions: 3, Read: 7}}, nil,
			[]string{`"level":"INFO"`, `"seconds":3600`, `"functions":3`, `"read":7`, `"done":true`}, 1, true},
		{"a part of one does not", sweep.Result{Token: "t", Summary: sweep.Summary{Started: started, Read: 7}}, nil,
			[]string{`"level":"INFO"`, `"done":false`}, 1, false},
		{"nor one that could read nothing", sweep.Result{Done: true, Summary: sweep.Summary{Started: started, Unreadable: 7}}, nil,
			[]string{`"level":"ERROR"`, `"unreadable":7`}, 1, false},
		{"an account without functions beats", sweep.Result{Done: true, Summary: sweep.Summary{Started: started}}, nil,
			[]string{`"level":"INFO"`}, 1, true},
		{"what is unreadable is a warning", sweep.Result{Done: true, Summary: sweep.Summary{Started: started, Read: 1, Unreadable: 1, Examples: []string{"arn: no"}}}, nil,
			[]string{`"level":"WARN"`, `"unreadableExamples":["arn: no"]`}, 1, true},
		{"what is held is an error", sweep.Result{Done: true, Summary: sweep.Summary{Started: started, Read: 1, Failed: 1, Held: 1}}, nil,
			[]string{`"level":"ERROR"`, `"held":1`}, 1, true},
		{"what did not reach a sink is an error", sweep.Result{Done: true, Summary: sweep.Summary{Started: started, Read: 1, Undelivered: 1, UndeliveredExamples: []string{"arn: no topic"}}}, nil,
			[]string{`"level":"ERROR"`, `"undeliveredExamples":["arn: no topic"]`}, 1, true},
		{"exemptions are reminded of at the end", sweep.Result{Done: true, Summary: sweep.Summary{Started: started, Read: 1}}, exemptions,
			[]string{`"level":"WARN"`, `"lapsedExemptions":1`, `"endingExemptions":1`}, 3, true},
		{"and counted before", sweep.Result{Summary: sweep.Summary{Started: started, Read: 1}}, exemptions,
			[]string{`"level":"WARN"`, `"lapsedExemptions":1`, `"endingExemptions":1`}, 1, false},
		{"notes are a warning", sweep.Result{Done: true, Summary: sweep.Summary{Started: started, Read: 1}, Notes: []string{"seen is not used"}}, nil,
			[]string{`"level":"WARN"`, `"notes":["seen is not used"]`}, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := NewLog(&out, func() time.Time { return now }).Swept(sweep.Full, tt.result, tt.exemptions); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != tt.lines {
				t.Errorf("%d lines, want %d: %s", len(lines), tt.lines, out.String())
			}
			for _, line := range lines {
				if !json.Valid([]byte(line)) || strings.Contains(line, "\u202e") {
					t.Errorf("the line is %s", line)
				}
			}
			last := lines[len(lines)-1]
			for _, want := range append(tt.want, `"msg":"sweep"`, `"run":"full"`) {
				if !strings.Contains(last, want) {
					t.Errorf("the line lacks %s: %s", want, last)
				}
			}
			const metric = `"_aws":{"Timestamp":1795435200000,"CloudWatchMetrics":[{"Namespace":"LambdaGuardrail","Dimensions":[[]],"Metrics":[{"Name":"SweepHeartbeat","Unit":"Count"}]}]},"SweepHeartbeat":1,`
			if got := strings.Contains(last, metric); got != tt.heartbeat || got != strings.Contains(last, "_aws") {
				t.Errorf("heartbeat %t, want %t: %s", got, tt.heartbeat, last)
			}
		})
	}
}
