// Package iampolicy reads the grammar of an IAM resource policy: every form that
// AWS takes, each statement kept verbatim, and what cannot be read marked without
// losing its neighbours. It does not know what any of it means: which principals
// are strangers, what a condition key holds or which actions matter.
package iampolicy

import "strings"

// Document is a policy as it was read. Element names as in
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type Document struct {
	Version    string // "" if missing
	ID         string
	Statements []Statement

	raw  string
	list bool // Statement was a list
}

// Variables reports whether ${...} in values and resources is a policy variable
// (R1): otherwise it is literal text.
func (d *Document) Variables() bool { return d.Version == "2012-10-17" }

// Effects; any other value grants nothing (R1).
const (
	Allow = "Allow"
	Deny  = "Deny"
)

// Statement is one statement of a document.
type Statement struct {
	Raw    string // verbatim
	Sid    string // "" if missing
	Effect string // "" if it cannot be told
	// Problem says why the statement cannot be read; "" means that it can. The
	// fields below are then meaningless.
	Problem string

	Principal  Principal
	Action     Patterns
	Resource   Patterns
	Conditions []Condition

	start int // offset of Raw in the document
}

// Principal is the Principal or NotPrincipal element.
type Principal struct {
	Not      bool     // NotPrincipal
	Everyone bool     // "*", alone or among the AWS principals
	AWS      []string // accounts, roles, users, without "*"
	Services []string
	Other    []string // federated and canonical users, and bare strings but "*"
}

// Patterns is an Action or Resource element: patterns with * and ?, or, for
// NotAction and NotResource, their complement.
type Patterns struct {
	Missing bool // neither the element nor its Not form is there
	Not     bool
	List    []string
}

// Condition is one operator applied to one key; the values are alternatives.
type Condition struct {
	Operator string   // as written: "ForAnyValue:StringLikeIfExists"
	Key      string   // as written: "AWS:SourceArn"
	Values   []string // booleans and numbers as their JSON text
}

// Without returns the document less the statements of which, and how many are
// left. Every remaining statement keeps its bytes (R3).
func (d *Document) Without(which []int) (rest string, left int) {
	if len(d.Statements) == 0 {
		return d.raw, 0
	}
	drop := make([]bool, len(d.Statements))
	for _, i := range which {
		drop[i] = true
	}
	last := &d.Statements[len(d.Statements)-1]

	var b strings.Builder
	b.Grow(len(d.raw))
	b.WriteString(d.raw[:d.Statements[0].start])
	if !d.list {
		b.WriteByte('[')
	}
	for i := range d.Statements {
		if drop[i] {
			continue
		}
		if left > 0 {
			b.WriteByte(',')
		}
		b.WriteString(d.Statements[i].Raw)
		left++
	}
	if !d.list {
		b.WriteByte(']')
	}
	b.WriteString(d.raw[last.start+len(last.Raw):])
	return b.String(), left
}

// With returns the document with one statement more, at its end; every other keeps
// its bytes (R3). Without any statement there is no place for it, and ok is false.
func (d *Document) With(statement string) (text string, ok bool) {
	if len(d.Statements) == 0 {
		return "", false
	}
	first, last := &d.Statements[0], &d.Statements[len(d.Statements)-1]
	end := last.start + len(last.Raw)
	before, after := "", ""
	if !d.list {
		before, after = "[", "]"
	}
	return d.raw[:first.start] + before + d.raw[first.start:end] + "," + statement + after + d.raw[end:], true
}
