// Package wire puts the parts together, the same for the deployed functions and
// for the rehearsal: settings and a configuration of the SDK become a Guard and
// the handler of its events. It does not know the process: environment, output
// and time are handed in.
package wire

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/sink"
	"lambda-guardrail/internal/sink/eventbridge"
	"lambda-guardrail/internal/sink/securityhub"
	"lambda-guardrail/internal/sink/sns"
)

// Version is that of the user agent.
const Version = "0.1.0"

// Guard returns a Guard on the Lambda API of cfg that reports to log, and to every
// sink that c names.
func Guard(cfg aws.Config, c config.Config, exemptions []guard.Exemption, log io.Writer, clock guard.Clock) *guard.Guard {
	g, _ := parts(cfg, c, exemptions, log, clock)
	return g
}

// parts returns a Guard and the policies that it is on. Attempts that fail are
// counted in the log.
func parts(cfg aws.Config, c config.Config, exemptions []guard.Exemption, log io.Writer, clock guard.Clock) (*guard.Guard, *lambdapolicy.Policies) {
	cfg = named(cfg)
	lines := sink.NewLog(log, clock.Now)
	policies := lambdapolicy.New(cfg, clock, func(f lambdapolicy.Failure) { lines.APIError(f.Call, string(f.Class), f.Code) })
	return guard.New(policies, policies, sinks(cfg, c, lines, clock), lines, clock, c.Settings(exemptions)), policies
}

// sinks are the log, and what c names.
func sinks(cfg aws.Config, c config.Config, log *sink.Log, clock guard.Clock) []guard.Sink {
	all := []guard.Sink{log}
	if c.Topic != "" || c.ChatTopic != "" {
		all = append(all, sns.New(cfg, c.Topic, c.ChatTopic))
	}
	if c.SecurityHub {
		all = append(all, securityhub.New(cfg, clock.Now, log.Warn))
	}
	if c.EventBus != "" {
		all = append(all, eventbridge.New(cfg, c.EventBus, clock.Now))
	}
	return all
}

// named returns cfg for calls that say whose they are.
func named(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), awsmiddleware.AddUserAgentKeyValue(guard.UserAgent, Version))
	return cfg
}

// Clock is the time that passes outside.
type Clock struct{}

// Now implements [guard.Clock].
func (Clock) Now() time.Time { return time.Now() }

// Sleep implements [guard.Clock].
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
