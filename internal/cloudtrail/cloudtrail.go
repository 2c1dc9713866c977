// Package cloudtrail turns what CloudTrail recorded of a Lambda call into a
// resource to look at, and generates the EventBridge pattern that selects such
// calls. It knows neither what makes a policy public nor what the live policy
// says.
package cloudtrail

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"lambda-guardrail/internal/guard"
)

// maxSize is that of the largest message of SQS, 1 MiB:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const maxSize = 1 << 20

// Kind tells how a record came.
type Kind int

const (
	Record   Kind = iota // on its own, as in a log file of a trail
	Envelope             // as the detail of an EventBridge event
)

// Event is what a text says of one call.
type Event struct {
	Kind      Kind
	Ignored   string          // why there is nothing to look at; "" if there is a candidate
	Candidate guard.Candidate // its Resource is complete, unless the event is ignored
}

// Candidate returns what to look at because of an event. It reports false for
// an event that is none of ours: another call, or one that failed. An error
// means one of ours that cannot be understood, and must reach a person.
func Candidate(text []byte) (guard.Candidate, bool, error) {
	e, err := ParseEvent(text)
	return e.Candidate, err == nil && e.Ignored == "", err
}

// ParseEvent reads an EventBridge event or a CloudTrail record. Its errors are
// those of [Candidate].
func ParseEvent(text []byte) (Event, error) {
	if len(text) > maxSize {
		return Event{}, fmt.Errorf("reading the event: it has %d bytes, and no event has more than %d", len(text), maxSize)
	}
	var env envelope
	if err := json.Unmarshal(text, &env, lenient); err != nil {
		return Event{}, fmt.Errorf("reading the event: %w", err)
	}
	e, r := Event{Kind: Record}, &env.record
	if env.Detail != nil {
		e.Kind, r = Envelope, env.Detail
		if env.Source != source || env.DetailType != detailType {
			e.Ignored = fmt.Sprintf("an event of another kind: source %q, detail-type %q", env.Source, env.DetailType)
			return e, nil
		}
	}
	if r.EventSource == "" || r.EventName == "" {
		return e, errors.New("reading the event: want an EventBridge event with a CloudTrail record as its detail, or such a record: there is no eventSource or no eventName")
	}
	if e.Ignored = r.ignored(); e.Ignored != "" {
		return e, nil
	}
	var err error
	if e.Candidate, err = r.candidate(env.Account); err != nil {
		err = fmt.Errorf("reading the record %s of %s: %w", r.EventID, r.EventName, err)
	}
	return e, err
}

// ignored says why a record is none of ours; "" if it is.
func (r *record) ignored() string {
	switch {
	case r.EventSource != eventSource:
		return fmt.Sprintf("a call to another service: %s", r.EventSource)
	case !guarded(r.EventName):
		return fmt.Sprintf("a call that opens no function: %s", r.EventName)
	case r.ErrorCode != "":
		return fmt.Sprintf("a call that failed: %s", r.ErrorCode)
	}
	if kind := resourceType(r.named()); kind != "function" {
		return fmt.Sprintf("a call on another kind of resource: %s", kind)
	}
	return ""
}

func (r *record) candidate(account string) (guard.Candidate, error) {
	// Later minor versions only add members:
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
	if major, _, _ := strings.Cut(r.EventVersion, "."); major != "1" {
		return guard.Candidate{}, fmt.Errorf("its eventVersion is %q, and only 1.x is known", r.EventVersion)
	}
	at, err := time.Parse(time.RFC3339, r.EventTime)
	if err != nil {
		return guard.Candidate{}, fmt.Errorf("its eventTime: %w", err)
	}
	resource, err := r.resource(account)
	if err != nil {
		return guard.Candidate{}, err
	}
	who := &r.UserIdentity
	return guard.Candidate{
		Resource:  resource,
		Call:      r.EventName,
		EventID:   r.EventID,
		Time:      at,
		Statement: r.Response.Statement,
		Actor: guard.Actor{
			Type:          who.Type,
			ARN:           who.ARN,
			Account:       who.Account,
			AccessKeyID:   who.AccessKeyID,
			SessionIssuer: who.SessionContext.SessionIssuer.ARN,
			MFA:           who.SessionContext.Attributes.MFA,
			Source:        r.SourceIP,
			UserAgent:     r.UserAgent,
			InvokedBy:     who.InvokedBy,
		},
	}, nil
}
