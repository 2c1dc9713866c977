// Package eventbridge puts findings on a bus of EventBridge, as events of their
// own. It does not know how an event reads, which is package sink's business, nor
// which rules select it.
package eventbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"lambda-guardrail/internal/awscall"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sink"
)

// Service is where the calls go.
var Service = awscall.Service{ID: "EventBridge", Prefix: "events", GovFIPS: true, GovDualStack: true}

// Sink puts each finding on the bus. It implements [guard.Sink].
type Sink struct {
	client *awscall.Client
	bus    string
	now    func() time.Time
}

var _ guard.Sink = (*Sink)(nil)

// New returns a Sink for a bus, by name or ARN. A bus that does not exist is no
// error to EventBridge: it accepts the event, and drops it.
func New(cfg aws.Config, bus string, now func() time.Time) *Sink {
	return &Sink{awscall.New(cfg, Service), bus, now}
}

// Name implements [guard.Sink].
func (s *Sink) Name() string { return "eventbridge" }

// Report implements [guard.Sink].
func (s *Sink) Report(ctx context.Context, f guard.Finding) error {
	entry, err := sink.BusEntry(f, s.bus, s.now())
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string][]sink.Entry{"Entries": {entry}})
	if err != nil {
		return err
	}
	return s.client.Do(ctx, awscall.Call{
		Operation: "PutEvents",
		Header:    map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSEvents.PutEvents"},
		Body:      body, Read: read,
	})
}

// read returns the refusal of the entry, if it was refused.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
func read(answer []byte) error {
	var result struct {
		FailedEntryCount int
		Entries          []struct{ ErrorCode, ErrorMessage string }
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	for _, entry := range result.Entries {
		if entry.ErrorCode != "" {
			return &smithy.GenericAPIError{Code: entry.ErrorCode, Message: entry.ErrorMessage}
		}
	}
	if result.FailedEntryCount > 0 || len(result.Entries) == 0 {
		return fmt.Errorf("%d events taken and %d refused, without a reason", len(result.Entries), result.FailedEntryCount)
	}
	return nil
}
