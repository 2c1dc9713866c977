package sink

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"lambda-guardrail/internal/guard"
)

// What Amazon Q Developer in chat applications takes, in characters; it drops a
// message that has more, and tells nobody.
// https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
const (
	maxTitle       = 250
	maxDescription = 8000
	maxStep        = 350
	maxKeyword     = 75
)

type notification struct {
	Version  string  `json:"version"`
	Source   string  `json:"source"`
	Content  content `json:"content"`
	Metadata about   `json:"metadata"`
}

type content struct {
	TextType    string   `json:"textType"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	NextSteps   []string `json:"nextSteps,omitempty"`
	Keywords    []string `json:"keywords"`
}

type about struct {
	ThreadID          string            `json:"threadId"`
	Summary           string            `json:"summary"`
	EventType         string            `json:"eventType"`
	RelatedResources  []string          `json:"relatedResources"`
	AdditionalContext map[string]string `json:"additionalContext"`
}

// ChatMessage returns the message for Slack, Microsoft Teams and Chime. Texts from
// outside stand in code spans. All messages about one finding are one thread.
func ChatMessage(f guard.Finding) (Message, error) {
	title := tag(f)
	title += claim(f, span(maxTitle-utf8.RuneCountInString(title+claim(f, nothing))))
	arn, id, region := prose.inert(f.Resource.ARN(), longText), prose.inert(f.ID, shortText), prose.inert(f.Resource.Region, maxKeyword)
	n := notification{
		Version: "1.0",
		Source:  "custom",
		Content: content{
			TextType:    "client-markdown",
			Title:       title,
			Description: description(f),
			Keywords:    []string{f.Severity.String(), f.Verdict.Level.String(), f.Outcome.String(), region},
		},
		Metadata: about{
			ThreadID:          id,
			Summary:           title,
			EventType:         "lambda-guardrail finding",
			RelatedResources:  []string{arn},
			AdditionalContext: map[string]string{"finding": id, "function": arn},
		},
	}
	for _, step := range f.NextSteps {
		n.Content.NextSteps = append(n.Content.NextSteps, markdown(step, maxStep))
	}
	body, err := encode(n)
	if err != nil {
		return Message{}, fmt.Errorf("writing a message for chat: %w", err)
	}
	return Message{Body: strings.TrimSuffix(string(body), "\n"), Attributes: attributes(f)}, nil
}

// span quotes in a code span, within so many characters altogether.
func span(room int) quoting {
	return func(text string, limit int) string {
		if room < len("`...`") {
			return ""
		}
		return "`" + code.inert(text, min(limit, room-2)) + "`"
	}
}

// description returns the facts, and the way back, as far as there is room: the
// first ones matter most.
func description(f guard.Finding) string {
	quote := span(maxDescription)
	all := facts(f, quote)
	if command := code.inert(f.Restore, maxDescription); command != "" && command == f.Restore {
		all = append(all, fact{"To put it back", quote(command, maxDescription)})
	}
	var b strings.Builder
	length := 0
	for _, x := range all {
		line := x.label + ": " + strings.ReplaceAll(x.text, "\n", "; ") + "\n"
		if n := utf8.RuneCountInString(line); length+n <= maxDescription {
			b.WriteString(line)
			length += n
		}
	}
	return b.String()
}

// markdown returns a text of ours, in which commands and names stand between
// backticks.
func markdown(text string, limit int) string {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 {
		return prose.inert(text, limit)
	}
	var b strings.Builder
	for i, part := range parts {
		room := limit - utf8.RuneCountInString(b.String())
		if i%2 == 0 {
			b.WriteString(prose.inert(part, room))
		} else {
			b.WriteString(span(room)(part, room))
		}
	}
	return b.String()
}
