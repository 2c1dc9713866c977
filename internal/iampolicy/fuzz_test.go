package iampolicy_test

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/testdata"
)

func FuzzParse(f *testing.F) {
	files, err := fs.Glob(testdata.Files, "policies/*/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no corpus: ", err)
	}
	for _, file := range files {
		text, err := testdata.Files.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(among(`{"Sid":"\"\\\ud83d\ude00","Effect":"Allow","Principal":{"AWS":["*"]},"Action":["*"],"Condition":{"Bool":{"a":[true,1e3,"x"]}}}`))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := iampolicy.Parse(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("read what is not JSON: %q", text)
		}
		var plain struct{ Statement json.RawMessage }
		duplicates := json.Unmarshal([]byte(text), &plain) != nil
		for i, s := range d.Statements {
			if !strings.Contains(text, s.Raw) || !json.Valid([]byte(s.Raw)) {
				t.Fatalf("statement %d is not in the text: %q", i, s.Raw)
			}
			checkAgainstStandardLibrary(t, s)
			rest, left := d.Without([]int{i})
			again, err := iampolicy.Parse(rest)
			if err != nil || left != len(d.Statements)-1 || len(again.Statements) != left {
				t.Fatalf("without %d: %v, %d left\n%q\n%q", i, err, left, text, rest)
			}
		}
		var list []json.RawMessage
		if !duplicates && json.Unmarshal(plain.Statement, &list) == nil && !strings.Contains(strings.ToLower(text), `\u00`) {
			if len(list) != len(d.Statements) && strings.Count(strings.ToLower(text), `"statement"`) == 1 {
				t.Fatalf("%d statements, want %d\n%q", len(d.Statements), len(list), text)
			}
		}
		iampolicy.Fingerprint(text)
	})
}

// checkAgainstStandardLibrary compares what was read of a statement that can be
// read with what encoding/json makes of it.
func checkAgainstStandardLibrary(t *testing.T, s iampolicy.Statement) {
	if s.Problem != "" {
		return
	}
	var plain map[string]any
	dec := json.NewDecoder(strings.NewReader(s.Raw))
	dec.UseNumber()
	if err := dec.Decode(&plain); err != nil {
		t.Fatalf("%v in %q", err, s.Raw)
	}
	same := func(element string, got []string) {
		values, ok := plain[element].([]any)
		if !ok {
			values = []any{plain[element]}
		}
		if len(values) != len(got) {
			t.Fatalf("%s is %q in %q", element, got, s.Raw)
		}
		for i := range got {
			if values[i] != got[i] {
				t.Fatalf("%s is %q in %q", element, got, s.Raw)
			}
		}
	}
	if plain["Effect"] != s.Effect || s.Sid != "" && plain["Sid"] != s.Sid {
		t.Fatalf("Effect %q, Sid %q in %q", s.Effect, s.Sid, s.Raw)
	}
	action, resource := "Action", "Resource"
	if s.Action.Not {
		action = "NotAction"
	}
	if s.Resource.Not {
		resource = "NotResource"
	}
	same(action, s.Action.List)
	if !s.Resource.Missing {
		same(resource, s.Resource.List)
	}
	conditions := 0
	operators, _ := plain["Condition"].(map[string]any)
	for _, keys := range operators {
		conditions += len(keys.(map[string]any))
	}
	if conditions > len(s.Conditions) {
		t.Fatalf("%d conditions of %d in %q", len(s.Conditions), conditions, s.Raw)
	}
}
