package guard_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
)

// words runs the command in a shell whose aws prints its arguments.
func words(t *testing.T, command string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `aws() { printf '%s\0' "$@"; }; `+command).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestRestoreCommand(t *testing.T) {
	alias := orders
	alias.Qualifier = "live"
	allow := func(rest string) string {
		return `{"Sid":"a","Effect":"Allow","Resource":"` + orders.ARN() + `",` + rest + `}`
	}
	tests := []struct {
		name      string
		resource  guard.Resource
		statement string
		want      string // "" is put-resource-policy
	}{
		{"everyone", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction"`),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=a --action=lambda:InvokeFunction --principal='*'`},
		{"an alias", alias, strings.ReplaceAll(allow(`"Principal":"*","Action":"lambda:*"`), orders.ARN(), alias.ARN()),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --qualifier=live --statement-id=a --action='lambda:*' --principal='*'`},
		{"a function URL", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunctionUrl","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}`),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=a --action=lambda:InvokeFunctionUrl --principal='*' --function-url-auth-type=NONE`},
		{"the other half of a function URL", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}`),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=a --action=lambda:InvokeFunction --principal='*' --invoked-via-function-url`},
		{"a service with its source", orders, allow(`"Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b$(id)"}}`),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=a --action=lambda:InvokeFunction --principal=s3.amazonaws.com --source-arn='arn:aws:s3:::b$(id)' --source-account=111122223333`},
		{"an account and an organization", orders, allow(`"Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=a --action=lambda:InvokeFunction --principal=arn:aws:iam::444455556666:root --principal-org-id=o-a1b2c3d4e5`},
		{"a token", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"lambda:EventSourceToken":"amzn1.ask.skill-1"}}`),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=a --action=lambda:InvokeFunction --principal='*' --event-source-token=amzn1.ask.skill-1`},
		{"the longest Sid", orders, strings.Replace(public("a"), `"Sid":"a"`, `"Sid":"`+strings.Repeat("a", 100)+`"`, 1),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=` + strings.Repeat("a", 100) + ` --action=lambda:InvokeFunction --principal='*'`},
		{"a Sid that is longer", orders, strings.Replace(public("a"), `"Sid":"a"`, `"Sid":"`+strings.Repeat("a", 101)+`"`, 1), ""},
		{"a Sid that looks like an option", orders, strings.Replace(public("a"), `"Sid":"a"`, `"Sid":"--debug"`, 1),
			`aws lambda add-permission --region=eu-central-1 --function-name=orders --statement-id=--debug --action=lambda:InvokeFunction --principal='*'`},

		{"a star among the AWS principals", orders, allow(`"Principal":{"AWS":"*"},"Action":"lambda:InvokeFunction"`), ""},
		{"two principals", orders, allow(`"Principal":{"AWS":["arn:aws:iam::444455556666:root","arn:aws:iam::777788889999:root"]},"Action":"lambda:InvokeFunction"`), ""},
		{"an account by its number", orders, allow(`"Principal":{"AWS":"444455556666"},"Action":"lambda:InvokeFunction"`), ""},
		{"a principal with a space in it", orders, allow(`"Principal":{"AWS":"arn:aws:iam::444455556666:role/a b"},"Action":"lambda:InvokeFunction"`), ""},
		{"two services", orders, allow(`"Principal":{"Service":["s3.amazonaws.com","sns.amazonaws.com"]},"Action":"lambda:InvokeFunction"`), ""},
		{"NotPrincipal", orders, allow(`"NotPrincipal":"*","Action":"lambda:InvokeFunction"`), ""},
		{"two actions", orders, allow(`"Principal":"*","Action":["lambda:InvokeFunction","lambda:GetFunction"]`), ""},
		{"one action in a list", orders, allow(`"Principal":"*","Action":["lambda:InvokeFunction"]`), ""},
		{"a pattern of actions", orders, allow(`"Principal":"*","Action":"lambda:Invoke*"`), ""},
		{"an action of another service", orders, allow(`"Principal":"*","Action":"s3:GetObject"`), ""},
		{"NotAction", orders, allow(`"Principal":"*","NotAction":"lambda:InvokeFunction"`), ""},
		{"a Deny", orders, `{"Sid":"a","Effect":"Deny","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + orders.ARN() + `"}`, ""},
		{"another resource", orders, `{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`, ""},
		{"no resource", orders, `{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction"}`, ""},
		{"a condition of which the documentation does not say that an argument makes it", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"false"}}`), ""},
		{"another condition", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringLike":{"aws:UserAgent":"*"}}`), ""},
		{"a known condition with another one", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringLike":{"aws:UserAgent":"*"},"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}`), ""},
		{"a condition in other letters", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"bool":{"lambda:InvokedViaFunctionUrl":"true"}}`), ""},
		{"a condition with a boolean", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":true}}`), ""},
		{"a condition with two values", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"AWS:SourceAccount":["111122223333","444455556666"]}}`), ""},
		{"a source that is no ARN", orders, allow(`"Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Condition":{"ArnLike":{"AWS:SourceArn":"*"}}`), ""},
		{"an account that is no number", orders, allow(`"Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"AWS:SourceAccount":"1111*"}}`), ""},
		{"an organization without a prefix", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"aws:PrincipalOrgID":"a1b2c3d4e5"}}`), ""},
		{"an organization that is a prefix", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-"}}`), ""},
		{"more than true", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"trueish"}}`), ""},
		{"an auth type that Lambda does not take with this action", orders, allow(`"Principal":"*","Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}`), ""},
		{"no Sid", orders, `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + orders.ARN() + `"}`, ""},
		{"a Sid with a dot", orders, strings.Replace(public("a"), `"Sid":"a"`, `"Sid":"a.b"`, 1), ""},
		{"a Sid with a newline", orders, strings.Replace(public("a"), `"Sid":"a"`, `"Sid":"a\nrm -rf /"`, 1), ""},
		{"a Sid that ends a quotation", orders, strings.Replace(public("a"), `"Sid":"a"`, `"Sid":"'; rm -rf / #"`, 1), ""},
		{"a Sid with everything a shell knows", orders, strings.Replace(public("a"), `"Sid":"a"`, `"Sid":"$(id) `+"`id`"+` \"&|<>*?[]~!{}\\\\ \u001b[2J"`, 1), ""},
		{"a Sid that turns the writing round", orders, strings.Replace(public("a"), `"Sid":"a"`, "\"Sid\":\"\u202eevil\x7f\u0085\u2028\U000e0001é\"", 1), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := iampolicy.ParseStatement(tt.statement)
			if err != nil {
				t.Fatal(err)
			}
			before := "\n{\"Version\":\"2012-10-17\",\n\t\"Statement\":[" + tt.statement + "]}"
			got := guard.RestoreCommand(tt.resource, d.Statements[0], before)
			if tt.want != "" && got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("unprintable at %d of %q", i, got)
			}
			args := words(t, got)
			if tt.want != "" {
				return
			}
			want := []string{"lambda", "put-resource-policy", "--region=eu-central-1", "--resource-arn=" + tt.resource.ARN()}
			if len(args) != 5 || !slices.Equal(args[:4], want) {
				t.Fatalf("the shell makes %q of it", args)
			}
			policy := strings.TrimPrefix(args[4], "--policy=")
			if a, b := canonical(t, policy), canonical(t, before); a != b {
				t.Errorf("the policy has become\n%s, was\n%s", a, b)
			}
		})
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
