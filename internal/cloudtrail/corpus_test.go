package cloudtrail_test

import (
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"testing"

	"quamina.net/go/quamina"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/testdata"
)

// found is what each event in testdata/events/guarded leads to.
var found = map[string]struct {
	arn       string
	statement bool
}{
	"alexa-skill-with-event-source-token":   {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"alias-in-function-name":                {"arn:aws:lambda:eu-central-1:111122223333:function:orders:live", true},
	"alias-in-qualifier":                    {"arn:aws:lambda:eu-central-1:111122223333:function:orders:live", true},
	"caller-assumed-role-boto3":             {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"caller-aws-service":                    {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"caller-cloudformation":                 {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"caller-console":                        {"arn:aws:lambda:eu-central-1:111122223333:function:landing-page", true},
	"caller-identity-center":                {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"caller-root-with-mfa":                  {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"caller-terraform":                      {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"caller-with-almost-no-identity":        {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"classic-backdoor-iam-user":             {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"create-function-url-none":              {"arn:aws:lambda:eu-central-1:111122223333:function:orders", false},
	"create-function-url-of-an-alias":       {"arn:aws:lambda:eu-central-1:111122223333:function:orders:live", false},
	"delete-resource-policy":                {"arn:aws:lambda:eu-central-1:111122223333:function:orders", false},
	"event-name-of-the-old-api":             {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"event-name-without-a-date":             {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"full-arn-of-another-account":           {"arn:aws:lambda:eu-central-1:444455556666:function:orders", true},
	"function-name-is-an-object":            {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"function-url-aws-iam":                  {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"function-url-none":                     {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"grant-to-organization":                 {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"grant-to-other-account":                {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"grant-to-s3-with-source-account":       {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"grant-to-sns-with-source-arn":          {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"invoked-via-function-url":              {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"old-record-with-function-name-only":    {"arn:aws:lambda:eu-central-1:111122223333:function:orders", false},
	"partial-arn":                           {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"partial-arn-with-alias":                {"arn:aws:lambda:eu-central-1:111122223333:function:orders:live", true},
	"partition-china":                       {"arn:aws-cn:lambda:cn-north-1:111122223333:function:orders", true},
	"partition-european-sovereign-cloud":    {"arn:aws-eusc:lambda:eusc-de-east-1:111122223333:function:orders", true},
	"partition-govcloud":                    {"arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:orders", true},
	"put-resource-policy":                   {"arn:aws:lambda:eu-central-1:111122223333:function:orders", false},
	"put-resource-policy-of-an-alias":       {"arn:aws:lambda:eu-central-1:111122223333:function:orders:live", false},
	"remove-permission":                     {"arn:aws:lambda:eu-central-1:111122223333:function:orders", false},
	"remove-permission-by-the-guardrail":    {"arn:aws:lambda:eu-central-1:111122223333:function:orders", false},
	"remove-permission-in-china":            {"arn:aws-cn:lambda:cn-northwest-1:111122223333:function:orders", false},
	"remove-permission-of-an-alias":         {"arn:aws:lambda:eu-central-1:111122223333:function:orders:live", false},
	"request-parameters-omitted-for-size":   {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"several-conditions-merged":             {"arn:aws:lambda:eu-central-1:111122223333:function:orders", true},
	"update-function-url-to-none":           {"arn:aws:lambda:eu-central-1:111122223333:function:orders:live", false},
	"update-function-url-without-auth-type": {"arn:aws:lambda:eu-central-1:111122223333:function:orders", false},
	"version-in-function-arn":               {"arn:aws:lambda:eu-central-1:111122223333:function:orders:7", true},
	"version-in-qualifier":                  {"arn:aws:lambda:eu-central-1:111122223333:function:orders:7", true},
}

// The folder of an event is its expected routing, by the pattern and by the code.
func TestCorpusIsRoutedByItsFolder(t *testing.T) {
	rule := newRule(t)
	var seen []string
	for name, text := range corpus(t, "guarded") {
		seen = append(seen, name)
		t.Run("guarded/"+name, func(t *testing.T) {
			if !rule.selects(t, text) {
				t.Error("the pattern does not select it")
			}
			c, ok, err := cloudtrail.Candidate(text)
			if err != nil || !ok {
				t.Fatalf("Candidate: %v, %v", ok, err)
			}
			want, known := found[name]
			if arn, statement := c.Resource.ARN(), c.Statement != ""; !known || arn != want.arn || statement != want.statement {
				t.Errorf("got  %q: {%q, %v},\nwant %q: {%q, %v},", name, arn, statement, name, want.arn, want.statement)
			}
		})
	}
	for name, text := range corpus(t, "ignored") {
		t.Run("ignored/"+name, func(t *testing.T) {
			if rule.selects(t, text) {
				t.Error("the pattern selects it")
			}
			if c, ok, err := cloudtrail.Candidate(text); err != nil || ok {
				t.Errorf("Candidate: %+v, %v, %v", c, ok, err)
			}
			if e, err := cloudtrail.ParseEvent(text); err != nil || e.Ignored == "" {
				t.Errorf("ParseEvent: %+v, %v: it does not say why the event is ignored", e, err)
			}
		})
	}
	for name := range found {
		if !slices.Contains(seen, name) {
			t.Errorf("a row without a file: %s", name)
		}
	}
}

// rule is an EventBridge rule with the generated pattern.
type rule struct{ q *quamina.Quamina }

func newRule(t *testing.T) rule {
	q, err := quamina.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.AddPattern("guarded", cloudtrail.Pattern()); err != nil {
		t.Fatal(err)
	}
	return rule{q}
}

func (r rule) selects(t *testing.T, text []byte) bool {
	matches, err := r.q.MatchesForEvent(text)
	if err != nil {
		t.Fatal(err)
	}
	return len(matches) > 0
}

func corpus(t testing.TB, folder string) iter.Seq2[string, []byte] {
	files, err := fs.Glob(testdata.Files, "events/"+folder+"/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no events in %s: %v", folder, err)
	}
	return func(yield func(string, []byte) bool) {
		for _, file := range files {
			name := strings.TrimSuffix(path.Base(file), ".json")
			if !yield(name, []byte(event(t, folder+"/"+name))) {
				return
			}
		}
	}
}

func event(t testing.TB, folderAndName string) string {
	text, err := testdata.Files.ReadFile("events/" + folderAndName + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
