package iampolicy_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"lambda-guardrail/internal/iampolicy"
)

const arn = "arn:aws:lambda:us-east-1:111122223333:function:f"

func parse(t testing.TB, text string) iampolicy.Document {
	t.Helper()
	d, err := iampolicy.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d
}

// statement is one statement, with its neighbours before and behind it.
func among(statement string) string {
	return `{"Version":"2012-10-17","Statement":[` + before + `,` + statement + `,` + behind + `]}`
}

const (
	before = `{"Sid":"before","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction"}`
	behind = `{"Sid":"behind","Effect":"Deny","Principal":"*","Action":"lambda:InvokeFunction"}`
)

// wantNeighbours checks that a statement in the middle cost nothing around it (R2).
func wantNeighbours(t *testing.T, d iampolicy.Document) iampolicy.Statement {
	t.Helper()
	if len(d.Statements) != 3 {
		t.Fatalf("%d statements, want 3", len(d.Statements))
	}
	for i, want := range map[int]string{0: before, 2: behind} {
		if s := d.Statements[i]; s.Raw != want || s.Problem != "" || s.Sid == "" {
			t.Errorf("neighbour %d: %+v", i, s)
		}
	}
	return d.Statements[1]
}

func TestEveryFormIsRead(t *testing.T) {
	everyone := iampolicy.Principal{Everyone: true}
	invoke := iampolicy.Patterns{List: []string{"lambda:InvokeFunction"}}
	missing := iampolicy.Patterns{Missing: true}
	for _, c := range []struct {
		name, statement string
		want            iampolicy.Statement
	}{
		{"the least", `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction"}`,
			iampolicy.Statement{Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing}},
		{"lists", `{"Sid":"x","Effect":"Deny","Principal":{"AWS":["*","111122223333"]},"Action":["a","b"],"Resource":["c","d"]}`,
			iampolicy.Statement{Sid: "x", Effect: "Deny", Principal: iampolicy.Principal{Everyone: true, AWS: []string{"111122223333"}},
				Action: iampolicy.Patterns{List: []string{"a", "b"}}, Resource: iampolicy.Patterns{List: []string{"c", "d"}}}},
		{"empty lists", `{"Effect":"Allow","Principal":{"AWS":[]},"Action":[],"Resource":[]}`,
			iampolicy.Statement{Effect: "Allow", Action: iampolicy.Patterns{List: []string{}}, Resource: iampolicy.Patterns{List: []string{}}}},
		{"all kinds of principals", `{"Effect":"Allow","Principal":{"AWS":"444455556666","Service":["s3.amazonaws.com","sns.amazonaws.com"],"Federated":"accounts.google.com","CanonicalUser":"79a5"},"Action":"*"}`,
			iampolicy.Statement{Effect: "Allow", Principal: iampolicy.Principal{AWS: []string{"444455556666"}, Services: []string{"s3.amazonaws.com", "sns.amazonaws.com"}, Other: []string{"accounts.google.com", "79a5"}},
				Action: iampolicy.Patterns{List: []string{"*"}}, Resource: missing}},
		{"a bare principal", `{"Effect":"Allow","Principal":"arn:aws:iam::111122223333:root","Action":"*"}`,
			iampolicy.Statement{Effect: "Allow", Principal: iampolicy.Principal{Other: []string{"arn:aws:iam::111122223333:root"}}, Action: iampolicy.Patterns{List: []string{"*"}}, Resource: missing}},
		{"a star inside a principal", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::*:root"},"Action":"*"}`,
			iampolicy.Statement{Effect: "Allow", Principal: iampolicy.Principal{AWS: []string{"arn:aws:iam::*:root"}}, Action: iampolicy.Patterns{List: []string{"*"}}, Resource: missing}},
		{"no principals", `{"Effect":"Allow","Principal":{},"Action":"*"}`,
			iampolicy.Statement{Effect: "Allow", Action: iampolicy.Patterns{List: []string{"*"}}, Resource: missing}},
		{"the Not forms", `{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"NotAction":"lambda:GetFunction","NotResource":"` + arn + `"}`,
			iampolicy.Statement{Effect: "Allow", Principal: iampolicy.Principal{Not: true, AWS: []string{"111122223333"}},
				Action: iampolicy.Patterns{Not: true, List: []string{"lambda:GetFunction"}}, Resource: iampolicy.Patterns{Not: true, List: []string{arn}}}},
		{"another effect", `{"Effect":"Block","Principal":"*","Action":"*"}`,
			iampolicy.Statement{Effect: "Block", Principal: everyone, Action: iampolicy.Patterns{List: []string{"*"}}, Resource: missing}},
		{"conditions", `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["a","b"],"AWS:x":[]},"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"aws:MultiFactorAuthAge":[3600,1.5e3,-0]},"Null":{"y":["false",false]}}}`,
			iampolicy.Statement{Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing, Conditions: []iampolicy.Condition{
				{Operator: "ForAnyValue:StringLike", Key: "aws:PrincipalOrgPaths", Values: []string{"a", "b"}},
				{Operator: "ForAnyValue:StringLike", Key: "AWS:x", Values: []string{}},
				{Operator: "Bool", Key: "aws:SecureTransport", Values: []string{"true"}},
				{Operator: "NumericLessThan", Key: "aws:MultiFactorAuthAge", Values: []string{"3600", "1.5e3", "-0"}},
				{Operator: "Null", Key: "y", Values: []string{"false", "false"}},
			}}},
		{"empty conditions", `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringEquals":{}}}`,
			iampolicy.Statement{Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing}},
		{"one key under two operators", `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringLike":{"k":"a*"},"StringNotLike":{"k":"ab"}}}`,
			iampolicy.Statement{Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing, Conditions: []iampolicy.Condition{
				{Operator: "StringLike", Key: "k", Values: []string{"a*"}}, {Operator: "StringNotLike", Key: "k", Values: []string{"ab"}}}}},
		{"escapes", `{"Sid":"a\"b\\\u00e4\ud83d\ude00\n\/\\\"","Effect":"\u0041llow","Principal":"\u002a","\u0041ction":"lambda:\u0049nvokeFunction","Condition":{"String\u0045quals":{"\"":"\\"}}}`,
			iampolicy.Statement{Sid: "a\"b\\ä😀\n/\\\"", Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing,
				Conditions: []iampolicy.Condition{{Operator: "StringEquals", Key: `"`, Values: []string{`\`}}}}},
		{"quotes and colons in a Sid", `{"Sid":"\",\"Effect\":\"Deny","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction"}`,
			iampolicy.Statement{Sid: `","Effect":"Deny`, Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing}},
		{"unicode", "{\"Sid\":\"日本 \u202e é \\u0000\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"lambda:InvokeFunction\"}",
			iampolicy.Statement{Sid: "日本 \u202e é \x00", Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing}},
		{"white space", "{ \"Effect\" :\t\"Allow\" ,\r\n \"Principal\" : { \"AWS\" : [ \"*\" ] } , \"Action\" : [ \"lambda:InvokeFunction\" ] }",
			iampolicy.Statement{Effect: "Allow", Principal: everyone, Action: invoke, Resource: missing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Raw = c.statement
			wantStatement(t, wantNeighbours(t, parse(t, among(c.statement))), c.want)

			single := parse(t, ` {"Statement" : `+c.statement+` , "Version":"2008-10-17", "Id":"i\u0064"} `)
			if single.Version != "2008-10-17" || single.Variables() || single.ID != "id" || len(single.Statements) != 1 {
				t.Fatalf("%+v", single)
			}
			wantStatement(t, single.Statements[0], c.want)

			alone, err := iampolicy.ParseStatement(c.statement)
			if err != nil || len(alone.Statements) != 1 || !alone.Variables() {
				t.Fatalf("ParseStatement: %v, %+v", err, alone)
			}
			wantStatement(t, alone.Statements[0], c.want)
		})
	}
}

func wantStatement(t *testing.T, got, want iampolicy.Statement) {
	t.Helper()
	type public struct {
		Raw, Sid, Effect, Problem string
		Principal                 iampolicy.Principal
		Action, Resource          iampolicy.Patterns
		Conditions                []iampolicy.Condition
	}
	of := func(s iampolicy.Statement) public {
		return public{s.Raw, s.Sid, s.Effect, s.Problem, s.Principal, s.Action, s.Resource, s.Conditions}
	}
	if g, w := of(got), of(want); !reflect.DeepEqual(g, w) {
		t.Errorf("got  %+v\nwant %+v", g, w)
	}
}

func TestWhatCannotBeReadCostsOneStatement(t *testing.T) {
	for _, c := range []struct {
		name, statement string
		sid, effect     string // what can still be told
		says            string // in Problem
	}{
		{"text instead of a statement", `"Allow"`, "", "", "want an object"},
		{"null instead of a statement", `null`, "", "", "want an object"},
		{"a list instead of a statement", `[{"Effect":"Allow"}]`, "", "", "want an object"},
		{"nothing in it", `{}`, "", "", "no Effect"},
		{"no Effect", `{"Sid":"s","Principal":"*","Action":"*"}`, "s", "", "no Effect"},
		{"no Principal", `{"Sid":"s","Effect":"Allow","Action":"*"}`, "s", "Allow", "no Principal"},
		{"no Action", `{"Sid":"s","Effect":"Deny","Principal":"*"}`, "s", "Deny", "no Action"},
		{"an unknown element", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Comment":{"a":[1,{}]}}`, "s", "Allow", `"Comment"`},
		{"an element in another case", `{"Sid":"s","Effect":"Allow","Principal":"*","action":"*"}`, "s", "Allow", `"action"`},
		{"Sid is a number", `{"Sid":7,"Effect":"Allow","Principal":"*","Action":"*"}`, "", "Allow", "Sid"},
		{"Effect is a list", `{"Effect":["Allow"],"Sid":"s","Principal":"*","Action":"*"}`, "s", "", "Effect"},
		{"Effect twice", `{"Sid":"s","Effect":"Allow","Effect":"Deny","Principal":"*","Action":"*"}`, "s", "", "Effect"},
		{"Sid twice", `{"Sid":"s","Sid":"t","Effect":"Allow","Principal":"*","Action":"*"}`, "t", "Allow", "Sid"},
		{"Action twice", `{"Sid":"s","Action":"*","Action":"*","Effect":"Allow","Principal":"*"}`, "s", "Allow", "Action"},
		{"Action and NotAction", `{"Sid":"s","Action":"*","NotAction":"lambda:Get*","Effect":"Allow","Principal":"*"}`, "s", "Allow", "NotAction"},
		{"Resource and NotResource", `{"Resource":"*","NotResource":"*","Sid":"s","Effect":"Allow","Principal":"*","Action":"*"}`, "s", "Allow", "NotResource"},
		{"Principal and NotPrincipal", `{"Sid":"s","NotPrincipal":"*","Principal":"*","Effect":"Allow","Action":"*"}`, "s", "Allow", "Principal"},
		{"Condition twice", `{"Sid":"s","Condition":{},"Condition":{},"Effect":"Allow","Principal":"*","Action":"*"}`, "s", "Allow", "Condition"},
		{"an unknown kind of principal", `{"Sid":"s","Effect":"Allow","Principal":{"AWS":"*","Robot":"*"},"Action":"*"}`, "s", "Allow", `"Robot"`},
		{"principal kinds in another case", `{"Sid":"s","Effect":"Allow","Principal":{"aws":"*"},"Action":"*"}`, "s", "Allow", `"aws"`},
		{"a principal of stars", `{"Sid":"s","Effect":"Allow","Principal":{"*":"*"},"Action":"*"}`, "s", "Allow", `"*"`},
		{"a principal kind twice", `{"Sid":"s","Effect":"Allow","Principal":{"AWS":"111122223333","AWS":"*"},"Action":"*"}`, "s", "Allow", "AWS"},
		{"a list of principals", `{"Sid":"s","Effect":"Allow","Principal":["*"],"Action":"*"}`, "s", "Allow", "Principal"},
		{"principal is null", `{"Sid":"s","Effect":"Allow","Principal":null,"Action":"*"}`, "s", "Allow", "Principal"},
		{"a number among the principals", `{"Sid":"s","Effect":"Allow","Principal":{"AWS":["111122223333",444455556666]},"Action":"*"}`, "s", "Allow", "Principal"},
		{"principals in a list of lists", `{"Sid":"s","Effect":"Allow","Principal":{"AWS":[["*"]]},"Action":"*"}`, "s", "Allow", "Principal"},
		{"action is true", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":true}`, "s", "Allow", "Action"},
		{"a null among the actions", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":["*",null]}`, "s", "Allow", "Action"},
		{"resource is an object", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Resource":{"Fn::Sub":"x"}}`, "s", "Allow", "Resource"},
		{"resource is null", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Resource":null}`, "s", "Allow", "Resource"},
		{"condition is null", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Condition":null}`, "s", "Allow", "Condition"},
		{"condition is a list", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Condition":[]}`, "s", "Allow", "Condition"},
		{"an operator without keys", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Condition":{"StringEquals":"x"}}`, "s", "Allow", "StringEquals"},
		{"a value is null", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Condition":{"StringEquals":{"k":null}}}`, "s", "Allow", "StringEquals"},
		{"a value is an object", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Condition":{"StringEquals":{"k":[{"a":1}]}}}`, "s", "Allow", "StringEquals"},
		{"a key twice", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Condition":{"StringEquals":{"k":"a","K":"b"}}}`, "s", "Allow", "twice"},
		{"a key twice under the same operator twice", `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"*","Condition":{"Bool":{"k":"a"},"Bool":{"k":"a"}}}`, "s", "Allow", "twice"},
		{"two problems, the first is told", `{"Sid":"s","Effect":"Allow","Principal":7,"Action":7}`, "s", "Allow", "Principal"},
		{"a problem before the Sid", `{"Principal":{"X":{"AWS":["]}\"","{"]}},"Sid":"s","Effect":"Deny","Action":"*"}`, "s", "Deny", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := wantNeighbours(t, parse(t, among(c.statement)))
			if s.Raw != c.statement {
				t.Errorf("raw text %s", s.Raw)
			}
			if s.Problem == "" || !strings.Contains(s.Problem, c.says) {
				t.Errorf("problem %q does not say %q", s.Problem, c.says)
			}
			if s.Effect != c.effect || (s.Sid != c.sid && c.name != "Sid twice") {
				t.Errorf("Sid %q, Effect %q; want %q and %q", s.Sid, s.Effect, c.sid, c.effect)
			}
			if strings.HasPrefix(c.statement, "[") {
				return
			}
			single := parse(t, `{"Statement":`+c.statement+`}`)
			if len(single.Statements) != 1 || single.Statements[0].Problem != s.Problem || single.Statements[0].Raw != c.statement {
				t.Errorf("as a single statement: %+v", single.Statements)
			}
		})
	}
}

func TestAnUnknownElementOfTheDocumentCostsAllStatements(t *testing.T) {
	for _, text := range []string{`{"Comment":{"a":[]},"Statement":[` + before + `,` + behind + `]}`, `{"Statement":[` + before + `,` + behind + `],"statement":[]}`} {
		d := parse(t, text)
		for _, s := range d.Statements {
			if s.Problem == "" || s.Sid == "" || s.Effect == "" {
				t.Errorf("%+v", s)
			}
		}
	}
}

func TestWhatIsNoPolicyIsAnError(t *testing.T) {
	nested := strings.Repeat("[", 100_000)
	for _, c := range []struct{ name, text, says string }{
		{"nothing", "", "unexpected EOF"},
		{"blank", " \n", "unexpected EOF"},
		{"null", "null", "object"},
		{"text", `"Allow"`, "object"},
		{"a list", `[` + before + `]`, "object"},
		{"an empty object", `{}`, "Statement"},
		{"no Statement", `{"Version":"2012-10-17"}`, "Statement"},
		{"Statement in lower case", `{"statement":[]}`, "Statement"},
		{"Statement twice", `{"Statement":[],"Statement":[]}`, "twice"},
		{"cut off in a statement", `{"Statement":[{"Effect":"Allow"`, "EOF"},
		{"cut off in a text", `{"Statement":[{"Effect":"All`, "EOF"},
		{"cut off behind a statement", `{"Statement":[` + before, "EOF"},
		{"a comma too many", `{"Statement":[` + before + `,]}`, ""},
		{"a comma missing", `{"Statement":[` + before + behind + `]}`, ""},
		{"a comment", `{"Statement":[/* no */]}`, ""},
		{"single quotes", `{'Statement':[]}`, `invalid character '\''`},
		{"a letter", `x`, "invalid character 'x'"},
		{"a second document behind it", `{"Statement":[]}{"Statement":[` + before + `]}`, "more text"},
		{"text behind it", `{"Statement":[]} x`, ""},
		{"not UTF-8", "{\"Statement\":[{\"Sid\":\"\xff\"}]}", "UTF-8"},
		{"half a surrogate", `{"Statement":[{"Sid":"\ud800"}]}`, ""},
		{"a control character in a text", "{\"Statement\":[{\"Sid\":\"a\nb\"}]}", ""},
		{"a byte order mark", "\ufeff{\"Statement\":[]}", ""},
		{"nested without end", `{"Statement":` + nested, "depth"},
		{"nested without end where nobody looks", `{"X":` + nested, "depth"},
		{"nested without end in a condition", `{"Statement":[{"Condition":{"a":{"b":` + nested, "depth"},
		{"Version is a number", `{"Version":2012,"Statement":[]}`, "Version"},
		{"Version is null", `{"Version":null,"Statement":[]}`, "Version"},
		{"Id is a list", `{"Id":[],"Statement":[]}`, "Id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := iampolicy.Parse(c.text)
			if err == nil {
				t.Fatalf("read as %+v", d)
			}
			if !strings.HasPrefix(err.Error(), "reading the policy document: ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if len(d.Statements) != 0 {
				t.Errorf("an error, and statements: %+v", d.Statements)
			}
		})
	}
	for _, text := range []string{"", "{", `{"Effect":"Allow"} {}`, "\xff"} {
		if d, err := iampolicy.ParseStatement(text); err == nil || !strings.HasPrefix(err.Error(), "reading the statement: ") || len(d.Statements) != 0 {
			t.Errorf("ParseStatement(%q): %v, %+v", text, err, d)
		}
	}
}

// Deep, but not without end: what is unknown may be nested, and is passed over.
func TestNestingIsPassedOver(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 1000) + strings.Repeat(`]}`, 1000)
	s := wantNeighbours(t, parse(t, among(`{"Sid":"deep","Effect":"Allow","Principal":`+deep+`,"Action":"*"}`)))
	if s.Problem == "" || s.Sid != "deep" || s.Effect != "Allow" {
		t.Errorf("%q %q %q", s.Problem, s.Sid, s.Effect)
	}
}

func TestTenThousandStatements(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := range 10_000 {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"Sid":"s%d","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"%s"}`, i, arn)
	}
	b.WriteString("]}")
	d := parse(t, b.String())
	if len(d.Statements) != 10_000 {
		t.Fatalf("%d statements", len(d.Statements))
	}
	for i, s := range d.Statements {
		if s.Sid != fmt.Sprintf("s%d", i) || s.Problem != "" || !strings.HasSuffix(s.Raw, arn+`"}`) || !strings.HasPrefix(s.Raw, `{"Sid"`) {
			t.Fatalf("statement %d: %+v", i, s)
		}
	}
	var odd []int
	for i := 1; i < 10_000; i += 2 {
		odd = append(odd, i)
	}
	rest, left := d.Without(odd)
	again := parse(t, rest)
	if left != 5_000 || len(again.Statements) != left || again.Statements[4_999].Raw != d.Statements[9_998].Raw {
		t.Fatalf("%d left, %d read again", left, len(again.Statements))
	}
}
