// Package sink takes findings out of the process, one file for each way out. It
// does not know what makes a finding, nor what anybody does about it.
package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"lambda-guardrail/internal/guard"
)

// maxLine is what fits into one event of CloudWatch Logs, with room to spare.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const maxLine = 256<<10 - 1<<10

// Log writes one JSON line for each finding and for each attempt of a call that
// failed, with CloudWatch metrics in it, and one for each piece of evidence. It
// implements [guard.Sink] and [guard.Evidence].
type Log struct {
	out io.Writer
	now func() time.Time
	mu  sync.Mutex
}

var (
	_ guard.Sink     = (*Log)(nil)
	_ guard.Evidence = (*Log)(nil)
)

// NewLog returns a Log that gives each line to out in one Write.
func NewLog(out io.Writer, now func() time.Time) *Log { return &Log{out: out, now: now} }

// Name implements [guard.Sink].
func (l *Log) Name() string { return "log" }

// severities are the levels of log/slog, by which Lambda filters.
var severities = map[guard.Outcome]string{
	guard.Audited:     "WARN",
	guard.Exempt:      "INFO",
	guard.NeedsReview: "WARN",
	guard.Reverted:    "WARN",
	guard.AlreadyGone: "WARN",
	guard.Failed:      "ERROR",
}

// findingLine is what a finding looks like in the log. The members that metrics
// refer to must stand at the top.
type findingLine struct {
	Time     time.Time `json:"time"`
	Severity string    `json:"level"`
	Message  string    `json:"msg"`
	AWS      *metadata `json:"_aws,omitempty"`
	metrics
	Finding guard.Finding `json:"finding"`
}

// Report implements [guard.Sink].
func (l *Log) Report(_ context.Context, f guard.Finding) error {
	now := l.now()
	m, directives := measure(f)
	line := findingLine{
		Time: now, Severity: severities[guard.Outcome(f.Outcome.String())], Message: "finding",
		AWS: stamp(now, directives...), metrics: m,
	}
	text, err := Fit(f, maxLine, func(f guard.Finding) ([]byte, error) {
		line.Finding = f
		return encode(line)
	})
	return l.write(text, err)
}

// apiErrorLine is what an attempt that failed looks like in the log.
type apiErrorLine struct {
	Time     time.Time `json:"time"`
	Severity string    `json:"level"`
	Message  string    `json:"msg"`
	AWS      *metadata `json:"_aws"`
	apiErrors
	Call  string `json:"call"`
	Class string `json:"class"`
	Code  string `json:"code,omitempty"` // of the API's answer; "" if there was none
}

// APIError writes one line for one attempt of a call that failed. A class is
// throttled, denied, conflict or failed. That it could not be written is not told.
func (l *Log) APIError(call, class, code string) {
	row, known := apiErrorClasses[class]
	if !known {
		row = apiErrorClasses["failed"]
	}
	now := l.now()
	text, err := encode(apiErrorLine{
		Time: now, Severity: "WARN", Message: "api-error",
		AWS:       stamp(now, directive{Namespace, without, []definition{{row.metric, "Count"}}}),
		apiErrors: row.errors, Call: call, Class: class, Code: code,
	})
	_ = l.write(text, err)
}

// evidenceLine is what stands in the log before a removal. Where one line would
// be too long, there are several of one ID.
type evidenceLine struct {
	Time         time.Time      `json:"time"`
	Severity     string         `json:"level"`
	Message      string         `json:"msg"`
	ID           string         `json:"id"` // of the finding to come
	Resource     guard.Resource `json:"resource"`
	Fingerprint  string         `json:"fingerprint"`
	Statement    string         `json:"statement,omitempty"`
	PolicyBefore string         `json:"policyBefore,omitempty"`
	Restore      string         `json:"restore,omitempty"`
}

// Record implements [guard.Evidence]. It fails if statement or policy do not fit
// into a line each, which no policy of Lambda's 20 KB can bring about.
func (l *Log) Record(_ context.Context, fs []guard.Finding) error {
	for _, f := range fs {
		head := evidenceLine{
			Time: l.now(), Severity: "WARN", Message: "evidence",
			ID: f.ID, Resource: f.Resource, Fingerprint: f.Fingerprint,
		}
		whole := head
		whole.Statement, whole.PolicyBefore, whole.Restore = f.Statement, f.PolicyBefore, f.Restore
		lines := []evidenceLine{whole}
		if text, err := encode(whole); err == nil && len(text) > maxLine {
			// The restore command follows from these two.
			statement, policy := head, head
			statement.Statement, policy.PolicyBefore = f.Statement, f.PolicyBefore
			lines = []evidenceLine{statement, policy}
		}
		for _, line := range lines {
			text, err := encode(line)
			if err == nil && len(text) > maxLine {
				err = fmt.Errorf("a line of %d bytes, and the log takes %d", len(text), maxLine)
			}
			if err := l.write(text, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// encode returns one line of printable characters, whatever the texts in v.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return append([]byte(guard.PrintableJSON(string(line))), '\n'), nil
}

func (l *Log) write(line []byte, err error) error {
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, err = l.out.Write(line)
	}
	if err != nil {
		return fmt.Errorf("writing to the log: %w", err)
	}
	return nil
}

// Warn writes a line that is about no finding, and why.
func (l *Log) Warn(message string, because error) error {
	return l.write(encode(struct {
		Time     time.Time `json:"time"`
		Severity string    `json:"level"`
		Message  string    `json:"msg"`
		Error    string    `json:"error"`
	}{l.now(), "WARN", message, because.Error()}))
}
