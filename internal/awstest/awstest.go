// Package awstest is the SDK as tests set it up, with example credentials and a
// function in place of the network, and what the services that take findings
// answer when all is well. It does not know what is called, or why.
package awstest

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// What a service answers to one message, finding or event that it has taken.
const (
	Published = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`
	Imported  = `{"FailedCount":0,"FailedFindings":[],"SuccessCount":1}`
	Put       = `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`
)

// credentials are those of AWS's documentation, as a role has them.
var credentials = aws.Credentials{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SessionToken: "EXAMPLETOKEN"}

// Config returns settings of a client whose calls go to transport, and nowhere
// else.
func Config(region string, transport http.RoundTripper) aws.Config {
	return aws.Config{
		Region:     region,
		HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials, nil
		}),
	}
}

// RoundTripper is a function in place of the network.
type RoundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f RoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Response returns an answer.
func Response(status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}
