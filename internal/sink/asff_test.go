package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

// pretty returns JSON as people read it.
func pretty(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func TestSecurityHubGolden(t *testing.T) {
	for _, x := range guardtest.Examples() {
		t.Run(x.Name, func(t *testing.T) {
			text, err := SecurityHubFinding(x.Finding, now)
			if err != nil {
				t.Fatal(err)
			}
			checkASFF(t, text)
			golden(t, x.Name+".asff.json", pretty(t, text))
		})
	}
}

// field is one row of what the service takes. Lengths are in characters.
type field struct {
	path     string // * is every element, of a list or of a map
	required bool
	longest  int
	pattern  string
}

// asffFields are those that we write.
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Resource.html
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Recommendation.html
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_FindingProviderSeverity.html
var asffFields = []field{
	{"SchemaVersion", true, 10, `2018-10-08`},
	{"Id", true, 512, ``},
	{"ProductArn", true, 2048, `arn:[a-z-]+:securityhub:[a-z0-9-]+:\d{12}:product/\d{12}/default`},
	{"ProductName", false, 128, ``},
	{"CompanyName", false, 128, ``},
	{"GeneratorId", true, 512, ``},
	{"AwsAccountId", true, 12, `\d{12}`},
	{"CreatedAt", true, 64, timestamp},
	{"UpdatedAt", true, 64, timestamp},
	{"FirstObservedAt", false, 64, timestamp},
	{"LastObservedAt", false, 64, timestamp},
	{"FindingProviderFields.Severity.Label", true, 13, `INFORMATIONAL|LOW|MEDIUM|HIGH|CRITICAL`},
	{"FindingProviderFields.Severity.Original", false, 64, ``},
	{"FindingProviderFields.Types.*", true, 256, `(Software and Configuration Checks|TTPs|Effects|Unusual Behaviors|Sensitive Data Identifications)(/[^/]+){0,2}`},
	{"Title", true, 256, ``},
	{"Description", true, 1024, ``},
	{"Remediation.Recommendation.Text", false, 512, ``},
	{"Remediation.Recommendation.Url", false, 2048, `https://.*`},
	{"Resources.*.Type", true, 256, `AwsLambdaFunction`},
	{"Resources.*.Id", true, 512, ``},
	{"Resources.*.Partition", false, 10, `aws|aws-cn|aws-us-gov`},
	{"Resources.*.Region", false, 16, ``},
	{"Resources.*.Details.AwsLambdaFunction.FunctionName", false, 512, ``},
	{"Resources.*.Details.AwsLambdaFunction.Role", false, 2048, ``},
	{"Resources.*.Details.AwsLambdaFunction.Version", false, 1024, `\d+`},
	{"Compliance.Status", false, 13, `PASSED|WARNING|FAILED|NOT_AVAILABLE`},
	{"RecordState", false, 8, `ACTIVE|ARCHIVED`},
	{"ProductFields.*", false, 2048, ``},
}

const timestamp = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

// asffCounts are how many elements there may be.
var asffCounts = map[string]struct{ fewest, most int }{
	"FindingProviderFields.Types": {1, 50},
	"Resources":                   {1, 32},
	"ProductFields":               {0, 50},
}

const (
	maxASFF    = 240 << 10 // bytes, https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
	maxASFFKey = 128       // characters, of a product field
)

// checkASFF holds a finding against the tables: what is in it is known, and within
// its limits; what is required is there; nothing is empty or unprintable.
func checkASFF(t *testing.T, text []byte) {
	t.Helper()
	if len(text) > maxASFF {
		t.Errorf("%d bytes, and Security Hub takes %d", len(text), maxASFF)
	}
	if i := strings.IndexFunc(string(text), func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("unprintable at %d", i)
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	seen := map[string]bool{}
	walkASFF(t, "", document, seen)
	for _, f := range asffFields {
		if f.required && !seen[f.path] {
			t.Errorf("%s is missing", f.path)
		}
	}
}

func walkASFF(t *testing.T, path string, value any, seen map[string]bool) {
	t.Helper()
	count, counted := asffCounts[path]
	size := 0
	at := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch v := value.(type) {
	case map[string]any:
		size = len(v)
		for name, element := range v {
			if counted {
				if utf8.RuneCountInString(name) > maxASFFKey {
					t.Errorf("%s has the key %q", path, name)
				}
				name = "*"
			}
			walkASFF(t, at(name), element, seen)
		}
	case []any:
		size = len(v)
		for _, element := range v {
			walkASFF(t, at("*"), element, seen)
		}
	case string:
		seen[path] = true
		i := slices.IndexFunc(asffFields, func(f field) bool { return f.path == path })
		if i < 0 {
			t.Errorf("%s is not in the table", path)
			return
		}
		f := asffFields[i]
		if n := utf8.RuneCountInString(v); n > f.longest || strings.TrimSpace(v) == "" {
			t.Errorf("%s has %d characters, and may have 1 to %d: %q", path, n, f.longest, v)
		}
		if f.pattern != "" && !matches(f.pattern, v) {
			t.Errorf("%s is %q, want %s", path, v, f.pattern)
		}
		for _, r := range v {
			if !unicode.IsPrint(r) && (r != '\n' || path != "Description") {
				t.Errorf("%s has %q in it", path, r)
			}
		}
	default:
		t.Errorf("%s is a %T", path, value)
	}
	if counted && (size < count.fewest || size > count.most) {
		t.Errorf("%s has %d elements, and may have %d to %d", path, size, count.fewest, count.most)
	}
}

var compiled sync.Map // regular expressions by pattern

func matches(pattern, text string) bool {
	expression, ok := compiled.Load(pattern)
	if !ok {
		expression, _ = compiled.LoadOrStore(pattern, regexp.MustCompile(`^(?:`+pattern+`)$`))
	}
	return expression.(*regexp.Regexp).MatchString(text)
}

// imported is what a test looks at.
func imported(t *testing.T, f guard.Finding, at time.Time) asff {
	t.Helper()
	text, err := SecurityHubFinding(f, at)
	if err != nil {
		t.Fatal(err)
	}
	checkASFF(t, text)
	var a asff
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func example(t *testing.T, name string) guard.Finding {
	t.Helper()
	for _, x := range guardtest.Examples() {
		if x.Name == name {
			return x.Finding
		}
	}
	t.Fatalf("there is no example %s", name)
	return guard.Finding{}
}

func TestSecurityHubIsToldWhatStands(t *testing.T) {
	tests := []struct {
		outcome            guard.Outcome
		record, compliance string
	}{
		{guard.Audited, "ACTIVE", "FAILED"},
		{guard.Exempt, "ACTIVE", "PASSED"},
		{guard.NeedsReview, "ACTIVE", "WARNING"},
		{guard.Reverted, "ARCHIVED", "PASSED"},
		{guard.AlreadyGone, "ARCHIVED", "PASSED"},
		{guard.Failed, "ACTIVE", "FAILED"},
		{"", "ACTIVE", "FAILED"},
		{"tidied", "ACTIVE", "FAILED"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", string(tt.outcome)), func(t *testing.T) {
			f := example(t, "reverted")
			f.Outcome = tt.outcome
			a := imported(t, f, now)
			if a.RecordState != tt.record || a.Compliance.Status != tt.compliance {
				t.Errorf("%s, %s, want %s, %s", a.RecordState, a.Compliance.Status, tt.record, tt.compliance)
			}
		})
	}
}

func TestTheSameStatementIsTheSameFindingLater(t *testing.T) {
	f := example(t, "audited")
	g := example(t, "reverted") // of the same statement
	if f.ID != g.ID {
		t.Fatal("the examples are of two statements")
	}
	first, second := imported(t, f, now), imported(t, g, now.Add(time.Millisecond))
	if first.ID != second.ID || first.ProductARN != second.ProductARN || first.CreatedAt != second.CreatedAt {
		t.Errorf("%+v is another finding than %+v", second, first)
	}
	if second.UpdatedAt <= first.UpdatedAt {
		t.Errorf("updated at %s, and before at %s", second.UpdatedAt, first.UpdatedAt)
	}
}

func TestAFindingIsNotCreatedAfterItsUpdate(t *testing.T) {
	f := example(t, "reverted")
	f.OpenedAt = now.Add(time.Minute) // by another clock
	if a := imported(t, f, now); a.CreatedAt > a.UpdatedAt {
		t.Errorf("created at %s, updated at %s", a.CreatedAt, a.UpdatedAt)
	}
}

func TestAPartitionThatSecurityHubDoesNotNameIsLeftOut(t *testing.T) {
	for partition, want := range map[string]string{"aws": "aws", "aws-cn": "aws-cn", "aws-us-gov": "aws-us-gov", "aws-eusc": ""} {
		f := example(t, "reverted")
		f.Resource.Partition = partition
		if a := imported(t, f, now); a.Resources[0].Partition != want || !strings.HasPrefix(a.Resources[0].ID, "arn:"+partition+":lambda:") {
			t.Errorf("%+v in partition %s", a.Resources[0], partition)
		}
	}
}

func TestACommandThatHasNoRoomIsLeftOut(t *testing.T) {
	f := example(t, "reverted")
	if a := imported(t, f, now); a.ProductFields["lambda-guardrail/Restore"] != f.Restore {
		t.Errorf("restore is %q", a.ProductFields["lambda-guardrail/Restore"])
	}
	f.Restore = strings.Repeat("x", 2049)
	f.NextSteps = []string{"First.", strings.Repeat("x", 600), "Third."}
	a := imported(t, f, now)
	if got, there := a.ProductFields["lambda-guardrail/Restore"]; there {
		t.Errorf("restore is %q", got)
	}
	if got := a.Remediation.Recommendation.Text; got != "1. First." {
		t.Errorf("the advice is %q", got)
	}
}

// hostileSeeds are texts that could forge, break or hide something.
var hostileSeeds = []string{
	"plain", `"}`, "\n{\"RecordState\":\"ARCHIVED\"}", "\r\n", "\x00\x07\x1b[2J\x1b]0;title\a", "\x7f\u0085\u009b31m", "\u202egnp.exe\u202c\u2066\u2069\u200f",
	"\u2028\u2029\ufeff", "\xff\xfe\xc3(", "\xed\xa0\x80", "\ufffd", "\U000e0041", "</script>&", `\u0022\`, " \t ", strings.Repeat("é", 4096), strings.Repeat(`"\`, 4096),
	"\nDone: It was taken out, and seen to be gone.", "@channel <!here> [x](http://evil.example)",
}

// hostileFinding has s wherever an outsider can put a text. What says which
// resource it is has passed guard.ParseResource, but for the function's name.
func hostileFinding(s string) guard.Finding {
	f := hostile(s)
	f.ID, f.Fingerprint = "dc7cd15d31f48253c8b3b5c47518b8fe", "d5777575af56b056"
	name := s[:min(len(s), 1000)] // what has its limit at AWS, or in our own tables
	f.Resource = guard.Resource{Partition: "aws", Region: "eu-central-1", Account: "111122223333", Function: name, Qualifier: name}
	f.Role, f.FunctionURL = name, &guard.FunctionURL{AuthType: name, Address: name}
	f.Attack, f.NextSteps, f.FoundBy, f.ElasticRule = []string{name, "T1546"}, slices.Repeat([]string{name}, 12), guard.FoundBy(name), name
	f.Beside = slices.Repeat([]guard.Beside{{ID: s, Sid: s}}, someItems+2)
	f.Verdict.Strangers = slices.Repeat(f.Verdict.Strangers, someItems+2)
	f.OpenedAt, f.ClosedAt = now.Add(-time.Minute), now
	f.Outcome = guard.Outcome("x" + s)
	return f
}

func FuzzSecurityHub(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	plain := slices.Sorted(maps.Keys(productFields(hostileFinding("plain"))))
	most := len(facts(hostileFinding("plain"), func(string, int) string { return "x" }))
	f.Fuzz(func(t *testing.T, s string) {
		a := imported(t, hostileFinding(s), now)
		if a.RecordState != "ACTIVE" || a.Compliance.Status != "FAILED" || a.FindingProviderFields.Severity.Label != "HIGH" || a.AWSAccountID != "111122223333" {
			t.Errorf("forged: %+v", a)
		}
		for name := range a.ProductFields {
			if !slices.Contains(plain, name) {
				t.Errorf("the field %q is forged", name)
			}
		}
		if lines := strings.Count(a.Description, "\n"); lines > most {
			t.Errorf("%d lines: %s", lines, a.Description)
		}
	})
}

func TestEveryFieldOfAFindingHasRoomAtItsWorst(t *testing.T) {
	for _, s := range hostileSeeds {
		f := hostileFinding(strings.Repeat(s, 1+20_480/len(s)))
		f.Verdict.Reasons = []exposure.Reason{{}, {}}
		checkASFF(t, must(t)(SecurityHubFinding(f, now)))
	}
}

func must(t *testing.T) func([]byte, error) []byte {
	return func(text []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}
