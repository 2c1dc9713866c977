package guard

import (
	"slices"

	"lambda-guardrail/internal/exposure"
)

// Severity says how much a finding matters: what was opened decides, not what was
// done about it. The zero value is High: what nobody filled in cannot pass for
// harmless.
type Severity int

const (
	High Severity = iota
	Critical
	Medium
	Low
	Informational
)

var severityNames = [...]string{"high", "critical", "medium", "low", "informational"}

// Severities returns all of them, the one that matters most first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low, Informational} }

// Rank is 0 for the severity that matters most.
func (s Severity) Rank() int { return slices.Index(Severities(), s) }

// String returns the severity as it is written in findings.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return severityNames[High]
	}
	return severityNames[s]
}

// MarshalText implements [encoding.TextMarshaler] with [Severity.String].
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// severity ranks a verdict. The URL is nil for all but statements that let in
// nobody but URL callers.
func severity(v exposure.Verdict, outcome Outcome, url *FunctionURL) Severity {
	holds := func(access ...exposure.Access) bool {
		return slices.ContainsFunc(v.Access, func(a exposure.Access) bool { return slices.Contains(access, a) })
	}
	switch {
	case outcome == Exempt:
		return Informational
	case v.Level == exposure.External, v.Level == exposure.ConfusedDeputy:
		return Low
	case v.Level == exposure.Undetermined:
		// Whoever plants a Deny that nobody can decide hides an open door behind it (R16).
		if slices.ContainsFunc(v.Reasons, func(r exposure.Reason) bool { return r.Code == exposure.DenyMayApply }) {
			return High
		}
		return Medium
	case holds(exposure.Code, exposure.Control):
		return Critical
	case url != nil && url.State == Latent:
		return Medium
	}
	return High
}
