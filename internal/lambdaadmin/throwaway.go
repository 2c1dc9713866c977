package lambdaadmin

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"lambda-guardrail/internal/guard"
)

// ErrBlocked: Lambda itself refuses a grant as public, by the account's block of
// public access.
var ErrBlocked = errors.New("public grants are refused in this account")

// Throwaways are functions that are made to be opened and deleted. Errors name the
// call and the function.
type Throwaways struct {
	client *lambda.Client
	clock  guard.Clock
}

// NewThrowaways returns those of the account and region of cfg. Pauses go through
// clock.
func NewThrowaways(cfg aws.Config, clock guard.Clock) *Throwaways {
	return &Throwaways{lambda.NewFromConfig(cfg), clock}
}

// Throwaway is a function to be made. Its code does nothing, and nobody can run
// it: no execution is reserved for it.
type Throwaway struct {
	Name        string
	Description string
	Role        string // ARN of the execution role
	Tags        map[string]string
	Aliases     []string // each of $LATEST
}

// maxAssume is how often Lambda may say that it cannot assume a role, as it does
// for some seconds after the role was made: IAM is eventually consistent.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
const maxAssume = 30

// Make makes a function and returns its ARN, when it is ready and cannot be run.
// After an error, parts of it may be there.
func (t *Throwaways) Make(ctx context.Context, f Throwaway) (arn string, err error) {
	code, err := nothing()
	if err != nil {
		return "", err
	}
	in := &lambda.CreateFunctionInput{
		FunctionName: &f.Name, Description: &f.Description, Role: &f.Role, Tags: f.Tags,
		Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Code: &types.FunctionCode{ZipFile: code},
	}
	var out *lambda.CreateFunctionOutput
	for tries := 1; ; tries++ {
		out, err = t.client.CreateFunction(ctx, in)
		if err == nil {
			break
		}
		if tries == maxAssume || !strings.Contains(err.Error(), "cannot be assumed by Lambda") {
			return "", fmt.Errorf("making the function %s: %w", f.Name, err)
		}
		if err := t.clock.Sleep(ctx, pause); err != nil {
			return "", fmt.Errorf("waiting for the role of %s: %w", f.Name, err)
		}
	}
	if err := t.ready(ctx, f.Name); err != nil {
		return "", err
	}
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html:
	// a function for which no execution is reserved is always throttled.
	if _, err := t.client.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &f.Name, ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		return "", fmt.Errorf("keeping everybody from running %s: %w", f.Name, err)
	}
	for _, alias := range f.Aliases {
		_, err := t.client.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &f.Name, Name: &alias, FunctionVersion: aws.String("$LATEST")})
		if err != nil {
			return "", fmt.Errorf("making the alias %s of %s: %w", alias, f.Name, err)
		}
	}
	return aws.ToString(out.FunctionArn), nil
}

// nothing returns code that does nothing.
func nothing() ([]byte, error) {
	var code bytes.Buffer
	w := zip.NewWriter(&code)
	file, err := w.CreateHeader(&zip.FileHeader{Name: "bootstrap", Modified: time.Unix(0, 0)})
	if err == nil {
		_, err = file.Write([]byte("#!/bin/sh\nexit 1\n"))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("packing the code of a function: %w", err)
	}
	return code.Bytes(), nil
}

// ready waits until a new function takes other calls.
func (t *Throwaways) ready(ctx context.Context, name string) error {
	for range maxPending {
		out, err := t.client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		switch {
		case err != nil:
			return fmt.Errorf("reading the configuration of %s: %w", name, err)
		case out.State == types.StateFailed:
			return fmt.Errorf("making the function %s: Lambda failed it: %s: %s", name, out.StateReasonCode, aws.ToString(out.StateReason))
		case out.State != types.StatePending:
			return nil
		}
		if err := t.clock.Sleep(ctx, pause); err != nil {
			return fmt.Errorf("waiting for %s: %w", name, err)
		}
	}
	return fmt.Errorf("waiting for %s: it is still pending after %s", name, maxPending*pause)
}

// Grant is one that AddPermission takes. Fields as in
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
type Grant struct {
	Sid, Principal, Action string
	SourceAccount          string
	URLAuthType            string
	ViaURL                 bool
}

// Grant adds a statement to the policy of a function or alias, by ARN, and returns
// it as Lambda wrote it.
func (t *Throwaways) Grant(ctx context.Context, arn string, g Grant) (statement string, err error) {
	function, qualifier := split(arn)
	in := &lambda.AddPermissionInput{
		FunctionName: &function, Qualifier: qualifier, StatementId: &g.Sid, Principal: &g.Principal, Action: &g.Action,
		FunctionUrlAuthType: types.FunctionUrlAuthType(g.URLAuthType),
	}
	if g.SourceAccount != "" {
		in.SourceAccount = &g.SourceAccount
	}
	if g.ViaURL {
		in.InvokedViaFunctionUrl = &g.ViaURL
	}
	out, err := t.client.AddPermission(ctx, in)
	if err != nil {
		return "", fmt.Errorf("adding the permission %s to %s: %w", g.Sid, arn, blocked(err))
	}
	return aws.ToString(out.Statement), nil
}

// Put replaces the policy of a function or alias, by ARN.
func (t *Throwaways) Put(ctx context.Context, arn, policy string) error {
	if _, err := t.client.PutResourcePolicy(ctx, &lambda.PutResourcePolicyInput{ResourceArn: &arn, Policy: &policy}); err != nil {
		return fmt.Errorf("putting the policy of %s: %w", arn, blocked(err))
	}
	return nil
}

// MakeURL makes a function URL without authentication, of a function or alias, by
// ARN.
func (t *Throwaways) MakeURL(ctx context.Context, arn string) error {
	function, qualifier := split(arn)
	in := &lambda.CreateFunctionUrlConfigInput{FunctionName: &function, Qualifier: qualifier, AuthType: types.FunctionUrlAuthTypeNone}
	if _, err := t.client.CreateFunctionUrlConfig(ctx, in); err != nil {
		return fmt.Errorf("making a URL of %s: %w", arn, blocked(err))
	}
	return nil
}

// split cuts the qualifier off an ARN; nil if there is none.
func split(arn string) (function string, qualifier *string) {
	fields := strings.Split(arn, ":")
	if len(fields) < 8 {
		return arn, nil
	}
	return strings.Join(fields[:7], ":"), &fields[7]
}

func blocked(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "PublicPolicyException" {
		return fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	return err
}

// Delete deletes a function with its aliases, URLs and policies. One that is not
// there is no error.
func (t *Throwaways) Delete(ctx context.Context, name string) error {
	_, err := t.client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); err != nil && !gone {
		return fmt.Errorf("deleting the function %s: %w", name, err)
	}
	return nil
}

// Tagged returns the names of the functions that begin with prefix and carry a tag
// of that value.
func (t *Throwaways) Tagged(ctx context.Context, prefix, tag, value string) ([]string, error) {
	var names []string
	pages := lambda.NewListFunctionsPaginator(t.client, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing functions: %w", err)
		}
		for _, f := range page.Functions {
			name := aws.ToString(f.FunctionName)
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			out, err := t.client.ListTags(ctx, &lambda.ListTagsInput{Resource: f.FunctionArn})
			if err != nil {
				return nil, fmt.Errorf("reading the tags of %s: %w", name, err)
			}
			if v, ok := out.Tags[tag]; ok && v == value {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
