package internal_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// places are where a module can be linked, in the words of go.mod. What is linked
// nowhere is for tests.
var places = []struct{ name, pkg string }{
	{"functions", "./functions/respond"},
	{"sweep", "./functions/sweep"},
	{"command line", "./internal/cmd/guardrail"},
	{"CDK", "./infra"},
}

// brought are the modules in what is deployed that nobody of ours asked for.
var brought = []struct{ module, place, why string }{
	{"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream", "functions", "service/lambda can invoke with a stream as answer"},
	{"github.com/aws/aws-sdk-go-v2/internal/configsources", "functions", "every generated client asks for its endpoint"},
	{"github.com/aws/aws-sdk-go-v2/internal/endpoints/v2", "functions", "every generated client has a table of endpoints"},
	{"github.com/aws/aws-sdk-go-v2/internal/v4a", "sweep", "service/s3 can sign for several regions"},
	{"github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding", "sweep", "service/s3 asks for bytes as they are"},
	{"github.com/aws/aws-sdk-go-v2/service/internal/checksum", "sweep", "service/s3 sends and checks checksums"},
	{"github.com/aws/aws-sdk-go-v2/service/internal/presigned-url", "sweep", "service/s3 can sign addresses"},
	{"github.com/aws/aws-sdk-go-v2/service/internal/s3shared", "sweep", "service/s3 reads names of buckets"},
}

func TestEveryRequirementSaysWhereItIsLinkedAndWhy(t *testing.T) {
	linked := map[string][]string{}
	for _, p := range places {
		linked[p.name] = linkedModules(t, p.pkg)
	}
	for module, comment := range requirements(t) {
		var found []string
		for _, p := range places {
			if slices.Contains(linked[p.name], module) && !(p.name == "sweep" && slices.Contains(found, "functions")) {
				found = append(found, p.name)
			}
		}
		if len(found) == 0 {
			found = []string{"tests"}
		}
		if where, why, _ := strings.Cut(comment, ": "); where != strings.Join(found, ", ") || why == "" {
			t.Errorf("go.mod says %q of %s: want %q, a colon and why", comment, module, strings.Join(found, ", "))
		}
	}
}

// A module that is linked into what is deployed is a decision.
func TestTheFunctionsLinkWhatIsListedAndNothingElse(t *testing.T) {
	for pkg, names := range map[string][]string{"./functions/respond": {"functions"}, "./functions/sweep": {"functions", "sweep"}} {
		var want []string
		for module, comment := range requirements(t) {
			if where, _, _ := strings.Cut(comment, ": "); slices.Contains(names, strings.Split(where, ", ")[0]) {
				want = append(want, module)
			}
		}
		for _, b := range brought {
			if slices.Contains(names, b.place) {
				want = append(want, b.module)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, linkedModules(t, pkg)); diff != "" {
			t.Errorf("%s: %s", pkg, diff)
		}
	}
}

// requirements returns the direct ones of go.mod with their comments.
func requirements(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		requirement, comment, _ := strings.Cut(line, "//")
		if module, _, ok := strings.Cut(strings.TrimPrefix(requirement, "\t"), " v"); ok && module != "" && requirement[0] == '\t' && strings.TrimSpace(comment) != "indirect" {
			found[module] = strings.TrimSpace(comment)
		}
	}
	if len(found) < 10 {
		t.Fatalf("go.mod has only %d requirements of ours", len(found))
	}
	return found
}

// linkedModules are those of the packages that a package is built from, as it is
// for Lambda, without ours.
func linkedModules(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", pkg)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	return slices.Compact(slices.Sorted(slices.Values(strings.Fields(string(out)))))
}
