package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
)

// statements are those of the function's role, from every policy that the
// template gives it.
func statements(t *testing.T, d *deployed) []any {
	t.Helper()
	for _, id := range d.all("AWS::IAM::Role") {
		p := d.resources[id]["Properties"].(object)
		if p["ManagedPolicyArns"] != nil || p["Policies"] != nil {
			t.Errorf("%s has policies beside the one that is looked at", id)
		}
	}
	if roles, policies := d.all("AWS::IAM::Role"), d.all("AWS::IAM::Policy"); len(roles) != 1 || len(policies) != 1 {
		t.Fatalf("roles %q, policies %q: want one each", roles, policies)
	}
	return property(d.resources[d.all("AWS::IAM::Policy")[0]], "Properties.PolicyDocument.Statement").([]any)
}

// textList reads what IAM lets be a text or a list of them.
func textList(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var list []string
	for _, e := range asList(v) {
		list = append(list, e.(string))
	}
	return list
}

// can evaluates the statements as IAM does, for one action on one resource.
func can(statements []any, action, resource string) bool {
	allowed := false
	for _, s := range statements {
		if !anyLike(textList(property(s, "Action")), action) || !anyLike(textList(property(s, "Resource")), resource) {
			continue
		}
		if property(s, "Effect") == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func anyLike(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return like(pattern, s) })
}

func like(pattern, s string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for i := range len(rest) + 1 {
		if like(tail, rest[i:]) {
			return true
		}
	}
	return false
}

func TestTheRoleHasWhatTheModeNeedsAndNothingElse(t *testing.T) {
	const (
		functions = " on arn:aws:lambda:eu-central-1:111122223333:function:"
		queue     = " on arn:aws:sqs:eu-central-1:111122223333:lambda-guardrail-failed"
	)
	for name, test := range map[string]struct {
		context object
		mode    guard.Mode
	}{
		"audit":                        {object{"mode": "audit"}, guard.Audit},
		"audit, whatever else is set":  {object{"trail": "create", "email": "oncall@example.com", "reservedConcurrency": "9", "trustedAccounts": account}, guard.Audit},
		"enforce":                      {object{"mode": "enforce"}, guard.Enforce},
		"enforce, for function URLs":   {object{"mode": "enforce", "functionUrls": "enforce"}, guard.Enforce},
		"enforce, in a region's words": {object{"regions": "eu-central-1:enforce"}, guard.Enforce},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, synthesize(t, test.context), frankfurt)
			log := " on " + d.arn(d.all("AWS::Logs::LogGroup")[0])
			want := []string{
				"Allow logs:CreateLogStream" + log, "Allow logs:PutLogEvents" + log,
				"Allow sqs:SendMessage" + queue, "Allow sqs:GetQueueAttributes" + queue, "Allow sqs:GetQueueUrl" + queue,
				"Allow xray:PutTraceSegments on *", "Allow xray:PutTelemetryRecords on *", // X-Ray knows no resources
			}
			for _, action := range config.Actions(test.mode) {
				want = append(want, "Allow "+action+functions+"*")
			}
			for _, action := range config.Actions(guard.Enforce) {
				if !slices.Contains(config.Actions(guard.Audit), action) {
					want = append(want, "Deny "+action+functions+"lambda-guardrail-*")
				}
			}
			var got []string
			for _, s := range statements(t, d) {
				if property(s, "NotAction") != nil || property(s, "NotResource") != nil {
					t.Errorf("a statement says what it is not about: %v", s)
				}
				for _, action := range textList(property(s, "Action")) {
					for _, resource := range textList(property(s, "Resource")) {
						got = append(got, property(s, "Effect").(string)+" "+action+" on "+resource)
					}
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatTheRoleCanDo(t *testing.T) {
	roles := map[string][]any{}
	for _, mode := range []string{"audit", "enforce"} {
		roles[mode] = statements(t, deploy(t, synthesize(t, object{"mode": mode}), virginia))
	}
	const here = "arn:aws:lambda:us-east-1:111122223333:function:"
	for _, test := range []struct {
		action, resource string
		audit, enforce   bool
	}{
		{"lambda:GetPolicy", here + "orders", true, true},
		{"lambda:GetPolicy", here + "orders:live", true, true},
		{"lambda:GetPolicy", here + "lambda-guardrail-respond", true, true},
		{"lambda:RemovePermission", here + "orders", false, true},
		{"lambda:RemovePermission", here + "orders:live", false, true},
		{"lambda:PutResourcePolicy", here + "orders", false, true},
		{"lambda:RemovePermission", here + "lambda-guardrail-respond", false, false},
		{"lambda:PutResourcePolicy", here + "lambda-guardrail-respond:live", false, false},
		{"lambda:AddPermission", here + "lambda-guardrail-sweep", false, false},
		{"lambda:RemovePermission", "arn:aws:lambda:us-east-1:444455556666:function:orders", false, false},
		{"lambda:RemovePermission", "arn:aws:lambda:eu-central-1:111122223333:function:orders", false, false},
		{"lambda:RemoveLayerVersionPermission", "arn:aws:lambda:us-east-1:111122223333:layer:shared:1", false, false},
		{"lambda:InvokeFunction", here + "orders", false, false},
		{"lambda:UpdateFunctionCode", here + "orders", false, false},
		{"lambda:GetFunction", here + "orders", false, false},
		{"iam:PassRole", "arn:aws:iam::111122223333:role/lambda-guardrail-respond-us-east-1", false, false},
		{"sns:Publish", "arn:aws:sns:us-east-1:111122223333:lambda-guardrail-alerts", false, false},
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-failed", true, true},
		{"sqs:ReceiveMessage", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-failed", false, false},
	} {
		for mode, want := range map[string]bool{"audit": test.audit, "enforce": test.enforce} {
			if got := can(roles[mode], test.action, test.resource); got != want {
				t.Errorf("in %s, %s on %s is allowed: %t", mode, test.action, test.resource, got)
			}
		}
	}
}

// asksFor are the actions that AWS wants beside the one that is named after the
// operation: https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
var asksFor = map[string][]string{
	"PutResourcePolicy":    {"AddPermission", "RemovePermission"},
	"DeleteResourcePolicy": {"RemovePermission"},
}

func TestTheActionsAreTheOperationsThatTheCodeCalls(t *testing.T) {
	want := map[string]bool{}
	for _, operation := range operations(t, "../internal/lambdapolicy") {
		for _, name := range append(asksFor[operation], operation) {
			want["lambda:"+name] = true
		}
	}
	got := config.Actions(guard.Enforce)
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" {
		t.Error(diff)
	}
}

// operations returns the calls of the SDK that a package makes: each has an input
// of its own name.
func operations(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(tree) {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			of, ok := selector.X.(*ast.Ident)
			if operation, isInput := strings.CutSuffix(selector.Sel.Name, "Input"); ok && of.Name == "lambda" && isInput {
				found = append(found, operation)
			}
		}
	}
	if len(found) < 4 {
		t.Fatalf("only %q are found", found)
	}
	return found
}
