package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/lambdatest"
)

const arn = "arn:aws:lambda:eu-west-1:111122223333:function:"

// client is the real SDK's, which sends every call once, by way of transport.
func client(url string, transport http.RoundTripper) *lambda.Client {
	return lambda.NewFromConfig(awstest.Config("eu-west-1", transport), func(o *lambda.Options) {
		o.BaseEndpoint, o.Retryer = &url, aws.NopRetryer{}
	})
}

func newAccount() (*lambdatest.Account, *lambda.Client) {
	a := lambdatest.New("aws", "eu-west-1", "111122223333")
	return a, client("https://lambda.invalid", a)
}

func TestAddPermissionWritesStatementsAsLambdaDoes(t *testing.T) {
	tests := []struct {
		name string
		in   lambda.AddPermissionInput
		want string
	}{
		{
			"anybody",
			lambda.AddPermissionInput{Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunction")},
			`{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + arn + `fn"}`,
		},
		{
			"an account",
			lambda.AddPermissionInput{Principal: aws.String("444455556666"), Action: aws.String("lambda:GetFunction")},
			`{"Sid":"s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"lambda:GetFunction","Resource":"` + arn + `fn"}`,
		},
		{
			"a role, on an alias",
			lambda.AddPermissionInput{Principal: aws.String("arn:aws:iam::444455556666:role/path/r+=,.@_-"), Action: aws.String("*"), Qualifier: aws.String("live")},
			`{"Sid":"s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/path/r+=,.@_-"},"Action":"*","Resource":"` + arn + `fn:live"}`,
		},
		{
			"a service, for a bucket of an account",
			lambda.AddPermissionInput{Principal: aws.String("s3.amazonaws.com"), Action: aws.String("lambda:InvokeFunction"), SourceArn: aws.String("arn:aws:s3:::a&b"), SourceAccount: aws.String("444455556666")},
			`{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn + `fn","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::a&b"},"StringEquals":{"AWS:SourceAccount":"444455556666"}}}`,
		},
		{
			"an organization",
			lambda.AddPermissionInput{Principal: aws.String("*"), Action: aws.String("lambda:*"), PrincipalOrgID: aws.String("o-abcdefghij")},
			`{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:*","Resource":"` + arn + `fn","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abcdefghij"}}}`,
		},
		{
			"a function URL",
			lambda.AddPermissionInput{Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone},
			`{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + arn + `fn","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`,
		},
		{
			"only by a function URL",
			lambda.AddPermissionInput{Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunction"), InvokedViaFunctionUrl: aws.Bool(true)},
			`{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + arn + `fn","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`,
		},
		{
			"not by a function URL",
			lambda.AddPermissionInput{Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunction"), InvokedViaFunctionUrl: aws.Bool(false)},
			`{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + arn + `fn"}`,
		},
		{
			"an Alexa skill",
			lambda.AddPermissionInput{Principal: aws.String("alexa-appkit.amazon.com"), Action: aws.String("lambda:InvokeFunction"), EventSourceToken: aws.String("amzn1.ask.skill.1")},
			`{"Sid":"s","Effect":"Allow","Principal":{"Service":"alexa-appkit.amazon.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn + `fn","Condition":{"StringEquals":{"lambda:EventSourceToken":"amzn1.ask.skill.1"}}}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, c := newAccount()
			a.Seed("fn:live", "")
			test.in.FunctionName, test.in.StatementId = aws.String("fn"), aws.String("s")
			out, err := c.AddPermission(t.Context(), &test.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, aws.ToString(out.Statement)); diff != "" {
				t.Errorf("answered statement (-want +got):\n%s", diff)
			}
			live := map[string]string{arn + strings.Trim("fn:"+aws.ToString(test.in.Qualifier), ":"): `{"Version":"2012-10-17","Id":"default","Statement":[` + test.want + `]}`}
			if diff := cmp.Diff(live, a.Policies()); diff != "" {
				t.Errorf("policies of the account (-want +got):\n%s", diff)
			}
		})
	}
}

// A world of one function with a version, two aliases, and policies here and
// there.
func seeded() (*lambdatest.Account, *lambda.Client) {
	a, c := newAccount()
	a.Seed("fn", policyOf(one, two))
	a.Seed("fn:live", policyOf(one))
	a.Seed("fn:7", policyOf(two))
	a.Seed("fn:bare", "")
	a.Seed("odd", "not a policy")
	a.SetURL("fn:live", "NONE")
	return a, c
}

const (
	one = `{"Sid":"one","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
	two = `{ "Effect" : "Allow","Sid":"two" ,"Principal":{"AWS":["*"]},"Action":"lambda:*","Resource":"*"}`
)

func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestErrors(t *testing.T) {
	ctx := context.Background()
	add := func(change func(*lambda.AddPermissionInput)) func(*lambda.Client) error {
		return func(c *lambda.Client) error {
			in := lambda.AddPermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("new"), Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunction")}
			change(&in)
			_, err := c.AddPermission(ctx, &in)
			return err
		}
	}
	remove := func(function, sid, revision string) func(*lambda.Client) error {
		return func(c *lambda.Client) error {
			in := lambda.RemovePermissionInput{FunctionName: &function, StatementId: &sid}
			if revision != "" {
				in.RevisionId = &revision
			}
			_, err := c.RemovePermission(ctx, &in)
			return err
		}
	}
	get := func(function, qualifier string) func(*lambda.Client) error {
		return func(c *lambda.Client) error {
			in := lambda.GetPolicyInput{FunctionName: &function}
			if qualifier != "" {
				in.Qualifier = &qualifier
			}
			_, err := c.GetPolicy(ctx, &in)
			return err
		}
	}
	put := func(resource, policy, revision string) func(*lambda.Client) error {
		return func(c *lambda.Client) error {
			_, err := c.PutResourcePolicy(ctx, &lambda.PutResourcePolicyInput{ResourceArn: &resource, Policy: &policy, RevisionId: &revision})
			return err
		}
	}
	drop := func(resource, revision string) func(*lambda.Client) error {
		return func(c *lambda.Client) error {
			_, err := c.DeleteResourcePolicy(ctx, &lambda.DeleteResourcePolicyInput{ResourceArn: &resource, RevisionId: &revision})
			return err
		}
	}
	long := `{"Statement":{"Sid":"` + strings.Repeat("x", 20480) + `"}}`

	tests := []struct {
		name    string
		call    func(*lambda.Client) error
		status  int
		code    string
		message string
	}{
		{"reading a missing function", get("nobody", ""), 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		{"reading where there is no policy", get("fn", "bare"), 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		{"reading a missing alias", get("fn", "nobody"), 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		{"reading $LATEST", get("fn", "$LATEST"), 400, "InvalidParameterValueException", "We currently do not support adding policies for $LATEST."},
		{"reading with two qualifiers", get("fn:live", "bare"), 400, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier."},
		{"reading in another region", get("arn:aws:lambda:us-east-1:111122223333:function:fn", ""), 404, "ResourceNotFoundException", "not reachable"},
		{"reading in another account", get("444455556666:function:fn", ""), 404, "ResourceNotFoundException", "not reachable"},
		{"reading what is no name", get("f n", ""), 400, "ValidationException", "functionName"},

		{"adding to a missing function", add(func(in *lambda.AddPermissionInput) { in.FunctionName = aws.String("nobody") }), 404, "ResourceNotFoundException", "Function not found: " + arn + "nobody"},
		{"adding to a missing alias", add(func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("nobody") }), 404, "ResourceNotFoundException", "Cannot find alias arn: " + arn + "fn:nobody"},
		{"adding to a missing version", add(func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("8") }), 404, "ResourceNotFoundException", "Function not found: " + arn + "fn:8"},
		{"adding to $LATEST", add(func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("$LATEST") }), 400, "InvalidParameterValueException", "We currently do not support adding policies for $LATEST."},
		{"adding a Sid twice", add(func(in *lambda.AddPermissionInput) { in.StatementId = aws.String("two") }), 409, "ResourceConflictException", "The statement id (two) provided already exists."},
		{"adding a Sid with a dot", add(func(in *lambda.AddPermissionInput) { in.StatementId = aws.String("a.b") }), 400, "ValidationException", "statementId"},
		{"adding with a stale revision", add(func(in *lambda.AddPermissionInput) { in.RevisionId = aws.String("old") }), 412, "PreconditionFailedException", "does not match"},
		{"adding a principal that is none", add(func(in *lambda.AddPermissionInput) { in.Principal = aws.String("somebody") }), 400, "InvalidParameterValueException", "The provided principal was invalid."},
		{"adding an action of another service", add(func(in *lambda.AddPermissionInput) { in.Action = aws.String("s3:GetObject") }), 400, "ValidationException", "action"},
		{"adding an account of eleven digits", add(func(in *lambda.AddPermissionInput) { in.SourceAccount = aws.String("44445555666") }), 400, "ValidationException", "sourceAccount"},
		{"adding a URL's condition to direct calls", add(func(in *lambda.AddPermissionInput) { in.FunctionUrlAuthType = types.FunctionUrlAuthTypeNone }), 400, "InvalidParameterValueException", "FunctionUrlAuthType"},

		{"removing from a missing function", remove("nobody", "one", ""), 404, "ResourceNotFoundException", "No policy found for: " + arn + "nobody"},
		{"removing from a missing alias", remove("fn:nobody", "one", ""), 404, "ResourceNotFoundException", "Cannot find alias arn: " + arn + "fn:nobody"},
		{"removing where there is no policy", remove("fn:bare", "one", ""), 404, "ResourceNotFoundException", "No policy is associated with the given resource."},
		{"removing a Sid that is not there", remove("fn", "three", ""), 404, "ResourceNotFoundException", "Statement three is not found in resource policy."},
		{"removing with a stale revision", remove("fn", "one", "old"), 412, "PreconditionFailedException", "does not match"},
		{"removing from $LATEST", remove("fn:$LATEST", "one", ""), 400, "InvalidParameterValueException", "We currently do not support adding policies for $LATEST."},
		{"removing a Sid with a space", remove("fn", "a b", ""), 400, "ValidationException", "statementId"},

		{"putting with a stale revision", put(arn+"fn", policyOf(one), "old"), 412, "PreconditionFailedException", "does not match"},
		{"putting by a name", put("fn", policyOf(one), ""), 400, "ValidationException", "resourceArn"},
		{"putting what is not JSON", put(arn+"fn", `{"Statement":[`, ""), 400, "InvalidParameterValueException", "malformed"},
		{"putting a list", put(arn+"fn", `[`+one+`]`, ""), 400, "InvalidParameterValueException", "malformed"},
		{"putting no statement", put(arn+"fn", `{"Statement":[]}`, ""), 400, "InvalidParameterValueException", "malformed"},
		{"putting too much", put(arn+"fn", long, ""), 400, "PolicyLengthExceededException", "20480"},
		{"putting to a missing alias", put(arn+"fn:nobody", policyOf(one), ""), 404, "ResourceNotFoundException", "Cannot find alias arn"},
		{"deleting with a stale revision", drop(arn+"fn", "old"), 412, "PreconditionFailedException", "does not match"},
		{"deleting where there is no policy", drop(arn+"fn:bare", ""), 404, "ResourceNotFoundException", "No policy is associated"},
		{"deleting on a missing function", drop(arn+"nobody", ""), 404, "ResourceNotFoundException", "Function not found: " + arn + "nobody"},

		{"adding to what cannot be read", add(func(in *lambda.AddPermissionInput) { in.FunctionName = aws.String("odd") }), 500, "ServiceException", "not JSON"},
		{"removing from what cannot be read", remove("odd", "one", ""), 500, "ServiceException", "not JSON"},

		{"creating a function twice", func(c *lambda.Client) error {
			_, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: aws.String("fn"), Role: aws.String("r"), Code: &types.FunctionCode{}})
			return err
		}, 409, "ResourceConflictException", "fn"},
		{"creating an alias twice", func(c *lambda.Client) error {
			_, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("fn"), Name: aws.String("live"), FunctionVersion: aws.String("7")})
			return err
		}, 409, "ResourceConflictException", arn + "fn:live"},
		{"creating an alias of a missing version", func(c *lambda.Client) error {
			_, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("fn"), Name: aws.String("new"), FunctionVersion: aws.String("8")})
			return err
		}, 404, "ResourceNotFoundException", arn + "fn:8"},
		{"creating an alias like a version", func(c *lambda.Client) error {
			_, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("fn"), Name: aws.String("8"), FunctionVersion: aws.String("7")})
			return err
		}, 400, "ValidationException", "name"},
		{"publishing a missing function", func(c *lambda.Client) error {
			_, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("nobody")})
			return err
		}, 404, "ResourceNotFoundException", arn + "nobody"},
		{"updating a missing function", func(c *lambda.Client) error {
			_, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("nobody")})
			return err
		}, 404, "ResourceNotFoundException", arn + "nobody"},
		{"updating at a stale revision", func(c *lambda.Client) error {
			_, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("fn"), RevisionId: aws.String("old")})
			return err
		}, 412, "PreconditionFailedException", "does not match"},
		{"deleting a missing function", func(c *lambda.Client) error {
			_, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("nobody")})
			return err
		}, 404, "ResourceNotFoundException", arn + "nobody"},
		{"listing the versions of a missing function", func(c *lambda.Client) error {
			_, err := c.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: aws.String("nobody")})
			return err
		}, 404, "ResourceNotFoundException", arn + "nobody"},
		{"listing the aliases of a missing function", func(c *lambda.Client) error {
			_, err := c.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: aws.String("nobody")})
			return err
		}, 404, "ResourceNotFoundException", arn + "nobody"},
		{"listing from a marker that is none", func(c *lambda.Client) error {
			_, err := c.ListFunctions(ctx, &lambda.ListFunctionsInput{Marker: aws.String("fn")})
			return err
		}, 400, "InvalidParameterValueException", "token"},

		{"creating a URL twice", func(c *lambda.Client) error {
			_, err := c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("fn:live"), AuthType: types.FunctionUrlAuthTypeNone})
			return err
		}, 409, "ResourceConflictException", arn + "fn:live"},
		{"creating a URL of a version", func(c *lambda.Client) error {
			_, err := c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("fn"), Qualifier: aws.String("7"), AuthType: types.FunctionUrlAuthTypeNone})
			return err
		}, 400, "ValidationException", "qualifier"},
		{"reading a URL of a missing function", func(c *lambda.Client) error {
			_, err := c.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: aws.String("nobody")})
			return err
		}, 404, "ResourceNotFoundException", ""},
		{"reading a URL that is not there", func(c *lambda.Client) error {
			_, err := c.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: aws.String("fn")})
			return err
		}, 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		{"updating a URL that is not there", func(c *lambda.Client) error {
			_, err := c.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: aws.String("fn")})
			return err
		}, 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		{"deleting a URL that is not there", func(c *lambda.Client) error {
			_, err := c.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: aws.String("fn")})
			return err
		}, 404, "ResourceNotFoundException", "The resource you requested does not exist."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, c := seeded()
			before := a.Policies()
			err := test.call(c)
			var api smithy.APIError
			var resp *smithyhttp.ResponseError
			if !errors.As(err, &api) || !errors.As(err, &resp) {
				t.Fatalf("got %v, want an error of the API", err)
			}
			if resp.HTTPStatusCode() != test.status || api.ErrorCode() != test.code || !strings.Contains(api.ErrorMessage(), test.message) {
				t.Errorf("got %d %s %q, want %d %s %q", resp.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), test.status, test.code, test.message)
			}
			if diff := cmp.Diff(before, a.Policies()); diff != "" {
				t.Errorf("a refused call changed the account:\n%s", diff)
			}
		})
	}
}

func TestErrorsAreOfTheTypesThatTheSDKModels(t *testing.T) {
	_, c := seeded()
	_, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("one"), RevisionId: aws.String("old")})
	if _, ok := errors.AsType[*types.PreconditionFailedException](err); !ok {
		t.Errorf("got %T %[1]v", err)
	}
}

func TestEveryFormOfANameReachesTheSamePolicy(t *testing.T) {
	a, c := seeded()
	for _, name := range []string{"fn:live", "111122223333:function:fn:live", arn + "fn:live"} {
		out, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: &name})
		if err != nil || *out.Policy != policyOf(one) || *out.RevisionId != a.Revision("fn:live") {
			t.Errorf("%s: got %+v, %v", name, out, err)
		}
		out, err = c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String(strings.TrimSuffix(name, ":live")), Qualifier: aws.String("live")})
		if err != nil || *out.Policy != policyOf(one) {
			t.Errorf("%s with a qualifier: got %+v, %v", name, out, err)
		}
	}
	if got, err := c.GetResourcePolicy(t.Context(), &lambda.GetResourcePolicyInput{ResourceArn: aws.String(arn + "fn:live")}); err != nil || *got.Policy != policyOf(one) {
		t.Errorf("GetResourcePolicy: got %+v, %v", got, err)
	}
}

func TestAFunctionCalledFunctionIsFound(t *testing.T) {
	a, _ := newAccount()
	a.Seed("my-function:live", policyOf(one))
	if diff := cmp.Diff(map[string]string{arn + "my-function:live": policyOf(one)}, a.Policies()); diff != "" {
		t.Error(diff)
	}
}

func TestEditsLeaveTheBytesOfTheNeighbours(t *testing.T) {
	a, c := newAccount()
	odd := `{ "Statement" : [ ` + two + ` ,` + "\n" + one + `], "Version":"2012-10-17" }`
	a.Seed("fn", "")
	put := func(policy string) {
		t.Helper()
		out, err := c.PutResourcePolicy(t.Context(), &lambda.PutResourcePolicyInput{ResourceArn: aws.String(arn + "fn"), Policy: &policy})
		if err != nil || *out.Policy != policy || a.Policy("fn") != policy || *out.RevisionId != a.Revision("fn") {
			t.Fatalf("got %+v, %v", out, err)
		}
	}

	put(odd)
	added, err := c.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("three"), Principal: aws.String("*"), Action: aws.String("*")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.Policy("fn"), `{ "Statement" : [`+two+`,`+one+`,`+*added.Statement+`], "Version":"2012-10-17" }`; got != want {
		t.Errorf("after AddPermission:\n got %s\nwant %s", got, want)
	}
	if _, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("one")}); err != nil {
		t.Fatal(err)
	}
	if got, want := a.Policy("fn"), `{ "Statement" : [`+two+`,`+*added.Statement+`], "Version":"2012-10-17" }`; got != want {
		t.Errorf("after RemovePermission:\n got %s\nwant %s", got, want)
	}

	put(`{"Statement":` + one + `}`) // one statement need not be in a list
	if _, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("one")}); err != nil {
		t.Fatal(err)
	}
	if got := a.Policies(); len(got) != 0 {
		t.Errorf("the policy outlived its last statement: %v", got)
	}
}

func TestAPolicyHasNoMoreThan20480Characters(t *testing.T) {
	a, c := newAccount()
	add := func() error {
		_, err := c.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("new"), Principal: aws.String("*"), Action: aws.String("*")})
		return err
	}
	a.Seed("fn", policyOf(one))
	if err := add(); err != nil {
		t.Fatal(err)
	}
	room := 20480 - len(a.Policy("fn"))
	for over, sid := range []string{strings.Repeat("ü", len("one")+room), strings.Repeat("ü", len("one")+room+1)} {
		before := policyOf(strings.Replace(one, "one", sid, 1))
		a.Seed("fn", before)
		err := add()
		_, refused := errors.AsType[*types.PolicyLengthExceededException](err)
		if refused != (over == 1) || refused != (a.Policy("fn") == before) {
			t.Errorf("%d characters too many: got %v", over, err)
		}
	}
}

func TestTheRevisionIsThatOfTheResource(t *testing.T) {
	a, c := seeded()
	seen := map[string]bool{}
	moved := func(what string, of string, change func() error) {
		t.Helper()
		others := map[string]string{}
		for _, name := range []string{"fn", "fn:live", "fn:7"} {
			others[name] = a.Revision(name)
		}
		seen[a.Revision(of)] = true
		if err := change(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if seen[a.Revision(of)] {
			t.Errorf("%s did not move the revision", what)
		}
		delete(others, of)
		for name, want := range others {
			if a.Revision(name) != want {
				t.Errorf("%s of %s moved the revision of %s", what, of, name)
			}
		}
	}
	ctx := t.Context()
	moved("AddPermission", "fn", func() error {
		_, err := c.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("x"), Principal: aws.String("*"), Action: aws.String("*")})
		return err
	})
	moved("RemovePermission", "fn:live", func() error {
		_, err := c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: aws.String("fn:live"), StatementId: aws.String("one"), RevisionId: aws.String(a.Revision("fn:live"))})
		return err
	})
	moved("DeleteResourcePolicy", "fn:7", func() error {
		_, err := c.DeleteResourcePolicy(ctx, &lambda.DeleteResourcePolicyInput{ResourceArn: aws.String(arn + "fn:7"), RevisionId: aws.String(a.Revision("fn:7"))})
		return err
	})
	moved("UpdateFunctionConfiguration", "fn", func() error {
		out, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("fn")})
		if err == nil && *out.RevisionId != a.Revision("fn") {
			return fmt.Errorf("answered revision %s, have %s", *out.RevisionId, a.Revision("fn"))
		}
		return err
	})
	moved("Touch", "fn:live", func() error { a.Touch("fn:live"); return nil })
}

func TestFunctionsVersionsAndAliasesAreListedInPages(t *testing.T) {
	a, c := newAccount()
	ctx := t.Context()
	var names []string
	for i := range 120 {
		name := fmt.Sprintf("fn-%03d", i)
		names = append(names, name)
		if _, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: &name, Role: aws.String("arn:aws:iam::111122223333:role/r"), Code: &types.FunctionCode{ZipFile: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		if _, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("fn-000")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"live", "beta"} {
		if _, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("fn-000"), Name: &name, FunctionVersion: aws.String("12")}); err != nil {
			t.Fatal(err)
		}
	}
	a.Forget()

	var functions []string
	for pages := lambda.NewListFunctionsPaginator(c, &lambda.ListFunctionsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Functions {
			functions = append(functions, *f.FunctionName)
		}
	}
	if diff := cmp.Diff(names, functions); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
	if calls := a.Calls(); len(calls) != 3 {
		t.Errorf("120 functions came in %d pages, want 3", len(calls))
	}
	if out, err := c.ListFunctions(ctx, &lambda.ListFunctionsInput{MaxItems: aws.Int32(100)}); err != nil || len(out.Functions) != 50 {
		t.Errorf("a page of 100: got %d, %v, want 50, the most there is", len(out.Functions), err)
	}
	if out, err := c.ListFunctions(ctx, &lambda.ListFunctionsInput{FunctionVersion: types.FunctionVersionAll, MaxItems: aws.Int32(3)}); err != nil || *out.Functions[2].FunctionArn != arn+"fn-000:2" || *out.Functions[2].Version != "2" {
		t.Errorf("all versions: got %+v, %v", out, err)
	}

	var versions []string
	for pages := lambda.NewListVersionsByFunctionPaginator(c, &lambda.ListVersionsByFunctionInput{FunctionName: aws.String("fn-000"), MaxItems: aws.Int32(5)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			versions = append(versions, *v.Version)
		}
	}
	if diff := cmp.Diff([]string{"$LATEST", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}, versions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}

	aliases, err := c.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: aws.String("fn-000")})
	if err != nil || len(aliases.Aliases) != 2 || *aliases.Aliases[1].AliasArn != arn+"fn-000:live" || *aliases.Aliases[1].FunctionVersion != "12" {
		t.Errorf("aliases: got %+v, %v", aliases, err)
	}

	if _, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("fn-000")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("fn-000"), Qualifier: aws.String("live")}); err == nil {
		t.Error("an alias outlived its function")
	}
}

func TestAMarkerOutlivesWhatIsDeletedElsewhere(t *testing.T) {
	ctx := t.Context()
	tests := []struct {
		name   string
		change func(*lambdatest.Account, *lambda.Client)
		want   string // the page after fn-1; "" if the marker is refused
	}{
		{"nothing", func(*lambdatest.Account, *lambda.Client) {}, "fn-2 fn-3"},
		{"a function before it", func(_ *lambdatest.Account, c *lambda.Client) {
			c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("fn-0")})
		}, "fn-2 fn-3"},
		{"a function after it", func(_ *lambdatest.Account, c *lambda.Client) {
			c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("fn-2")})
		}, "fn-3"},
		{"the function that it names", func(_ *lambdatest.Account, c *lambda.Client) {
			c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("fn-1")})
		}, ""},
		{"all markers", func(a *lambdatest.Account, _ *lambda.Client) { a.ExpireMarkers() }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, c := newAccount()
			for i := range 4 {
				a.Seed(fmt.Sprintf("fn-%d", 3-i), "")
			}
			first, err := c.ListFunctions(ctx, &lambda.ListFunctionsInput{MaxItems: aws.Int32(2)})
			if err != nil {
				t.Fatal(err)
			}
			tt.change(a, c)
			second, err := c.ListFunctions(ctx, &lambda.ListFunctionsInput{Marker: first.NextMarker})
			if (err != nil) != (tt.want == "") {
				t.Fatal(err)
			}
			var names []string
			if err == nil {
				for _, f := range second.Functions {
					names = append(names, *f.FunctionName)
				}
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("the second page is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCallsCanBeCountedOnly(t *testing.T) {
	a, c := seeded()
	a.CountOnly = true
	for range 3 {
		c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("fn")})
	}
	c.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	if diff := cmp.Diff(map[string]int{"GetPolicy": 3, "ListFunctions": 1}, a.Counts()); diff != "" || len(a.Calls()) != 0 {
		t.Errorf("%d calls kept; counts (-want +got):\n%s", len(a.Calls()), diff)
	}
	if a.Forget(); len(a.Counts()) != 0 {
		t.Errorf("counts after Forget: %v", a.Counts())
	}
}

func TestFunctionURLs(t *testing.T) {
	a, c := seeded()
	ctx := t.Context()
	authType := func(name, qualifier string) string {
		in := lambda.GetFunctionUrlConfigInput{FunctionName: &name}
		if qualifier != "" {
			in.Qualifier = &qualifier
		}
		out, err := c.GetFunctionUrlConfig(ctx, &in)
		if err != nil {
			return ""
		}
		return string(out.AuthType)
	}
	if got := authType("fn", "live"); got != "NONE" {
		t.Errorf("auth type of a seeded URL is %q, want NONE", got)
	}
	if got := authType("fn", ""); got != "" {
		t.Errorf("the function has the URL of its alias: %q", got)
	}
	if _, err := c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("fn"), AuthType: types.FunctionUrlAuthTypeAwsIam}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: aws.String("fn"), AuthType: types.FunctionUrlAuthTypeNone}); err != nil {
		t.Fatal(err)
	}
	if got := authType("fn", ""); got != "NONE" {
		t.Errorf("auth type after the update is %q, want NONE", got)
	}
	before := a.Policies()
	if _, err := c.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: aws.String("fn")}); err != nil {
		t.Fatal(err)
	}
	if got := authType("fn", ""); got != "" {
		t.Errorf("auth type after deletion is %q", got)
	}
	if diff := cmp.Diff(before, a.Policies()); diff != "" {
		t.Errorf("deleting a URL changed policies:\n%s", diff)
	}
}

// Every kind of fault, with what the caller sees and whether the removal that it
// met took place.
func TestFaults(t *testing.T) {
	tests := []struct {
		name    string
		fault   lambdatest.Fault
		status  int // 0: no answer
		code    string
		applied bool
	}{
		{"throttled", lambdatest.Fault{Kind: lambdatest.Throttle}, 429, "TooManyRequestsException", false},
		{"server error, not applied", lambdatest.Fault{Kind: lambdatest.ServerError}, 500, "ServiceException", false},
		{"server error, applied", lambdatest.Fault{Kind: lambdatest.ServerError, Applied: true}, 500, "ServiceException", true},
		{"dropped before", lambdatest.Fault{Kind: lambdatest.Drop}, 0, "", false},
		{"dropped after", lambdatest.Fault{Kind: lambdatest.Drop, Applied: true}, 0, "", true},
		{"garbled, not applied", lambdatest.Fault{Kind: lambdatest.Garble}, 502, "", false},
		{"garbled, applied", lambdatest.Fault{Kind: lambdatest.Garble, Applied: true}, 502, "", true},
		{"another update under way", lambdatest.Fault{Kind: lambdatest.Conflict}, 409, "ResourceConflictException", false},
		{"access denied", lambdatest.Fault{Kind: lambdatest.AccessDenied}, 403, "AccessDeniedException", false},
		{"public policy", lambdatest.Fault{Kind: lambdatest.PublicPolicy}, 400, "PublicPolicyException", false},
		{"no fault", lambdatest.Fault{}, 204, "", true},
	}
	for _, overHTTP := range []bool{false, true} {
		for _, test := range tests {
			t.Run(fmt.Sprintf("%s/http=%t", test.name, overHTTP), func(t *testing.T) {
				a, c := seeded()
				if overHTTP {
					url, stop, err := a.Start()
					if err != nil {
						t.Fatal(err)
					}
					defer stop()
					c = client(url, &http.Transport{DisableKeepAlives: true})
				}
				before := a.Policies()
				a.Order(test.fault)
				remove := func() error {
					_, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("one")})
					return err
				}
				err := remove()
				if (err == nil) != (test.status == 204) {
					t.Errorf("got error %v", err)
				}
				if api, _ := errors.AsType[smithy.APIError](err); test.code != "" && (api == nil || api.ErrorCode() != test.code) {
					t.Errorf("got %v, want %s", err, test.code)
				}
				if test.applied {
					before[arn+"fn"] = policyOf(two)
				}
				if diff := cmp.Diff(before, a.Policies()); diff != "" {
					t.Errorf("account (-want +got):\n%s", diff)
				}
				if calls := a.Calls(); len(calls) != 1 || calls[0].Status != test.status {
					t.Errorf("calls: %+v, want one with status %d", calls, test.status)
				}
				if a.Pending() != 0 {
					t.Error("the fault was not used up")
				}
				if err := remove(); test.applied != (err != nil) {
					t.Errorf("the call after the fault: %v", err)
				}
			})
		}
	}
}

func TestAHungCallEndsWithItsCaller(t *testing.T) {
	for _, applied := range []bool{false, true} {
		a, c := seeded()
		ctx, cancel := context.WithCancel(t.Context())
		a.Order(lambdatest.Fault{Kind: lambdatest.Hang, Applied: applied, Do: cancel})
		_, err := c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("one")})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("applied=%t: got %v, want canceled", applied, err)
		}
		if got := a.Policy("fn") == policyOf(two); got != applied {
			t.Errorf("applied=%t, but the policy is %s", applied, a.Policy("fn"))
		}
	}
}

func TestACallWithoutAConnectionFailsWithItsContext(t *testing.T) {
	a, _ := newAccount()
	for _, kind := range []lambdatest.Kind{lambdatest.Hang, lambdatest.NoFault} {
		ctx, cancel := context.WithCancel(t.Context())
		if kind == lambdatest.NoFault {
			cancel() // before the call
		}
		a.Forget()
		a.Order(lambdatest.Fault{Kind: lambdatest.Hang, Do: cancel})
		req, err := http.NewRequestWithContext(ctx, "GET", "https://lambda.invalid/2015-03-31/functions", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.RoundTrip(req); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		if kind == lambdatest.NoFault && len(a.Calls()) != 0 {
			t.Error("a call of a context that had ended was made")
		}
	}
}

func TestFaultsMeetTheCallsTheyWereOrderedFor(t *testing.T) {
	a, c := seeded()
	a.Order(
		lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.Throttle, After: 1, Times: 2},
		lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.AccessDenied},
	)
	for range 4 {
		c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("fn")})
	}
	var got []int
	for _, call := range a.Calls() {
		got = append(got, call.Status)
	}
	if diff := cmp.Diff([]int{200, 429, 429, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if a.Pending() != 1 {
		t.Errorf("%d faults pending, want that of RemovePermission", a.Pending())
	}
}

func TestChaosIsAskedForCallsWithoutAnOrder(t *testing.T) {
	a, c := seeded()
	var asked []string
	a.Chaos = func(call lambdatest.Call) lambdatest.Fault {
		asked = append(asked, call.Operation+" "+call.Resource+" "+a.Policy("fn:7")) // must not deadlock
		return lambdatest.Fault{Kind: lambdatest.AccessDenied}
	}
	a.Order(lambdatest.Fault{Kind: lambdatest.Throttle})
	var statuses []int
	for range 2 {
		c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("fn")})
	}
	for _, call := range a.Calls() {
		statuses = append(statuses, call.Status)
	}
	if !slices.Equal(statuses, []int{429, 403}) || !slices.Equal(asked, []string{"GetPolicy " + arn + "fn " + policyOf(two)}) {
		t.Errorf("statuses %v, asked for %q", statuses, asked)
	}
}

func TestAStaleReadAnswersAsBeforeTheLastChange(t *testing.T) {
	a, c := newAccount()
	a.Seed("fn", policyOf(one, two))
	old := a.Revision("fn")
	a.Seed("fn", policyOf(two))
	a.Order(lambdatest.Fault{Operation: "GetPolicy", Kind: lambdatest.Stale, Times: 2})
	for i, want := range []struct{ policy, revision string }{{policyOf(one, two), old}, {policyOf(one, two), old}, {policyOf(two), a.Revision("fn")}} {
		out, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("fn")})
		if err != nil || *out.Policy != want.policy || *out.RevisionId != want.revision {
			t.Errorf("read %d: got %+v, %v, want %v", i, out, err, want)
		}
		if a.Policy("fn") != policyOf(two) {
			t.Fatalf("a stale read changed the policy to %s", a.Policy("fn"))
		}
	}
}

func TestAConcurrentEditMakesTheRevisionStale(t *testing.T) {
	a, c := seeded()
	a.Order(lambdatest.Fault{Operation: "RemovePermission", Do: func() { a.Touch("fn") }})
	_, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("one"), RevisionId: aws.String(a.Revision("fn"))})
	if _, ok := errors.AsType[*types.PreconditionFailedException](err); !ok {
		t.Errorf("got %v, want a failed precondition", err)
	}
}

func TestALostParallelEdit(t *testing.T) {
	three := strings.ReplaceAll(one, `"one"`, `"three"`)
	a, c := newAccount()
	a.Seed("fn", policyOf(one, two, three))
	a.Order(lambdatest.Fault{Operation: "RemovePermission", Kind: lambdatest.LoseNeighbour, Times: 2})
	remove := func(sid, revision string) error {
		_, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: &sid, RevisionId: &revision})
		return err
	}
	if err := remove("one", "old"); err == nil || a.Policy("fn") != policyOf(one, two, three) {
		t.Errorf("a refused write lost a neighbour: %v, %s", err, a.Policy("fn"))
	}
	if err := remove("one", a.Revision("fn")); err != nil || a.Policy("fn") != policyOf(three) {
		t.Errorf("got %v, %s, want only the last statement", err, a.Policy("fn"))
	}

	// What the write itself brings in is no neighbour.
	a.Seed("fn", policyOf(one, two))
	a.Order(lambdatest.Fault{Kind: lambdatest.LoseNeighbour})
	if _, err := c.PutResourcePolicy(t.Context(), &lambda.PutResourcePolicyInput{ResourceArn: aws.String(arn + "fn"), Policy: aws.String(policyOf(three, two))}); err != nil || a.Policy("fn") != policyOf(three) {
		t.Errorf("got %v, %s, want only the new statement", err, a.Policy("fn"))
	}
	a.Seed("fn", "")
	a.Order(lambdatest.Fault{Kind: lambdatest.LoseNeighbour})
	if _, err := c.PutResourcePolicy(t.Context(), &lambda.PutResourcePolicyInput{ResourceArn: aws.String(arn + "fn"), Policy: aws.String(policyOf(one))}); err != nil || a.Policy("fn") != policyOf(one) {
		t.Errorf("got %v, %s, want all that was put", err, a.Policy("fn"))
	}
}

func TestThrottling(t *testing.T) {
	a, c := seeded()
	now := time.Unix(0, 0)
	a.PerSecond, a.Now = 15, func() time.Time { return now }
	through := func(call func() error) (n int) {
		for range 40 {
			if call() == nil {
				n++
			}
		}
		return n
	}
	read := func() error {
		_, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("fn")})
		return err
	}
	list := func() error { _, err := c.ListFunctions(t.Context(), &lambda.ListFunctionsInput{}); return err }

	if got := through(read); got != 15 {
		t.Errorf("%d reads went through at once, want 15", got)
	}
	if got := through(list); got != 15 {
		t.Errorf("%d other calls went through at once, want 15 of their own", got)
	}
	now = now.Add(200 * time.Millisecond)
	if got := through(read); got != 3 {
		t.Errorf("%d reads went through after 200 ms, want 3", got)
	}
	now = now.Add(time.Hour)
	if got := through(list); got != 15 {
		t.Errorf("%d calls went through after an hour, want a burst of 15", got)
	}
	var throttled *types.TooManyRequestsException
	if err := read(); err != nil {
		t.Fatal(err)
	}
	through(read)
	if err := read(); !errors.As(err, &throttled) || throttled.Reason != types.ThrottleReasonCallerRateLimitExceeded {
		t.Errorf("got %v, want a throttle with its reason", err)
	}
}

func TestDelaysAreWaitedByTheAccountsClock(t *testing.T) {
	a, c := seeded()
	var slept time.Duration
	a.Sleep = func(_ context.Context, d time.Duration) error { slept += d; return nil }
	a.Order(lambdatest.Fault{Delay: time.Hour})
	if _, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("fn")}); err != nil || slept != time.Hour {
		t.Errorf("got %v after %v", err, slept)
	}
	a.Sleep = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	a.Order(lambdatest.Fault{Delay: time.Hour})
	if _, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("one")}); err == nil || a.Policy("fn") != policyOf(one, two) {
		t.Errorf("got %v, %s: a caller that gave up was answered", err, a.Policy("fn"))
	}
}

func TestCallsAreLogged(t *testing.T) {
	a, c := seeded()
	ctx := t.Context()
	c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: aws.String("fn"), Qualifier: aws.String("live")})
	c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: aws.String(arn + "fn:live"), StatementId: aws.String("one"), RevisionId: aws.String("r1")})
	c.PutResourcePolicy(ctx, &lambda.PutResourcePolicyInput{ResourceArn: aws.String(arn + "fn"), Policy: aws.String("{}"), RevisionId: aws.String("r2")})
	c.ListFunctions(ctx, &lambda.ListFunctionsInput{})

	got := a.Calls()
	for i := range got {
		if !strings.Contains(got[i].UserAgent, "aws-sdk-go-v2/") {
			t.Errorf("user agent of %s is %q", got[i].Operation, got[i].UserAgent)
		}
		got[i].UserAgent = ""
	}
	want := []lambdatest.Call{
		{Operation: "GetPolicy", Resource: arn + "fn:live", Status: 200},
		{Operation: "RemovePermission", Resource: arn + "fn:live", Statement: "one", RevisionID: "r1", Status: 412},
		{Operation: "PutResourcePolicy", Resource: arn + "fn", RevisionID: "r2", Status: 412},
		{Operation: "ListFunctions", Status: 200},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestUnknownCallsAreRefused(t *testing.T) {
	a, _ := newAccount()
	for _, call := range [][2]string{{"GET", "/"}, {"GET", "/2015-03-31/layers"}, {"PATCH", "/2015-03-31/functions/fn/policy"}} {
		req, err := http.NewRequestWithContext(t.Context(), call[0], "https://lambda.invalid"+call[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := a.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Message string }
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 404 || resp.Header.Get("X-Amzn-Errortype") != "UnknownOperationException" || !strings.Contains(body.Message, call[0]+" "+call[1]) {
			t.Errorf("%v: got %d %s %q", call, resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), body.Message)
		}
	}
}

func TestABodyThatIsNoObjectIsRefused(t *testing.T) {
	a, _ := seeded()
	before := a.Policies()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", "https://lambda.invalid/2026-07-09/resource-policy/"+arn+"fn", strings.NewReader(`["Policy"]`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := a.RoundTrip(req)
	if err != nil || resp.StatusCode != 400 || resp.Header.Get("X-Amzn-Errortype") != "SerializationException" {
		t.Errorf("got %+v, %v", resp, err)
	}
	if diff := cmp.Diff(before, a.Policies()); diff != "" {
		t.Error(diff)
	}
}

func TestParallelCallsAreSerialised(t *testing.T) {
	a, c := newAccount()
	a.Seed("fn", "")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := c.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String(fmt.Sprint("s", i)), Principal: aws.String("*"), Action: aws.String("*")})
			if err != nil {
				t.Error(err)
			}
			a.Calls()
			a.Policies()
		})
	}
	wg.Wait()
	if got := strings.Count(a.Policy("fn"), `"Sid"`); got != 20 {
		t.Errorf("%d statements after 20 parallel calls", got)
	}
}

func TestConfigurationIsUpdatedAsLambdaDoes(t *testing.T) {
	a, c := newAccount()
	ctx := t.Context()
	a.SetEnvironment("fn", map[string]string{"A": "1", "B": "2"})
	a.UpdateReads = 2
	read := func() *lambda.GetFunctionConfigurationOutput {
		t.Helper()
		out, err := c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("fn")})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	update := func(variables map[string]string) error {
		_, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: aws.String("fn"), RevisionId: aws.String(a.Revision("fn")), Environment: &types.Environment{Variables: variables},
		})
		return err
	}

	if out := read(); out.LastUpdateStatus != types.LastUpdateStatusSuccessful || out.Environment.Variables["B"] != "2" {
		t.Errorf("before: %s, %v", out.LastUpdateStatus, out.Environment)
	}
	if err := update(map[string]string{"A": "3"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"A": "3"}, a.Environment("fn")); diff != "" {
		t.Errorf("what is not written again is gone (-want +got):\n%s", diff)
	}
	if err := update(nil); err == nil || !strings.Contains(err.Error(), "ResourceConflictException") {
		t.Errorf("an update during another: %v", err)
	}
	during := a.Revision("fn")
	for range 2 {
		if out := read(); out.LastUpdateStatus != types.LastUpdateStatusInProgress {
			t.Errorf("during: %s", out.LastUpdateStatus)
		}
	}
	if out := read(); out.LastUpdateStatus != types.LastUpdateStatusSuccessful || *out.RevisionId == during {
		t.Errorf("after: %s, revision %s, before %s", out.LastUpdateStatus, *out.RevisionId, during)
	}

	a.UpdateReads = 0
	a.Order(lambdatest.Fault{Operation: "UpdateFunctionConfiguration", Kind: lambdatest.FailUpdate})
	if err := update(map[string]string{"A": "4"}); err != nil {
		t.Fatal(err)
	}
	if out := read(); out.LastUpdateStatus != types.LastUpdateStatusFailed || aws.ToString(out.LastUpdateStatusReason) == "" {
		t.Errorf("failed: %s", out.LastUpdateStatus)
	}
}
