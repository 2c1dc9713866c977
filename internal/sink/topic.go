package sink

import (
	"fmt"
	"strings"

	"lambda-guardrail/internal/guard"
)

// Message is what is published to a topic of Amazon SNS.
type Message struct {
	Subject    string // "" where the topic's readers see none
	Body       string
	Attributes map[string]string // for filter policies, none empty: severity, level, outcome, function
}

// What SNS takes, with room for the attributes, which count too.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const (
	maxSubject = 99
	maxMessage = 256<<10 - 1<<10
)

// TopicMessage returns the message for people and machines: JSON with a text for
// each protocol. Machines (queues, functions, webhooks, Firehose, email-json) get
// the default, the finding's JSON; what it lacks for want of room, its member
// omitted says.
func TopicMessage(f guard.Finding) (Message, error) {
	line := Subject(f)
	text := Text(f)
	body, err := Fit(f, maxMessage, func(f guard.Finding) ([]byte, error) {
		finding, err := encode(f)
		if err != nil {
			return nil, err
		}
		return encode(map[string]string{"default": strings.TrimSuffix(string(finding), "\n"), "email": text, "sms": line})
	})
	if err != nil {
		return Message{}, fmt.Errorf("writing a message: %w", err)
	}
	return Message{line, string(body), attributes(f)}, nil
}

func attributes(f guard.Finding) map[string]string {
	return map[string]string{
		"severity": f.Severity.String(),
		"level":    f.Verdict.Level.String(),
		"outcome":  f.Outcome.String(),
		"function": subject.inert(f.Resource.Function, shortText),
	}
}
