package lambdapolicy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"lambda-guardrail/internal/guard"
)

const (
	maxAttempts = 8
	maxBackoff  = 5 * time.Second // all delays of a call together stay under 27 s
)

// reads sends a call again after all that may pass.
func reads() *retry.Standard { return standard(retry.DefaultRetryables...) }

// writes sends a call again only if the API answered that it was throttled. A
// write whose outcome is unknown must not be sent again: had it happened, the
// second one would be refused for the revision that the first one moved.
func writes() *retry.Standard {
	return standard(retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}})
}

func standard(retryables ...retry.IsErrorRetryable) *retry.Standard {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
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
	delay, err := r.Standard.RetryDelay(attempt, failure)
	if err == nil {
		err = r.clock.Sleep(r.ctx, delay)
	}
	if err != nil {
		return 0, errors.Join(failure, err) // a write that was throttled stays one that did not happen
	}
	return 0, nil
}
