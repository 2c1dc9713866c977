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
	line := "[" + strings.ToUpper(f.Severity.String()) + "] " + outcomes[guard.Outcome(f.Outcome.String())].tag + ": "
	// The name is cut, not what follows it.
	room := maxSubject - len(line) - len(claim(f, func(string, int) string { return "" }))
	line += claim(f, func(text string, _ int) string { return subject.inert(text, room) })
	if region := " (" + f.Resource.Region + ")"; len(line)+len(region) <= maxSubject {
		line += subject.inert(region, len(region))
	}
	return line
}

// Text returns a finding as a mail: what an on-call person has to know and do.
func Text(f guard.Finding) string {
	plain := func(text string, limit int) string { return mail.inert(text, limit) }
	var b strings.Builder
	sentence := claim(f, plain)
	fmt.Fprintf(&b, "%s%s.\n\n", strings.ToUpper(sentence[:1]), sentence[1:])
	for _, x := range facts(f, plain) {
		fmt.Fprintf(&b, "%-11s%s\n", x.label, strings.ReplaceAll(x.text, "\n", "\n"+strings.Repeat(" ", 11)))
	}
	if len(f.NextSteps) > 0 {
		b.WriteString("\nWHAT TO DO\n\n")
		for i, step := range f.NextSteps {
			fmt.Fprintf(&b, "%2d. %s\n", i+1, plain(step, wholeText))
		}
	}
	if f.Restore != "" {
		b.WriteString("\nTO PUT IT BACK\n\n")
		if command := plain(f.Restore, wholeText); command == f.Restore {
			fmt.Fprintf(&b, "  %s\n", command)
		} else {
			b.WriteString("  The command is too long, or unfit, for a mail: take finding.restore of this id from the log.\n")
		}
	}
	if f.Statement != "" {
		fmt.Fprintf(&b, "\nTHE STATEMENT\n\n  %s\n", plain(guard.PrintableJSON(f.Statement), wholeText))
	}
	fmt.Fprintf(&b, "\nFinding %s, severity %s, level %s, outcome %s, mode %s, found by %s\n",
		plain(f.ID, shortText), f.Severity, f.Verdict.Level, f.Outcome, f.Mode, plain(string(f.FoundBy), shortText))
	return b.String()
}
