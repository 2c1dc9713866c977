package sink

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// quoting makes a text from outside inert, and shows where it begins and ends.
type quoting func(text string, limit int) string

// How much a person is shown of a text from outside, in characters, and of a
// list. The finding's JSON has all of it.
const (
	shortText = 140 // a name, as long as AWS's own may be
	longText  = 400 // an ARN, a sentence
	someItems = 4
)

// outcomes say what was done: in a word or two, and in a sentence.
var outcomes = map[guard.Outcome]struct{ tag, sentence string }{
	guard.Audited:     {"left open", "Nothing was changed: "},
	guard.Exempt:      {"exempt", "Nothing was changed: an exemption says that it may be open."},
	guard.NeedsReview: {"needs review", "Nothing was changed: only a person can tell whether it lets strangers in."},
	guard.Reverted:    {"reverted", "It was taken out, and seen to be gone; every other statement is as it was."},
	guard.AlreadyGone: {"already gone", "Nothing was changed: it had been open, and was gone when we looked."},
	guard.Failed:      {"FAILED", "It was to be taken out, and MAY STILL BE OPEN, or the removal did harm."},
}

// kinds are who gets in, by the first stranger of a verdict: the widest.
var kinds = map[exposure.Kind]string{
	exposure.Anonymous:       "anybody on the Internet",
	exposure.AnyPrincipal:    "any AWS account",
	exposure.AnyPrincipalURL: "any AWS account",
	exposure.AnyService:      "any AWS service, for anybody,",
}

// verbs are what they can do, the gravest first.
var verbs = [...]struct {
	access exposure.Access
	text   string
}{
	{exposure.Control, "control"},
	{exposure.Code, "change the code of"},
	{exposure.Invoke, "invoke"},
	{exposure.URL, "call the URL of"},
	{exposure.Read, "read code and environment of"},
}

// claim says in one clause what the finding is about.
func claim(f guard.Finding, quote quoting) string {
	who, may := "strangers", "may be able to"
	switch f.Verdict.Level {
	case exposure.Public:
		if len(f.Verdict.Strangers) > 0 {
			who = kinds[f.Verdict.Strangers[0].Kind]
		}
		may = "can"
	case exposure.External:
		who, may = "an outsider named in the policy", "can"
	case exposure.ConfusedDeputy:
		who, may = "an AWS service, acting for anybody,", "can"
	}
	if may == "can" && (f.Outcome == guard.Reverted || f.Outcome == guard.AlreadyGone) {
		may = "could"
	}
	what := "use"
	for _, v := range verbs {
		if slices.Contains(f.Verdict.Access, v.access) {
			what = v.text
			break
		}
	}
	text := who + " " + may + " " + what + " " + quote(f.Resource.String(), 2*shortText)
	if f.FunctionURL != nil && f.FunctionURL.State == guard.Latent {
		text += " as soon as it has an open URL"
	}
	return text
}

// fact is one line of what there is to say of a finding.
type fact struct{ label, text string }

// facts returns what happened, for a person. Only what is quoted is from outside.
func facts(f guard.Finding, quote quoting) []fact {
	all := []fact{
		{"Done", done(f, quote)},
		{"Statement", statement(f, quote)},
		{"Function", quote(f.Resource.ARN(), longText) + optional(", whose role is ", f.Role, quote)},
		{"Open", open(f)},
		{"Opened by", actor(f, quote)},
		{"How wide", list(f.Verdict.Strangers, "", quote, exposure.Witness.Sentence)},
		{"Because", list(f.Verdict.Reasons, "", quote, func(r exposure.Reason) string { return r.Path() + " " + r.Text() })},
		{"Its URL", functionURL(f.FunctionURL, quote)},
		{"Exemption", exemption(f.Exemption, quote)},
		{"Also open", list(f.Beside, "statement ", quote, func(b guard.Beside) string { return cmp.Or(b.Sid, "without Sid") + ", " + b.Outcome.String() })},
	}
	return slices.DeleteFunc(all, func(x fact) bool { return x.text == "" })
}

func done(f guard.Finding, quote quoting) string {
	text := outcomes[guard.Outcome(f.Outcome.String())].sentence
	if f.Outcome == guard.Audited {
		switch {
		case f.Verdict.Level != exposure.Public:
			text += "a statement of this kind is only reported."
		case f.Mode == guard.Audit:
			text += "the mode is audit."
		default:
			text += "the mode for function URLs is audit."
		}
	}
	return text + optional(" Error: ", f.Error, quote)
}

func statement(f guard.Finding, quote quoting) string {
	switch {
	case f.Statement == "":
		return "none: it is the whole document that cannot be read"
	case f.Sid == "":
		return "without a Sid"
	}
	return quote(f.Sid, shortText)
}

// open says from when to when, and for how long.
func open(f guard.Finding) string {
	const layout = "2006-01-02 15:04:05 UTC"
	from, to := "since nobody knows when", ""
	if !f.OpenedAt.IsZero() {
		from = "since " + f.OpenedAt.UTC().Format(layout)
	}
	switch {
	case f.Outcome == guard.AlreadyGone:
		to = "; closed by somebody else since"
	case !f.ClosedAt.IsZero():
		from = strings.Replace(from, "since ", "from ", 1)
		to = " to " + f.ClosedAt.UTC().Format(layout)
		if !f.OpenedAt.IsZero() {
			to += ", " + time.Duration(f.SecondsOpen*float64(time.Second)).Round(time.Second/10).String()
		}
	}
	return from + to
}

func actor(f guard.Finding, quote quoting) string {
	a := f.Actor
	if a == (guard.Actor{}) {
		return "unknown: no event led here"
	}
	text := quote(cmp.Or(a.ARN, a.InvokedBy, a.Type, "somebody whom the event does not name"), longText)
	text += optional(", role ", a.SessionIssuer, quote) + optional(", access key ", a.AccessKeyID, quote)
	switch a.MFA {
	case "true":
		text += ", with MFA"
	case "false":
		text += ", without MFA"
	}
	text += optional(", from ", a.Source, quote) + optional(", through ", a.InvokedBy, quote) +
		optional(", calling itself ", a.UserAgent, quote) + optional(", by ", f.Call, quote)
	return text
}

func functionURL(u *guard.FunctionURL, quote quoting) string {
	if u == nil {
		return ""
	}
	text := map[guard.URLState]string{
		guard.Live:    "live",
		guard.Latent:  "latent: there is none that these strangers can use, and one call makes it",
		guard.Unknown: "unknown, so take it for live",
	}[u.State]
	return text + optional(", auth type ", u.AuthType, quote) + optional(", ", u.Address, quote)
}

func exemption(e *guard.Exemption, quote quoting) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("until %s, owner %s, reason %s", e.Until.UTC().Format(time.DateOnly), quote(e.Owner, shortText), quote(e.Reason, longText))
}

// optional returns a text after what leads to it, or nothing.
func optional(lead, text string, quote quoting) string {
	if text == "" {
		return ""
	}
	return lead + quote(text, longText)
}

// list returns the first items, one on a line, and how many there are beside.
func list[T any](items []T, lead string, quote quoting, text func(T) string) string {
	var lines []string
	for i, item := range items {
		if i == someItems {
			lines = append(lines, fmt.Sprintf("and %d more", len(items)-i))
			break
		}
		lines = append(lines, lead+quote(text(item), longText))
	}
	return strings.Join(lines, "\n")
}
