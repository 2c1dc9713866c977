package wire

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/sweep"
)

// Start reads what a function starts from: its environment, and the file of
// exemptions in root if the settings name one.
func Start(environ []string, root fs.FS) (aws.Config, config.Config, []guard.Exemption, error) {
	fail := func(err error) (aws.Config, config.Config, []guard.Exemption, error) {
		return aws.Config{}, config.Config{}, nil, err
	}
	c, err := config.FromEnv(environ)
	if err != nil {
		return fail(fmt.Errorf("reading the settings: %w", err))
	}
	var exemptions []guard.Exemption
	if c.Exemptions != "" {
		text, err := fs.ReadFile(root, c.Exemptions)
		if err != nil {
			return fail(fmt.Errorf("reading the exemptions: %w", err))
		}
		if exemptions, err = config.ParseExemptions(text); err != nil {
			return fail(fmt.Errorf("%s: %w", c.Exemptions, err))
		}
	}
	cfg, err := AWS(environ)
	if err != nil {
		return fail(fmt.Errorf("reading the environment: %w", err))
	}
	return cfg, c, exemptions, nil
}

// Sweep returns a Sweep of the account and region of cfg, with a Guard as that of
// [Guard]. All calls to Lambda, the Guard's among them, keep to the share of the
// quota that c names. Seen may be nil.
func Sweep(cfg aws.Config, c config.Config, exemptions []guard.Exemption, log io.Writer, clock guard.Clock, seen sweep.Seen) *sweep.Sweep {
	percent, reverts := config.DefaultQuotaShare, config.DefaultMaxReverts
	if c.Sweep.QuotaShare != nil {
		percent = *c.Sweep.QuotaShare
	}
	if c.Sweep.MaxReverts != nil {
		reverts = *c.Sweep.MaxReverts
	}
	pace := sweep.NewPace(clock, percent)
	inspector, inventory := parts(lambdapolicy.Paced(cfg, pace), c, exemptions, log, clock)
	return sweep.New(sweep.Parts{
		Inventory: inventory,
		Inspector: inspector,
		Seen:      seen,
		Clock:     clock, Pace: pace,
		Settings:   c.Settings(exemptions),
		MaxReverts: reverts,
	})
}
