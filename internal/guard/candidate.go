package guard

import (
	"slices"
	"strings"
	"time"
)

// UserAgent is the product name that every call of ours carries.
const UserAgent = "lambda-guardrail"

// Candidate is a resource to look at, and what an event said of it: a hint.
type Candidate struct {
	Resource  Resource
	Call      string    // the event's name, "AddPermission20150331v2"
	EventID   string    // CloudTrail's, the same in every delivery
	Time      time.Time // of the call
	Statement string    // the recorded statement, verbatim JSON; "" if the event carries none
	Actor     Actor
}

// Actor is who made the call, as CloudTrail saw it. All fields are optional,
// and all are text that a stranger may have chosen.
type Actor struct {
	Type          string `json:"type,omitempty"` // IAMUser, AssumedRole, Root, AWSService, ...
	ARN           string `json:"arn,omitempty"`
	Account       string `json:"account,omitempty"`
	AccessKeyID   string `json:"accessKeyId,omitempty"`
	SessionIssuer string `json:"sessionIssuer,omitempty"` // ARN of the role behind a session
	MFA           string `json:"mfa,omitempty"`           // "true", "false", or "" if the record does not say
	Source        string `json:"source,omitempty"`        // IP address or service name
	UserAgent     string `json:"userAgent,omitempty"`
	InvokedBy     string `json:"invokedBy,omitempty"` // service that called for the actor
	Tool          string `json:"tool,omitempty"`      // of infrastructure as code, by what the call says of itself
}

// tools are known by a word in the user agent, the source or the invoking
// service. Whoever wants to can forge the first: it is a hint at a template that
// would put a removed statement back, and never a reason to trust.
var tools = [...]struct{ word, name string }{
	{"cloudformation.amazonaws.com", "CloudFormation"},
	{"terraform", "Terraform"},
	{"opentofu", "OpenTofu"},
	{"pulumi", "Pulumi"},
	{"ansible", "Ansible"},
}

// tool returns the name of the tool that made the call, "" if it is none we know.
func (a Actor) tool() string {
	said := strings.ToLower(a.UserAgent + "\n" + a.Source + "\n" + a.InvokedBy)
	for _, t := range tools {
		if strings.Contains(said, t.word) {
			return t.name
		}
	}
	return ""
}

// own reports whether the call was the guardrail's. The user agent alone can be
// forged; the role alone may have been taken over by somebody.
func (s *Settings) own(a Actor) bool {
	return slices.Contains(s.OwnRoles, a.SessionIssuer) && strings.Contains(a.UserAgent, UserAgent+"/")
}

// elsewhere reports whether r belongs to another account. CloudTrail gives a
// cross-account call to the caller's account too; the policy is for the owner's
// guardrail to read, and ours may not.
func (s *Settings) elsewhere(r Resource) bool {
	return slices.ContainsFunc(s.OwnRoles, func(role string) bool {
		fields := strings.Split(role, ":")
		return len(fields) == 6 && fields[4] != r.Account
	})
}
