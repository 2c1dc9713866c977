package wire

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// discreet keeps credentials out of errors, and so out of the log and of findings:
// where AWS does not accept a signature, its message repeats the request, the
// session token and the Authorization header among it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
func discreet(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Discreet",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, m, err := next.HandleDeserialize(ctx, in)
			if api, ok := errors.AsType[*smithy.GenericAPIError](err); ok && strings.Contains(api.Code, "Signature") {
				api.Message = "the message is left out, since it repeats the signed request"
			}
			return out, m, err
		}), middleware.Before)
}
