package iampolicy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Parse reads a policy document. It fails on text that is not one JSON object
// with a Statement; what it cannot read inside of a statement is that
// statement's Problem (R2).
func Parse(text string) (Document, error) {
	p := newParser(text)
	defer p.free()
	d, err := p.document()
	if err != nil {
		return Document{}, fmt.Errorf("reading the policy document: %w", err)
	}
	return d, nil
}

// ParseStatement reads one statement on its own, as CloudTrail records it, and
// returns it as the only one of a document of the current version.
func ParseStatement(text string) (Document, error) {
	p := newParser(text)
	defer p.free()
	d := Document{Version: "2012-10-17", raw: text}
	s, err := p.statement()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return Document{}, fmt.Errorf("reading the statement: %w", err)
	}
	d.Statements = []Statement{s}
	return d, nil
}

// Fingerprint identifies a statement by its content: SHA-256, in hex, of its
// canonical JSON (RFC 8785), so that order of members and white space do not
// matter. Text that is not JSON is hashed as it is.
func Fingerprint(statement string) string {
	v := jsontext.Value(statement)
	if err := v.Canonicalize(); err != nil {
		v = jsontext.Value(statement)
	}
	sum := sha256.Sum256(v)
	return hex.EncodeToString(sum[:])
}

// parser walks the tokens once. Duplicate names are let through by the decoder
// and caught here, where they cost one statement and not the document.
type parser struct {
	text string
	buf  bytes.Buffer
	dec  jsontext.Decoder
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

func newParser(text string) *parser {
	p := parsers.Get().(*parser)
	p.text = text
	p.buf.Reset()
	p.buf.WriteString(text)
	p.dec.Reset(&p.buf, jsontext.AllowDuplicateNames(true))
	return p
}

func (p *parser) free() {
	p.text = "" // what was returned points into it
	if p.buf.Cap() < 64<<10 {
		parsers.Put(p)
	}
}

// problem is what is wrong with one statement, as against the whole document.
type problem string

func (e problem) Error() string { return string(e) }

func (p *parser) document() (Document, error) {
	d := Document{raw: p.text}
	if p.dec.PeekKind() != '{' {
		return d, p.fail("want a JSON object")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return d, err
	}
	var seen []string
	var unknown string
	for p.dec.PeekKind() != '}' {
		name, err := p.str()
		if err != nil {
			return d, err
		}
		if slices.Contains(seen, name) {
			return d, fmt.Errorf("%q stands there twice", name)
		}
		seen = append(seen, name)
		switch name {
		case "Version":
			d.Version, err = p.text1("Version")
		case "Id":
			d.ID, err = p.text1("Id")
		case "Statement":
			err = p.statements(&d)
		default:
			unknown = name
			err = p.dec.SkipValue()
		}
		if err != nil {
			return d, err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return d, err
	}
	if !slices.Contains(seen, "Statement") {
		return d, errors.New("no Statement in it")
	}
	if unknown != "" {
		// It could change the meaning of every statement beside it.
		for i := range d.Statements {
			if s := &d.Statements[i]; s.Problem == "" {
				s.Problem = fmt.Sprintf("unknown element %q in the document", unknown)
			}
		}
	}
	return d, p.end()
}

func (p *parser) statements(d *Document) error {
	if p.dec.PeekKind() != '[' {
		s, err := p.statement()
		d.Statements = []Statement{s}
		return err
	}
	d.list = true
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != ']' {
		s, err := p.statement()
		if err != nil {
			return err
		}
		d.Statements = append(d.Statements, s)
	}
	_, err := p.dec.ReadToken()
	return err
}

// statement reads the next value as a statement. An error is one of the JSON
// text; anything else becomes the statement's Problem.
func (p *parser) statement() (Statement, error) {
	s := Statement{start: p.valueStart(), Action: Patterns{Missing: true}, Resource: Patterns{Missing: true}}
	depth := p.dec.StackDepth()
	err := p.elements(&s)
	if err != nil {
		var what problem
		if errors.As(err, &what) {
			s.Problem = string(what)
			err = p.skipTo(depth)
		}
	}
	if err != nil {
		return s, err
	}
	s.Raw = p.text[s.start:p.dec.InputOffset()]
	return s, nil
}

// Elements of a statement; each may stand there once.
const (
	sawSid = 1 << iota
	sawEffect
	sawPrincipal
	sawAction
	sawResource
	sawCondition
)

func (p *parser) elements(s *Statement) error {
	if p.dec.PeekKind() != '{' {
		return p.skip(p.wrongType("a statement", "an object"))
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	var seen int
	var wrong error // the first problem; reading goes on, so that Sid and Effect are known
	for p.dec.PeekKind() != '}' {
		name, err := p.str()
		if err != nil {
			return err
		}
		var bit int
		switch name {
		case "Sid":
			bit = sawSid
			s.Sid, err = p.text1(name)
		case "Effect":
			bit = sawEffect
			s.Effect, err = p.text1(name)
		case "Principal", "NotPrincipal":
			bit = sawPrincipal
			s.Principal.Not = name == "NotPrincipal"
			err = p.principal(&s.Principal, name)
		case "Action", "NotAction":
			bit = sawAction
			s.Action = Patterns{Not: name == "NotAction"}
			s.Action.List, err = p.texts(name, false)
		case "Resource", "NotResource":
			bit = sawResource
			s.Resource = Patterns{Not: name == "NotResource"}
			s.Resource.List, err = p.texts(name, false)
		case "Condition":
			bit = sawCondition
			s.Conditions, err = p.conditions()
		default:
			err = p.skip(problem(fmt.Sprintf("unknown element %q", name)))
		}
		if err == nil && seen&bit != 0 {
			err = problem(fmt.Sprintf("%s beside another one of its kind", name))
			if bit == sawEffect {
				s.Effect = "" // either of them may be the one that counts
			}
		}
		seen |= bit
		if err != nil {
			var what problem
			if !errors.As(err, &what) {
				return err
			}
			if wrong == nil {
				wrong = what
			}
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	switch {
	case wrong != nil:
	case seen&sawEffect == 0:
		wrong = problem("no Effect")
	case seen&sawPrincipal == 0:
		wrong = problem("no Principal")
	case seen&sawAction == 0:
		wrong = problem("no Action")
	}
	return wrong
}

func (p *parser) principal(to *Principal, element string) error {
	switch p.dec.PeekKind() {
	case '"':
		name, err := p.str()
		if name == "*" {
			to.Everyone = true
		} else {
			to.Other = append(to.Other, name)
		}
		return err
	case '{':
	default:
		return p.skip(p.wrongType(element, `"*" or an object`))
	}
	depth := p.dec.StackDepth()
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	var seen []string
	for p.dec.PeekKind() != '}' {
		kind, err := p.str()
		if err != nil {
			return err
		}
		if slices.Contains(seen, kind) {
			return p.abandon(depth, problem(fmt.Sprintf("%s.%s twice", element, kind)))
		}
		seen = append(seen, kind)
		names, err := p.texts(element, false)
		if err != nil {
			return p.abandon(depth, err)
		}
		switch kind {
		case "AWS":
			for _, n := range names {
				if n == "*" {
					to.Everyone = true
				} else {
					to.AWS = append(to.AWS, n)
				}
			}
		case "Service":
			to.Services = names
		case "Federated", "CanonicalUser":
			to.Other = append(to.Other, names...)
		default:
			return p.abandon(depth, problem(fmt.Sprintf("unknown kind of principal %q", kind)))
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

func (p *parser) conditions() ([]Condition, error) {
	depth := p.dec.StackDepth()
	if p.dec.PeekKind() != '{' {
		return nil, p.skip(p.wrongType("Condition", "an object"))
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	var list []Condition
	var operators []string
	for p.dec.PeekKind() != '}' {
		operator, err := p.str()
		if err != nil {
			return nil, err
		}
		if slices.Contains(operators, operator) {
			return nil, p.abandon(depth, problem(fmt.Sprintf("Condition.%s twice", operator)))
		}
		operators = append(operators, operator)
		if p.dec.PeekKind() != '{' {
			return nil, p.abandon(depth, p.wrongType("Condition."+operator, "an object"))
		}
		if _, err := p.dec.ReadToken(); err != nil {
			return nil, err
		}
		for p.dec.PeekKind() != '}' {
			key, err := p.str()
			if err != nil {
				return nil, err
			}
			values, err := p.texts("Condition."+operator, true)
			if err != nil {
				return nil, p.abandon(depth, err)
			}
			for i := range list {
				if list[i].Operator == operator && strings.EqualFold(list[i].Key, key) {
					return nil, p.abandon(depth, problem(fmt.Sprintf("Condition.%s.%s twice", operator, key)))
				}
			}
			list = append(list, Condition{operator, key, values})
		}
		if _, err := p.dec.ReadToken(); err != nil {
			return nil, err
		}
	}
	_, err := p.dec.ReadToken()
	return list, err
}

// texts reads a string or a list of strings; with scalars, also booleans and
// numbers.
func (p *parser) texts(element string, scalars bool) ([]string, error) {
	if p.dec.PeekKind() != '[' {
		one, err := p.scalar(element, scalars)
		if err != nil {
			return nil, err
		}
		return []string{one}, nil
	}
	depth := p.dec.StackDepth()
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	list := []string{}
	for p.dec.PeekKind() != ']' {
		one, err := p.scalar(element, scalars)
		if err != nil {
			return nil, p.abandon(depth, err)
		}
		list = append(list, one)
	}
	_, err := p.dec.ReadToken()
	return list, err
}

func (p *parser) scalar(element string, scalars bool) (string, error) {
	switch k := p.dec.PeekKind(); {
	case k == '"':
		return p.str()
	case scalars && (k == 't' || k == 'f' || k == '0'):
		tok, err := p.dec.ReadToken()
		if err != nil {
			return "", err
		}
		return tok.String(), nil
	}
	return "", p.skip(p.wrongType(element, "text"))
}

func (p *parser) text1(element string) (string, error) { return p.scalar(element, false) }

// str reads a string token, as a part of the text itself where it has no escapes.
// Every string that is read stands in an object: something is before it.
func (p *parser) str() (string, error) {
	tok, err := p.dec.ReadToken()
	if err != nil {
		return "", err
	}
	if tok.Kind() != '"' {
		return "", p.fail("want text")
	}
	end := int(p.dec.InputOffset()) - 1 // of the closing quote
	start := strings.LastIndexByte(p.text[:end], '"')
	if s := p.text[start+1 : end]; strings.IndexByte(s, '\\') < 0 && p.text[start-1] != '\\' {
		return s, nil
	}
	return tok.String(), nil
}

// valueStart is the offset of the next value.
func (p *parser) valueStart() int {
	p.dec.PeekKind()
	i := int(p.dec.InputOffset())
	for i < len(p.text) && strings.IndexByte(" \t\r\n,:", p.text[i]) >= 0 {
		i++
	}
	return i
}

// skip passes over the next value and returns why, unless the text itself is
// broken.
func (p *parser) skip(why error) error {
	if err := p.dec.SkipValue(); err != nil {
		return err
	}
	return why
}

// abandon leaves the value that was begun at depth and returns why, unless the
// text itself is broken.
func (p *parser) abandon(depth int, why error) error {
	var what problem
	if !errors.As(why, &what) {
		return why
	}
	if err := p.skipTo(depth); err != nil {
		return err
	}
	return why
}

func (p *parser) skipTo(depth int) error {
	for p.dec.StackDepth() > depth {
		if _, err := p.dec.ReadToken(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) end() error {
	if _, err := p.dec.ReadToken(); err != io.EOF {
		if err == nil {
			err = p.fail("more text after the document")
		}
		return err
	}
	return nil
}

// fail reports a text that is not a policy; where the JSON itself is broken,
// that says it better.
func (p *parser) fail(want string) error {
	at := p.dec.InputOffset()
	if _, err := p.dec.ReadToken(); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return fmt.Errorf("%s at offset %d", want, at)
}

var kindNames = map[jsontext.Kind]string{'n': "null", 't': "true", 'f': "false", '"': "text", '0': "a number", '{': "an object", '[': "a list"}

func (p *parser) wrongType(element, want string) error {
	return problem(fmt.Sprintf("%s is %s; want %s", element, kindNames[p.dec.PeekKind()], want))
}
