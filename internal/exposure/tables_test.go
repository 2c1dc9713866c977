package exposure

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/testdata"
)

// Each row of the tables must earn its place: the corpus has a statement that it
// restricts and one that it does not.

var (
	tableNow    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tableTarget = Target{Partition: "aws", Region: "us-east-1", Account: "111122223333", Function: "f"}
)

// neverRestricts are the rows without a statement that they restrict, and why.
var neverRestricts = map[string]string{
	"aws:resourcetag/":      "tags are not read: the outcome is unknown, never a limit",
	"aws:federatedprovider": "it is a name that is everybody's, or the ARN of one account's: which, is not told apart",
	"every other key":       "what is not known limits nobody",
}

// neverLetsIn are the rows without a statement that they do not restrict, and why.
var neverLetsIn = map[string]string{
	"aws:resourcetag/":      "tags are not read: the outcome is unknown, so that the statement is never surely open",
	"aws:federatedprovider": "it is a name that is everybody's, or the ARN of one account's: which, is not told apart",
	"every other key":       "what is not known may limit",
}

// pair is what the corpus has of one row.
type pair struct{ restricts, letsIn []string }

func TestEachRowDecidesBothWays(t *testing.T) {
	byKey, byOperator := map[string]*pair{}, map[string]*pair{}
	reasons := map[ReasonCode]string{}
	files, err := fs.Glob(testdata.Files, "policies/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus: ", err)
	}
	of := func(m map[string]*pair, name string) *pair {
		if m[name] == nil {
			m[name] = new(pair)
		}
		return m[name]
	}
	for _, file := range files {
		if path.Base(file) == "principal-star.json" {
			continue // of another function
		}
		text, err := testdata.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := iampolicy.Parse(string(text))
		if err != nil {
			t.Fatal(file, ": ", err)
		}
		verdicts := Judge(d, tableTarget, Trust{}, tableNow)
		for i, v := range verdicts {
			for _, r := range v.Reasons {
				reasons[r.Code] = file
			}
			s := &d.Statements[i]
			if s.Problem != "" {
				continue
			}
			for c := range s.Conditions {
				test := newTest(&s.Conditions[c], i)
				if test.operator == nil {
					continue
				}
				key, operator := of(byKey, test.key.name), of(byOperator, test.operator.name)
				switch decided(d, i, c, Worst(verdicts), v.Level) {
				case yes:
					key.restricts, operator.restricts = append(key.restricts, file), append(operator.restricts, file)
				case no:
					key.letsIn, operator.letsIn = append(key.letsIn, file), append(operator.letsIn, file)
				}
			}
		}
	}

	check := func(what, name string, p *pair) {
		if p == nil {
			p = new(pair)
		}
		if why := neverRestricts[name]; (len(p.restricts) == 0) != (why != "") {
			t.Errorf("%s %s restricts %v; expected never: %q", what, name, p.restricts, why)
		}
		if why := neverLetsIn[name]; (len(p.letsIn) == 0) != (why != "") {
			t.Errorf("%s %s does not restrict %v; expected never: %q", what, name, p.letsIn, why)
		}
	}
	for i := range keys {
		check("key", keys[i].name, byKey[keys[i].name])
	}
	check("key", unknownKey.name, byKey[unknownKey.name])
	check("key", foreignKey.name, byKey[foreignKey.name])
	for i := range operators {
		check("operator", operators[i].name, byOperator[operators[i].name])
	}
	for code, row := range reasonCodes {
		if row.name == "" || row.text == "" || ReasonCode(code).String() != row.name {
			t.Errorf("reason %d is called %q and says %q", code, row.name, row.text)
		}
		if reasons[ReasonCode(code)] == "" {
			t.Errorf("no document of the corpus has the reason %s", row.name)
		}
	}
}

// decided reports whether one condition keeps strangers out: yes if they get in as
// soon as it goes, no if they get in and it alone would have to stop them, else
// unknown. A Deny decides as a whole: yes if it is all that keeps them out, no if
// only its one condition keeps it from doing so.
func decided(d iampolicy.Document, statement, condition int, document, level Level) tri {
	kept := func(l Level) bool { return l == Restricted || l == External }
	opened := func(l Level) bool { return l == Public || l == ConfusedDeputy }
	change := func(with func(*iampolicy.Statement)) []Verdict {
		changed := d
		changed.Statements = slices.Clone(d.Statements)
		with(&changed.Statements[statement])
		return Judge(changed, tableTarget, Trust{}, tableNow)
	}
	s := &d.Statements[statement]
	alone := len(s.Conditions) == 1
	drop := func(s *iampolicy.Statement) {
		s.Conditions = slices.Delete(slices.Clone(s.Conditions), condition, condition+1)
	}
	switch s.Effect {
	case iampolicy.Allow:
		without := change(drop)[statement].Level
		switch {
		case kept(level) && opened(without):
			return yes
		case opened(level) && alone && without.Rank() >= level.Rank():
			return no
		}
	case iampolicy.Deny:
		switch {
		case alone && kept(document) && opened(Worst(change(func(s *iampolicy.Statement) { s.Effect = "None" }))):
			return yes
		case alone && opened(document) && kept(Worst(change(drop))):
			return no
		}
	}
	return unknown
}

func TestEachActionIsGranted(t *testing.T) {
	for i, a := range actions {
		t.Run(a.name, func(t *testing.T) {
			level := func(principal string) Verdict {
				d, err := iampolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"` + strings.ToLower(a.name) + `","Resource":"*"}}`)
				if err != nil {
					t.Fatal(err)
				}
				return Judge(d, tableTarget, Trust{}, tableNow)[0]
			}
			v := level(`"*"`)
			if v.Level != Public || !slices.Equal(v.Access, []Access{a.access}) || v.Strangers[0].Action != a.name {
				t.Errorf("%v, access %v, by %v", v.Level, v.Access, v.Strangers)
			}
			var who []Kind
			for _, w := range v.Strangers {
				who = append(who, w.Kind)
			}
			slices.Sort(who)
			want := []Kind{AnyPrincipal}
			switch i {
			case 0:
				want = []Kind{Anonymous, AnyPrincipal, AnyPrincipalURL, AnyService}
			case 1:
				want = []Kind{Anonymous, AnyPrincipalURL} // who needs no service to sign
			}
			if !slices.Equal(who, want) {
				t.Errorf("open to %v, want %v", who, want)
			}
			if v := level(`{"Service":"sns.amazonaws.com"}`); (v.Level == ConfusedDeputy) != (i == 0) {
				t.Errorf("to a service: %v", v.Level)
			}
		})
	}
}

// The rows of a table are found by their name, each stands there once.
func TestTablesAreInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range keys {
		if row.name != strings.ToLower(row.name) || seen[row.name] {
			t.Errorf("key %s twice, or not in lower case", row.name)
		}
		seen[row.name] = true
		if !strings.HasPrefix(row.page, "https://docs.aws.amazon.com/") {
			t.Errorf("key %s: no page of AWS: %q", row.name, row.page)
		}
		full := row.name
		if strings.HasSuffix(full, "/") || strings.HasSuffix(full, ":") {
			full += "x"
		}
		for _, spelled := range []string{full, strings.ToUpper(full)} {
			if got := lookUp(spelled); got.name != row.name {
				t.Errorf("lookUp(%s) is %s", spelled, got.name)
			}
		}
	}
	for _, op := range operators {
		if op.name != strings.ToLower(op.name) || seen[op.name] {
			t.Errorf("operator %s twice, or not in lower case", op.name)
		}
		seen[op.name] = true
		if got := newTest(&iampolicy.Condition{Operator: strings.ToUpper(op.name)}, 0); got.operator == nil || got.operator.name != op.name {
			t.Errorf("operator %s is not found", op.name)
		}
	}
	for _, service := range strings.Fields(foreign) {
		for _, spelled := range []string{service + ":x", strings.ToUpper(service) + ":x/y"} {
			if got := lookUp(spelled); got.name != foreignKey.name {
				t.Errorf("lookUp(%s) is %s", spelled, got.name)
			}
		}
	}
	for _, key := range []string{"", ":", "/", "aws:", "aws:PrincipalTag", "aws:resourcetags/x", "lambda:Other", "aws", "cognito-identity.amazonaws.com:aud"} {
		if got := lookUp(key); got.name != unknownKey.name {
			t.Errorf("lookUp(%q) is %s", key, got.name)
		}
	}
}
