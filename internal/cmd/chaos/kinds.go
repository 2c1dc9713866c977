package main

import (
	"strings"
)

// The account of the simulation, and whom its owner trusts.
const (
	region    = "eu-central-1"
	accountID = "111122223333"
	trusted   = "o-exampleorg1"
	functions = "arn:aws:lambda:" + region + ":" + accountID + ":function:"
	ownRole   = "arn:aws:iam::" + accountID + ":role/lambda-guardrail"
)

// openness is how far a statement opens its function, by the way it was made:
// nobody judges it.
type openness int

const (
	closed  openness = iota // nobody whom the owner did not name gets in
	named                   // a named outsider, or a service acting for anybody
	unclear                 // nobody can tell
	byURL                   // strangers get in through the function URL alone
	open                    // strangers get in
	denial                  // a Deny that shuts nothing
	lock                    // a Deny that shuts every stranger out
)

// kind is a way to write a statement. SID and RESOURCE stand for its own.
type kind struct {
	name   string
	is     openness
	text   string
	add    map[string]any // how AddPermission makes it; nil if it cannot
	exempt bool
}

const toEverybody = `"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"RESOURCE"`

func invoke(principal string, more ...string) map[string]any {
	in := map[string]any{"Action": "lambda:InvokeFunction", "Principal": principal}
	for i := 0; i+1 < len(more); i += 2 {
		in[more[i]] = more[i+1]
	}
	return in
}

var kinds = []*kind{
	{name: "everybody", is: open, text: `{"Sid":"SID",` + toEverybody + `}`, add: invoke("*")},
	{name: "everything", is: open, text: `{"Sid":"SID","Effect":"Allow","Principal":"*","Action":"lambda:*","Resource":"RESOURCE"}`,
		add: map[string]any{"Action": "lambda:*", "Principal": "*"}},
	{name: "code for all", is: open, text: `{"Sid":"SID","Effect":"Allow","Principal":"*","Action":"lambda:UpdateFunctionCode","Resource":"RESOURCE"}`,
		add: map[string]any{"Action": "lambda:UpdateFunctionCode", "Principal": "*"}},
	{name: "without a Sid", is: open, text: `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["lambda:InvokeFunction"],"Resource":"RESOURCE"}`},
	{name: "odd Sid", is: open, text: `{"Sid":"SID <b> \"..\"",` + toEverybody + `}`},
	{name: "any organization", is: open, text: `{"Sid":"SID",` + toEverybody + `,"Condition":{"StringLike":{"aws:PrincipalOrgID":"o-*"}}}`},
	{name: "a tag of the caller", is: open, text: `{"Sid":"SID",` + toEverybody + `,"Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}`},
	{name: "two halves of the internet", is: open, text: `{"Sid":"SID",` + toEverybody + `,"Condition":{"IpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}}}`},

	{name: "function URL", is: byURL, text: `{"Sid":"SID","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"RESOURCE","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`,
		add: map[string]any{"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}},
	{name: "invoked through the URL", is: byURL, text: `{"Sid":"SID",` + toEverybody + `,"Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`,
		add: map[string]any{"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": true}},

	{name: "bucket", is: closed, text: `{"Sid":"SID","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"RESOURCE","Condition":{"StringEquals":{"AWS:SourceAccount":"` + accountID + `"}}}`,
		add: invoke("s3.amazonaws.com", "SourceAccount", accountID)},
	{name: "own account", is: closed, text: `{"Sid":"SID","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + accountID + `:root"},"Action":"lambda:InvokeFunction","Resource":"RESOURCE"}`,
		add: invoke(accountID)},
	{name: "own organization", is: closed, text: `{"Sid":"SID",` + toEverybody + `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"` + trusted + `"}}}`,
		add: invoke("*", "PrincipalOrgID", trusted)},
	{name: "partner", is: named, text: `{"Sid":"SID","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"lambda:InvokeFunction","Resource":"RESOURCE"}`,
		add: invoke("444455556666")},
	{name: "any bucket", is: named, text: `{"Sid":"SID","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"RESOURCE"}`,
		add: invoke("s3.amazonaws.com")},
	{name: "unknown key", is: unclear, text: `{"Sid":"SID",` + toEverybody + `,"Condition":{"StringEquals":{"example:NobodyKnows":"1"}}}`},
	{name: "unreadable", is: unclear, text: `{"Sid":"SID",` + toEverybody + `,"Condition":{"StringEquals":["what","is","this"]}}`},

	{name: "Deny of reading", is: denial, text: `{"Sid":"SID","Effect":"Deny","Principal":"*","Action":"lambda:GetPolicy","Resource":"RESOURCE"}`},
	{name: "Deny of all", is: lock, text: `{"Sid":"SID","Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"RESOURCE"}`},
	{name: "Deny of other organizations", is: lock, text: `{"Sid":"SID","Effect":"Deny","Principal":"*","Action":"*","Resource":"RESOURCE","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"` + trusted + `"}}}`},
}

// exempted is what the owner wants to be open: a statement of that Sid.
var exempted = &kind{name: "exempt", is: open, exempt: true, text: kinds[0].text, add: kinds[0].add}

const exemptedSid = "open-data"

func (k *kind) statement(sid, arn string) string {
	return strings.NewReplacer("SID", sid, "RESOURCE", arn).Replace(k.text)
}

// kindsOf returns those of some opennesses, of all if addable is false.
func kindsOf(addable bool, of ...openness) []*kind {
	var some []*kind
	for _, k := range kinds {
		for _, o := range of {
			if k.is == o && (k.add != nil || !addable) {
				some = append(some, k)
			}
		}
	}
	return some
}
