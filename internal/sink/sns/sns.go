// Package sns publishes findings to topics of Amazon SNS: one for people and
// machines, and one for chat. It does not know how a finding reads, which is
// package sink's business, nor who subscribes.
package sns

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sink"
)

// attempts is how often a message is sent at the most, whatever the configuration
// says of the Lambda API: all of it must fit into the guard's time for a sink.
const attempts = 3

// Sink publishes each finding once to each topic. It implements [guard.Sink].
type Sink struct {
	client *sns.Client
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
	s := &Sink{client: sns.NewFromConfig(cfg, func(o *sns.Options) { o.RetryMaxAttempts = attempts })}
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

func (s *Sink) publish(ctx context.Context, t topic, f guard.Finding) error {
	m, err := t.message(f)
	if err != nil {
		return err
	}
	in := &sns.PublishInput{TopicArn: &t.arn, Message: &m.Body, MessageAttributes: map[string]types.MessageAttributeValue{}}
	if m.Subject != "" {
		in.Subject = &m.Subject
	}
	if t.structure != "" {
		in.MessageStructure = &t.structure
	}
	for name, value := range m.Attributes {
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	_, err = s.client.Publish(ctx, in)
	return err
}
