package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

func TestParseExemptions(t *testing.T) {
	got, err := config.ParseExemptions([]byte(`{"exemptions": [
		{
			"function": "arn:aws:lambda:*:111122223333:function:public-site",
			"sid": "FunctionURLAllowPublicAccess",
			"fingerprint": "9f86d081",
			"owner": "web team",
			"reason": "public by design",
			"until": "2027-01-31"
		},
		{"function": "arn:aws-??:lambda:eu-*:*:function:demo-*:live", "owner": "kim", "reason": "a fair", "until": "2027-02-01T18:00:00+02:00"}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []guard.Exemption{
		{
			Function:    "arn:aws:lambda:*:111122223333:function:public-site",
			Sid:         "FunctionURLAllowPublicAccess",
			Fingerprint: "9f86d081",
			Owner:       "web team",
			Reason:      "public by design",
			Until:       time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), // the whole of 31 January
		},
		{
			Function: "arn:aws-??:lambda:eu-*:*:function:demo-*:live",
			Owner:    "kim",
			Reason:   "a fair",
			Until:    time.Date(2027, 2, 1, 16, 0, 0, 0, time.UTC),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnEmptyListOfExemptionsIsOne(t *testing.T) {
	if got, err := config.ParseExemptions([]byte(`{"exemptions": []}`)); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestIllegalExemptionsAreErrorsThatSayWhere(t *testing.T) {
	const good = `{"function": "arn:aws:lambda:*:111122223333:function:site", "owner": "o", "reason": "r", "until": "2027-01-31"}`
	with := func(member, value string) string {
		before, rest, _ := strings.Cut(good, `"`+member+`": "`)
		_, after, _ := strings.Cut(rest, `"`)
		return before + `"` + member + `": ` + value + after
	}
	without := func(member string) string { return with(member, `""`) }
	for _, test := range []struct {
		name, entry string
		want        []string
	}{
		{"no owner", without("owner"), []string{"exemptions[1]: owner is missing: want who answers for it"}},
		{"an owner of spaces", with("owner", `"  "`), []string{"owner is missing"}},
		{"no reason", without("reason"), []string{"exemptions[1]: reason is missing"}},
		{"no end", without("until"), []string{`exemptions[1]: until is "": want a day like 2027-01-31`}},
		{"an end in words", with("until", `"next year"`), []string{`until is "next year"`}},
		{"a day that there is not", with("until", `"2027-02-30"`), []string{`until is "2027-02-30"`}},
		{"an end that no finding can carry", with("until", `"9999-12-31"`), []string{`until is "9999-12-31"`}},
		{"no function", without("function"), []string{`exemptions[1]: function is "": want arn:PARTITION:lambda:`}},
		{"a star", with("function", `"*"`), []string{`function is "*"`}},
		{"every function", with("function", `"arn:aws:lambda:*:111122223333:function:*"`), []string{"not for the whole NAME"}},
		{"every function in other words", with("function", `"arn:aws:lambda:*:*:function:?*"`), []string{"function is"}},
		{"every function's alias", with("function", `"arn:aws:lambda:*:*:function:*:live"`), []string{"function is"}},
		{"a star across fields", with("function", `"arn:*:function:site"`), []string{"function is"}},
		{"a name", with("function", `"site"`), []string{`function is "site"`}},
		{"another service", with("function", `"arn:aws:iam:*:111122223333:function:site"`), []string{"function is"}},
		{"a layer", with("function", `"arn:aws:lambda:*:111122223333:layer:site"`), []string{"function is"}},
		{"a short account", with("function", `"arn:aws:lambda:*:1111:function:site"`), []string{"function is"}},
		{"no partition", with("function", `"arn::lambda:*:111122223333:function:site"`), []string{"function is"}},
		{"no region", with("function", `"arn:aws:lambda::111122223333:function:site"`), []string{"function is"}},
		{"an empty qualifier", with("function", `"arn:aws:lambda:*:111122223333:function:site:"`), []string{"function is"}},
		{"a class of characters", with("function", `"arn:aws:lambda:*:111122223333:function:[a-z]*"`), []string{"function is"}},
		{"an unknown member", with("owner", `"o", "untill": "2027-01-31"`), []string{"exemptions[1]", "untill"}},
		{"a member twice", with("owner", `"o", "owner": "p"`), []string{"owner"}},
		{"a number", with("owner", `7`), []string{"exemptions[1]", "owner"}},
		{"null", "null", []string{"exemptions[1]"}},
		{"everything at once", `{}`, []string{"owner is missing", "reason is missing", "function is", "until is"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := config.ParseExemptions([]byte(`{"exemptions": [` + good + `, ` + test.entry + `]}`))
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if got != nil {
				t.Errorf("beside the error there is %+v", got)
			}
		})
	}
	for _, file := range []string{"", "[]", "null", "{}", `{"exemption": []}`, `{"exemptions": null}`, `{"exemptions": [], "exemptions": []}`, `{"exemptions": []} {}`} {
		if got, err := config.ParseExemptions([]byte(file)); err == nil {
			t.Errorf("%q is accepted as %v", file, got)
		}
	}
}

func TestAddExemption(t *testing.T) {
	added := guard.Exemption{
		Function: "arn:aws:lambda:eu-west-1:111122223333:function:site:live", Sid: `a "b" <\u2028`, Fingerprint: "9f86d081",
		Owner: "web team", Reason: "public by design", Until: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC),
	}
	const other = `{ "function":"arn:aws:lambda:*:111122223333:function:x","owner":"o", "reason" : "\u00e4", "until":"2026-01-01T00:00:00.5Z"}`
	for name, test := range map[string]struct{ before, want string }{
		"no file":                       {"", "{\"exemptions\": [{\n  \"function\": ~}]}\n"},
		"no entry":                      {`{"exemptions": [ ]}`, "{\"exemptions\": [{\n  \"function\": ~} ]}"},
		"entries in one line":           {`{"exemptions": [` + other + `,` + other + ` ]}`, `{"exemptions": [` + other + `,` + other + ", {\n  \"function\": ~} ]}"},
		"entries in lines of their own": {"{\n \"exemptions\": [\n\t" + other + "\n ]\n}\n", "{\n \"exemptions\": [\n\t" + other + ",\n\t{\n\t  \"function\": ~\n\t}\n ]\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := config.AddExemption([]byte(test.before), added)
			if err != nil {
				t.Fatal(err)
			}
			head, tail, _ := strings.Cut(test.want, "~")
			if !strings.HasPrefix(string(text), head) || !strings.HasSuffix(string(text), tail) || !strings.Contains(string(text), `"until": "2027-01-31"`) {
				t.Errorf("got\n%s\nwant\n%s", text, test.want)
			}
			list, err := config.ParseExemptions(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(added, list[len(list)-1]); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, test := range map[string]struct {
		file string
		with func(*guard.Exemption)
		want string
	}{
		"a file that is none":   {"[]", func(*guard.Exemption) {}, "reading the exemptions"},
		"an entry that is none": {`{"exemptions": [{}]}`, func(*guard.Exemption) {}, "exemptions[0]: owner is missing"},
		"no owner":              {"", func(e *guard.Exemption) { e.Owner = " " }, "exemptions[0]: owner is missing"},
		"no text":               {"", func(e *guard.Exemption) { e.Reason = "\xff" }, "writing the exemption"},
	} {
		t.Run(name, func(t *testing.T) {
			e := added
			test.with(&e)
			if text, err := config.AddExemption([]byte(test.file), e); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
	instant := added
	instant.Until = time.Date(2027, 2, 1, 12, 30, 0, 5, time.UTC)
	text, err := config.AddExemption(nil, instant)
	if list, _ := config.ParseExemptions(text); err != nil || len(list) != 1 || !list[0].Until.Equal(instant.Until) {
		t.Errorf("%s, %v", text, err)
	}
}
