package sink

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// What Security Hub CSPM takes. AWS counts characters; we count bytes, which are
// never fewer.
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
const (
	maxASFFTitle       = 256
	maxASFFDescription = 1024
	maxASFFAdvice      = 512
	maxASFFValue       = 2048 // of a product field
	maxASFFName        = 512  // of ids
	maxASFFRegion      = 16
)

// asff is a finding in the AWS Security Finding Format, as far as we use it.
// Severity and types stand where BatchImportFindings may update them, and what
// people keep there (Note, Workflow, ...) is left to them.
// https://docs.aws.amazon.com/securityhub/latest/partnerguide/guidelines-asff-mapping.html
type asff struct {
	SchemaVersion         string
	ID                    string `json:"Id"`
	ProductARN            string `json:"ProductArn"`
	ProductName           string
	CompanyName           string
	GeneratorID           string `json:"GeneratorId"`
	AWSAccountID          string `json:"AwsAccountId"`
	CreatedAt             string
	UpdatedAt             string
	FirstObservedAt       string `json:",omitempty"`
	LastObservedAt        string
	FindingProviderFields asffProvided
	Title                 string
	Description           string
	Remediation           asffRemediation
	Resources             []asffResource
	Compliance            struct{ Status string }
	RecordState           string
	ProductFields         map[string]string
}

type asffProvided struct {
	Severity struct{ Label, Original string }
	Types    []string
}

type asffRemediation struct {
	Recommendation struct {
		Text string
		URL  string `json:"Url"`
	}
}

type asffResource struct {
	Type      string
	ID        string `json:"Id"`
	Partition string `json:",omitempty"`
	Region    string `json:",omitempty"`
	Details   struct{ AwsLambdaFunction asffFunction }
}

type asffFunction struct {
	FunctionName string `json:",omitempty"`
	Role         string `json:",omitempty"`
	Version      string `json:",omitempty"`
}

// standing is what Security Hub is told of a finding, by its outcome. Archived is
// what is over: the statement is gone. What is exempt stands, and so does its
// record; but the rule is "none without an exemption", and that is kept. Whether
// a person has looked is the workflow status, which no provider may set.
var standing = map[guard.Outcome]struct{ record, compliance string }{
	guard.Audited:     {"ACTIVE", "FAILED"},
	guard.Exempt:      {"ACTIVE", "PASSED"},
	guard.NeedsReview: {"ACTIVE", "WARNING"},
	guard.Reverted:    {"ARCHIVED", "PASSED"},
	guard.AlreadyGone: {"ARCHIVED", "PASSED"},
	guard.Failed:      {"ACTIVE", "FAILED"},
}

// A finding is always of the first type, and of those of its techniques.
// https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
const bestPractices = "Software and Configuration Checks/AWS Security Best Practices"

var typesOfTechniques = map[string]string{
	"T1546":     "TTPs/Persistence/T1546",
	"T1578.005": "TTPs/Defense Evasion/T1578.005",
}

// asffPartitions are all that a resource may name.
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Resource.html
var asffPartitions = map[string]bool{"aws": true, "aws-cn": true, "aws-us-gov": true}

const adviceURL = "https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html"

// SecurityHubFinding returns f as JSON in the AWS Security Finding Format, as of
// now. Its Id is the same for the same statement on the same resource, so that a
// second import updates the first, provided that now is later. What a field has no
// room for is cut, and ends in dots; a command is whole or is left out.
func SecurityHubFinding(f guard.Finding, now time.Time) ([]byte, error) {
	r := f.Resource
	function := r
	function.Qualifier = "" // AWS's own findings are about the function, and this one is to stand beside them
	a := asff{
		SchemaVersion: "2018-10-08",
		ID:            record("lambda-guardrail/"+f.ID, maxASFFName),
		ProductARN:    record("arn:"+r.Partition+":securityhub:"+r.Region+":"+r.Account+":product/"+r.Account+"/default", maxASFFValue),
		ProductName:   "lambda-guardrail",
		CompanyName:   "lambda-guardrail",
		GeneratorID:   "lambda-guardrail/" + f.Verdict.Level.String(),
		AWSAccountID:  record(r.Account, maxASFFName),
		// The call that opened it may have been made by a clock ahead of ours.
		CreatedAt:      asffTime(earlier(f.OpenedAt, now)),
		UpdatedAt:      asffTime(now),
		LastObservedAt: asffTime(now),
		Title:          record(Subject(f), maxASFFTitle),
		Description:    asffDescription(f),
		Resources:      []asffResource{{Type: "AwsLambdaFunction", ID: record(function.ARN(), maxASFFName)}},
		ProductFields:  productFields(f),
	}
	if !f.OpenedAt.IsZero() {
		a.FirstObservedAt = asffTime(f.OpenedAt)
	}
	a.FindingProviderFields.Severity.Label = strings.ToUpper(f.Severity.String())
	a.FindingProviderFields.Severity.Original = f.Severity.String()
	a.FindingProviderFields.Types = []string{bestPractices}
	for _, technique := range f.Attack {
		if known, ok := typesOfTechniques[technique]; ok {
			a.FindingProviderFields.Types = append(a.FindingProviderFields.Types, known)
		}
	}
	a.Remediation.Recommendation.Text = advice(f.NextSteps)
	a.Remediation.Recommendation.URL = adviceURL
	state := standing[guard.Outcome(f.Outcome.String())]
	a.RecordState, a.Compliance.Status = state.record, state.compliance

	about := &a.Resources[0]
	if asffPartitions[r.Partition] {
		about.Partition = r.Partition
	}
	if len(r.Region) <= maxASFFRegion {
		about.Region = record(r.Region, maxASFFRegion)
	}
	about.Details.AwsLambdaFunction = asffFunction{FunctionName: record(r.Function, maxASFFName), Role: record(f.Role, maxASFFValue)}
	if strings.Trim(r.Qualifier, "0123456789") == "" {
		about.Details.AwsLambdaFunction.Version = r.Qualifier
	}
	text, err := encode(a)
	if err != nil {
		return nil, fmt.Errorf("writing a finding for Security Hub: %w", err)
	}
	return bytes.TrimSuffix(text, []byte("\n")), nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || a.After(b) {
		return b
	}
	return a
}

// asffTime has the resolution that Security Hub keeps.
func asffTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// asffDescription returns what happened, as far as there is room: the first facts
// matter most.
func asffDescription(f guard.Finding) string {
	plain := func(text string, limit int) string { return mail.inert(text, limit) }
	text := record(claim(f, plain), maxASFFDescription-1) + "."
	for _, x := range facts(f, plain) {
		line := "\n" + x.label + ": " + strings.ReplaceAll(x.text, "\n", "; ")
		if len(text)+len(line) <= maxASFFDescription {
			text += line
		}
	}
	return text
}

// advice returns the first steps that fit, each of them whole.
func advice(steps []string) string {
	text := ""
	for i, step := range steps {
		line := fmt.Sprintf("%d. %s", i+1, record(step, maxASFFValue))
		if len(text)+1+len(line) > maxASFFAdvice {
			break
		}
		text = strings.TrimPrefix(text+" "+line, " ")
	}
	return cmp.Or(text, "See the next steps among the product fields.")
}

// productFields are what the format has no place for. Each is for machines, and
// printable; none is empty.
func productFields(f guard.Finding) map[string]string {
	fields := map[string]string{
		"Outcome": f.Outcome.String(), "Level": f.Verdict.Level.String(), "Mode": f.Mode.String(), "FunctionUrlsMode": f.FunctionURLs.String(),
		"FoundBy": string(f.FoundBy), "ResourceArn": f.Resource.ARN(), "Fingerprint": f.Fingerprint,
		"Sid": f.Sid, "Statement": f.Statement, "Error": f.Error,
		"Call": f.Call, "EventId": f.EventID, "OpenedAt": optionalTime(f.OpenedAt), "ClosedAt": optionalTime(f.ClosedAt),
		"Actor": f.Actor.ARN, "ActorSessionIssuer": f.Actor.SessionIssuer, "ActorAccessKeyId": f.Actor.AccessKeyID,
		"ActorSource": f.Actor.Source, "ActorUserAgent": f.Actor.UserAgent, "ActorInvokedBy": f.Actor.InvokedBy, "ActorTool": f.Actor.Tool,
		"Attack": strings.Join(f.Attack, ","), "ElasticRule": f.ElasticRule,
		"Strangers": joined(f.Verdict.Strangers, exposure.Witness.Sentence), "Reasons": joined(f.Verdict.Reasons, exposure.Reason.Text),
	}
	if !f.OpenedAt.IsZero() && !f.ClosedAt.IsZero() {
		fields["SecondsOpen"] = fmt.Sprint(f.SecondsOpen)
	}
	if f.FunctionURL != nil {
		fields["FunctionUrlState"], fields["FunctionUrlAddress"] = f.FunctionURL.State.String(), f.FunctionURL.Address
	}
	if e := f.Exemption; e != nil {
		fields["ExemptionOwner"], fields["ExemptionReason"], fields["ExemptionUntil"] = e.Owner, e.Reason, optionalTime(e.Until)
	}
	for i, step := range f.NextSteps[:min(len(f.NextSteps), 9)] {
		fields[fmt.Sprintf("NextStep%d", i+1)] = step
	}
	if command := record(f.Restore, maxASFFValue); command == f.Restore {
		fields["Restore"] = command
	}
	named := map[string]string{}
	for name, value := range fields {
		if value = record(value, maxASFFValue); value != "" {
			named["lambda-guardrail/"+name] = value
		}
	}
	return named
}

func optionalTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return asffTime(t)
}

func joined[T any](items []T, text func(T) string) string {
	var all []string
	for _, item := range items {
		all = append(all, text(item))
	}
	return strings.Join(all, "; ")
}

// record returns text in printable characters and at most limit bytes, for a
// machine: unlike [reader.inert] it leaves links and mentions alone. White space
// alone is nothing: Security Hub refuses it.
func record(text string, limit int) string {
	const dots = "..."
	printable := guard.PrintableJSON(text)
	if strings.TrimSpace(printable) == "" {
		return ""
	}
	if len(printable) <= limit {
		return printable
	}
	return strings.ToValidUTF8(printable[:limit-len(dots)], "") + dots
}
