package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// pageWidth is what fits beside another window; words that are longer do not.
const pageWidth = 100

// column is one of the table. What is longer than its width goes on below.
type column struct {
	title string
	width int
	text  func(guard.Finding) string
}

var columns = []column{
	{"SEVERITY", 13, func(f guard.Finding) string { return f.Severity.String() }}, // the first is painted
	{"FUNCTION", 22, func(f guard.Finding) string { return f.Resource.Function }},
	{"QUALIFIER", 10, func(f guard.Finding) string { return f.Resource.Qualifier }},
	{"WHO GETS IN", 17, who},
	{"WHAT THEY CAN DO", 18, can},
	{"SINCE", 10, since},
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// who says in a few words who gets in.
func who(f guard.Finding) string {
	switch f.Verdict.Level {
	case exposure.External:
		return "a named outsider"
	case exposure.Undetermined:
		return "strangers, maybe"
	}
	var all []string
	for _, s := range strangers {
		if slices.ContainsFunc(f.Verdict.Strangers, func(w exposure.Witness) bool { return slices.Contains(s.kinds, w.Kind) }) {
			all = append(all, s.text)
		}
	}
	return strings.Join(all, ", ")
}

// strangers are the kinds of them, the widest first.
var strangers = []struct {
	text  string
	kinds []exposure.Kind
}{
	{"anybody", []exposure.Kind{exposure.Anonymous}},
	{"any AWS account", []exposure.Kind{exposure.AnyPrincipal, exposure.AnyPrincipalURL}},
	{"any AWS service", []exposure.Kind{exposure.AnyService, exposure.AnyServiceURL}},
}

// can says in a few words what they can do.
func can(f guard.Finding) string {
	var all []string
	for _, a := range f.Verdict.Access {
		all = append(all, a.String())
	}
	return strings.Join(all, ", ")
}

// since is the day, if it is known: a scan does not see when it was opened.
func since(f guard.Finding) string {
	if f.OpenedAt.IsZero() {
		return ""
	}
	return f.OpenedAt.UTC().Format(time.DateOnly)
}

// state says what there is, and what came of it.
func state(f guard.Finding) string {
	text := f.Verdict.Level.String() + ", " + f.Outcome.String()
	if f.FunctionURL != nil {
		text += ", function URL " + f.FunctionURL.State.String()
	}
	return text
}

// nextStep is what to do first; "" if there is nothing.
func nextStep(f guard.Finding) string {
	if len(f.NextSteps) == 0 {
		return ""
	}
	return f.NextSteps[0]
}

func writeTable(p *page, report scanReport) {
	for i, x := range report {
		if i > 0 {
			p.printf("\n")
		}
		p.lines("", "  ", x.Region+": "+x.InWords())
		if len(x.Findings) > 0 {
			p.table(x.Findings)
		}
		for _, u := range x.Unreadable {
			p.lines("  ", "  ", "unreadable, and so not known to be safe: "+u.Resource+": "+u.Error)
		}
		if !x.Complete {
			p.lines("  ", "  ", "This is a part: "+x.Error)
		}
	}
	for _, x := range report {
		if slices.ContainsFunc(x.Findings, func(f guard.Finding) bool { return f.Mode == guard.Audit && stillOpen(f) }) {
			p.printf("\nTo take out what is public, asked policy by policy:\n  guardrail scan --fix --log evidence.jsonl --region %s\nWhat is to stay open wants an exemption with owner, reason and end date: --exemptions.\n", x.Region)
			break
		}
	}
}

// InWords sums up, for people.
func (x *regionReport) InWords() string {
	s := x.Summary
	text := fmt.Sprintf("%s, %s looked for", counted(s.Functions, "function", "functions"), counted(s.Resources, "policy", "policies"))
	if !x.Complete {
		text += " so far"
	}
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{len(x.Unreadable), "unreadable"},
		{s.Public, "public"}, {s.Undetermined, "undetermined"}, {s.ConfusedDeputy, "confused-deputy"}, {s.External, "external"},
		{s.Exempt, "exempt"}, {s.Reverted, "taken out"}, {s.AlreadyGone, "already gone"}, {s.Failed, "FAILED"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	if len(parts) == 0 {
		return text + ": nothing was found"
	}
	return text + ": " + strings.Join(parts, ", ")
}

func counted(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (p *page) table(findings []guard.Finding) {
	shown := columns
	if !slices.ContainsFunc(findings, func(f guard.Finding) bool { return since(f) != "" }) {
		shown = shown[:len(shown)-1]
	}
	titles := make([]string, len(shown))
	for i, c := range shown {
		titles[i] = c.title
	}
	p.printf("\n")
	p.row(shown, titles)
	for _, f := range findings {
		cells := make([]string, len(shown))
		for i, c := range shown {
			cells[i] = dash(c.text(f))
		}
		p.row(shown, cells)
		sid := "without a Sid"
		if f.Sid != "" {
			sid = f.Sid
		}
		p.lines("    ", "    ", "statement "+sid+": "+state(f))
		if f.Error != "" {
			p.lines("    ", "    ", f.Error)
		}
		next := nextStep(f)
		if command := strings.Split(next, "`"); stillOpen(f) && len(command) == 3 && strings.HasPrefix(command[1], "aws lambda remove-permission ") {
			next = "to take it out: `" + command[1] + "`" // the rest is said once, below
		}
		p.lines("    ", "    ", next)
	}
}

// row prints cells below each other where they are too long.
func (p *page) row(columns []column, cells []string) {
	wrapped := make([][]string, len(cells))
	height := 0
	for i, cell := range cells {
		wrapped[i] = wrap(visible(cell), columns[i].width)
		height = max(height, len(wrapped[i]))
	}
	for y := range height {
		var b strings.Builder
		for i, c := range columns {
			text := ""
			if y < len(wrapped[i]) {
				text = wrapped[i][y]
			}
			switch {
			case i == 0:
				b.WriteString(string(p.paint(text, c.width)))
			default:
				fmt.Fprintf(&b, "  %-*s", c.width, text)
			}
		}
		p.printf("%s\n", painted(strings.TrimRight(b.String(), " ")))
	}
}

// wrap breaks printable text after spaces, and a word that is too long anywhere.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for len(word) > width {
			lines, word = append(lines, word[:width]), word[width:]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// lines prints a text between margins. What stands between backticks is a command,
// and stays one: its lines end with a backslash, and its words are not broken.
func (p *page) lines(first, rest, text string) {
	if text == "" {
		return
	}
	const broken = ` \`
	line, command := first, false
	for i, word := range strings.Fields(visible(text)) {
		inside := command && i > 0
		if strings.Count(word, "`")%2 == 1 {
			command = !command
		}
		room := pageWidth - len(broken)
		switch {
		case i == 0:
			line += word
		case len(line)+1+len(word) <= room:
			line += " " + word
		default:
			if inside {
				line += broken
			}
			p.printf("%s\n", line)
			line = rest + word
		}
	}
	p.printf("%s\n", line)
}
