package exposure

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/iampolicy"
)

// ReasonCode names a kind of reason. Its text form is stable.
type ReasonCode int8

// The reason codes.
const (
	Everyone ReasonCode = iota
	ForAnyAccount
	Named
	NobodyNamed
	NoLimit
	Limits
	NeverHolds
	UnknownKey
	UnknownOperator
	UnknownOutcome
	NothingGranted
	OutOfReach
	Elsewhere
	UnknownTarget
	DenyCancels
	DenyMayApply
	IsDeny
	NoEffect
	Unreadable
	GaveUp
	Outsider
)

// reasonCodes is the table: what each code is called, and what it says of the
// element at its path; DETAIL is filled in.
var reasonCodes = [...]struct{ name, text string }{
	Everyone:        {"principal-everyone", "admits everyone: anonymous callers, every AWS account, every service"},
	ForAnyAccount:   {"principal-service", "admits an AWS service, which acts for any account: DETAIL"},
	Named:           {"principal-named", "names its principals: no stranger is among them"},
	NobodyNamed:     {"principal-nobody", "names nobody who can call Lambda"},
	NoLimit:         {"condition-no-limit", "does not keep strangers out"},
	Limits:          {"condition-limits", "keeps strangers out: DETAIL"},
	NeverHolds:      {"condition-never-holds", "can never hold: DETAIL; this is usually a mistake"},
	UnknownKey:      {"condition-unknown-key", "depends on a condition key whose values are not known"},
	UnknownOperator: {"condition-unknown-operator", "uses a condition operator that is not known"},
	UnknownOutcome:  {"condition-unknown-outcome", "cannot be decided: DETAIL"},
	NothingGranted:  {"action-not-grantable", "names no action that a Lambda resource policy can grant"},
	OutOfReach:      {"action-out-of-reach", "grants nothing that the strangers it admits can reach: a service only invokes, and only CloudFront by the function URL"},
	Elsewhere:       {"resource-elsewhere", "does not name this function, version or alias"},
	UnknownTarget:   {"resource-unknown", "may or may not name this function: it has a policy variable"},
	DenyCancels:     {"deny-cancels", "takes away what the Allow gives to strangers"},
	DenyMayApply:    {"deny-may-apply", "may or may not take away what the Allow gives to strangers"},
	IsDeny:          {"effect-deny", "grants nothing: it is a Deny"},
	NoEffect:        {"effect-grants-nothing", "is neither Allow nor Deny, and grants nothing: DETAIL"},
	Unreadable:      {"unreadable", "cannot be read: DETAIL"},
	GaveUp:          {"search-gave-up", "has too many combinations to try them all"},
	Outsider:        {"names-outsider", "names an outsider: DETAIL"},
}

// String is the stable name, such as "condition-limits".
func (c ReasonCode) String() string { return reasonCodes[c].name }

// Reason names one element that decided.
type Reason struct {
	Code      ReasonCode
	element   element
	statement int
	condition *iampolicy.Condition // for an element Condition
	detail    string
}

// element is a part of a statement, as in the JSON path to it.
type element int8

const (
	wholeStatement element = iota
	theEffect
	thePrincipal
	notPrincipal
	theAction
	notAction
	theResource
	notResource
	theCondition
)

var elements = [...]string{"", ".Effect", ".Principal", ".NotPrincipal", ".Action", ".NotAction", ".Resource", ".NotResource", ".Condition"}

// Path is the JSON path of the element, such as
// $.Statement[0].Condition.StringEquals['aws:PrincipalOrgID'].
func (r Reason) Path() string {
	b := append(make([]byte, 0, 64), "$.Statement["...)
	b = strconv.AppendInt(b, int64(r.statement), 10)
	b = append(b, ']')
	b = append(b, elements[r.element]...)
	if c := r.condition; c != nil {
		b = append(b, '.')
		b = append(b, c.Operator...)
		b = append(b, "['"...)
		b = append(b, c.Key...)
		b = append(b, "']"...)
	}
	return string(b)
}

// Text says in words what the element does. It can hold text from the policy.
func (r Reason) Text() string {
	return strings.Replace(reasonCodes[r.Code].text, "DETAIL", r.detail, 1)
}

// MarshalJSON writes code, path and text.
func (r Reason) MarshalJSON() ([]byte, error) {
	b := append([]byte(nil), `{"code":`...)
	b = quote(b, r.Code.String())
	b = append(b, `,"path":`...)
	b = quote(b, r.Path())
	b = append(b, `,"text":`...)
	b = quote(b, r.Text())
	return append(b, '}'), nil
}

// quote appends a JSON string. What is not UTF-8 is replaced, which is the only
// error there could be.
func quote(to []byte, s string) []byte {
	to, _ = jsontext.AppendQuote(to, s)
	return to
}
