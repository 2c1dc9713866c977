// Package securityhub imports findings into Security Hub CSPM of the account and
// region. It does not know how a finding reads there, which is package sink's
// business.
package securityhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"lambda-guardrail/internal/awscall"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sink"
)

// Service is where the calls go.
var Service = awscall.Service{ID: "SecurityHub", Prefix: "securityhub"}

// off is the code of the answer where Security Hub CSPM is not enabled.
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
const off = "InvalidAccessException"

// Sink imports each finding. It implements [guard.Sink].
type Sink struct {
	client *awscall.Client
	now    func() time.Time
	warn   func(message string, because error) error
	warned atomic.Bool
}

var _ guard.Sink = (*Sink)(nil)

// New returns a Sink for the account and region of cfg. Where Security Hub is off,
// findings go nowhere, and warn is told so the first time.
func New(cfg aws.Config, now func() time.Time, warn func(message string, because error) error) *Sink {
	return &Sink{client: awscall.New(cfg, Service), now: now, warn: warn}
}

// Name implements [guard.Sink].
func (s *Sink) Name() string { return "security-hub" }

// Report implements [guard.Sink]. A finding that is there already is updated.
func (s *Sink) Report(ctx context.Context, f guard.Finding) error {
	finding, err := sink.SecurityHubFinding(f, s.now())
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string][]json.RawMessage{"Findings": {finding}})
	if err != nil {
		return err
	}
	err = s.client.Do(ctx, awscall.Call{
		Operation: "BatchImportFindings", Path: "/findings/import",
		Header: map[string]string{"Content-Type": "application/json"}, Body: body, Read: read,
	})
	var answer smithy.APIError
	if !errors.As(err, &answer) || answer.ErrorCode() != off {
		return err
	}
	if s.warned.Swap(true) {
		return nil
	}
	return s.warn("Security Hub is off here: findings do not go there", err)
}

// read returns the refusal of the finding, if it was refused.
func read(answer []byte) error {
	var result struct {
		FailedCount    int
		SuccessCount   int
		FailedFindings []struct{ ErrorCode, ErrorMessage string }
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	for _, failed := range result.FailedFindings {
		return &smithy.GenericAPIError{Code: failed.ErrorCode, Message: failed.ErrorMessage}
	}
	if result.FailedCount > 0 || result.SuccessCount == 0 {
		return fmt.Errorf("%d findings imported and %d refused, without a reason", result.SuccessCount, result.FailedCount)
	}
	return nil
}
