package sink

import (
	"fmt"
	"strings"

	"lambda-guardrail/internal/guard"
)

// wholeText is how long a statement or a command may be to stand in a mail.
const wholeText = 4000

// Subject returns one line of at most 99 ASCII characters that says it all.
func Subject(f guard.Finding) string {
	line := tag(f)
	// The name is cut, not what follows it.
	room := maxSubject - len(line) - len(claim(f, nothing))
	line += claim(f, func(text string, _ int) string { return subject.inert(text, room) })
	if region := " (" + subject.inert(f.Resource.Region, shortText) + ")"; len(line)+len(region) <= maxSubject {
		line += region
	}
	return line
}

// tag returns what a subject begins with, "[HIGH] reverted: ".
func tag(f guard.Finding) string {
	done, _ := outcome(f)
	return "[" + strings.ToUpper(f.Severity.String()) + "] " + done + ": "
}

// nothing stands for a text from outside where the rest is measured.
func nothing(string, int) string { return "" }

// marked puts what is not one word between quotation marks.
func marked(text string, limit int) string {
	text = mail.inert(text, limit)
	if strings.Contains(text, " ") || text == "" {
		return "\u201c" + text + "\u201d"
	}
	return text
}

// Text returns a finding as a mail: what an on-call person has to know and do.
func Text(f guard.Finding) string {
	var b strings.Builder
	sentence := claim(f, marked)
	fmt.Fprintf(&b, "%s%s.\n\n", strings.ToUpper(sentence[:1]), sentence[1:])
	for _, x := range facts(f, marked) {
		fmt.Fprintf(&b, "%-13s%s\n", x.label, strings.ReplaceAll(x.text, "\n", "\n"+strings.Repeat(" ", 13)))
	}
	if len(f.NextSteps) > 0 {
		b.WriteString("\nWHAT TO DO, IN THIS ORDER\n\n")
		for i, step := range f.NextSteps {
			fmt.Fprintf(&b, "%2d. %s\n", i+1, mail.inert(step, wholeText))
		}
	}
	if f.Restore != "" {
		b.WriteString("\nTO PUT IT BACK, IF IT WAS MEANT TO BE OPEN\n\n    ")
		if command := mail.inert(f.Restore, wholeText); command == f.Restore {
			b.WriteString(command + "\n")
		} else {
			b.WriteString("The command does not suit a mail: it is the member restore of this finding in the log.\n")
		}
	}
	verbatim(&b, "THE STATEMENT", f.Statement)
	if f.Outcome == guard.Failed {
		verbatim(&b, "THE POLICY AS IT WAS", f.PolicyBefore)
	}
	fmt.Fprintf(&b, "\nFinding %s\nFingerprint %s\n%s, %s, %s; mode %s; found by %s\n", marked(f.ID, shortText), marked(f.Fingerprint, shortText),
		f.Severity, f.Verdict.Level, f.Outcome, f.Mode, marked(string(f.FoundBy), shortText))
	for _, technique := range f.Attack {
		fmt.Fprintf(&b, "MITRE ATT&CK %s\n", marked(technique, shortText))
	}
	if f.ElasticRule != "" {
		fmt.Fprintf(&b, "Elastic rule %s\n", marked(f.ElasticRule, shortText))
	}
	return b.String()
}

func verbatim(b *strings.Builder, title, document string) {
	if document != "" {
		fmt.Fprintf(b, "\n%s\n\n    %s\n", title, mail.inert(guard.PrintableJSON(document), wholeText))
	}
}
