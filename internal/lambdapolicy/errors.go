package lambdapolicy

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"lambda-guardrail/internal/guard"
)

// meanings are the refusals that say something about the policy, by code.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutResourcePolicy.html
var meanings = map[string]error{
	"ResourceNotFoundException":   guard.ErrNotFound,
	"PreconditionFailedException": guard.ErrConflict,
	"ResourceConflictException":   guard.ErrConflict,
}

// refusal returns status and code of an error with which the API itself said
// that it did not do what it was asked to. Its status is 0 for any other error.
func refusal(err error) (status int, code string) {
	api, isAPI := errors.AsType[smithy.APIError](err)
	resp, isHTTP := errors.AsType[*smithyhttp.ResponseError](err)
	if !isAPI || !isHTTP || resp.HTTPStatusCode() < 400 || resp.HTTPStatusCode() > 499 {
		return 0, ""
	}
	return resp.HTTPStatusCode(), api.ErrorCode()
}

func readError(err error) error {
	if _, code := refusal(err); meanings[code] != nil {
		return fmt.Errorf("%w: %w", meanings[code], err)
	}
	return err
}

// writeError adds what err means for the policy: without a refusal, the write may
// have happened.
func writeError(err error) error {
	if err == nil {
		return nil
	}
	if status, _ := refusal(err); status == 0 {
		return fmt.Errorf("%w: %w", guard.ErrUnknownOutcome, err)
	}
	return readError(err)
}
