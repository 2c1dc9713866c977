package lambdatest_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/lambdatest"
)

func TestWhatCreateFunctionSaysIsKept(t *testing.T) {
	a, c := newAccount()
	tags := map[string]string{"owner": "me", "empty": ""}
	made, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("fn"), Description: aws.String("d"), Role: aws.String("arn:aws:iam::111122223333:role/r"), Tags: tags,
		Code: &types.FunctionCode{ZipFile: []byte("zip")},
	})
	if err != nil || aws.ToString(made.Description) != "d" || aws.ToString(made.Role) != "arn:aws:iam::111122223333:role/r" {
		t.Fatalf("made %+v, %v", made, err)
	}
	out, err := c.ListTags(t.Context(), &lambda.ListTagsInput{Resource: made.FunctionArn})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tags, out.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tags, a.Tags("fn")); diff != "" || a.Tags("gone") != nil {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	gone := *made.FunctionArn + "gone"
	_, err = c.ListTags(t.Context(), &lambda.ListTagsInput{Resource: &gone})
	code(t, "tags of what is not there", err, "ResourceNotFoundException")

	before := a.Revision("fn")
	if _, ok := a.Concurrency("fn"); ok {
		t.Error("executions are reserved")
	}
	if _, err := c.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("fn"), ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	if n, ok := a.Concurrency("fn"); !ok || n != 0 || a.Revision("fn") == before {
		t.Errorf("reserved %d, %v, revision %s", n, ok, a.Revision("fn"))
	}
	_, err = c.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("fn"), ReservedConcurrentExecutions: aws.Int32(-1)})
	code(t, "fewer than none", err, "ValidationException")
	if diff := cmp.Diff([]string{"fn"}, a.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// Whoever hears of calls hears of all that were carried out or refused, also of those
// whose answers are lost, and of no others.
func TestHear(t *testing.T) {
	a, c := newAccount()
	a.Seed("fn", "")
	var heard []lambdatest.Heard
	a.Hear = func(h lambdatest.Heard) {
		a.Policies() // may be called
		heard = append(heard, h)
	}
	grant := func() {
		c.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("s"), Principal: aws.String("*"), Action: aws.String("*")})
	}
	a.Order(lambdatest.Fault{Kind: lambdatest.Throttle}, lambdatest.Fault{Kind: lambdatest.Drop, Applied: true})
	grant()
	if len(heard) != 0 {
		t.Errorf("heard of a call that was not carried out: %+v", heard)
	}
	grant()
	grant()
	if len(heard) != 2 {
		t.Fatalf("heard %+v", heard)
	}
	first, second := heard[0], heard[1]
	if first.Operation != "AddPermission" || first.Status != 201 || first.Parameters["StatementId"] != "s" || first.Header.Get("Authorization") == "" ||
		first.Answer != `{"Statement":"{\"Sid\":\"s\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"`+arn+`fn\"}"}` {
		t.Errorf("heard %+v", first)
	}
	if second.Status != 409 || second.Answer != "" {
		t.Errorf("heard %+v", second)
	}
}

func code(t *testing.T, what string, err error, want string) {
	t.Helper()
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}
