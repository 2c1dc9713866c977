// Package sns publishes findings to topics of Amazon SNS: one for people and
// machines, and one for chat. It does not know how a finding reads, which is
// package sink's business, nor who subscribes.
package sns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lambda-guardrail/internal/awscall"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sink"
)

// Service is where the calls go.
var Service = awscall.Service{ID: "SNS", Prefix: "sns", GovFIPS: true}

// Sink publishes each finding once to each topic. It implements [guard.Sink].
type Sink struct {
	client *awscall.Client
	topics []topic
}

type topic struct {
	arn       string
	structure string // "json" has a text for each protocol
	message   func(guard.Finding) (sink.Message, error)
}

var _ guard.Sink = (*Sink)(nil)

// New returns a Sink that publishes to the topics with these ARNs; "" is none.
func New(cfg aws.Config, forAll, forChat string) *Sink {
	s := &Sink{client: awscall.New(cfg, Service)}
	for _, t := range []topic{{forAll, "json", sink.TopicMessage}, {forChat, "", sink.ChatMessage}} {
		if t.arn != "" {
			s.topics = append(s.topics, t)
		}
	}
	return s
}

// Name implements [guard.Sink].
func (s *Sink) Name() string { return "sns" }

// Report implements [guard.Sink]. One topic does not silence the other.
func (s *Sink) Report(ctx context.Context, f guard.Finding) error {
	var failures []error
	for _, t := range s.topics {
		if err := s.publish(ctx, t, f); err != nil {
			failures = append(failures, fmt.Errorf("publishing to %s: %w", t.arn, err))
		}
	}
	return errors.Join(failures...)
}

// publish sends one message.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func (s *Sink) publish(ctx context.Context, t topic, f guard.Finding) error {
	m, err := t.message(f)
	if err != nil {
		return err
	}
	form := url.Values{"Action": {"Publish"}, "Version": {"2010-03-31"}, "TopicArn": {t.arn}, "Message": {m.Body}}
	if m.Subject != "" {
		form.Set("Subject", m.Subject)
	}
	if t.structure != "" {
		form.Set("MessageStructure", t.structure)
	}
	for i, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		entry := fmt.Sprintf("MessageAttributes.entry.%d.", i+1)
		form.Set(entry+"Name", name)
		form.Set(entry+"Value.DataType", "String")
		form.Set(entry+"Value.StringValue", m.Attributes[name])
	}
	return s.client.Do(ctx, awscall.Call{
		Operation: "Publish", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		Body: []byte(form.Encode()), Read: func([]byte) error { return nil }, // of what was taken, it says the message's id
	})
}
