// Package config reads and writes the settings, strictly at both ends: infra
// writes the environment that the functions read. It knows neither files nor the
// process: texts are handed in.
package config

import (
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// Config is what the owner set. What each setting means, and what is legal, is
// written once, in the table behind [All]. The zero value only looks.
type Config struct {
	Mode            guard.Mode
	FunctionURLs    guard.Mode
	TrustedAccounts []string
	TrustedOrgs     []string
	Exemptions      string // name of the file
	OwnRoles        []string
	Topic           string // ARN; "" publishes nothing
	ChatTopic       string // the same
	SecurityHub     bool
	EventBus        string // name or ARN; "" puts nothing
	Sweep           Sweep
	Stack           Stack
}

// Sweep is what the owner set for the periodic function.
type Sweep struct {
	MaxReverts *int   // in one run; nil is DefaultMaxReverts
	QuotaShare *int   // percent of the control plane's quota; nil is DefaultQuotaShare
	Bucket     string // name, for what was seen; "" keeps nothing, and reads every policy
	Key        string // ARN of the KMS key that encrypts it
}

// What is meant where the settings say nothing.
const (
	DefaultMaxReverts = 50
	DefaultQuotaShare = 33
)

// Stack is what the owner set for the stack alone. It is read from a context and
// never from an environment: no function needs it.
type Stack struct {
	Name                string // begins the name of everything in the stack
	Regions             []Region
	Trail               Trail
	Email               string
	ReservedConcurrency *int // nil for what suits the mode
	LogRetentionDays    int
	Chat                bool   // has a topic of its own
	SweepSchedule       string // EventBridge Scheduler's expression, or Off
	FullSweepSchedule   string // the same
}

// Off is the schedule of what is not to run.
const Off = "off"

// Region is where a stack goes, and the mode there.
type Region struct {
	Name string
	Mode guard.Mode
}

// Trail says where CloudTrail's records come from.
type Trail string

const (
	ExistingTrail Trail = "existing" // the account, or its organization, has one
	CreateTrail   Trail = "create"   // the stack has one
)

// Settings returns the guard's view of c.
func (c Config) Settings(exemptions []guard.Exemption) guard.Settings {
	return guard.Settings{
		Mode:         c.Mode,
		FunctionURLs: c.FunctionURLs,
		Trust:        exposure.Trust{Accounts: c.TrustedAccounts, Orgs: c.TrustedOrgs},
		Exemptions:   exemptions,
		OwnRoles:     c.OwnRoles,
	}
}

// actions are what the function calls, and from which mode on: a mode is a
// permission before it is a setting. For the pairs that AWS asks for see
// https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
var actions = [...]struct {
	name string
	from guard.Mode
	why  string
}{
	{"lambda:GetPolicy", guard.Audit, "reads the live policy, and proves a removal"},
	{"lambda:GetFunctionConfiguration", guard.Audit, "names the execution role in a finding"},
	{"lambda:GetFunctionUrlConfig", guard.Audit, "says whether a public function URL is live"},
	{"lambda:RemovePermission", guard.Enforce, "takes out one statement by its Sid; asked for by PutResourcePolicy and DeleteResourcePolicy too"},
	{"lambda:PutResourcePolicy", guard.Enforce, "writes the rest where no Sid names the statement"},
	{"lambda:AddPermission", guard.Enforce, "asked for by PutResourcePolicy"},
	{"lambda:DeleteResourcePolicy", guard.Enforce, "takes out the last statement where no Sid names it"},
}

// SweepActions are what the sweep calls beside, on every function: it asks which
// there are.
func SweepActions() []string { return []string{"lambda:ListFunctions", "lambda:ListAliases"} }

// Sink names a way out for findings beside the log.
type Sink string

const (
	SNS         Sink = "sns"
	SecurityHub Sink = "security-hub"
	EventBridge Sink = "eventbridge"
)

// sinkActions are what the function calls for each sink, on the sink's resource.
var sinkActions = map[Sink][]string{
	SNS:         {"sns:Publish"},
	SecurityHub: {"securityhub:BatchImportFindings"},
	EventBridge: {"events:PutEvents"},
}

// SinkActions returns the IAM actions that a function needs for a sink.
func SinkActions(s Sink) []string { return sinkActions[s] }

// Actions returns the IAM actions that a function needs in that mode.
func Actions(mode guard.Mode) []string {
	var names []string
	for _, a := range actions {
		if a.from == guard.Audit || mode == guard.Enforce {
			names = append(names, a.name)
		}
	}
	return names
}
