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
	OwnRole         string
	Stack           Stack
}

// Stack is what the owner set for the stack alone. It is read from a context and
// never from an environment: no function needs it.
type Stack struct {
	Name                string // begins the name of everything in the stack
	Regions             []Region
	Trail               Trail
	Email               string
	ReservedConcurrency *int // nil for what suits the mode
	LogRetentionDays    int
}

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
		OwnRole:      c.OwnRole,
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
	{"lambda:RemovePermission", guard.Enforce, "takes out one statement by its Sid; asked for by PutResourcePolicy and DeleteResourcePolicy too"},
	{"lambda:PutResourcePolicy", guard.Enforce, "writes the rest where no Sid names the statement"},
	{"lambda:AddPermission", guard.Enforce, "asked for by PutResourcePolicy"},
	{"lambda:DeleteResourcePolicy", guard.Enforce, "takes out the last statement where no Sid names it"},
}

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
