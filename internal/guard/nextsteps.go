package guard

import (
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
)

// step is one row of what a person ought to do about a finding.
type step struct {
	when func(f *Finding) bool
	text string
}

// steps are those of the investigation guide of Elastic's rule, in the order in
// which they help. Capital words are filled in: from the finding's own parts, and
// never from a text that a stranger may have chosen. What is to be copied stands
// between backticks.
var steps = [...]step{
	{func(f *Finding) bool { return f.Outcome == NeedsReview && f.Statement == "" },
		"Read the policy yourself, since it could not be read here: `aws lambda get-policy --region=REGION --function-name=NAME`. If strangers get in, write it anew with `aws lambda put-resource-policy`."},
	{func(f *Finding) bool { return f.Outcome == NeedsReview && f.Statement != "" },
		"Judge the statement yourself: the reasons name the element that nobody could decide. If strangers get in, take it out: REMOVE"},
	{func(f *Finding) bool { return f.Outcome == Failed },
		"It may still be open: read the error, then look with: `aws lambda get-policy --region=REGION --function-name=NAME`. If it stands, take it out: REMOVE"},
	{func(f *Finding) bool { return f.Outcome == Failed && f.Restore != "" },
		"If other statements are missing from the policy, put them back: `policyBefore` in the evidence has them."},
	{func(f *Finding) bool { return f.Outcome == Audited && f.Verdict.Level == exposure.Public },
		"It is open. If nobody wants it so, take it out: REMOVE. If the owner does, write an exemption with owner, reason and end date."},
	{func(f *Finding) bool { return f.Outcome == Audited && f.Verdict.Level == exposure.External },
		"Ask the owner whether the outsider it names is a partner. If so, add the account or organization to trustedAccounts or trustedOrgs; if not: REMOVE"},
	{func(f *Finding) bool { return f.Outcome == Audited && f.Verdict.Level == exposure.ConfusedDeputy },
		"Bind the service to your own resources: grant it again with a source ARN and a source account, then take this one out: REMOVE"},
	{func(f *Finding) bool { return f.Outcome == Exempt },
		"Nothing to do: an exemption covers it until UNTIL."},
	{func(f *Finding) bool { return f.investigate() && f.EventID != "" },
		"Ask whoever made the call whether they meant it. The whole record is in CloudTrail under event id `EVENT`."},
	{func(f *Finding) bool { return f.investigate() && f.EventID == "" },
		"Find out who opened it: look in CloudTrail for AddPermission and PutResourcePolicy on `NAME`."},
	{func(f *Finding) bool { return f.investigate() && strings.HasPrefix(f.Actor.AccessKeyID, "AKIA") },
		"If they did not: make the access key of the call inactive, then rotate it."},
	{func(f *Finding) bool {
		return f.investigate() && f.EventID != "" && !strings.HasPrefix(f.Actor.AccessKeyID, "AKIA")
	},
		"If they did not: revoke the sessions of the role of the call, and change the credentials it was assumed with."},
	{func(f *Finding) bool { return f.investigate() && f.Actor.Tool != "" },
		"The call says that TOOL made it: correct the template, or it puts the statement back."},
	{func(f *Finding) bool { return f.investigate() },
		"Look for what else was changed: code, layers, environment and execution role of `NAME` (UpdateFunctionCode, UpdateFunctionConfiguration, PutRolePolicy, AttachRolePolicy in CloudTrail)."},
	{func(f *Finding) bool { return f.investigate() },
		"Find out whether it was used while it was open: metrics Invocations and UrlRequestCount of `NAME` in CloudWatch PERIOD, and data events in CloudTrail if they are logged."},
	{func(f *Finding) bool { return f.Outcome == Reverted },
		"If it was meant to be open: write an exemption first, then put the statement back with guardrail restore."},
}

// investigate reports whether strangers got in, or may have.
func (f *Finding) investigate() bool {
	return f.Outcome != Exempt && (f.Verdict.Level == exposure.Public || f.Verdict.Level == exposure.Undetermined)
}

// nextSteps returns what to do about f, in order.
func nextSteps(f Finding) []string {
	period := "until now"
	if !f.OpenedAt.IsZero() {
		period = "from " + f.OpenedAt.UTC().Format(time.RFC3339)
		if !f.ClosedAt.IsZero() {
			period += " to " + f.ClosedAt.UTC().Format(time.RFC3339)
		}
	}
	until := ""
	if f.Exemption != nil {
		until = f.Exemption.Until.UTC().Format(time.RFC3339)
	}
	event := "UNKNOWN"
	if only(f.EventID, letters+digits+"-") && len(f.EventID) <= 64 {
		event = f.EventID
	}
	fill := strings.NewReplacer(
		"REMOVE", removeCommand(f), "REGION", f.Resource.Region, "NAME", f.Resource.String(),
		"UNTIL", until, "EVENT", event, "TOOL", f.Actor.Tool, "PERIOD", period,
	)
	list := []string{}
	for _, s := range steps {
		if s.when(&f) {
			list = append(list, fill.Replace(s.text))
		}
	}
	return list
}

// removeCommand returns the shell command that takes the statement out, or words
// where no Sid names it.
func removeCommand(f Finding) string {
	if !only(f.Sid, letters+digits+"-_") || len(f.Sid) > 100 {
		return "`aws lambda put-resource-policy` with the rest of the policy (no Sid names the statement)"
	}
	command := "`aws lambda remove-permission --region=" + f.Resource.Region + " --function-name=" + f.Resource.Function
	if f.Resource.Qualifier != "" {
		command += " --qualifier=" + quote(f.Resource.Qualifier)
	}
	return command + " --statement-id=" + f.Sid + "`"
}
