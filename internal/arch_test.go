package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "lambda-guardrail/"

type node struct {
	name    string
	imports []string
	why     string
}

// graph is every package of ours with all that it may import of ours. A name
// that ends in a slash stands for everything below it.
var graph = []node{
	{"internal/iampolicy", nil, "the grammar has no opinion, and needs nobody's"},
	{"internal/exposure", []string{"internal/iampolicy"}, "a judgement follows from the policy alone"},
	{"internal/guard", []string{"internal/exposure", "internal/iampolicy"}, "it owns the interfaces: arrows point at it"},
	{"internal/guard/guardtest", []string{"internal/guard", "internal/iampolicy"}, "the contract of Policies, whoever implements it"},
	{"internal/cloudtrail", []string{"internal/guard", "internal/iampolicy"}, "a record becomes a candidate; what it is worth is guard's business"},
	{"internal/config", []string{"internal/guard", "internal/exposure"}, "settings become guard's, and infra must be able to import it without the SDK"},
	{"internal/sweep", []string{"internal/guard", "internal/exposure"}, "a walk through an account, by interfaces of its own"},
	{"internal/lambdapolicy", []string{"internal/guard", "internal/iampolicy", "internal/sweep"}, "an adapter: the only package that lists functions, and reads and reverts policies in AWS"},
	{"internal/seen", nil, "an adapter: what the sweep remembers is bytes to it"},
	{"internal/seen/seentest", nil, "a stand-in that shared our adapter's code would share its mistakes"},
	{"internal/lambdaadmin", []string{"internal/guard", "internal/iampolicy"}, "the calls that only people make, apart from those of a function"},
	{"internal/sink", []string{"internal/guard", "internal/exposure", "internal/sweep"}, "an adapter: findings, and what a sweep came to, go out"},
	{"internal/awscall", nil, "a signed call knows no finding"},
	{"internal/awstest", nil, "the settings of a client know none of the calls"},
	{"internal/sink/", []string{"internal/sink", "internal/guard", "internal/exposure", "internal/awscall"}, "package sink makes the texts, these send them: an encoder needs no SDK"},
	{"internal/wire", []string{"internal/cloudtrail", "internal/config", "internal/exposure", "internal/guard", "internal/iampolicy", "internal/lambdapolicy", "internal/sink", "internal/sink/", "internal/sweep"},
		"puts the parts together, so that what is rehearsed is what is deployed"},
	{"internal/lambdatest", []string{"internal/iampolicy"}, "a stand-in that shared our adapter's code would share its mistakes"},
	{"internal/runtimetest", nil, "the runtime knows no function"},
	{"internal/mototest", nil, "what others think of AWS is a second opinion only as long as it shares nothing with ours"},
	{"internal/rapidtest", nil, "chance knows no test"},
	{"internal/cmd/", []string{"functions/", "internal/", "testdata"}, "commands may use everything but CDK, which would make them ten times as large"},
	{"functions/", []string{"internal/wire", "internal/config", "internal/cloudtrail", "internal/guard", "internal/seen", "internal/sink", "internal/sink/", "internal/sweep"}, "wiring only"},
	{"infra", []string{"internal/cloudtrail", "internal/config", "internal/exposure", "internal/guard"}, "rule, environment and permissions are made from what the code understands"},
	{"testdata", nil, "a corpus, no code"},
}

// foreign says who alone may import what is not ours.
var foreign = []struct {
	path string // or anything below it
	by   []string
	why  string
}{
	{"github.com/aws/aws-sdk-go-v2", []string{"internal/lambdapolicy", "internal/lambdaadmin", "internal/awscall", "internal/seen", "internal/sink/", "internal/wire", "functions/", "internal/cmd/", "internal/awstest", "internal/mototest"}, "AWS is behind the adapters"},
	{"github.com/aws/aws-sdk-go-v2/service", []string{"internal/lambdapolicy", "internal/lambdaadmin", "internal/seen", "internal/cmd/"}, "a generated client delays every cold start, used or not: the change-triggered function has one, and internal/awscall for the rest"},
	{"github.com/aws/aws-sdk-go-v2/service/lambda", []string{"internal/lambdapolicy", "internal/lambdaadmin"}, "what the functions call, and so their permissions, is in one place"},
	{"github.com/aws/aws-sdk-go-v2/config", []string{"internal/cmd/"}, "people's credentials are looked for in many places; a function's are handed to it"},
	{"github.com/aws/aws-sdk-go-v2/service/iam", []string{"internal/cmd/"}, "a drill makes a role that permits nothing; what is deployed makes no roles"},
	{"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs", []string{"internal/cmd/"}, "a drill reads the log; what is deployed writes lines, and Lambda takes them there"},
	{"github.com/aws/aws-sdk-go-v2/service/cloudformation", []string{"internal/cmd/"}, "the command line finds what is deployed; what is deployed knows no stack"},
	{"github.com/aws/smithy-go", []string{"internal/lambdapolicy", "internal/lambdaadmin", "internal/awscall", "internal/seen", "internal/sink/", "internal/wire"}, "errors of AWS become guard's in the adapters"},
	{"github.com/aws/aws-lambda-go", []string{"functions/", "internal/wire"}, "the runtime's loop belongs to main"},
	{"github.com/aws/aws-cdk-go", []string{"infra"}, "CDK makes a binary of 2 MB one of 68 MB"},
	{"github.com/aws/constructs-go", []string{"infra"}, "part of CDK"},
	{"github.com/aws/jsii-runtime-go", []string{"infra"}, "part of CDK"},
	{"github.com/owenrumney/go-sarif", []string{"internal/cmd/"}, "a format of the command line's; it brings a validator of schemas along"},
	{"github.com/chromedp", nil, "a browser is for tests"},
	{"net/http/httptest", []string{"internal/lambdatest", "internal/runtimetest"}, "servers are for stand-ins"},
	{"os", []string{"functions/", "internal/cmd/", "infra", "internal/runtimetest", "internal/mototest", "internal/rapidtest"}, "files and the environment are read at the edge and handed in"},
	{"regexp", []string{"internal/cmd/", "infra", "internal/lambdatest", "internal/runtimetest"}, "compiling an expression at start delays every cold start"},
}

// uses are names of other packages that some packages may not use.
var uses = []struct {
	path  string
	names []string
	not   []string
	why   string
}{
	{"time", []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
		[]string{"internal/iampolicy", "internal/exposure", "internal/guard", "internal/sweep"}, "time is passed in"},
	{"net/http", []string{"Server", "Serve", "ServeTLS", "ListenAndServe", "ListenAndServeTLS"},
		[]string{"functions/", "infra", "internal/cmd/", "internal/lambdapolicy", "internal/lambdaadmin", "internal/seen", "internal/sink", "internal/sink/", "internal/sweep", "internal/wire"}, "servers are for stand-ins"},
}

func TestEveryPackageIsDrawnAndImportsOnlyWhatItMay(t *testing.T) {
	for _, p := range packages(t) {
		row := slices.IndexFunc(graph, func(n node) bool { return covers(n.name, p.name) })
		if row < 0 {
			t.Errorf("%s is not drawn in the graph: add a row, with its reason", p.name)
			continue
		}
		for _, path := range p.Imports {
			ours, ok := strings.CutPrefix(path, module)
			if ok && !anyCovers(graph[row].imports, ours) {
				t.Errorf("%s imports %s: %s", p.name, ours, graph[row].why)
			}
		}
	}
}

func TestForeignPackagesAreImportedOnlyWhereTheyMay(t *testing.T) {
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			for _, row := range foreign {
				if anyCovers([]string{row.path, row.path + "/"}, path) && !anyCovers(row.by, p.name) {
					t.Errorf("%s imports %s: %s", p.name, path, row.why)
				}
			}
		}
	}
}

func TestNamesAreUsedOnlyWhereTheyMay(t *testing.T) {
	for _, p := range packages(t) {
		for _, file := range p.GoFiles {
			used := selectors(t, filepath.Join(p.Dir, file))
			for _, row := range uses {
				for _, name := range row.names {
					if at, ok := used[row.path+"."+name]; ok && anyCovers(row.not, p.name) {
						t.Errorf("%s/%s:%d uses %s.%s: %s", p.name, file, at.Line, row.path, name, row.why)
					}
				}
			}
		}
	}
}

func anyCovers(names []string, pkg string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return covers(name, pkg) })
}

// covers reports whether a name of the graph stands for a package.
func covers(name, pkg string) bool {
	return name == pkg || strings.HasSuffix(name, "/") && strings.HasPrefix(pkg, name)
}

type goPackage struct {
	name    string // without the module
	Dir     string
	GoFiles []string // without tests
	Imports []string // of GoFiles

	ImportPath string
}

// packages lists ours. Wildcards pass testdata over, so it is named.
func packages(t *testing.T) []goPackage {
	cmd := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,GoFiles,Imports", "./...", "./testdata")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if len(p.GoFiles) > 0 {
			p.name = strings.TrimPrefix(p.ImportPath, module)
			all = append(all, p)
		}
	}
	if len(all) < 3 {
		t.Fatalf("go list sees only %d packages of ours", len(all))
	}
	return all
}

// selectors returns the first position of each "import path.Name" in a file.
func selectors(t *testing.T, file string) map[string]token.Position {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{} // by name in the file
	for _, spec := range tree.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		paths[name] = path
	}
	found := map[string]token.Position{}
	for node := range ast.Preorder(tree) {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		if of, ok := selector.X.(*ast.Ident); ok && paths[of.Name] != "" {
			key := paths[of.Name] + "." + selector.Sel.Name
			if _, seen := found[key]; !seen {
				found[key] = fset.Position(selector.Pos())
			}
		}
	}
	return found
}
