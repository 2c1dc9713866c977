package exposure_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A plain evaluator of resource policies: a request goes in, whether the policy
// allows it comes out. It is written from the IAM User Guide (policy evaluation
// logic, condition operators, policy variables, comparison of ARNs) and shares no
// code with the package, so that the two can contradict each other.

// decision is what the policy says to a request.
type decision int

const (
	denied decision = iota
	undecided
	allowed
)

func (d decision) String() string { return [...]string{"denied", "undecided", "allowed"}[d] }

func lesser(a, b decision) decision {
	if b < a {
		return b
	}
	return a
}

func greater(a, b decision) decision {
	if b > a {
		return b
	}
	return a
}

func opposite(d decision) decision { return allowed - d }

func decided(b bool) decision {
	if b {
		return allowed
	}
	return denied
}

// call is one request. It comes from an account or a service that no Principal
// element names, but for the star and, with service, that service.
type call struct {
	service  string // "" unless an AWS service calls
	unnamed  bool   // the service is one that nothing names
	action   string
	resource string
	context  map[string][]string // lower-case key
	opaque   map[string]bool     // keys of which nothing is known
}

// has returns the values of a condition key.
func (c *call) has(key string) (values []string, known bool) {
	key = strings.ToLower(key)
	if c.opaque[key] {
		return nil, false
	}
	return c.context[key], true
}

// hasDuplicateNames reports whether decoding a document loses members, so that two
// readers may make different things of it.
func hasDuplicateNames(policy string) bool {
	dec := json.NewDecoder(strings.NewReader(policy))
	var objects []map[string]bool // nil for a list
	name := false                 // the next text is the name of a member
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		switch tok := tok.(type) {
		case json.Delim:
			if tok == '{' {
				objects, name = append(objects, map[string]bool{}), true
				continue
			}
			if tok == '[' {
				objects, name = append(objects, nil), false
				continue
			}
			objects = objects[:len(objects)-1]
		case string:
			if name {
				last := objects[len(objects)-1]
				if last[tok] {
					return true
				}
				last[tok], name = true, false
				continue
			}
		}
		name = len(objects) > 0 && objects[len(objects)-1] != nil
	}
}

// errUnreadable says that the evaluator does not take the document.
var errUnreadable = errors.New("not a policy that the evaluator reads")

// decode reads a document into maps and lists.
func decode(policy string) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(policy)))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	for name := range doc {
		if name != "Version" && name != "Id" && name != "Statement" {
			return nil, fmt.Errorf("%w: element %q", errUnreadable, name)
		}
	}
	return doc, nil
}

// evaluate applies explicit Deny, then Allow, then the default, which is to deny.
func evaluate(doc map[string]any, c *call) (decision, error) {
	statements, ok := doc["Statement"].([]any)
	if !ok {
		statements = []any{doc["Statement"]}
	}
	variables := doc["Version"] == "2012-10-17"
	var allows, denies decision
	for _, each := range statements {
		s, ok := each.(map[string]any)
		if !ok {
			return denied, errUnreadable
		}
		matches, err := matchesStatement(s, variables, c)
		if err != nil {
			return denied, err
		}
		switch s["Effect"] {
		case "Allow":
			allows = greater(allows, matches)
		case "Deny":
			denies = greater(denies, matches)
		}
	}
	return lesser(allows, opposite(denies)), nil
}

func matchesStatement(s map[string]any, variables bool, c *call) (decision, error) {
	for name := range s {
		switch name {
		case "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition":
		default:
			return denied, fmt.Errorf("%w: element %q", errUnreadable, name)
		}
	}
	out := allowed
	principal, not, err := either(s, "Principal")
	if err != nil || principal == nil {
		return denied, errUnreadable
	}
	named, err := namesCaller(principal, c)
	if err != nil {
		return denied, err
	}
	out = lesser(out, decided(named != not))

	action, not, err := either(s, "Action")
	if err != nil || action == nil {
		return denied, errUnreadable
	}
	list, err := texts(action)
	if err != nil {
		return denied, err
	}
	hit := false
	for _, p := range list {
		hit = hit || glob(runes(smallLetters(p)), []rune(smallLetters(c.action)))
		// Lambda's list of grantable actions has Invoke, which is how the API calls it.
		// Whether an Allow of it works is not said: it is taken to.
		if s["Effect"] == "Allow" && !not && strings.EqualFold(p, "lambda:Invoke") && c.action == "lambda:InvokeFunction" {
			hit = true
		}
	}
	out = lesser(out, decided(hit != not))

	resource, not, err := either(s, "Resource")
	if err != nil {
		return denied, err
	}
	if resource != nil {
		list, err := texts(resource)
		if err != nil {
			return denied, err
		}
		hit := denied
		for _, p := range list {
			pattern, present, known := c.fill(p, variables)
			switch {
			case !known:
				hit = greater(hit, undecided)
			case present:
				hit = greater(hit, decided(glob(pattern, []rune(c.resource))))
			}
		}
		if not {
			hit = opposite(hit)
		}
		out = lesser(out, hit)
	}

	if conditions, there := s["Condition"]; there {
		operators, ok := conditions.(map[string]any)
		if !ok {
			return denied, errUnreadable
		}
		for operator, keys := range operators {
			byKey, ok := keys.(map[string]any)
			if !ok {
				return denied, errUnreadable
			}
			for key, value := range byKey {
				values, err := texts(value)
				if err != nil {
					return denied, err
				}
				out = lesser(out, c.condition(operator, key, values, variables))
			}
		}
	}
	return out, nil
}

// either returns an element or its Not form.
func either(s map[string]any, name string) (value any, not bool, err error) {
	value, there := s[name]
	negated, alsoThere := s["Not"+name]
	switch {
	case there && alsoThere:
		return nil, false, errUnreadable
	case alsoThere:
		return negated, true, nil
	}
	return value, false, nil
}

func namesCaller(principal any, c *call) (bool, error) {
	if text, ok := principal.(string); ok {
		return text == "*", nil
	}
	kinds, ok := principal.(map[string]any)
	if !ok {
		return false, errUnreadable
	}
	named := false
	for kind, names := range kinds {
		list, err := texts(names)
		if err != nil {
			return false, err
		}
		for _, name := range list {
			switch kind {
			case "AWS":
				named = named || name == "*"
			case "Service":
				named = named || c.service != "" && !c.unnamed && name == c.service
			case "Federated", "CanonicalUser":
			default:
				return false, errUnreadable
			}
		}
	}
	return named, nil
}

// texts reads one value or a list of them.
func texts(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, each := range list {
		switch each := each.(type) {
		case string:
			out = append(out, each)
		case bool:
			out = append(out, strconv.FormatBool(each))
		case json.Number:
			out = append(out, each.String())
		default:
			return nil, errUnreadable
		}
	}
	return out, nil
}

// Wildcards, as runes that no text has.
const (
	anyRun rune = -1 - iota
	anyOne
)

// runes turns the * and ? of a text into wildcards.
func runes(text string) []rune {
	out := []rune(text)
	for i, r := range out {
		switch r {
		case '*':
			out[i] = anyRun
		case '?':
			out[i] = anyOne
		}
	}
	return out
}

// glob fills a table, row by row: does the pattern up to here match the text up to
// there?
func glob(pattern, text []rune) bool {
	row := make([]bool, len(text)+1)
	row[0] = true
	for _, p := range pattern {
		next := make([]bool, len(text)+1)
		next[0] = p == anyRun && row[0]
		for j, r := range text {
			switch p {
			case anyRun:
				next[j+1] = next[j] || row[j+1]
			case anyOne:
				next[j+1] = row[j]
			default:
				next[j+1] = row[j] && p == r
			}
		}
		row = next
	}
	return row[len(text)]
}

// globARN compares the six fields one by one; a star alone is every ARN.
func globARN(pattern []rune, arn string) bool {
	if len(pattern) == 1 && pattern[0] == anyRun {
		return true
	}
	fields := [][]rune{nil}
	for _, r := range pattern {
		if last := len(fields) - 1; r == ':' && last < 5 {
			fields = append(fields, nil)
		} else {
			fields[last] = append(fields[last], r)
		}
	}
	have := strings.SplitN(arn, ":", 6)
	if len(fields) != 6 || len(have) != 6 {
		return false
	}
	for i := range fields {
		if !glob(fields[i], []rune(have[i])) {
			return false
		}
	}
	return true
}

// fill replaces the policy variables of a value. Present is false where a variable
// has no value in this request, known where that cannot be told.
func (c *call) fill(value string, variables bool) (pattern []rune, present, known bool) {
	if !variables {
		return runes(value), true, true
	}
	for value != "" {
		start := strings.Index(value, "${")
		length := -1
		if start >= 0 {
			length = strings.IndexByte(value[start:], '}')
		}
		if length < 0 {
			return append(pattern, runes(value)...), true, true
		}
		pattern = append(pattern, runes(value[:start])...)
		inside := value[start+2 : start+length]
		value = value[start+length+1:]
		switch inside {
		case "*", "?", "$":
			pattern = append(pattern, []rune(inside)...)
			continue
		}
		name, fallback, hasFallback := strings.Cut(inside, ",")
		have, sure := c.has(strings.TrimSpace(name))
		switch {
		case !sure || len(have) > 1:
			return nil, false, false
		case len(have) == 1:
			pattern = append(pattern, []rune(have[0])...)
		case hasFallback:
			fallback = strings.TrimSpace(fallback)
			if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
				return nil, false, false
			}
			pattern = append(pattern, []rune(fallback[1:len(fallback)-1])...)
		default:
			return nil, false, true
		}
	}
	return pattern, true, true
}

// plain returns the text of a value without wildcards, or with them as they are
// written.
func plain(pattern []rune) string {
	out := make([]rune, len(pattern))
	for i, r := range pattern {
		switch r {
		case anyRun:
			r = '*'
		case anyOne:
			r = '?'
		}
		out[i] = r
	}
	return string(out)
}

// condition evaluates one operator on one key.
func (c *call) condition(operator, key string, values []string, variables bool) decision {
	name := strings.ToLower(operator)
	name, everyValue := strings.CutPrefix(name, "forallvalues:")
	name, someValue := strings.CutPrefix(name, "foranyvalue:")
	have, sure := c.has(key)
	if !sure {
		return undecided
	}
	if name == "null" && !everyValue && !someValue {
		out := denied
		for _, v := range values {
			switch strings.ToLower(v) {
			case "true":
				out = greater(out, decided(len(have) == 0))
			case "false":
				out = greater(out, decided(len(have) > 0))
			default:
				out = greater(out, undecided)
			}
		}
		return out
	}
	name, ifExists := strings.CutSuffix(name, "ifexists")
	compare, negated := comparison(name)
	switch {
	case compare == nil:
		return undecided
	case len(have) == 0:
		return decided(ifExists || everyValue || negated && !someValue)
	}
	every := everyValue || negated && !someValue
	out := decided(every)
	for _, v := range have {
		one := denied
		for _, p := range values {
			pattern, present, known := c.fill(p, variables)
			switch {
			case !known:
				one = greater(one, undecided)
			case present:
				one = greater(one, compare(pattern, v))
			case negated: // IAM does not say what a variable without a value differs from
				one = greater(one, undecided)
			}
		}
		if negated {
			one = opposite(one)
		}
		if every {
			out = lesser(out, one)
		} else {
			out = greater(out, one)
		}
	}
	return out
}

// comparison returns how an operator compares a value of the policy with one of
// the request, and whether it wants the contrary.
func comparison(operator string) (compare func(pattern []rune, have string) decision, negated bool) {
	order := func(ok func(less, same bool) bool, numbers bool) func([]rune, string) decision {
		return func(p []rune, have string) decision {
			if numbers {
				want, err := strconv.ParseFloat(plain(p), 64)
				if err != nil || want != want {
					return undecided
				}
				n, err := strconv.ParseFloat(have, 64)
				if err != nil {
					return denied
				}
				return decided(ok(n < want, n == want))
			}
			want, good := instant(plain(p))
			if !good {
				return undecided
			}
			t, good := instant(have)
			if !good {
				return denied
			}
			return decided(ok(t.Before(want), t.Equal(want)))
		}
	}
	equals := func(_, same bool) bool { return same }
	less := func(less, _ bool) bool { return less }
	lessEquals := func(less, same bool) bool { return less || same }
	greater := func(less, same bool) bool { return !less && !same }
	greaterEquals := func(less, _ bool) bool { return !less }
	same := func(p []rune, have string) decision { return decided(plain(p) == have) }
	fold := func(p []rune, have string) decision { return decided(strings.EqualFold(plain(p), have)) }
	like := func(p []rune, have string) decision { return decided(glob(p, []rune(have))) }
	arn := func(p []rune, have string) decision { return decided(globARN(p, have)) }

	switch operator {
	case "stringequals", "binaryequals":
		return same, false
	case "stringnotequals":
		return same, true
	case "stringequalsignorecase", "bool":
		return fold, false
	case "stringnotequalsignorecase":
		return fold, true
	case "stringlike":
		return like, false
	case "stringnotlike":
		return like, true
	case "arnequals", "arnlike":
		return arn, false
	case "arnnotequals", "arnnotlike":
		return arn, true
	case "numericequals":
		return order(equals, true), false
	case "numericnotequals":
		return order(equals, true), true
	case "numericlessthan":
		return order(less, true), false
	case "numericlessthanequals":
		return order(lessEquals, true), false
	case "numericgreaterthan":
		return order(greater, true), false
	case "numericgreaterthanequals":
		return order(greaterEquals, true), false
	case "dateequals":
		return order(equals, false), false
	case "datenotequals":
		return order(equals, false), true
	case "datelessthan":
		return order(less, false), false
	case "datelessthanequals":
		return order(lessEquals, false), false
	case "dategreaterthan":
		return order(greater, false), false
	case "dategreaterthanequals":
		return order(greaterEquals, false), false
	case "ipaddress":
		return inBlock, false
	case "notipaddress":
		return inBlock, true
	}
	return nil, false
}

func inBlock(p []rune, have string) decision {
	block := plain(p)
	if !strings.Contains(block, "/") {
		one, err := netip.ParseAddr(block)
		if err != nil {
			return undecided
		}
		block = netip.PrefixFrom(one, one.BitLen()).String()
	}
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return undecided
	}
	address, err := netip.ParseAddr(have)
	return decided(err == nil && prefix.Contains(address))
}

// instant reads a date as W3C's note on ISO 8601 has it, or seconds since 1970.
func instant(s string) (time.Time, bool) {
	for _, form := range []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04Z07:00", time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	return time.UnixMilli(int64(n * 1000)), err == nil
}

// smallLetters makes those of ASCII small.
func smallLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
