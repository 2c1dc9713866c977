// Package awscall sends signed calls through the core of the SDK: its retries, its
// signatures, its user agent, its errors. It knows no operation: a generated
// client does, and initialises a table of endpoints at every cold start, whether
// it is used or not.
package awscall

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/restjson"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	attempts   = 3 // of a call, whatever cfg says of the Lambda API
	maxBackoff = 500 * time.Millisecond
	maxAnswer  = 1 << 20 // bytes
)

// Client calls one service. It may be used by several goroutines.
type Client struct {
	cfg     aws.Config
	service Service
	retryer *retry.Standard
	signer  *v4.Signer
}

// New returns a Client with the region, the credentials, the user agent and the
// endpoints of cfg.
func New(cfg aws.Config, s Service) *Client {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	return &Client{cfg: cfg, service: s, signer: v4.NewSigner(), retryer: retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.MaxBackoff = maxBackoff
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: passing})
	})}
}

// passing are codes inside an answer of 200 that the SDK does not know.
var passing = map[string]struct{}{"InternalFailure": {}, "InternalException": {}, "InternalError": {}}

// Call is one request, sent with POST.
type Call struct {
	Operation string // for errors
	Path      string
	Header    map[string]string
	Body      []byte
	// Read reads the answer. Its error may be an [smithy.APIError], which is sent
	// again as if the service had answered nothing else.
	Read func(answer []byte) error
}

// Do sends a call, up to three times, until its answer could be read. An answer
// that is an error is an [smithy.APIError] in the chain. It returns when ctx ends.
func (c *Client) Do(ctx context.Context, call Call) error {
	stack := middleware.NewStack(call.Operation, smithyhttp.NewStackRequest)
	err := errors.Join(
		stack.Serialize.Add(middleware.SerializeMiddlewareFunc("Write", c.write(call)), middleware.After),
		stack.Finalize.Add(retry.NewAttemptMiddleware(c.retryer, smithyhttp.RequestCloner), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Sign", c.sign(call)), middleware.After),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Read", read(call)), middleware.After),
	)
	for _, option := range c.cfg.APIOptions {
		err = errors.Join(err, option(stack))
	}
	if err == nil {
		handler := middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(c.cfg.HTTPClient), stack)
		_, _, err = handler.Handle(ctx, call)
	}
	if err != nil {
		return &smithy.OperationError{ServiceID: c.service.ID, OperationName: call.Operation, Err: err}
	}
	return nil
}

func (c *Client) write(call Call) func(context.Context, middleware.SerializeInput, middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
	return func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (out middleware.SerializeOutput, m middleware.Metadata, err error) {
		request := in.Request.(*smithyhttp.Request)
		to, err := c.endpoint(ctx)
		if err != nil {
			return out, m, err
		}
		if to.Path == "" {
			to.Path = "/" // or JoinPath makes a path that does not begin with one
		}
		request.Method, request.URL = http.MethodPost, to.JoinPath(call.Path)
		for name, value := range call.Header {
			request.Header.Set(name, value)
		}
		request.ContentLength = int64(len(call.Body))
		if request, err = request.SetStream(bytes.NewReader(call.Body)); err != nil {
			return out, m, err
		}
		in.Request = request
		return next.HandleSerialize(ctx, in)
	}
}

func (c *Client) sign(call Call) func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	sum := sha256.Sum256(call.Body)
	return func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, m middleware.Metadata, err error) {
		if c.cfg.Credentials == nil {
			return out, m, errors.New("there are no credentials")
		}
		credentials, err := c.cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return out, m, fmt.Errorf("retrieving credentials: %w", err)
		}
		request := in.Request.(*smithyhttp.Request)
		if err := c.signer.SignHTTP(ctx, credentials, request.Request, hex.EncodeToString(sum[:]), c.service.Prefix, c.cfg.Region, time.Now()); err != nil {
			return out, m, err
		}
		return next.HandleFinalize(ctx, in)
	}
}

func read(call Call) func(context.Context, middleware.DeserializeInput, middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	return func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, m, err := next.HandleDeserialize(ctx, in)
		if err != nil {
			return out, m, err
		}
		answer := out.RawResponse.(*smithyhttp.Response)
		defer answer.Body.Close()
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err == nil && answer.StatusCode/100 != 2 {
			err = failure(answer, body)
		} else if err == nil {
			err = call.Read(body)
		}
		if err != nil {
			err = &awshttp.ResponseError{
				ResponseError: &smithyhttp.ResponseError{Response: answer, Err: err},
				RequestID:     answer.Header.Get("X-Amzn-Requestid"),
			}
		}
		return out, m, err
	}
}

// failure reads an error in any of AWS's three protocols.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#operation-error-serialization
func failure(answer *smithyhttp.Response, body []byte) error {
	var code, message string
	if bytes.HasPrefix(body, []byte("<")) {
		code, message = element(string(body), "Code"), element(string(body), "Message")
	} else {
		code, message, _ = restjson.GetErrorInfo(json.NewDecoder(bytes.NewReader(body))) // what is no JSON says nothing
	}
	code = cmp.Or(answer.Header.Get("X-Amzn-Errortype"), code, "UnknownError")
	return &smithy.GenericAPIError{Code: restjson.SanitizeErrorCode(code), Message: message}
}

// element returns the text of the first XML element of that name: encoding/xml
// would be initialised at every cold start, for two words of an error.
func element(document, name string) string {
	_, rest, _ := strings.Cut(document, "<"+name+">")
	text, _, ended := strings.Cut(rest, "</"+name+">")
	if !ended {
		return ""
	}
	return text
}
