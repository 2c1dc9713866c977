package main

import (
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/wire"
)

// sarifRules are the levels that a finding can have. The severity is what
// viewers sort by, from 0 to 10.
var sarifRules = []struct {
	level          exposure.Level
	name           string
	grade          string
	severity, text string
}{
	{exposure.Public, "PublicPolicy", "error", "9.0", "The policy of a Lambda function lets in anonymous callers or any AWS account."},
	{exposure.Undetermined, "UndeterminedPolicy", "warning", "5.0", "Nobody can tell from the policy of a Lambda function whether strangers get in: a person must look."},
	{exposure.ConfusedDeputy, "ConfusedDeputy", "note", "3.0", "The policy of a Lambda function lets in an AWS service that acts for anybody."},
	{exposure.External, "ExternalAccess", "note", "3.0", "The policy of a Lambda function lets in an outsider beyond the configured trust."},
}

// grades are SARIF's levels.
var grades = map[guard.Severity]string{
	guard.Critical: "error", guard.High: "error", guard.Medium: "warning", guard.Low: "note", guard.Informational: "note",
}

// writeSARIF writes a log of SARIF 2.1.0 with a run for all regions.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
func writeSARIF(p *page, all scanReport) {
	run := sarif.NewRunWithInformationURI("lambda-guardrail", "https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html")
	run.Tool.Driver.WithVersion(wire.Version).WithSemanticVersion(wire.Version)
	for _, r := range sarifRules {
		run.AddRule(r.level.String()).WithName(r.name).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(r.text)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(r.grade)).
			WithProperties(sarif.NewPropertyBag().Add("security-severity", r.severity).WithTags([]string{"security"}))
	}
	done := sarif.NewInvocation().WithExecutionSuccessful(true)
	for _, x := range all {
		for _, f := range x.Findings {
			run.AddResult(sarifResult(run, f))
		}
		for _, u := range x.Unreadable {
			done.WithExecutionSuccessful(false).AddToolExecutionNotification(sarifNote("unreadable, and so not known to be safe: " + u.Error).AddLocation(sarifLocation(u.Resource)))
		}
		if !x.Complete {
			done.WithExecutionSuccessful(false).AddToolExecutionNotification(sarifNote(x.Region + ": the result is a part: " + x.Error))
		}
	}
	run.AddInvocation(done)
	log := sarif.NewReport()
	log.AddRun(run)
	if err := log.PrettyWrite(p); err != nil && p.err == nil {
		p.err = err
	}
	p.printf("\n")
}

func sarifResult(run *sarif.Run, f guard.Finding) *sarif.Result {
	level := f.Verdict.Level.String()
	texts := []string{f.Severity.String() + ": " + f.Resource.String() + " is " + state(f)}
	for _, w := range f.Verdict.Strangers {
		texts = append(texts, w.Sentence())
	}
	if f.Error != "" {
		texts = append(texts, f.Error)
	}
	texts = append(texts, f.NextSteps...)
	result := sarif.NewRuleResult(level).WithRuleIndex(run.GetRuleIndex(level)).
		WithKind("fail").WithLevel(grades[f.Severity]).
		WithMessage(sarif.NewTextMessage(sarifText(strings.Join(texts, "\n")))).
		AddLocation(sarifLocation(f.Resource.ARN())).
		WithPartialFingerprints(map[string]string{"lambdaGuardrail/v1": f.ID}).
		WithProperties(sarif.NewPropertyBag().Add("severity", f.Severity.String()).Add("outcome", f.Outcome.String()).
			Add("sid", visible(f.Sid)).Add("statement", visible(f.Statement)).WithTags(f.Attack))
	switch f.Outcome {
	case guard.Reverted, guard.AlreadyGone:
		result.WithKind("pass").WithLevel("none")
	case guard.Exempt:
		result.AddSuppression(sarif.NewSuppression().WithKind("external").WithStatus("accepted").
			WithJustification(visible(f.Exemption.Reason + " (" + f.Exemption.Owner + ")")))
	}
	return result
}

func sarifLocation(arn string) *sarif.Location {
	return sarif.NewLocation().AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(visible(arn)).WithKind("resource"))
}

func sarifNote(text string) *sarif.Notification {
	return sarif.NewNotification().WithLevel("error").WithMessage(sarif.NewTextMessage(sarifText(text)))
}

// sarifText makes text of which no part is a link or a placeholder (3.11.5, 3.11.6).
func sarifText(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "{", "{{", "}", "}}").Replace(strings.Join(lines, "\n"))
}
