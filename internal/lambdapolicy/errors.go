package lambdapolicy

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
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

// Class says how an attempt failed.
type Class string

const (
	Throttled Class = "throttled" // the account calls too often
	Denied    Class = "denied"    // our permissions do not suffice
	Conflict  Class = "conflict"  // the policy, or the function, has changed meanwhile
	Failed    Class = "failed"    // anything else, no answer among it
)

// Classes returns all of them.
func Classes() []Class { return []Class{Throttled, Denied, Conflict, Failed} }

// Failure is one attempt of a call that failed, whether or not another follows.
type Failure struct {
	Call  string // "GetPolicy"
	Class Class
	Code  string // of the API's answer, "TooManyRequestsException"; "" if there was none
}

// classes are those of the API's answers by HTTP status; no other is Failed.
var classes = map[int]Class{
	http.StatusTooManyRequests:    Throttled,
	http.StatusUnauthorized:       Denied,
	http.StatusForbidden:          Denied,
	http.StatusConflict:           Conflict,
	http.StatusPreconditionFailed: Conflict,
	http.StatusNotFound:           "", // an answer like any other
}

// classify returns the class of an error, "" if it is none, and its code.
func classify(err error) (Class, string) {
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
		return Throttled, code
	}
	if status, _ := refusal(err); status != 0 {
		if class, known := classes[status]; known {
			return class, code
		}
	}
	return Failed, code
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
