package exposure

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambda-guardrail/internal/iampolicy"
)

// operand is the type of value that an operator compares.
type operand int8

const (
	text operand = iota
	pattern
	arnPattern
	foldedText
	number
	date
	boolean
	binary
	addressRange
	presence
)

// operator is one condition operator, without ForAllValues, ForAnyValue and
// IfExists.
type operator struct {
	name    string // lower case
	operand operand
	negated bool
	// holds compares one value of the policy with one of the request. A negated
	// operator has the comparison of the positive one.
	holds func(policy, request string) tri
}

// operators is the table; an operator that is not in it has an unknown outcome
// (R13).
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var operators = [...]operator{
	{"stringequals", text, false, equal},
	{"stringnotequals", text, true, equal},
	{"stringequalsignorecase", foldedText, false, equalFold},
	{"stringnotequalsignorecase", foldedText, true, equalFold},
	{"stringlike", pattern, false, like},
	{"stringnotlike", pattern, true, like},
	{"arnequals", arnPattern, false, likeARN}, // expands wildcards just as ArnLike does (R12)
	{"arnnotequals", arnPattern, true, likeARN},
	{"arnlike", arnPattern, false, likeARN},
	{"arnnotlike", arnPattern, true, likeARN},
	{"numericequals", number, false, numeric(func(c int) bool { return c == 0 })},
	{"numericnotequals", number, true, numeric(func(c int) bool { return c == 0 })},
	{"numericlessthan", number, false, numeric(func(c int) bool { return c < 0 })},
	{"numericlessthanequals", number, false, numeric(func(c int) bool { return c <= 0 })},
	{"numericgreaterthan", number, false, numeric(func(c int) bool { return c > 0 })},
	{"numericgreaterthanequals", number, false, numeric(func(c int) bool { return c >= 0 })},
	{"dateequals", date, false, dates(func(c int) bool { return c == 0 })},
	{"datenotequals", date, true, dates(func(c int) bool { return c == 0 })},
	{"datelessthan", date, false, dates(func(c int) bool { return c < 0 })},
	{"datelessthanequals", date, false, dates(func(c int) bool { return c <= 0 })},
	{"dategreaterthan", date, false, dates(func(c int) bool { return c > 0 })},
	{"dategreaterthanequals", date, false, dates(func(c int) bool { return c >= 0 })},
	{"bool", boolean, false, sameBool},
	{"binaryequals", binary, false, equal},
	{"ipaddress", addressRange, false, inRange},
	{"notipaddress", addressRange, true, inRange},
	{"null", presence, false, nil},
}

var operatorIndex = func() map[string]*operator {
	m := make(map[string]*operator, len(operators))
	for i := range operators {
		m[operators[i].name] = &operators[i]
	}
	return m
}()

// quantifier is the set prefix of an operator.
type quantifier int8

const (
	single quantifier = iota
	forAll
	forAny
)

// test is a condition, looked up.
type test struct {
	from       *iampolicy.Condition
	statement  int
	operator   *operator // nil: not in the table
	quantifier quantifier
	ifExists   bool
	key        *keyRow
	values     []string // with what is known filled in for policy variables
	variables  bool     // some value still depends on the request
}

// newTest looks up operator and key. Case does not matter in either (R1).
func newTest(c *iampolicy.Condition, statement int) test {
	t := test{from: c, statement: statement, key: lookUp(c.Key), values: c.Values}
	var buf [64]byte
	name := lower(buf[:0], c.Operator)
	if rest, ok := bytes.CutPrefix(name, []byte("forallvalues:")); ok {
		t.quantifier, name = forAll, rest
	} else if rest, ok := bytes.CutPrefix(name, []byte("foranyvalue:")); ok {
		t.quantifier, name = forAny, rest
	}
	name, t.ifExists = bytes.CutSuffix(name, []byte("ifexists"))
	t.operator = operatorIndex[string(name)]
	if t.operator != nil && t.operator.operand == presence && (t.ifExists || t.quantifier != single) {
		t.operator = nil // there is no NullIfExists
	}
	if slices.ContainsFunc(c.Values, escaped) {
		t.operator = nil // text with the two characters that stand for escapes here
	}
	return t
}

// value is what a request has for one key: nothing, or one or more texts.
type value struct {
	present bool
	text    string
	more    []string // for keys with several values
	unknown bool
	// doubtful: the request may have another value instead.
	doubtful bool
}

// outcome evaluates the test on a value (R10, R11).
func (t *test) outcome(v value) tri {
	switch {
	case t.operator == nil || v.unknown:
		return unknown
	case t.operator.operand == presence:
		return t.null(v)
	case !v.present:
		return truth(t.ifExists || t.quantifier == forAll || t.quantifier == single && t.operator.negated)
	}
	out := t.one(v.text)
	if len(v.more) == 0 {
		return out
	}
	all := t.quantifier == forAll || t.quantifier == single && t.operator.negated
	for _, s := range v.more {
		if o := t.one(s); all {
			out = min(out, o)
		} else {
			out = max(out, o)
		}
	}
	return out
}

// one compares one value of the request with all of the policy's: any of them
// will do or, for a negated operator, none may.
func (t *test) one(request string) tri {
	out := no
	for _, p := range t.values {
		if out = max(out, t.operator.holds(p, request)); out == yes {
			break
		}
	}
	if t.operator.negated {
		return out.not()
	}
	return out
}

func (t *test) null(v value) tri {
	out := no
	for _, p := range t.values {
		switch {
		case sameFold(p, "true"):
			out = max(out, truth(!v.present))
		case sameFold(p, "false"):
			out = max(out, truth(v.present))
		default:
			out = max(out, unknown)
		}
	}
	return out
}

func equal(p, r string) tri {
	if escaped(p) {
		p = unescape.Replace(p)
	}
	return truth(p == r)
}

func equalFold(p, r string) tri {
	if escaped(p) {
		p = unescape.Replace(p)
	}
	switch {
	case sameFold(p, r):
		return yes
	case strings.EqualFold(p, r): // beyond ASCII, AWS does not say
		return unknown
	}
	return no
}

func sameBool(p, r string) tri {
	if !sameFold(p, "true") && !sameFold(p, "false") {
		return unknown
	}
	return truth(sameFold(p, r))
}

// sameFold compares as if all letters of ASCII were small ones.
func sameFold(a, b string) bool {
	var x, y [64]byte
	return len(a) == len(b) && bytes.Equal(lower(x[:0], a), lower(y[:0], b))
}

func like(p, r string) tri    { return truth(match(p, r)) }
func likeARN(p, r string) tri { return truth(matchARN(p, r)) }

func numeric(ok func(int) bool) func(p, r string) tri {
	return func(p, r string) tri {
		want, err := strconv.ParseFloat(p, 64)
		if err != nil || math.IsNaN(want) {
			return unknown
		}
		have, err := strconv.ParseFloat(r, 64)
		if err != nil {
			return no
		}
		return truth(ok(compare(have, want)))
	}
}

func dates(ok func(int) bool) func(p, r string) tri {
	return func(p, r string) tri {
		want, good := parseDate(p)
		if !good {
			return unknown
		}
		have, good := parseDate(r)
		if !good {
			return no
		}
		return truth(ok(have.Compare(want)))
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parseDate reads the ISO 8601 forms of https://www.w3.org/TR/NOTE-datetime and
// seconds since 1970, but for four digits, which may be either a year or seconds.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || len(s) == 4 && isDigits(s) || !(math.Abs(n) < endOfTime) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(n * 1000)), true
}

// endOfTime is the year 10000, in seconds: there is no date beyond.
const endOfTime = 253402300800

func inRange(p, r string) tri {
	prefix, ok := parseRange(p)
	if !ok {
		return unknown
	}
	a, err := netip.ParseAddr(r)
	if err != nil {
		return no
	}
	return truth(prefix.Contains(a))
}

// parseRange reads an address or a CIDR block.
func parseRange(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}
