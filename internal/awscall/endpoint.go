package awscall

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Service is one of AWS's, by the names that it has.
type Service struct {
	ID           string // the SDK's, as in AWS_ENDPOINT_URL_ID
	Prefix       string // of its hosts, and what calls are signed for
	GovFIPS      bool   // in GovCloud its plain endpoint is the one with FIPS
	GovDualStack bool   // and so is the one with dual stack
}

// partitions are recognised by how the names of their regions begin; the last one
// is all others.
var partitions = [...]struct{ region, suffix, dualStack string }{
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
	{"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
	{"", "amazonaws.com", "api.aws"},
}

// endpoint returns what the generated client would: where the configuration sends
// the service, or else all services, or else where AWS has it.
func (c *Client) endpoint(ctx context.Context) (*url.URL, error) {
	var fips, dualStack bool
	for _, source := range c.cfg.ConfigSources {
		if s, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); ok {
			if text, found, err := s.GetServiceBaseEndpoint(ctx, c.service.ID); err != nil || found {
				return parse(text, err)
			}
		}
		if s, ok := source.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		}); ok {
			state, found, err := s.GetUseFIPSEndpoint(ctx)
			if err != nil {
				return nil, err
			}
			fips = fips || found && state == aws.FIPSEndpointStateEnabled
		}
		if s, ok := source.(interface {
			GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
		}); ok {
			state, found, err := s.GetUseDualStackEndpoint(ctx)
			if err != nil {
				return nil, err
			}
			dualStack = dualStack || found && state == aws.DualStackEndpointStateEnabled
		}
	}
	if c.cfg.BaseEndpoint != nil {
		return parse(*c.cfg.BaseEndpoint, nil)
	}
	return parse("https://"+c.service.host(c.cfg.Region, fips, dualStack), nil)
}

func (s Service) host(region string, fips, dualStack bool) string {
	prefix := s.Prefix
	always := s.GovFIPS && !dualStack || s.GovDualStack && dualStack
	if fips && !(always && strings.HasPrefix(region, "us-gov-")) {
		prefix += "-fips"
	}
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			if dualStack {
				return prefix + "." + region + "." + p.dualStack
			}
			return prefix + "." + region + "." + p.suffix
		}
	}
	return "" // the last partition has all others
}

func parse(text string, err error) (*url.URL, error) {
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no endpoint: want a URL like https://events.eu-central-1.amazonaws.com", text)
	}
	return u, nil
}
