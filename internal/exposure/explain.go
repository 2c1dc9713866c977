package exposure

import (
	"slices"
	"strings"
)

// Why a statement was judged as it was.

func (t *trial) principalReason() Reason {
	r := Reason{Code: Named, statement: t.statement, element: principalElement(t.from)}
	p := &t.from.Principal
	switch kinds := admitted(p); {
	case kinds[AnyPrincipal]:
		r.Code = Everyone
	case kinds[AnyService]:
		r.Code, r.detail = ForAnyAccount, strings.Join(p.Services, ", ")
	case len(p.AWS) == 0:
		r.Code = NobodyNamed
	}
	return r
}

func (t *test) reason(c ReasonCode, detail string) Reason {
	return Reason{Code: c, statement: t.statement, element: theCondition, condition: t.from, detail: detail}
}

// maxReasons is as many as anybody reads.
const maxReasons = 20

// because adds a reason, once for each element.
func (t *trial) because(r Reason) {
	if len(t.reasons) == maxReasons {
		return
	}
	for i := range t.reasons {
		if o := &t.reasons[i]; o.Code == r.Code && o.statement == r.statement && o.element == r.element && o.condition == r.condition {
			return
		}
	}
	t.reasons = append(t.reasons, r)
}

// blockedBy notes what kept a stranger out: the tests on one key or, where each
// key alone has a value that would do, the Denies.
func (t *trial) blockedBy(kind Kind, u *use, denies []denial) {
	if u == nil {
		for _, d := range denies {
			t.because(Reason{Code: DenyCancels, statement: d.statement})
		}
		if len(denies) == 0 {
			for i := range t.tests {
				if c := &t.tests[i]; c.variables {
					t.because(c.reason(Limits, "its policy variable has another value in every request of a stranger"))
				}
			}
		}
		return
	}
	for i := range t.tests {
		if c := &t.tests[i]; u.has(c) {
			t.because(c.keepsOut(kind))
		}
	}
}

// enough are the Denies that keep everybody out each by itself, or all if there is
// none such.
func (s *search) enough() []denial {
	if len(s.denies) < 2 {
		return s.denies
	}
	var alone []denial
	for i := range s.denies {
		if s.with(s.allow, s.denies[i:i+1]).nobody() {
			alone = append(alone, s.denies[i])
		}
	}
	if len(alone) == 0 {
		return s.denies
	}
	return alone
}

// never says why no request at all can meet the test, "" if some can.
func (t *test) never() string {
	if t.operator == nil || t.operator.negated || t.operator.operand == presence || t.ifExists || t.quantifier == forAll {
		return ""
	}
	all := func(useless func(string) bool) bool {
		return !slices.ContainsFunc(t.values, func(v string) bool { return !useless(v) })
	}
	switch {
	case t.key == foreignKey:
		return "requests to Lambda do not carry a key of another service"
	case len(t.values) == 0:
		return "it has no value"
	case (t.operator.operand == text || t.operator.operand == foldedText) && t.key.identity != whole && all(hasWildcard):
		return t.from.Operator + " takes * and ? literally"
	case t.operator.operand == arnPattern && all(func(v string) bool { return v != "*" && strings.Count(v, ":") < 5 }):
		return "an ARN has six fields"
	}
	return ""
}

const hasAnother = "the function, or the time, has another value"

// keepsOut says how the test does that.
func (t *test) keepsOut(kind Kind) Reason {
	if why := t.never(); why != "" {
		return t.reason(NeverHolds, why)
	}
	d := &t.key.domains[kind]
	switch {
	case d.source == given || d.source == owners:
		return t.reason(NeverHolds, hasAnother)
	case d.source == none:
		return t.reason(Limits, lacksKey[kind])
	case d.source == theirs:
		return t.reason(Limits, "a stranger's value is another one")
	case d.source == address:
		return t.reason(Limits, "a stranger has no address there")
	}
	return t.reason(Limits, otherValue[kind])
}

var lacksKey = [...]string{
	Anonymous:       "unsigned requests do not have this key",
	AnyPrincipal:    "requests of other accounts do not have this key",
	AnyPrincipalURL: "requests to the function URL do not have this key",
	AnyService:      "requests of a service do not have this key",
	AnyServiceURL:   "requests of a service to the function URL do not have this key",
}

var otherValue = [...]string{
	Anonymous:       "unsigned requests have another value",
	AnyPrincipal:    "requests of other accounts have another value",
	AnyPrincipalURL: "requests to the function URL have another value",
	AnyService:      "requests of a service have another value",
	AnyServiceURL:   "requests of a service to the function URL have another value",
}

// doubts adds what could not be decided.
func (t *trial) doubts() {
	if t.resourceKnown == unknown && t.missed {
		t.because(Reason{Code: GaveUp, statement: t.statement, element: resourceElement(t.from)})
	} else if t.resourceKnown == unknown {
		t.because(Reason{Code: UnknownTarget, statement: t.statement, element: resourceElement(t.from)})
	}
	for i := range t.tests {
		switch c := &t.tests[i]; {
		case c.operator == nil && !c.variables:
			t.because(c.reason(UnknownOperator, ""))
		case c.key.domains[AnyPrincipal].source == unknowable:
			t.because(c.reason(UnknownKey, ""))
		case c.variables:
			t.because(c.reason(UnknownOutcome, "it has a policy variable"))
		case slices.ContainsFunc(c.values, func(v string) bool { return c.operator.holds != nil && c.operator.holds(v, "") == unknown }):
			t.because(c.reason(UnknownOutcome, "it has a value that the operator cannot read"))
		}
	}
	for i := range t.denies {
		t.because(Reason{Code: DenyMayApply, statement: t.denies[i].statement})
	}
}
