package iampolicy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lambda-guardrail/internal/iampolicy"
)

func TestWithoutKeepsTheBytes(t *testing.T) {
	const odd = "{ \"Sid\" : \"\\u00e4\\/\" ,\n\t\"Effect\":\"Allow\",\"Principal\":\"*\",  \"Action\":[ \"lambda:InvokeFunction\" ] , \"Condition\":{\"NumericLessThan\":{\"aws:MultiFactorAuthAge\":1.50e+3}} }"
	for _, c := range []struct {
		name, text string
		which      []int
		want       string
		left       int
	}{
		{"nothing goes", `{ "Statement" : [` + odd + ` , ` + before + `] , "Id":"x" }`, nil, `{ "Statement" : [` + odd + `,` + before + `] , "Id":"x" }`, 2},
		{"the first", `{"Version":"2012-10-17","Statement":[` + before + `,` + odd + `]}`, []int{0}, `{"Version":"2012-10-17","Statement":[` + odd + `]}`, 1},
		{"the last", "{\"Statement\":[\n" + odd + "\n,\n" + before + "\n]\n}\n", []int{1}, "{\"Statement\":[\n" + odd + "\n]\n}\n", 1},
		{"the one in the middle", `{"Statement":[` + before + `,` + odd + `,` + behind + `]}`, []int{1}, `{"Statement":[` + before + `,` + behind + `]}`, 2},
		{"all", `{"Statement":[` + before + `,` + behind + `],"Version":"2012-10-17"}`, []int{1, 0}, `{"Statement":[],"Version":"2012-10-17"}`, 0},
		{"one, named twice", `{"Statement":[` + before + `,` + behind + `]}`, []int{0, 0}, `{"Statement":[` + behind + `]}`, 1},
		{"a single object", `{"Version":"2012-10-17","Statement":` + odd + `,"Id":"x"}`, []int{0}, `{"Version":"2012-10-17","Statement":[],"Id":"x"}`, 0},
		{"a single object that stays", `{"Statement": ` + odd + ` }`, nil, `{"Statement": [` + odd + `] }`, 1},
		{"an unreadable one stays", `{"Statement":["x", ` + before + `,{"Effect":7 }]}`, []int{1}, `{"Statement":["x",{"Effect":7 }]}`, 2},
		{"no statements", `{"Statement":[ ]}`, nil, `{"Statement":[ ]}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.text)
			rest, left := d.Without(c.which)
			if rest != c.want || left != c.left {
				t.Errorf("%d left:\n%s\nwant %d:\n%s", left, rest, c.left, c.want)
			}
			if again := parse(t, rest); len(again.Statements) != left {
				t.Errorf("%d left, %d read again", left, len(again.Statements))
			}
		})
	}
}

func TestWithKeepsTheBytes(t *testing.T) {
	const added = `{"Effect" : "Allow"}`
	for _, c := range []struct{ name, text, want string }{
		{"after one", `{"Version":"2012-10-17","Statement":[` + before + `]}`, `{"Version":"2012-10-17","Statement":[` + before + `,` + added + `]}`},
		{"after several, with white space", "{ \"Statement\" : [ " + before + " ,\n" + behind + "\n] , \"Id\":\"x\" }", "{ \"Statement\" : [ " + before + " ,\n" + behind + "," + added + "\n] , \"Id\":\"x\" }"},
		{"after a single object", `{"Statement": ` + before + ` ,"Id":"x"}`, `{"Statement": [` + before + `,` + added + `] ,"Id":"x"}`},
		{"after an unreadable one", `{"Statement":["x"]}`, `{"Statement":["x",` + added + `]}`},
		{"after none", `{"Statement":[ ]}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.text)
			if text, ok := d.With(added); text != c.want || ok != (c.want != "") {
				t.Errorf("%t, %s\nwant %s", ok, text, c.want)
			}
		})
	}
}

// drawJSON makes up a value, with white space and escapes anywhere.
func drawJSON(t *rapid.T, depth int) string {
	space := func() string { return rapid.SampledFrom([]string{"", "", " ", "\n\t", "\r\n"}).Draw(t, "space") }
	text := func() string {
		b, err := json.Marshal(rapid.OneOf(rapid.SampledFrom([]string{"Sid", "Effect", "Allow", "Deny", "Principal", "*", "AWS", "Action", "Condition", "]}", `"`, `\`, `\"`, "${*}"}), rapid.StringN(0, 6, 12)).Draw(t, "text"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 && kind < 2 {
		kind = 2
	}
	out := space()
	switch kind {
	case 0, 1:
		brackets, names := "[]", false
		if kind == 0 {
			brackets, names = "{}", true
		}
		out += brackets[:1]
		for i := range rapid.IntRange(0, 3).Draw(t, "members") {
			if i > 0 {
				out += ","
			}
			if names {
				out += space() + text() + space() + ":"
			}
			out += drawJSON(t, depth-1)
		}
		out += space() + brackets[1:]
	case 2:
		out += rapid.SampledFrom([]string{"true", "false", "null", "0", "-1.50e+3", "111122223333"}).Draw(t, "literal")
	default:
		out += text()
	}
	return out + space()
}

func TestWithoutLeavesExactlyTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		good := rapid.SampledFrom([]string{before, behind, ` {"Effect" :"Allow","Principal":{"AWS":["*"]},"Action":"*","Sid":"\u00e4"}` + "\n"})
		list := rapid.SliceOfN(rapid.OneOf(good, rapid.Custom(func(t *rapid.T) string { return drawJSON(t, 3) })), 0, 6).Draw(t, "statements")
		text := ` {"Version" : "2012-10-17", "Statement":[` + strings.Join(list, ",") + `] , "Id":"\"]}" }` + "\n"
		d, err := iampolicy.Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(d.Statements) != len(list) {
			t.Fatalf("%d statements of %d\n%s", len(d.Statements), len(list), text)
		}
		for i, s := range d.Statements {
			if s.Raw != strings.Trim(list[i], " \t\r\n") {
				t.Fatalf("statement %d is %q, not %q", i, s.Raw, list[i])
			}
		}
		if len(list) == 0 {
			return
		}
		which := rapid.SliceOfN(rapid.IntRange(0, len(list)-1), 0, len(list)).Draw(t, "which")
		var stay []iampolicy.Statement
		for i, s := range d.Statements {
			if !slices.Contains(which, i) {
				stay = append(stay, s)
			}
		}
		rest, left := d.Without(which)
		again, err := iampolicy.Parse(rest)
		if err != nil || left != len(stay) || len(again.Statements) != left || again.Version != d.Version || again.ID != d.ID {
			t.Fatalf("%v, %d left of %d, read again %d\n%s", err, left, len(stay), len(again.Statements), rest)
		}
		for i, s := range again.Statements {
			if s.Raw != stay[i].Raw || s.Problem != stay[i].Problem || s.Sid != stay[i].Sid || s.Effect != stay[i].Effect {
				t.Fatalf("statement %d was %+v, is %+v", i, stay[i], s)
			}
		}
	})
}

func TestFingerprint(t *testing.T) {
	const of = `{"Sid":"s","Effect":"Allow","Principal":{"AWS":["a","b"]},"Action":"lambda:InvokeFunction","Condition":{"NumericLessThan":{"k":10}}}`
	for _, same := range []string{
		` { "Effect" : "Allow", "Sid":"s",` + "\n" + `"Condition":{"NumericLessThan":{"k":1e1}},"Principal":{"AWS":["a", "b"]},"Action":"lambda:\u0049nvokeFunction"} `,
	} {
		if iampolicy.Fingerprint(of) != iampolicy.Fingerprint(same) {
			t.Errorf("another fingerprint for %s", same)
		}
	}
	seen := map[string]string{iampolicy.Fingerprint(of): of}
	for _, other := range []string{
		strings.Replace(of, `"s"`, `"t"`, 1), strings.Replace(of, `"Allow"`, `"Deny"`, 1), strings.Replace(of, `["a","b"]`, `["b","a"]`, 1),
		strings.Replace(of, `["a","b"]`, `"a"`, 1), strings.Replace(of, `10`, `11`, 1), strings.Replace(of, `10`, `"10"`, 1),
		strings.Replace(of, `lambda:`, `Lambda:`, 1), strings.Replace(of, `"Sid":"s",`, ``, 1), `{}`, `null`, ``, `{`, ` {`, "\xff", "\xfe",
		`{"Sid":"s","Sid":"s"}`, `{"Sid":"s"}`,
	} {
		f := iampolicy.Fingerprint(other)
		if len(f) != 64 || strings.Trim(f, "0123456789abcdef") != "" {
			t.Errorf("fingerprint %q of %q", f, other)
		}
		if earlier, ok := seen[f]; ok {
			t.Errorf("one fingerprint for %q and %q", earlier, other)
		}
		seen[f] = other
	}
}

func TestFingerprintIsOfTheContent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawJSON(t, 4)
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			t.Skip("not JSON that both take")
		}
		if hasDuplicates(text) {
			t.Skip("duplicate names")
		}
		again, err := json.MarshalIndent(v, " ", "\t") // members in the order of their names
		if err != nil {
			t.Fatal(err)
		}
		if iampolicy.Fingerprint(text) != iampolicy.Fingerprint(string(again)) {
			t.Fatalf("two fingerprints for\n%s\n%s", text, again)
		}
		other, _ := json.Marshal([]any{v})
		if iampolicy.Fingerprint(text) == iampolicy.Fingerprint(string(other)) {
			t.Fatal("one fingerprint for two texts")
		}
	})
}

// hasDuplicates reports whether decoding loses members.
func hasDuplicates(text string) bool {
	dec := json.NewDecoder(strings.NewReader(text))
	var stack []map[string]bool
	name := false
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		inObject := func() bool { return len(stack) > 0 && stack[len(stack)-1] != nil }
		switch tok := tok.(type) {
		case json.Delim:
			switch tok {
			case '{':
				stack, name = append(stack, map[string]bool{}), true
				continue
			case '[':
				stack, name = append(stack, nil), false
				continue
			}
			stack = stack[:len(stack)-1]
		case string:
			if inObject() && name {
				if stack[len(stack)-1][tok] {
					return true
				}
				stack[len(stack)-1][tok], name = true, false
				continue
			}
		}
		name = inObject()
	}
}
