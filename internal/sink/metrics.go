package sink

import (
	"time"

	"lambda-guardrail/internal/guard"
)

// Namespace is that of the metrics in CloudWatch.
const Namespace = "LambdaGuardrail"

// metrics are members of a log line. Every combination of dimensions is billed as
// a metric of its own: none of them may be chosen by an attacker, or differ from
// function to function.
type metrics struct {
	Outcome       guard.Outcome
	ExposureLevel string
	Mode          guard.Mode
	Findings      int
	APICalls      int
	SecondsOpen   *float64 `json:",omitempty"`
}

// dimensions are the sets under which each metric is kept: one to raise alarms
// on, one to look into.
var dimensions = [][]string{{"Outcome"}, {"Outcome", "ExposureLevel", "Mode"}}

var (
	always = []definition{{"Findings", "Count"}, {"APICalls", "Count"}}
	closed = append(always[:len(always):len(always)], definition{"SecondsOpen", "Seconds"})
)

// metadata tells CloudWatch which members of the line are metrics.
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

func measure(f guard.Finding) metrics {
	m := metrics{
		Outcome: f.Outcome, ExposureLevel: f.Verdict.Level.String(), Mode: f.Mode,
		Findings: 1, APICalls: f.APICalls,
	}
	if !f.OpenedAt.IsZero() && !f.ClosedAt.IsZero() {
		m.SecondsOpen = &f.SecondsOpen
	}
	return m
}

// describe returns the metadata of a line: it may name no metric that the line
// does not have.
func (m metrics) describe(now time.Time) metadata {
	definitions := always
	if m.SecondsOpen != nil {
		definitions = closed
	}
	return metadata{now.UnixMilli(), []directive{{Namespace, dimensions, definitions}}}
}
