package exposure

import (
	"slices"
	"strings"

	"lambda-guardrail/internal/iampolicy"
)

// Version names the judgement: it changes with every change of the code that makes
// it, so that what was concluded from an old verdict can be told from a new one.
const Version = "29b43a76caa5"

// Timeless reports whether the verdicts on d stay what they are as long as nobody
// changes it: none of its statements looks at the clock.
func Timeless(d iampolicy.Document) bool {
	return !slices.ContainsFunc(d.Statements, func(s iampolicy.Statement) bool {
		return slices.ContainsFunc(s.Resource.List, ofTheMoment) || slices.ContainsFunc(s.Conditions, func(c iampolicy.Condition) bool {
			return ofTheMoment(c.Key) || slices.ContainsFunc(c.Values, ofTheMoment)
		})
	})
}

// ofTheMoment reports whether a key, or a text with variables, has to do with the
// time of the request.
func ofTheMoment(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "aws:currenttime") || strings.Contains(text, "aws:epochtime")
}
