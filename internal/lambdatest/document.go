package lambdatest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// document is a policy cut at its statements: an edit of one leaves every byte
// of the others, and of what stands around them, alone.
type document struct {
	before, after string
	statements    []json.RawMessage
}

var emptyDocument = document{before: `{"Version":"2012-10-17","Id":"default","Statement":`, after: `}`}

func parseDocument(text string) (document, error) {
	if !json.Valid([]byte(text)) {
		return document{}, errors.New("the policy is not JSON")
	}
	// From here on there are no errors to be had: the text is JSON.
	dec := json.NewDecoder(strings.NewReader(text))
	if t, _ := dec.Token(); t != json.Delim('{') {
		return document{}, errors.New("the policy is not an object")
	}
	for dec.More() {
		name, _ := dec.Token()
		var value json.RawMessage
		dec.Decode(&value)
		if name != "Statement" {
			continue
		}
		end := int(dec.InputOffset())
		d := document{before: text[:end-len(value)], after: text[end:]}
		if value[0] != '[' {
			d.statements = []json.RawMessage{value}
			return d, nil
		}
		return d, json.Unmarshal(value, &d.statements)
	}
	return document{}, errors.New("the policy has no Statement")
}

// String returns "" if there are no statements: there is no empty policy.
func (d document) String() string {
	if len(d.statements) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(d.before)
	separator := "["
	for _, s := range d.statements {
		b.WriteString(separator)
		b.Write(s)
		separator = ","
	}
	b.WriteString("]")
	b.WriteString(d.after)
	return b.String()
}

// index returns the place of the first statement with that Sid, or -1.
func (d document) index(sid string) int {
	return slices.IndexFunc(d.statements, func(raw json.RawMessage) bool {
		var s map[string]any
		return json.Unmarshal(raw, &s) == nil && s["Sid"] == sid
	})
}

// loseNeighbour drops the first statement that stood before the write and still
// stands after it. Policies that cannot be read have no neighbours.
func loseNeighbour(before, after string) string {
	was, _ := parseDocument(before)
	is, _ := parseDocument(after)
	for i, s := range is.statements {
		if slices.ContainsFunc(was.statements, func(old json.RawMessage) bool { return bytes.Equal(old, s) }) {
			is.statements = slices.Delete(is.statements, i, i+1)
			return is.String()
		}
	}
	return after
}
