package exposure

import "strings"

// Witness is a request of one kind of stranger that the policy allows: the proof
// of a Public verdict.
type Witness struct {
	Kind    Kind
	Action  string // "lambda:InvokeFunction"
	Context []ContextValue

	function  string // "" if it is not known
	qualifier string
	service   string
}

// ContextValue is what the request holds for a condition key that the policy
// looks at. A key that the request lacks is not listed.
type ContextValue struct {
	Key    string // as the policy writes it
	Values []string
	source source
}

// Sentence says who can do what, for people. It can hold text from the policy.
func (w Witness) Sentence() string {
	var b strings.Builder
	switch w.Kind {
	case Anonymous:
		b.WriteString("anybody on the Internet ")
	case AnyService, AnyServiceURL:
		if w.service != "" && w.service != "*" {
			b.WriteString(w.service + ", acting for any AWS account, ")
		} else {
			b.WriteString("any AWS service, acting for any account, ")
		}
	default:
		b.WriteString("any AWS account ")
	}
	b.WriteString("can call ")
	b.WriteString(w.Action)
	if w.function != "" {
		b.WriteString(" on " + w.function)
		if w.qualifier != "" {
			b.WriteString(":" + w.qualifier)
		}
	}
	var notes []string
	if how := ways[w.Kind]; how != "" {
		notes = append(notes, how)
	}
	for _, c := range w.Context {
		note := c.Key + " = " + quoted(c.Values)
		switch c.source {
		case free:
			note += ", which the caller sets"
		case theirs:
			note += ", which is the caller's own"
		case address:
			note += ", which is one address of many"
		}
		notes = append(notes, note)
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, "; ") + ")")
	}
	return b.String()
}

// ways is how a request of each kind comes, where that is not plain.
var ways = [...]string{
	Anonymous:       "through the function URL, unsigned",
	AnyPrincipal:    "signed",
	AnyPrincipalURL: "through the function URL, signed",
	AnyService:      "",
	AnyServiceURL:   "through the function URL",
}

func quoted(values []string) string {
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = quote(b, v)
	}
	return string(b)
}

// MarshalJSON writes kind, action, context ({KEY: VALUE}, a list where the key has
// several values) and sentence.
func (w Witness) MarshalJSON() ([]byte, error) {
	b := append([]byte(nil), `{"kind":`...)
	b = quote(b, w.Kind.String())
	b = append(b, `,"action":`...)
	b = quote(b, w.Action)
	b = append(b, `,"context":{`...)
	for i, c := range w.Context {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quote(b, c.Key), ':')
		if len(c.Values) == 1 {
			b = quote(b, c.Values[0])
			continue
		}
		b = append(b, '[')
		for k, v := range c.Values {
			if k > 0 {
				b = append(b, ',')
			}
			b = quote(b, v)
		}
		b = append(b, ']')
	}
	b = append(b, `},"sentence":`...)
	b = quote(b, w.Sentence())
	return append(b, '}'), nil
}
