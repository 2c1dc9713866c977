package sink

import (
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// Namespace is that of the metrics in CloudWatch.
const Namespace = "LambdaGuardrail"

// metadata tells CloudWatch which members of a line are metrics. Every combination
// of a metric and the values of its dimensions is billed as one of its own, so
// that there are at most a dozen in all: no dimension may be chosen by an
// attacker, or differ from function to function.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type metadata struct {
	Timestamp         int64 // ms
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

// without is the one set of dimensions of a metric that has none.
var without = [][]string{{}}

// metrics are members of the line of a finding. Beside what is a metric, they are
// what one looks for in the log.
type metrics struct {
	Outcome       guard.Outcome
	ExposureLevel string
	Mode          guard.Mode
	APICalls      int
	Findings      *int     `json:",omitempty"` // of those that let strangers in, or may; by Outcome
	SecondsOpen   *float64 `json:",omitempty"` // from the call to the verified removal
}

// measure returns the metrics of a finding, and the directives for those that it
// has: a directive may name no member that the line lacks.
func measure(f guard.Finding) (metrics, []directive) {
	m := metrics{Outcome: f.Outcome, ExposureLevel: f.Verdict.Level.String(), Mode: f.Mode, APICalls: f.APICalls}
	var all []directive
	if f.Verdict.Level == exposure.Public || f.Verdict.Level == exposure.Undetermined {
		m.Findings = new(1)
		all = append(all, directive{Namespace, [][]string{{"Outcome"}}, []definition{{"Findings", "Count"}}})
	}
	if !f.OpenedAt.IsZero() && !f.ClosedAt.IsZero() {
		m.SecondsOpen = &f.SecondsOpen
		all = append(all, directive{Namespace, without, []definition{{"SecondsOpen", "Seconds"}}})
	}
	return m, all
}

// apiErrors are members of the line of an attempt that failed, one of them 1.
type apiErrors struct {
	APIErrorsThrottled int `json:",omitempty"`
	APIErrorsDenied    int `json:",omitempty"`
	APIErrorsConflict  int `json:",omitempty"`
	APIErrorsFailed    int `json:",omitempty"`
}

// apiErrorClasses are the classes of such attempts. Any other counts as failed.
var apiErrorClasses = map[string]struct {
	metric string
	errors apiErrors
}{
	"throttled": {"APIErrorsThrottled", apiErrors{APIErrorsThrottled: 1}},
	"denied":    {"APIErrorsDenied", apiErrors{APIErrorsDenied: 1}},
	"conflict":  {"APIErrorsConflict", apiErrors{APIErrorsConflict: 1}},
	"failed":    {"APIErrorsFailed", apiErrors{APIErrorsFailed: 1}},
}

// stamp returns the metadata of a line, nil for one without metrics.
func stamp(at time.Time, directives ...directive) *metadata {
	if len(directives) == 0 {
		return nil
	}
	return &metadata{at.UnixMilli(), directives}
}
