// Package lambdapolicy reads the resource policy of a function, version or alias
// through the Lambda API, takes statements out of it, and tells what an error
// means for the policy. It does not know which statements are to go, nor what
// comes after an error.
package lambdapolicy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
)

// Policies implements [guard.Policies] and [guard.Surroundings] on the Lambda API.
type Policies struct {
	client              *lambda.Client
	clock               guard.Clock
	reads, writes, asks *retry.Standard
}

var (
	_ guard.Policies     = (*Policies)(nil)
	_ guard.Surroundings = (*Policies)(nil)
)

// New returns the policies of the account and region of cfg. Delays between
// attempts go through clock. What is sent again is decided here; how often, by
// cfg.RetryMaxAttempts, 8 times if that is 0 and never less than 6. Each attempt
// that fails is told to observe, which may be nil.
func New(cfg aws.Config, clock guard.Clock, observe func(Failure)) *Policies {
	client := lambda.NewFromConfig(cfg, func(o *lambda.Options) {
		if observe != nil {
			o.APIOptions = append(slices.Clip(o.APIOptions), observing(observe))
		}
	})
	return &Policies{client, clock, reads(attempts(cfg)), writes(attempts(cfg)), reads(asksAttempts)}
}

// Policy implements [guard.Policies].
func (p *Policies) Policy(ctx context.Context, r guard.Resource) (guard.Policy, error) {
	name, qualifier := split(r)
	out, err := p.client.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name, Qualifier: qualifier}, p.reading(ctx))
	if err != nil {
		return guard.Policy{}, fmt.Errorf("reading the policy of %s: %w", r.ARN(), readError(err))
	}
	return guard.Policy{Document: aws.ToString(out.Policy), Revision: aws.ToString(out.RevisionId)}, nil
}

// Role implements [guard.Surroundings]. Of the configuration, which holds the
// function's environment too, nothing else is kept.
func (p *Policies) Role(ctx context.Context, r guard.Resource) (string, error) {
	name, qualifier := split(r)
	out, err := p.client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name, Qualifier: qualifier}, p.asking(ctx))
	if err != nil {
		return "", fmt.Errorf("reading the execution role of %s: %w", r.ARN(), readError(err))
	}
	return aws.ToString(out.Role), nil
}

// URL implements [guard.Surroundings].
func (p *Policies) URL(ctx context.Context, r guard.Resource) (authType, address string, err error) {
	name, qualifier := split(r)
	out, err := p.client.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: name, Qualifier: qualifier}, p.asking(ctx))
	if err != nil {
		return "", "", fmt.Errorf("reading the function URL of %s: %w", r.ARN(), readError(err))
	}
	return string(out.AuthType), aws.ToString(out.FunctionUrl), nil
}

// Remove implements [guard.Policies]. That a statement is not found says that it
// is gone, not that the policy is.
func (p *Policies) Remove(ctx context.Context, r guard.Resource, from guard.Policy, which []int) error {
	if err := p.remove(ctx, r, from, which); err != nil {
		return fmt.Errorf("removing statements from the policy of %s: %w", r.ARN(), err)
	}
	return nil
}

func (p *Policies) remove(ctx context.Context, r guard.Resource, from guard.Policy, which []int) error {
	if from.Revision == "" {
		return errors.New("there is no revision to compare: not writing")
	}
	d, err := iampolicy.Parse(from.Document)
	if err != nil {
		return err
	}
	if len(which) == 0 {
		return errors.New("no statement is named: not writing")
	}
	for _, i := range which {
		if i < 0 || i >= len(d.Statements) {
			return fmt.Errorf("statement %d is none of the %d there are: not writing", i, len(d.Statements))
		}
	}

	if sid := removable(d, which); sid != "" {
		err := p.removePermission(ctx, r, from.Revision, sid)
		if err == nil {
			return nil
		}
		// A 400 is about this way of removing it: PublicPolicyException because of
		// what would be left, or a Sid that is not taken after all. Nothing was
		// written, and the revision still holds.
		if status, _ := refusal(err); status != http.StatusBadRequest {
			return writeError(err)
		}
	}
	rest, left := d.Without(which)
	if left == 0 {
		return writeError(p.deleteResourcePolicy(ctx, r, from.Revision))
	}
	return writeError(p.putResourcePolicy(ctx, r, from.Revision, rest))
}

// sidCharacters, up to 100 of them, are what RemovePermission takes.
// https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
const sidCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// takes reports whether RemovePermission can be called for the Sid. One that
// begins with a dot is left alone: the Sid is a segment of the path of the call,
// and whoever normalises "/functions/fn/policy/.." on the way makes it the path
// of DeleteFunction.
func takes(sid string) bool {
	return sid != "" && len(sid) <= 100 && sid[0] != '.' && strings.TrimLeft(sid, sidCharacters) == ""
}

// removable returns the Sid by which RemovePermission finds the one statement
// that is to go, and no other; "" if there is none.
func removable(d iampolicy.Document, which []int) string {
	if len(which) != 1 {
		return ""
	}
	sid := d.Statements[which[0]].Sid
	bearers := 0
	for i := range d.Statements {
		if d.Statements[i].Sid == sid {
			bearers++
		}
	}
	if bearers > 1 || !takes(sid) {
		return ""
	}
	return sid
}

func (p *Policies) removePermission(ctx context.Context, r guard.Resource, revision, sid string) error {
	name, qualifier := split(r)
	_, err := p.client.RemovePermission(ctx, &lambda.RemovePermissionInput{
		FunctionName: name, Qualifier: qualifier, StatementId: &sid, RevisionId: &revision,
	}, p.writing(ctx))
	return err
}

func (p *Policies) putResourcePolicy(ctx context.Context, r guard.Resource, revision, document string) error {
	_, err := p.client.PutResourcePolicy(ctx, &lambda.PutResourcePolicyInput{
		ResourceArn: aws.String(r.ARN()), Policy: &document, RevisionId: &revision,
	}, p.writing(ctx))
	return err
}

func (p *Policies) deleteResourcePolicy(ctx context.Context, r guard.Resource, revision string) error {
	_, err := p.client.DeleteResourcePolicy(ctx, &lambda.DeleteResourcePolicyInput{
		ResourceArn: aws.String(r.ARN()), RevisionId: &revision,
	}, p.writing(ctx))
	return err
}

// split returns r as the older operations want it: the ARN of the function, and
// the qualifier, nil if there is none, beside it.
func split(r guard.Resource) (name, qualifier *string) {
	if r.Qualifier != "" {
		qualifier = aws.String(r.Qualifier)
	}
	r.Qualifier = ""
	return aws.String(r.ARN()), qualifier
}
