package awscall_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"lambda-guardrail/internal/awscall"
	"lambda-guardrail/internal/awstest"
)

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
		cfg := awstest.Config("eu-central-1", http.DefaultTransport)
		cfg.BaseEndpoint = &endpoint
		client := awscall.New(cfg, awscall.Service{ID: "SecurityHub", Prefix: "securityhub"})
		err := client.Do(t.Context(), awscall.Call{Operation: "BatchImportFindings", Path: test.path, Read: func([]byte) error { return nil }})
		server.Close()
		if err != nil || got != test.want {
			t.Errorf("%q on %q: %q, want %q: %v", test.path, test.base, got, test.want, err)
		}
	}
}
