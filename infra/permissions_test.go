package main

import (
	"encoding/json"
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

// statements are those of a role, from every policy that the template gives it. The
// role is named by how its logical ID begins, "RespondRole".
func statements(t *testing.T, d *deployed, role string) []any {
	t.Helper()
	for _, id := range d.all("AWS::IAM::Role") {
		p := d.resources[id]["Properties"].(object)
		if p["ManagedPolicyArns"] != nil || p["Policies"] != nil {
			t.Errorf("%s has policies beside the one that is looked at", id)
		}
	}
	if roles, policies := d.all("AWS::IAM::Role"), d.all("AWS::IAM::Policy"); len(roles) != 4 || len(policies) != 4 {
		t.Fatalf("roles %q, policies %q: want four each", roles, policies)
	}
	policy := d.resources[find(t, d, "AWS::IAM::Policy", role+"DefaultPolicy")]
	if attached := property(policy, "Properties.Roles"); !cmp.Equal(attached, any([]any{d.name(find(t, d, "AWS::IAM::Role", role))})) {
		t.Fatalf("the policy of %s is attached to %v", role, attached)
	}
	return property(policy, "Properties.PolicyDocument.Statement").([]any)
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

// can evaluates the statements as IAM does, for one action of the function on one
// resource.
func can(statements []any, action, resource string) bool {
	allowed := false
	for _, s := range statements {
		if !anyLike(textList(property(s, "Action")), action) || !anyLike(textList(property(s, "Resource")), resource) {
			continue
		}
		if property(s, "Sid") == "TheFunctionAlone" {
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

// listed writes statements as one line for each effect, action and resource.
func listed(t *testing.T, statements []any) []string {
	t.Helper()
	var all []string
	for _, s := range statements {
		if property(s, "NotAction") != nil || property(s, "NotResource") != nil {
			t.Errorf("a statement says what it is not about: %v", s)
		}
		condition := ""
		if c := property(s, "Condition"); c != nil {
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			condition = " if " + string(text)
		}
		for _, action := range textList(property(s, "Action")) {
			for _, resource := range textList(property(s, "Resource")) {
				all = append(all, property(s, "Effect").(string)+" "+action+" on "+resource+condition)
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestTheRolesHaveWhatTheModeNeedsAndNothingElse(t *testing.T) {
	const (
		functions = " on arn:aws:lambda:eu-central-1:111122223333:function:"
		queue     = " on arn:aws:sqs:eu-central-1:111122223333:lambda-guardrail-events"
		topic     = " on arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-findings"
		topicKey  = " on arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab" + ` if {"StringLike":{"kms:ViaService":"sns.eu-central-1.amazonaws.com*"}}`
		seenKey   = " on arn:aws:kms:eu-central-1:111122223333:key/5678cdef-12ab-34cd-56ef-1234567890ab"
		chat      = "Allow sns:Publish on arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-chat"
		hub       = "Allow securityhub:BatchImportFindings on arn:aws:securityhub:eu-central-1:111122223333:product/111122223333/default"
		bus       = "Allow events:PutEvents on arn:aws:events:eu-central-1:111122223333:event-bus/security"
		afar      = "Allow events:PutEvents on arn:aws:events:eu-west-1:444455556666:event-bus/central"
	)
	for name, test := range map[string]struct {
		context object
		mode    guard.Mode
		more    []string
	}{
		"audit":                        {object{"mode": "audit"}, guard.Audit, nil},
		"audit, whatever else is set":  {object{"trail": "create", "email": "oncall@example.com", "reservedConcurrency": "9", "trustedAccounts": account}, guard.Audit, nil},
		"enforce":                      {object{"mode": "enforce"}, guard.Enforce, nil},
		"enforce, for function URLs":   {object{"mode": "enforce", "functionUrls": "enforce"}, guard.Enforce, nil},
		"enforce, in a region's words": {object{"regions": "eu-central-1:enforce"}, guard.Enforce, nil},
		"every sink":                   {object{"chat": "on", "securityHub": "on", "eventBus": "security"}, guard.Audit, []string{chat, hub, bus}},
		"a bus of another account":     {object{"eventBus": "arn:aws:events:eu-west-1:444455556666:event-bus/central"}, guard.Audit, []string{afar}},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, synthesize(t, test.context), frankfurt)
			log := " on " + d.arn(d.all("AWS::Logs::LogGroup")[0])
			common := append([]string{
				"Allow logs:CreateLogStream" + log, "Allow logs:PutLogEvents" + log,
				"Allow sns:Publish" + topic, "Allow kms:Decrypt" + topicKey, "Allow kms:GenerateDataKey" + topicKey,
				"Allow xray:PutTraceSegments on *", "Allow xray:PutTelemetryRecords on *", // X-Ray knows no resources
			}, test.more...)
			for _, action := range config.Actions(test.mode) {
				common = append(common, "Allow "+action+functions+"*")
			}
			for _, action := range config.Actions(guard.Enforce) {
				if !slices.Contains(config.Actions(guard.Audit), action) {
					common = append(common, "Deny "+action+functions+"lambda-guardrail-*")
				}
			}
			notFrom := func(name string) string {
				return ` if {"ArnNotEquals":{"lambda:SourceFunctionArn":["arn:aws:lambda:eu-central-1:111122223333:function:lambda-guardrail-` + name + `"]}}`
			}
			// KMS is called by SNS too, of which nobody knows whether it says for whom.
			onlyFor := func(name string) (denied []string) {
				for _, service := range []string{"lambda", "s3", "sns", "securityhub", "events"} {
					denied = append(denied, "Deny "+service+":* on *"+notFrom(name))
				}
				return denied
			}
			seen := " on " + d.arn(find(t, d, "AWS::S3::Bucket", "Seen"))
			objects := seen + "/*"
			for role, own := range map[string][]string{
				"RespondRole": append(onlyFor("respond"), "Allow sqs:ReceiveMessage"+queue, "Allow sqs:DeleteMessage"+queue, "Allow sqs:GetQueueAttributes"+queue),
				"SweepRole": append(onlyFor("sweep"),
					"Allow lambda:ListFunctions on *", "Allow lambda:ListAliases"+functions+"*", "Allow s3:GetObject"+objects, "Allow s3:PutObject"+objects, "Allow s3:ListBucket"+seen,
					"Allow kms:Decrypt"+seenKey, "Allow kms:GenerateDataKey"+seenKey, "Deny kms:*"+seenKey+notFrom("sweep")),
			} {
				want := append(own, common...)
				slices.Sort(want)
				if diff := cmp.Diff(want, listed(t, statements(t, d, role))); diff != "" {
					t.Errorf("%s: %s", role, diff)
				}
			}
		})
	}
}

// With the key one can forge that a policy was seen to be harmless.
func TestNobodyButTheSweepUsesTheKeyOfWhatItHasSeen(t *testing.T) {
	d := deploy(t, synthesize(t, nil), frankfurt)
	var denied []string
	for _, s := range property(d.resources[find(t, d, "AWS::KMS::Key", "SeenKey")], "Properties.KeyPolicy.Statement").([]any) {
		if property(s, "Effect") != "Deny" {
			if service := property(s, "Principal.Service"); service != nil {
				t.Errorf("%v may use it", service)
			}
			continue
		}
		if property(s, "Condition.ArnNotEquals.aws:PrincipalArn") != "arn:aws:iam::111122223333:role/lambda-guardrail-sweep-eu-central-1" || property(s, "Principal.AWS") != "*" {
			t.Errorf("it is denied to others than all but the sweep: %v", s)
		}
		denied = append(denied, textList(property(s, "Action"))...)
	}
	for _, action := range []string{"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptTo"} {
		if !anyLike(denied, action) {
			t.Errorf("others are not denied %s", action)
		}
	}
	if anyLike(denied, "kms:PutKeyPolicy") {
		t.Error("nobody could change the key's policy any more")
	}
}

func TestTheStateMachineAndItsSchedulesMayDoOneThingEach(t *testing.T) {
	d := deploy(t, synthesize(t, nil), frankfurt)
	const machine = " on arn:aws:states:eu-central-1:111122223333:stateMachine:lambda-guardrail-sweep"
	for role, want := range map[string][]string{
		"MachineRole": {
			"Allow lambda:InvokeFunction on arn:aws:lambda:eu-central-1:111122223333:function:lambda-guardrail-sweep", "Allow states:ListExecutions" + machine,
			"Allow xray:GetSamplingRules on *", "Allow xray:GetSamplingTargets on *", "Allow xray:PutTelemetryRecords on *", "Allow xray:PutTraceSegments on *",
		},
		"ScheduleRole": {"Allow sqs:SendMessage on arn:aws:sqs:eu-central-1:111122223333:lambda-guardrail-undelivered", "Allow states:StartExecution" + machine},
	} {
		if diff := cmp.Diff(want, listed(t, statements(t, d, role))); diff != "" {
			t.Errorf("%s: %s", role, diff)
		}
	}
}

func TestWhatTheRoleCanDo(t *testing.T) {
	roles := map[string][]any{}
	for _, mode := range []string{"audit", "enforce"} {
		roles[mode] = statements(t, deploy(t, synthesize(t, object{"mode": mode}), virginia), "RespondRole")
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
		{"lambda:GetFunctionConfiguration", here + "orders", true, true},
		{"lambda:GetFunctionUrlConfig", here + "orders:live", true, true},
		{"lambda:ListFunctions", "*", false, false},
		{"iam:PassRole", "arn:aws:iam::111122223333:role/lambda-guardrail-respond-us-east-1", false, false},
		{"sns:Publish", "arn:aws:sns:us-east-1:111122223333:lambda-guardrail-alerts", false, false},
		{"sns:Publish", "arn:aws:sns:us-east-1:111122223333:lambda-guardrail-findings", true, true},
		{"kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/5678cdef-12ab-34cd-56ef-1234567890ab", false, false},
		{"sqs:ReceiveMessage", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-events", true, true},
		{"sqs:ChangeMessageVisibility", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-events", false, false},
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-events", false, false},
		{"sqs:SetQueueAttributes", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-events", false, false},
		{"sqs:ReceiveMessage", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-failed", false, false},
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:lambda-guardrail-failed", false, false},
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
	got := append(config.Actions(guard.Enforce), config.SweepActions()...)
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
