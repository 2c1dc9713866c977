package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/guard/guardtest"
)

// mostSeries is what the owner pays for at the most, whatever happens: each is
// billed for a month. One is kept for the sweep's heartbeat.
const mostSeries = 12 - 1

// TestMetrics holds every line against the specification of the embedded metric
// format, and counts what is billed.
func TestMetrics(t *testing.T) {
	var out bytes.Buffer
	log := NewLog(&out, func() time.Time { return now })
	for _, x := range guardtest.Examples() {
		if err := log.Report(t.Context(), x.Finding); err != nil {
			t.Fatal(err)
		}
	}
	for class := range apiErrorClasses {
		log.APIError("GetPolicy", class, "SomeException")
	}
	log.APIError("GetPolicy", "a class that is none", "")

	series := map[string]bool{}
	for _, line := range checkLines(t, out.Bytes()) {
		for _, one := range metricsOf(t, line) {
			series[one] = true
		}
	}
	want := []string{
		"APIErrorsConflict", "APIErrorsDenied", "APIErrorsFailed", "APIErrorsThrottled",
		"Findings Outcome=already-gone", "Findings Outcome=audited", "Findings Outcome=exempt",
		"Findings Outcome=failed", "Findings Outcome=needs-review", "Findings Outcome=reverted",
		"SecondsOpen",
	}
	if diff := gocmp.Diff(want, slices.Sorted(maps.Keys(series))); diff != "" || len(series) > mostSeries {
		t.Errorf("%d series, at most %d: %s", len(series), mostSeries, diff)
	}
}

func TestWhatIsMeasured(t *testing.T) {
	for name, want := range map[string]string{
		"reverted":                "Findings=1 SecondsOpen=41",
		"audited":                 "Findings=1",
		"needs-review":            "Findings=1",
		"audited-external":        "",
		"audited-confused-deputy": "",
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(guardtest.Examples(), func(x guardtest.Example) bool { return x.Name == name })
			var out bytes.Buffer
			if err := NewLog(&out, func() time.Time { return now }).Report(t.Context(), guardtest.Examples()[i].Finding); err != nil {
				t.Fatal(err)
			}
			line := checkLines(t, out.Bytes())[0]
			var got []string
			for _, one := range metricsOf(t, line) {
				name, _, _ := strings.Cut(one, " ")
				got = append(got, name+"="+string(line[name]))
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("metrics %q, want %q", got, want)
			}
		})
	}
}

// metricsOf returns the metrics of a line as "NAME DIMENSION=VALUE...".
func metricsOf(t *testing.T, line map[string]json.RawMessage) []string {
	t.Helper()
	if line["_aws"] == nil {
		return nil
	}
	var aws struct {
		Timestamp         *int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(line["_aws"]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&aws); err != nil {
		t.Fatal(err)
	}
	var at time.Time
	if err := json.Unmarshal(line["time"], &at); err != nil {
		t.Fatal(err)
	}
	if aws.Timestamp == nil || *aws.Timestamp != at.UnixMilli() {
		t.Error("Timestamp is not in milliseconds")
	}
	var all []string
	for _, d := range aws.CloudWatchMetrics {
		if d.Namespace != Namespace {
			t.Errorf("namespace %q", d.Namespace)
		}
		if len(d.Dimensions) == 0 || len(d.Metrics) == 0 || len(d.Metrics) > 100 {
			t.Errorf("%d sets of dimensions, %d metrics", len(d.Dimensions), len(d.Metrics))
		}
		for _, set := range d.Dimensions {
			if set == nil || len(set) > 30 {
				t.Errorf("dimensions %v: an empty set is an empty list", set)
			}
			under := ""
			for _, dimension := range set {
				var value string
				if err := json.Unmarshal(line[dimension], &value); err != nil || value == "" || len(value) > 1024 {
					t.Errorf("dimension %s is %s", dimension, line[dimension])
				}
				under += fmt.Sprintf(" %s=%s", dimension, value)
			}
			for _, metric := range d.Metrics {
				var value float64
				if err := json.Unmarshal(line[metric.Name], &value); err != nil {
					t.Errorf("metric %s is %s", metric.Name, line[metric.Name])
				}
				if !slices.Contains([]string{"Count", "Seconds"}, metric.Unit) {
					t.Errorf("metric %s has unit %q", metric.Name, metric.Unit)
				}
				all = append(all, metric.Name+under)
			}
		}
	}
	return all
}
