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

// outcomes say what was done: in two words, and in a sentence.
var outcomes = map[guard.Outcome]struct{ tag, sentence string }{
	guard.Audited:     {"left open", "Nothing was changed: "},
	guard.Exempt:      {"exempt", "Nothing was changed: an exemption says that it may be open."},
	guard.NeedsReview: {"needs review", "Nothing was changed: only a person can tell whether it lets strangers in."},
	guard.Reverted:    {"reverted", "The statement was taken out, and seen to be gone; every other one is as it was."},
	guard.AlreadyGone: {"already gone", "Nothing was changed: the statement was gone when we looked twice."},
	guard.Failed:      {"FAILED", "The statement was to be taken out. It MAY STILL BE OPEN, or the removal did harm."},
}

func outcome(f guard.Finding) (tag, sentence string) {
	o := outcomes[guard.Outcome(f.Outcome.String())]
	return o.tag, o.sentence
}

// kinds are who gets in, by the first stranger of a verdict.
var kinds = map[exposure.Kind]string{
	exposure.Anonymous:       "anybody",
	exposure.AnyPrincipal:    "any AWS account",
	exposure.AnyPrincipalURL: "any AWS account",
	exposure.AnyService:      "any AWS service, for anybody,",
	exposure.AnyServiceURL:   "any AWS service, for anybody,",
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
	who, can, could := "strangers", "may be able to", "may have been able to"
	switch f.Verdict.Level {
	case exposure.Public:
		can, could = "can", "could"
		if len(f.Verdict.Strangers) > 0 {
			who = kinds[f.Verdict.Strangers[0].Kind]
		}
	case exposure.External:
		who, can, could = "an outsider named in the policy", "can", "could"
	case exposure.ConfusedDeputy:
		who, can, could = "an AWS service, acting for anybody,", "can", "could"
	}
	if f.Outcome == guard.Reverted || f.Outcome == guard.AlreadyGone {
		can = could
	}
	what := "use"
	for _, v := range verbs {
		if slices.Contains(f.Verdict.Access, v.access) {
			what = v.text
			break
		}
	}
	text := who + " " + can + " " + what + " " + quote(f.Resource.String(), 2*shortText)
	if f.FunctionURL != nil && f.FunctionURL.State == guard.Latent {
		text += " once it has an open one"
	}
	return text
}

// fact is one line of what there is to say of a finding.
type fact struct{ label, text string }

// facts returns what happened, for a person, and in the order in which it matters:
// a text of several lines is a list. Only what is quoted is from outside.
func facts(f guard.Finding, quote quoting) []fact {
	opened := "Opened by"
	if f.OpenedAt.IsZero() && f.Actor != (guard.Actor{}) {
		opened = "Seen after" // a call that cannot have opened this statement
	}
	all := []fact{
		{"Done", done(f)},
		{"Error", optional("", f.Error, quote)},
		{"Open", open(f)},
		{opened, actor(f, quote)},
		{"Function", lines(quote(f.Resource.ARN(), longText), optional("role ", f.Role, quote))},
		{"Statement", statement(f, quote)},
		{"How wide", list(f.Verdict.Strangers, quote, exposure.Witness.Sentence)},
		{"Because", list(f.Verdict.Reasons, quote, func(r exposure.Reason) string { return r.Path() + " " + r.Text() })},
		{"Its URL", functionURL(f.FunctionURL, quote)},
		{"Exemption", exemption(f.Exemption, quote)},
		{"Also public", list(f.Beside, quote, func(b guard.Beside) string { return cmp.Or(b.Sid, "without a Sid") + ": " + b.Outcome.String() })},
	}
	return slices.DeleteFunc(all, func(x fact) bool { return x.text == "" })
}

func done(f guard.Finding) string {
	_, text := outcome(f)
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
	return text
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
	opened, closed := f.OpenedAt.UTC().Format(layout), f.ClosedAt.UTC().Format(layout)
	text := "since " + opened
	switch {
	case f.OpenedAt.IsZero() && f.ClosedAt.IsZero():
		text = "since when is not known"
	case f.OpenedAt.IsZero():
		text = "until " + closed + ", since when is not known"
	case !f.ClosedAt.IsZero():
		text = "for " + time.Duration(f.SecondsOpen*float64(time.Second)).Round(time.Second/10).String() +
			", from " + opened + " to " + closed
	}
	if f.Outcome == guard.AlreadyGone {
		text += "; when it was closed is not known"
	}
	return text
}

func actor(f guard.Finding, quote quoting) string {
	a := f.Actor
	if a == (guard.Actor{}) {
		return "not known: no call led here"
	}
	mfa := map[string]string{"true": "with MFA", "false": "without MFA"}[a.MFA]
	return lines(
		quote(cmp.Or(a.ARN, a.InvokedBy, a.Type, "somebody whom the event does not name"), longText),
		optional("session of ", a.SessionIssuer, quote),
		optional("access key ", a.AccessKeyID, quote),
		mfa,
		optional("from ", a.Source, quote),
		optional("through ", a.InvokedBy, quote),
		optional("user agent ", a.UserAgent, quote),
		optional("call ", f.Call, quote)+optional(", event ", f.EventID, quote),
	)
}

var urlStates = map[guard.URLState]string{
	guard.Live:    "live: these strangers can use it",
	guard.Latent:  "latent: these strangers can use none yet; one call makes them one",
	guard.Unknown: "unknown: take it for live",
}

func functionURL(u *guard.FunctionURL, quote quoting) string {
	if u == nil {
		return ""
	}
	address := cmp.Or(strings.TrimSuffix(strings.TrimPrefix(u.Address, "https://"), "/"), u.Address)
	return lines(urlStates[u.State], optional("auth type ", u.AuthType, quote), optional("", address, quote))
}

func exemption(e *guard.Exemption, quote quoting) string {
	if e == nil {
		return ""
	}
	return lines("until "+e.Until.UTC().Format(time.DateOnly), optional("owner ", e.Owner, quote), optional("reason ", e.Reason, quote))
}

// optional returns a text after what leads to it, or nothing.
func optional(lead, text string, quote quoting) string {
	if text == "" {
		return ""
	}
	return lead + quote(text, longText)
}

// lines joins what there is.
func lines(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), "\n")
}

// list returns the first items, and how many there are beside.
func list[T any](items []T, quote quoting, text func(T) string) string {
	var all []string
	for _, item := range items[:min(len(items), someItems)] {
		all = append(all, quote(text(item), longText))
	}
	if more := len(items) - len(all); more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return lines(all...)
}
