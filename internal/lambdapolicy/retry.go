package lambdapolicy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go/middleware"

	"lambda-guardrail/internal/guard"
)

const (
	maxAttempts = 8               // if the configuration says nothing
	minAttempts = 6               // whatever it says: GetPolicy has 15 calls a second for a whole account
	maxBackoff  = 5 * time.Second // all delays of a call together stay under 27 s

	// The longest first delay, as in the SDK's standard mode.
	afterThrottle = time.Second
	afterFault    = 50 * time.Millisecond
)

// reads sends a call again after all that may pass.
func reads(attempts int) *retry.Standard { return standard(attempts, retry.DefaultRetryables...) }

// writes sends a call again only if the API answered that it was throttled. A
// write whose outcome is unknown must not be sent again: had it happened, the
// second one would be refused for the revision that the first one moved.
func writes(attempts int) *retry.Standard {
	return standard(attempts, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}})
}

// asksAttempts is how often a question that a finding can do without is asked: in
// a burst it must not take the calls that a removal needs.
const asksAttempts = 2

// attempts is how often a call is sent at the most.
func attempts(cfg aws.Config) int {
	if cfg.RetryMaxAttempts == 0 {
		return maxAttempts
	}
	return max(minAttempts, cfg.RetryMaxAttempts)
}

func standard(attempts int, retryables ...retry.IsErrorRetryable) *retry.Standard {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.Retryables = retryables
		o.RateLimiter = ratelimit.None // the SDK's quota of retries is gone after some tens of them in a burst
	})
}

func (p *Policies) reading(ctx context.Context) func(*lambda.Options) {
	return func(o *lambda.Options) { o.Retryer = retryer{p.reads, ctx, p.clock} }
}

func (p *Policies) writing(ctx context.Context) func(*lambda.Options) {
	return func(o *lambda.Options) { o.Retryer = retryer{p.writes, ctx, p.clock} }
}

func (p *Policies) asking(ctx context.Context) func(*lambda.Options) {
	return func(o *lambda.Options) { o.Retryer = retryer{p.asks, ctx, p.clock} }
}

// retryer is the SDK's own for one call, but for the clock: the delay has passed
// when the SDK is told of it. (Only what an X-Amz-Retry-After header asks for is
// slept by the SDK itself.)
type retryer struct {
	*retry.Standard
	ctx   context.Context // of the call: RetryDelay is given none
	clock guard.Clock
}

// RetryDelay sleeps, and leaves no delay to the SDK.
func (r retryer) RetryDelay(attempt int, failure error) (time.Duration, error) {
	if err := r.clock.Sleep(r.ctx, r.delay(attempt, failure)); err != nil {
		return 0, errors.Join(failure, err) // a write that was throttled stays one that did not happen
	}
	return 0, nil
}

var throttles = retry.IsErrorThrottles(retry.DefaultThrottles)

// delay is that of the SDK's standard mode: all of it is left to chance.
func (r retryer) delay(attempt int, failure error) time.Duration {
	first := afterFault
	if throttles.IsErrorThrottle(failure).Bool() {
		first = afterThrottle
	}
	return guard.Jitter(r.clock, attempt, min(first<<min(attempt-1, 10), maxBackoff))
}

// observing adds a step that is passed once for each attempt.
func observing(observe func(Failure)) func(*middleware.Stack) error {
	step := middleware.FinalizeMiddlewareFunc("observe", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleFinalize(ctx, in)
		if err != nil {
			if class, code := classify(err); class != "" {
				observe(Failure{awsmiddleware.GetOperationName(ctx), class, code})
			}
		}
		return out, metadata, err
	})
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(step, (*retry.Attempt)(nil).ID(), middleware.After)
	}
}
