package exposure

import (
	"time"

	"lambda-guardrail/internal/iampolicy"
)

// Work is what judging the document took, as a part of what it may take.
func Work(d iampolicy.Document, on Target, now time.Time) float64 {
	j := &judge{doc: d, on: on, now: now}
	_, spent := j.statements()
	return float64(spent) / float64(maxWork)
}

// Qualifier is the version or alias that the request of a witness is made on.
func (w Witness) Qualifier() string { return w.qualifier }

// Service is the AWS service that calls, "" where it is one that nothing names.
func (w Witness) Service() string { return w.service }
