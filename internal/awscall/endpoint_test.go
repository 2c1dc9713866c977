package awscall_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	bridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	hub "github.com/aws/aws-sdk-go-v2/service/securityhub"
	topics "github.com/aws/aws-sdk-go-v2/service/sns"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"lambda-guardrail/internal/awscall"
	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/sink/eventbridge"
	"lambda-guardrail/internal/sink/securityhub"
	"lambda-guardrail/internal/sink/sns"
)

// flags are a source of configuration.
type flags struct{ fips, dualStack bool }

func (f flags) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, f.fips, nil
}

func (f flags) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, f.dualStack, nil
}

// host returns where a call of cfg goes.
func host(t *testing.T, cfg aws.Config, s awscall.Service) string {
	t.Helper()
	var to string
	sender := config("", func(r *http.Request, _ string) (*http.Response, error) {
		to = r.URL.Scheme + "://" + r.URL.Host
		return awstest.Response(400, nil, ""), nil
	})
	cfg.HTTPClient, cfg.Credentials = sender.HTTPClient, sender.Credentials
	err := awscall.New(cfg, s).Do(t.Context(), awscall.Call{Operation: "Any", Body: []byte("{}")})
	if to == "" {
		t.Fatal(err)
	}
	return to
}

// TestEndpointsAreThoseOfTheGeneratedClients is why the table of partitions can be
// believed.
func TestEndpointsAreThoseOfTheGeneratedClients(t *testing.T) {
	uri := func(e smithyendpoints.Endpoint, err error) (url.URL, error) { return e.URI, err }
	services := []struct {
		awscall.Service
		generated func(region string, f flags) (url.URL, error)
	}{
		{securityhub.Service, func(region string, f flags) (url.URL, error) {
			return uri(hub.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), hub.EndpointParameters{Region: &region, UseFIPS: &f.fips, UseDualStack: &f.dualStack}))
		}},
		{sns.Service, func(region string, f flags) (url.URL, error) {
			return uri(topics.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), topics.EndpointParameters{Region: &region, UseFIPS: &f.fips, UseDualStack: &f.dualStack}))
		}},
		{eventbridge.Service, func(region string, f flags) (url.URL, error) {
			return uri(bridge.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), bridge.EndpointParameters{Region: &region, UseFIPS: &f.fips, UseDualStack: &f.dualStack}))
		}},
	}
	regions := []string{
		"us-east-1", "eu-central-1", "ap-southeast-5", "mx-central-1", "us-gov-west-1", "us-gov-east-1", "cn-north-1", "cn-northwest-1",
		"eusc-de-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "xx-nowhere-1",
	}
	for _, s := range services {
		for _, region := range regions {
			for _, f := range []flags{{}, {fips: true}, {dualStack: true}, {fips: true, dualStack: true}} {
				want, err := s.generated(region, f)
				if err != nil {
					if strings.Contains(err.Error(), "not support") {
						continue // AWS has none there, and so no name that could be right
					}
					t.Fatal(err)
				}
				if got := host(t, aws.Config{Region: region, ConfigSources: []any{f}}, s.Service); got != want.String() {
					t.Errorf("%s in %s, %+v: %s, want %s", s.ID, region, f, got, want.String())
				}
			}
		}
	}
}

type redirect map[string]string

func (r redirect) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	to, ok := r[service]
	return to, ok, nil
}

func TestConfiguredEndpointsGoBefore(t *testing.T) {
	all := aws.String("http://127.0.0.1:4566")
	own := []any{redirect{"EventBridge": "https://vpce.example.com"}}
	tests := []struct {
		name string
		cfg  aws.Config
		want string
	}{
		{"one for all services", aws.Config{BaseEndpoint: all}, "http://127.0.0.1:4566"},
		{"one for this service", aws.Config{ConfigSources: own}, "https://vpce.example.com"},
		{"both", aws.Config{BaseEndpoint: all, ConfigSources: own}, "https://vpce.example.com"},
		{"one for another service", aws.Config{Region: "eu-central-1", ConfigSources: []any{redirect{"SNS": "https://vpce.example.com"}}}, "https://events.eu-central-1.amazonaws.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := host(t, tt.cfg, events); got != tt.want {
				t.Errorf("the call goes to %s, want %s", got, tt.want)
			}
		})
	}
	err := awscall.New(aws.Config{BaseEndpoint: aws.String("nowhere")}, events).Do(t.Context(), awscall.Call{})
	if err == nil || !strings.Contains(err.Error(), `"nowhere" is no endpoint`) {
		t.Errorf("error %v", err)
	}
}
