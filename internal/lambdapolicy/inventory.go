package lambdapolicy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go/middleware"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sweep"
)

var _ sweep.Inventory = (*Policies)(nil)

// Functions implements [sweep.Inventory]. Of the configurations, which hold the
// functions' environments too, nothing but ARN and revision is kept.
func (p *Policies) Functions(ctx context.Context, marker string, versions bool) (items []sweep.Item, next string, err error) {
	in := &lambda.ListFunctionsInput{MaxItems: aws.Int32(50)} // the most that there is
	if marker != "" {
		in.Marker = &marker
	}
	if versions {
		in.FunctionVersion = types.FunctionVersionAll
	}
	out, err := p.client.ListFunctions(ctx, in, p.reading(ctx))
	if status, _ := refusal(err); status == http.StatusBadRequest && marker != "" {
		return nil, "", fmt.Errorf("listing functions: %w: %w", sweep.ErrMarker, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("listing functions: %w", err)
	}
	for i := range out.Functions {
		f := &out.Functions[i]
		item, err := item(f.FunctionArn, f.RevisionId)
		if err != nil {
			return nil, "", fmt.Errorf("listing functions: %w", err)
		}
		// Beside the versions, ALL lists what is not published: the function itself.
		if (item.Resource.Qualifier != "") == versions {
			items = append(items, item)
		}
	}
	return items, aws.ToString(out.NextMarker), nil
}

// Aliases implements [sweep.Inventory].
func (p *Policies) Aliases(ctx context.Context, of guard.Resource) ([]sweep.Item, error) {
	name, _ := split(of)
	var items []sweep.Item
	pages := lambda.NewListAliasesPaginator(p.client, &lambda.ListAliasesInput{FunctionName: name}, func(o *lambda.ListAliasesPaginatorOptions) {
		o.StopOnDuplicateToken = true
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx, p.reading(ctx))
		if err != nil {
			return nil, fmt.Errorf("listing the aliases of %s: %w", of.ARN(), readError(err))
		}
		for i := range out.Aliases {
			item, err := item(out.Aliases[i].AliasArn, out.Aliases[i].RevisionId)
			if err != nil {
				return nil, fmt.Errorf("listing the aliases of %s: %w", of.ARN(), err)
			}
			items = append(items, item)
		}
	}
	return items, nil
}

func item(arn, revision *string) (sweep.Item, error) {
	r, err := guard.ParseResource(aws.ToString(arn))
	return sweep.Item{Resource: r, Revision: aws.ToString(revision)}, err
}

// Pace holds calls back. It is asked before each time that a call is sent, again
// too, and told how it went.
type Pace interface {
	Wait(ctx context.Context, operation string) error
	Answered(operation string, throttled bool)
}

// Paced returns cfg, by which calls to Lambda go at a pace.
func Paced(cfg aws.Config, pace Pace) aws.Config {
	cfg = cfg.Copy()
	cfg.APIOptions = append(cfg.APIOptions[:len(cfg.APIOptions):len(cfg.APIOptions)], func(s *middleware.Stack) error {
		return s.Finalize.Insert(paced{pace}, "Retry", middleware.After) // before it is signed, since it may wait for long
	})
	return cfg
}

type paced struct{ pace Pace }

// ID implements [middleware.FinalizeMiddleware].
func (paced) ID() string { return "lambda-guardrail pace" }

// HandleFinalize implements [middleware.FinalizeMiddleware].
func (p paced) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	operation := awsmiddleware.GetOperationName(ctx)
	if awsmiddleware.GetServiceID(ctx) != lambda.ServiceID {
		return next.HandleFinalize(ctx, in)
	}
	if err := p.pace.Wait(ctx, operation); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, errors.Join(errNotSent, err)
	}
	out, metadata, err := next.HandleFinalize(ctx, in)
	status, _ := refusal(err)
	p.pace.Answered(operation, status == http.StatusTooManyRequests)
	return out, metadata, err
}

// errNotSent: a call that waited for its turn was given up.
var errNotSent = errors.New("the call was not sent")
