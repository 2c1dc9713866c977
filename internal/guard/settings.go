package guard

import (
	"path"
	"slices"
	"time"

	"lambda-guardrail/internal/exposure"
)

// Mode says what may be done: look, or write too. The zero value is Audit.
type Mode int

const (
	Audit Mode = iota
	Enforce
)

// String returns the mode as it is written in settings and findings. Whatever is
// not Enforce is audit.
func (m Mode) String() string {
	if m == Enforce {
		return "enforce"
	}
	return "audit"
}

// MarshalText implements [encoding.TextMarshaler] with [Mode.String].
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Settings are what the owner decided.
type Settings struct {
	Mode         Mode
	FunctionURLs Mode // for statements that let in nobody but callers of the function URL
	Trust        exposure.Trust
	Exemptions   []Exemption
	OwnRoles     []string // ARNs of the guardrail's own roles; none recognises no call as its own
}

// Exemption lets a public statement stand, until a day and for a reason.
type Exemption struct {
	Function    string    `json:"function"`              // ARN pattern with * and ?; a qualifier is part of the ARN
	Sid         string    `json:"sid,omitempty"`         // "" covers every statement
	Fingerprint string    `json:"fingerprint,omitempty"` // of the statement; "" covers any content
	Owner       string    `json:"owner"`
	Reason      string    `json:"reason"`
	Until       time.Time `json:"until"` // exempt before this instant
}

// Notice is how long before its end an exemption is warned of.
const Notice = 14 * 24 * time.Hour

// Ended reports whether e is no exemption any more.
func (e *Exemption) Ended(now time.Time) bool { return !now.Before(e.Until) }

// Ends reports whether e is one still, and ends within the notice.
func (e *Exemption) Ends(now time.Time) bool { return !e.Ended(now) && e.Ended(now.Add(Notice)) }

// Covers reports whether e lets the statement stand.
func (e *Exemption) Covers(arn, sid, fingerprint string, now time.Time) bool {
	// path.Match: an ARN of a function holds no slash, and a malformed pattern
	// matches nothing.
	named, err := path.Match(e.Function, arn)
	return err == nil && named &&
		(e.Sid == "" || e.Sid == sid) &&
		(e.Fingerprint == "" || e.Fingerprint == fingerprint) &&
		!e.Ended(now)
}

// exemption returns the first one that covers the statement, or nil.
func (s *Settings) exemption(arn, sid, fingerprint string, now time.Time) *Exemption {
	for i := range s.Exemptions {
		if e := &s.Exemptions[i]; e.Covers(arn, sid, fingerprint, now) {
			return e
		}
	}
	return nil
}

// TakesOut reports whether a guardrail of these settings takes the statement of
// that fingerprint out of the document, if it is the policy of r.
func (s *Settings) TakesOut(document string, r Resource, fingerprint string, now time.Time) bool {
	rulings, _ := s.read(document, r, now)
	return slices.ContainsFunc(rulings, func(ruling ruling) bool {
		return ruling.remove && ruling.fingerprint == fingerprint
	})
}
