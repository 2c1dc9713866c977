package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/guard"
)

// Handler takes EventBridge events, as they are or in messages of SQS. It is what
// aws-lambda-go calls a Handler.
type Handler struct {
	guard  *guard.Guard
	region string
}

// NewHandler returns a Handler for events of one region.
func NewHandler(g *guard.Guard, region string) *Handler { return &Handler{g, region} }

// message is what is read of one of SQS's, as a function is given it:
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type message struct {
	ID     string `json:"messageId"`
	Source string `json:"eventSource"`
	Body   string `json:"body"` // an event
}

// Invoke responds to one event, or to that of each message. An event that is none of
// ours is no error; one of ours that cannot be understood is, and so is a record that
// is no message of SQS. All messages are handled before Invoke fails because of some.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	if !enveloped(event) {
		return nil, h.respond(ctx, event)
	}
	var envelope struct{ Records []message }
	if err := json.Unmarshal(event, &envelope); err != nil {
		return nil, fmt.Errorf("reading the messages: %w", err)
	}
	if len(envelope.Records) == 0 {
		return nil, errors.New("reading the messages: there is none among the Records")
	}
	var failures []error
	for i, m := range envelope.Records {
		if err := h.handle(ctx, m); err != nil {
			failures = append(failures, fmt.Errorf("message %q, Records[%d]: %w", m.ID, i, err))
		}
	}
	return nil, errors.Join(failures...)
}

// enveloped reports whether a text begins like the messages of an event source
// mapping, whose only member is Records. An event would not be read twice to tell.
func enveloped(text []byte) bool {
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	if open, err := d.ReadToken(); err != nil || open.Kind() != '{' {
		return false
	}
	name, err := d.ReadToken()
	return err == nil && name.Kind() == '"' && name.String() == "Records"
}

func (h *Handler) handle(ctx context.Context, m message) error {
	switch {
	case m.Source != "aws:sqs":
		return fmt.Errorf("its eventSource is %q: want aws:sqs", m.Source)
	case m.Body == "":
		return errors.New("its body is missing: want an EventBridge event")
	}
	return h.respond(ctx, []byte(m.Body))
}

func (h *Handler) respond(ctx context.Context, event []byte) error {
	c, ok, err := cloudtrail.Candidate(event)
	if err != nil || !ok {
		return err
	}
	if c.Resource.Region != h.region {
		// Lambda answers that a function of another region is not found.
		return fmt.Errorf("the event is about %s, and this is %s: want a guardrail in every region", c.Resource.ARN(), h.region)
	}
	_, err = h.guard.Respond(ctx, c)
	return err
}
