package guard

import (
	"context"
	"errors"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
)

// ErrHeld: statements were to be removed, and were left because the caller of
// Inspect said so.
var ErrHeld = errors.New("not removed: the run may remove no more")

// Inspection is how [Guard.Inspect] looks at a resource.
type Inspection struct {
	FoundBy FoundBy // BySweep or ByScan
	Hold    bool    // remove nothing, whatever the mode: what should go is Failed with ErrHeld
}

// Inspected is what Inspect saw.
type Inspected struct {
	Findings   []Finding
	Statements int            // of the policy as it is now; 0 if there is none
	Level      exposure.Level // of the policy as it is now; Undetermined if it could not be read
	Timeless   bool           // the level cannot change with time alone
	Revision   string         // of the last reading; "" if there is no policy
	Writes     int            // removals that were sent
}

// Inspect looks at one resource that no event named: what stands is handled as
// Respond handles it, and what lets in no stranger but outsiders or a confused
// deputy is reported too. A resource without a policy is no error.
func (g *Guard) Inspect(ctx context.Context, on Resource, how Inspection) (Inspected, error) {
	if g.settings.elsewhere(on) {
		return Inspected{}, nil
	}
	r := &response{Guard: g, Candidate: Candidate{Resource: on}, foundBy: how.FoundBy, held: how.Hold}
	findings, err := r.respond(ctx)
	seen := Inspected{Findings: findings, Writes: r.writes}
	if r.live != nil {
		verdicts := make([]exposure.Verdict, len(r.live.rulings))
		var d iampolicy.Document
		for i, ruling := range r.live.rulings {
			verdicts[i] = ruling.verdict
			d.Statements = append(d.Statements, ruling.statement)
		}
		seen.Statements, seen.Level, seen.Revision = len(verdicts), exposure.Worst(verdicts), r.live.policy.Revision
		seen.Timeless = exposure.Timeless(d)
	}
	return seen, err
}
