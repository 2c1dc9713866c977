package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDocument is far above what AWS writes: a policy has 20 KB, an event 1 MB.
const maxDocument = 10 << 20

// kind is what a document is.
type kind string

const (
	policyKind    kind = "policy"
	statementKind kind = "statement"
	recordKind    kind = "record"     // of CloudTrail
	eventKind     kind = "event"      // of EventBridge
	getPolicyKind kind = "get-policy" // the answer of the API
)

// want closes every message about a document that is none of them.
const want = "want a policy (with Statement), a statement (with Effect), the answer of GetPolicy (with Policy), " +
	"a CloudTrail record (with eventSource and eventName) or file (with Records), or an EventBridge event (with detail-type and detail)"

// place is where a document stands.
type place struct {
	Input    string `json:"input"`            // the name as given; "-" is the standard input
	Document int    `json:"document"`         // counted from 0
	Record   *int   `json:"record,omitempty"` // in a CloudTrail file, counted from 0
}

func (p place) String() string {
	name := p.Input
	if name == "-" {
		name = "standard input"
	}
	if p.Document > 0 {
		name += fmt.Sprintf(", document %d", p.Document)
	}
	if p.Record != nil {
		name += fmt.Sprintf(", record %d", *p.Record)
	}
	return name
}

// document is something to be judged.
type document struct {
	place
	kind kind
	text string // of the policy, the statement or the event itself
}

// open hands every document of a file on; "-" is stdin.
func open(input string, stdin io.Reader, do func(document) error) error {
	if input == "-" {
		return readDocuments(input, stdin, do)
	}
	file, err := os.Open(input)
	if err != nil {
		return err
	}
	defer file.Close()
	return readDocuments(input, file, do)
}

// readDocuments hands every document of an input on. It stops at what is not
// JSON; what is JSON and none of ours is an error that costs no neighbour.
func readDocuments(input string, from io.Reader, do func(document) error) error {
	// Names that occur twice are for the judge of policies to see.
	limit := &limited{from: from}
	dec := jsontext.NewDecoder(limit, jsontext.AllowDuplicateNames(true))
	var problems []error
	for at := (place{Input: input}); ; at.Document++ {
		limit.left = maxDocument
		text, err := dec.ReadValue()
		switch {
		case err == io.EOF && at.Document == 0:
			return fmt.Errorf("%s: it is empty; %s", at, want)
		case err == io.EOF:
			return errors.Join(problems...)
		case err != nil:
			return errors.Join(append(problems, fmt.Errorf("%s: %w; %s", at, notJSON(err), want))...)
		}
		problems = append(problems, recognise(at, text, do))
	}
}

func notJSON(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Errorf("at byte %d: it is not JSON: %w", syntax.ByteOffset, syntax.Err)
	}
	return cmp.Or(errors.Unwrap(err), err) // of reading
}

// recognise tells by its members what a document is.
func recognise(at place, text jsontext.Value, do func(document) error) error {
	is := func(k kind, text jsontext.Value) error { return do(document{at, k, plain(text)}) }
	if text.Kind() == '"' { // as in: aws lambda get-policy --query Policy
		text = jsontext.Value(plain(text))
	}
	var has map[string]jsontext.Value
	if err := json.Unmarshal(text, &has, jsontext.AllowDuplicateNames(true)); err != nil {
		return fmt.Errorf("%s: it is JSON, but no object; %s", at, want)
	}
	switch {
	case has["detail-type"] != nil && has["detail"] != nil:
		return is(eventKind, text)
	case has["eventSource"] != nil && has["eventName"] != nil:
		return is(recordKind, text)
	case has["Records"].Kind() == '[':
		return records(at, has["Records"], do)
	case has["Policy"] != nil:
		return is(getPolicyKind, has["Policy"])
	case has["Statement"].Kind() == '"': // the answer of AddPermission
		return is(statementKind, has["Statement"])
	case has["Statement"] != nil:
		return is(policyKind, text)
	case has["Effect"] != nil:
		return is(statementKind, text)
	}
	return fmt.Errorf("%s: it is JSON, but of no kind that is known here; %s", at, want)
}

func records(at place, list jsontext.Value, do func(document) error) error {
	var all []jsontext.Value
	if err := json.Unmarshal(list, &all, jsontext.AllowDuplicateNames(true)); err != nil {
		return fmt.Errorf("%s: reading its Records: %w", at, err)
	}
	if len(all) == 0 {
		return fmt.Errorf("%s: its Records are empty", at)
	}
	var problems []error
	for i, text := range all {
		at.Record = &i
		if text.Kind() != '{' {
			problems = append(problems, fmt.Errorf("%s: it is no object; want a CloudTrail record", at))
			continue
		}
		problems = append(problems, do(document{at, recordKind, string(text)}))
	}
	return errors.Join(problems...)
}

// plain returns what stands in a JSON text, or any other value as it is.
func plain(text jsontext.Value) string {
	var inner string
	if text.Kind() == '"' && json.Unmarshal(text, &inner) == nil {
		return inner
	}
	return string(text)
}

// limited is a reader that can be told how much more to give.
type limited struct {
	from io.Reader
	left int
}

var errTooLong = fmt.Errorf("a document of more than %d MiB", maxDocument>>20)

func (l *limited) Read(to []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.from.Read(to[:min(len(to), l.left)])
	l.left -= n
	return n, err
}
