package awscall_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lambda-guardrail/internal/awscall"
)

type keys struct{}

func (keys) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
}

// A path that does not begin with a slash is no request: servers refuse it.
func TestTheRequestLineHoldsTheWholePath(t *testing.T) {
	for _, test := range []struct{ base, path, want string }{
		{"", "", "/"},
		{"", "/findings/import", "/findings/import"},
		{"/", "/findings/import", "/findings/import"},
		{"/proxy", "/findings/import", "/proxy/findings/import"},
	} {
		got := ""
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI }))
		endpoint := server.URL + test.base
		client := awscall.New(aws.Config{Region: "eu-central-1", Credentials: keys{}, BaseEndpoint: &endpoint}, awscall.Service{ID: "SecurityHub", Prefix: "securityhub"})
		err := client.Do(t.Context(), awscall.Call{Operation: "BatchImportFindings", Path: test.path, Read: func([]byte) error { return nil }})
		server.Close()
		if err != nil || got != test.want {
			t.Errorf("%q on %q: %q, want %q: %v", test.path, test.base, got, test.want, err)
		}
	}
}
