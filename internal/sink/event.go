package sink

import (
	"bytes"
	"fmt"
	"time"

	"lambda-guardrail/internal/guard"
)

// By these a rule on the bus selects findings.
const (
	EventSource = "lambda-guardrail"
	EventDetail = "Lambda Guardrail Finding"
)

// maxDetail leaves room for the rest of an entry, and for the envelope that
// EventBridge puts around it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
const maxDetail = 256<<10 - 4<<10

// Entry is an event as PutEvents takes it.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
type Entry struct {
	Time         int64 // s since 1970
	Source       string
	Resources    []string
	DetailType   string
	Detail       string // JSON
	EventBusName string // or ARN
}

// BusEntry returns f as an event of now. Its detail is the finding; what that
// lacks for want of room, its member omitted says.
func BusEntry(f guard.Finding, bus string, now time.Time) (Entry, error) {
	detail, err := Fit(f, maxDetail, func(f guard.Finding) ([]byte, error) { return encode(f) })
	if err == nil && len(detail) > maxDetail {
		err = fmt.Errorf("a finding of %d bytes, and an event takes %d", len(detail), maxDetail)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("writing an event: %w", err)
	}
	return Entry{
		Time: now.Unix(), Source: EventSource, DetailType: EventDetail, EventBusName: bus,
		Resources: []string{record(f.Resource.ARN(), maxASFFValue)}, Detail: string(bytes.TrimSuffix(detail, []byte("\n"))),
	}, nil
}
