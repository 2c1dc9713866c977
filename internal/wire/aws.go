package wire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
)

// attemptTime bounds each attempt of a call: a connection that hangs is given up
// while there is time for another.
const attemptTime = 5 * time.Second

// AWS makes the SDK's configuration from an environment in the form of
// [os.Environ]. The SDK can do so itself, and then starts half as fast again,
// since it is ready for files, profiles and single sign-on too. What is read is
// what Lambda provides, and what redirects calls:
//
//   - AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN;
//   - AWS_REGION, or else AWS_DEFAULT_REGION;
//   - AWS_ENDPOINT_URL_SERVICE, or else AWS_ENDPOINT_URL, unless
//     AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true;
//   - AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT.
//   - AWS_MAX_ATTEMPTS and AWS_RETRY_MODE. What may be sent again follows from
//     what the call does, and the delays are those of the standard mode in either.
func AWS(environ []string) (aws.Config, error) {
	env := environment{}
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); value != "" {
			env[name] = value
		}
	}
	var problems problems
	cfg := aws.Config{
		Region: env.first("AWS_REGION", "AWS_DEFAULT_REGION"),
		Credentials: credentials{
			AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
			SessionToken: env["AWS_SESSION_TOKEN"], Source: "Environment",
		},
		HTTPClient: awshttp.NewBuildableClient().WithTimeout(attemptTime),
		APIOptions: []func(*middleware.Stack) error{discreet},
	}
	if cfg.Region == "" {
		problems.add("AWS_REGION is not set: want a region like eu-central-1")
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if env[name] == "" {
			problems.add("%s is not set: want the credentials that Lambda puts into the environment; no other source of them is read", name)
		}
	}
	flags := source{
		fips:      env.flag("AWS_USE_FIPS_ENDPOINT", &problems),
		dualStack: env.flag("AWS_USE_DUALSTACK_ENDPOINT", &problems),
	}
	if text := env["AWS_MAX_ATTEMPTS"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			problems.add("AWS_MAX_ATTEMPTS is %q: want a whole number from 1", text)
		}
		cfg.RetryMaxAttempts = n
	}
	if text := env["AWS_RETRY_MODE"]; text != "" {
		mode, err := aws.ParseRetryMode(text)
		if err != nil {
			problems.add("AWS_RETRY_MODE is %q: want standard or adaptive", text)
		}
		cfg.RetryMode = mode
	}
	if !env.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", &problems) {
		flags.endpoints = env.endpoints(&problems)
		if all := env[endpointVariable]; all != "" {
			cfg.BaseEndpoint = &all
		}
	}
	cfg.ConfigSources = []any{flags}
	return cfg, errors.Join(problems...)
}

type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

type environment map[string]string

func (e environment) first(names ...string) string {
	for _, name := range names {
		if e[name] != "" {
			return e[name]
		}
	}
	return ""
}

func (e environment) flag(name string, problems *problems) bool {
	switch strings.ToLower(e[name]) {
	case "true":
		return true
	case "", "false":
		return false
	}
	problems.add("%s is %q: want true or false", name, e[name])
	return false
}

const endpointVariable = "AWS_ENDPOINT_URL"

// endpoints returns the variables AWS_ENDPOINT_URL_SERVICE.
func (e environment) endpoints(problems *problems) map[string]string {
	endpoints := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		service, ok := strings.CutPrefix(name, endpointVariable)
		if !ok {
			continue
		}
		value := e[name]
		if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			problems.add("%s is %q: want a URL like https://lambda.example.com", name, value)
		}
		endpoints[strings.TrimPrefix(service, "_")] = value
	}
	return endpoints
}

// source answers what the SDK's clients ask the sources of their configuration
// for.
type source struct {
	fips, dualStack bool
	endpoints       map[string]string
}

// GetServiceBaseEndpoint is asked with a service's name as in "EC2 Instance Connect".
func (s source) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	endpoint, ok := s.endpoints[strings.ToUpper(strings.ReplaceAll(service, " ", "_"))]
	return endpoint, ok, nil
}

// GetUseFIPSEndpoint is asked by every client.
func (s source) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, s.fips, nil
}

// GetUseDualStackEndpoint is asked by every client.
func (s source) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, s.dualStack, nil
}

// credentials do not change as long as the process lives.
type credentials aws.Credentials

// Retrieve implements [aws.CredentialsProvider].
func (c credentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials(c), nil
}
