// Package lambdaadmin makes the calls of the Lambda API that people make and the
// functions never do, keeps what stands beside, and proves it by reading back: it
// sets variables in the environment of a function, puts a statement back into its
// policy, and makes throwaway functions, opens them and deletes them. It does not
// know what a variable or a statement means, what is open to whom, nor who asked.
package lambdaadmin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"lambda-guardrail/internal/guard"
)

const (
	maxWrites  = 5
	pause      = 2 * time.Second // between two reads, or a write and the next
	maxPending = 60              // reads of an update that goes on: two minutes
)

// Functions are those of an account and region.
type Functions struct {
	client *lambda.Client
	clock  guard.Clock
}

// New returns the functions of the account and region of cfg. Pauses go through
// clock. How often a call is sent again is left to cfg: a write that had happened
// before it was sent again is refused for its revision, and found by reading.
func New(cfg aws.Config, clock guard.Clock) *Functions {
	return &Functions{lambda.NewFromConfig(cfg), clock}
}

// Configuration is as much of a function's as is needed to change its environment.
type Configuration struct {
	Environment map[string]string
	Revision    string

	failure string // of the last update; "" if it took effect
}

func (c Configuration) holds(set map[string]string) bool {
	for name, value := range set {
		if v, ok := c.Environment[name]; !ok || v != value {
			return false
		}
	}
	return c.failure == ""
}

// Configuration reads that of a function, after any update of it has ended.
func (f *Functions) Configuration(ctx context.Context, function string) (Configuration, error) {
	for range maxPending {
		out, err := f.client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
		if err != nil {
			return Configuration{}, fmt.Errorf("reading the configuration of %s: %w", function, err)
		}
		if out.LastUpdateStatus != types.LastUpdateStatusInProgress {
			return configuration(function, out)
		}
		if err := f.clock.Sleep(ctx, pause); err != nil {
			return Configuration{}, fmt.Errorf("waiting for the update of %s: %w", function, err)
		}
	}
	return Configuration{}, fmt.Errorf("waiting for the update of %s: it is still in progress after %s", function, maxPending*pause)
}

// configuration refuses an environment that is not shown: written back, it would
// be lost.
func configuration(function string, out *lambda.GetFunctionConfigurationOutput) (Configuration, error) {
	c := Configuration{Environment: map[string]string{}, Revision: aws.ToString(out.RevisionId)}
	if out.Environment != nil {
		if e := out.Environment.Error; e != nil {
			return Configuration{}, fmt.Errorf("reading the environment of %s: %s: %s", function, aws.ToString(e.ErrorCode), aws.ToString(e.Message))
		}
		maps.Copy(c.Environment, out.Environment.Variables)
	}
	if c.Revision == "" {
		return Configuration{}, fmt.Errorf("reading the configuration of %s: it has no revision to compare", function)
	}
	if out.LastUpdateStatus == types.LastUpdateStatusFailed {
		c.failure = fmt.Sprintf("%s: %s", out.LastUpdateStatusReasonCode, aws.ToString(out.LastUpdateStatusReason))
	}
	return c, nil
}

// Set gives variables of a function their values, keeps all others, and returns
// when the update has taken effect and has been read back. What was is the
// environment before the first write; nil if there was nothing to write. A write
// that somebody else's got ahead of begins again with what is there then.
func (f *Functions) Set(ctx context.Context, function string, set map[string]string) (was map[string]string, err error) {
	var problem error // of the last write
	answered := false // the last write
	for writes := 0; ; writes++ {
		c, err := f.Configuration(ctx, function)
		switch {
		case err != nil:
			return was, errors.Join(problem, err)
		case c.holds(set):
			return was, nil
		case answered && c.failure != "":
			return was, fmt.Errorf("updating the environment of %s: Lambda took the update and then failed it: %s", function, c.failure)
		case writes == maxWrites:
			return was, fmt.Errorf("updating the environment of %s: given up after %d writes: %w", function, writes, problem)
		}
		if writes > 0 {
			if err := f.clock.Sleep(ctx, pause); err != nil {
				return was, errors.Join(problem, err)
			}
		}
		if was == nil {
			was = c.Environment
		}
		err = f.write(ctx, function, c, set)
		if answered = err == nil; answered {
			problem = errors.New("what is read back is not what was written: somebody else changes it, too")
			continue
		}
		problem = fmt.Errorf("updating the environment of %s: %w", function, err)
		if !errors.Is(err, errConflict) && !errors.Is(err, guard.ErrUnknownOutcome) {
			return was, problem
		}
	}
}

func (f *Functions) write(ctx context.Context, function string, from Configuration, set map[string]string) error {
	variables := maps.Clone(from.Environment)
	maps.Copy(variables, set)
	_, err := f.client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &function,
		RevisionId:   &from.Revision,
		Environment:  &types.Environment{Variables: variables},
	})
	if err != nil {
		return classify(err)
	}
	return nil
}

// errConflict is of a write that somebody else got ahead of.
var errConflict = errors.New("somebody else changes the function at the same time")

// conflicts are the codes of refusals that a later write may not meet.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
var conflicts = []string{"PreconditionFailedException", "ResourceConflictException"}
