package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"lambda-guardrail/internal/exposure"
)

// SchemaVersion is that of a Finding's JSON. A change that a consumer can trip
// over raises its first number.
const SchemaVersion = "1.2"

// Outcome is what was done about a finding. The zero value counts as Failed:
// what nobody filled in cannot pass for fine.
type Outcome string

const (
	Audited     Outcome = "audited"      // it stands, and was to be looked at only
	Exempt      Outcome = "exempt"       // it stands, and the owner wants it to
	NeedsReview Outcome = "needs-review" // nobody can tell but a person; nothing was removed
	Reverted    Outcome = "reverted"     // removed, and seen to be gone
	AlreadyGone Outcome = "already-gone" // it was open, and somebody else closed it
	Failed      Outcome = "failed"       // it was to be removed and may stand, or the removal did harm: see Error
)

// String returns the outcome as it is written in findings.
func (o Outcome) String() string {
	switch o {
	case Audited, Exempt, NeedsReview, Reverted, AlreadyGone:
		return string(o)
	}
	return string(Failed)
}

// MarshalText implements [encoding.TextMarshaler] with [Outcome.String].
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// FoundBy says what led to a finding.
type FoundBy string

const (
	ByEvent FoundBy = "event" // a guarded call
	BySweep FoundBy = "sweep" // the periodic function
	ByScan  FoundBy = "scan"  // a person
)

// Finding is the record of one statement, and the contract with every consumer:
// finding.schema.json describes its JSON. Its texts may have been chosen by an
// attacker.
type Finding struct {
	SchemaVersion string           `json:"schemaVersion"`
	ID            string           `json:"id"` // the same for the same statement on the same resource
	Severity      Severity         `json:"severity"`
	FoundBy       FoundBy          `json:"foundBy"`
	Resource      Resource         `json:"resource"`
	Role          string           `json:"role,omitempty"`        // ARN of the function's execution role; "" if it is not known
	FunctionURL   *FunctionURL     `json:"functionUrl,omitempty"` // of a statement that lets in nobody but URL callers
	Sid           string           `json:"sid,omitempty"`
	Statement     string           `json:"statement"`        // verbatim; "" if it is the document that cannot be read
	Fingerprint   string           `json:"fingerprint"`      // iampolicy.Fingerprint of the statement, or of the document
	PolicyBefore  string           `json:"policyBefore"`     // the whole document that last held the statement; "" if none was seen to
	Beside        []Beside         `json:"beside,omitempty"` // other public statements of the same policy
	Verdict       exposure.Verdict `json:"verdict"`
	Outcome       Outcome          `json:"outcome"`
	Error         string           `json:"error,omitempty"` // why it failed
	Mode          Mode             `json:"mode"`
	FunctionURLs  Mode             `json:"functionUrls"`
	Exemption     *Exemption       `json:"exemption,omitempty"`
	// The call that led here. It need not be the one that opened the statement:
	// others in the same policy are found in passing, without OpenedAt.
	Call        string    `json:"call,omitempty"`
	EventID     string    `json:"eventId,omitempty"`
	Actor       Actor     `json:"actor"`
	OpenedAt    time.Time `json:"openedAt,omitzero"`     // of the call that can have opened it
	ClosedAt    time.Time `json:"closedAt,omitzero"`     // seen to be gone, if we removed it
	SecondsOpen float64   `json:"secondsOpen,omitzero"`  // where both are known
	APICalls    int       `json:"apiCalls"`              // spent on the policy, for the whole event
	LookupCalls int       `json:"lookupCalls"`           // spent afterwards, on role and function URL
	Attack      []string  `json:"attack,omitempty"`      // MITRE ATT&CK techniques
	ElasticRule string    `json:"elasticRule,omitempty"` // id of the detection rule that it corresponds to
	NextSteps   []string  `json:"nextSteps"`             // for the person who reads it, in order
	Restore     string    `json:"restore,omitempty"`     // the shell command that undoes the removal, if there was one
	Omitted     []string  `json:"omitted,omitempty"`     // members that a sink left out for want of room
}

// Beside is another public statement in the policy of a finding, which has a
// finding of its own.
type Beside struct {
	ID      string  `json:"id"`
	Sid     string  `json:"sid,omitempty"`
	Outcome Outcome `json:"outcome"`
}

// techniques are those of a statement that lets strangers in, or may:
// https://attack.mitre.org/techniques/T1546/, https://attack.mitre.org/techniques/T1578/005/
var techniques = []string{"T1546", "T1578.005"}

// elasticRule is "AWS Lambda Function Policy Updated to Allow Public Invocation" in
// https://github.com/elastic/detection-rules
const elasticRule = "151d8f72-0747-11ef-a0c2-f661ea17fbcc"

// FindingID is that of a statement, by its fingerprint, on a resource, by its ARN.
// It is 128 bits long, so that nobody can make two statements that share one.
func FindingID(arn, fingerprint string) string {
	sum := sha256.Sum256([]byte(arn + "\n" + fingerprint))
	return hex.EncodeToString(sum[:16])
}
