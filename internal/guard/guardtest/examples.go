package guardtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lambda-guardrail/internal/guard"
)

// Around is a [guard.Surroundings] that answers the same for every resource.
type Around struct {
	RoleARN           string
	AuthType, Address string // "" is no function URL
	Err               error
}

// Role implements [guard.Surroundings].
func (a Around) Role(context.Context, guard.Resource) (string, error) { return a.RoleARN, a.Err }

// URL implements [guard.Surroundings].
func (a Around) URL(context.Context, guard.Resource) (authType, address string, err error) {
	if a.AuthType == "" && a.Err == nil {
		return "", "", guard.ErrNotFound
	}
	return a.AuthType, a.Address, a.Err
}

// Example is a finding that a Guard came to.
type Example struct {
	Name     string
	Finding  guard.Finding
	Evidence []guard.Finding // what was recorded before the removal, if there was one
}

// ExampleTime is when the examples were found.
var ExampleTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var exampleResource = guard.Resource{Partition: "aws", Region: "eu-central-1", Account: "111122223333", Function: "orders", Qualifier: "live"}

func exampleStatement(sid, principal, action, condition string) string {
	if sid != "" {
		sid = fmt.Sprintf(`"Sid":%q,`, sid)
	}
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{%s"Effect":"Allow","Principal":%s,"Action":%q,"Resource":%q%s}`, sid, principal, action, exampleResource.ARN(), condition)
}

// Examples returns findings of every outcome and of every level that is reported,
// as a real Guard makes them: what the golden files of every sink are made from.
func Examples() []Example {
	const everyone = `"*"`
	var (
		public    = exampleStatement("backdoor", everyone, "lambda:InvokeFunction", "")
		second    = exampleStatement("another", everyone, "lambda:GetFunction", "")
		code      = exampleStatement("", everyone, "lambda:*", "")
		read      = exampleStatement("peek", everyone, "lambda:GetFunction", "")
		url       = exampleStatement("FunctionURLAllowPublicAccess", everyone, "lambda:InvokeFunctionUrl", `{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}`)
		unclear   = exampleStatement("partner", `{"AWS":"*"}`, "lambda:InvokeFunction", `{"StringEquals":{"example:Badge":"blue"}}`)
		deputy    = exampleStatement("uploads", `{"Service":"s3.amazonaws.com"}`, "lambda:InvokeFunction", "")
		external  = exampleStatement("supplier", `{"AWS":"arn:aws:iam::444455556666:root"}`, "lambda:InvokeFunction", "")
		neighbour = exampleStatement("s3", `{"Service":"s3.amazonaws.com"}`, "lambda:InvokeFunction", `{"StringEquals":{"AWS:SourceAccount":"111122223333"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::example-bucket"}}`)
		planted   = `{"Sid":"fog","Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"*","Condition":{"StringEquals":{"example:Badge":"blue"}}}`

		enforce = guard.Settings{Mode: guard.Enforce}
		urlsToo = guard.Settings{Mode: guard.Enforce, FunctionURLs: guard.Enforce}
		exempt  = guard.Settings{Mode: guard.Enforce, Exemptions: []guard.Exemption{{
			Function: "arn:aws:lambda:*:111122223333:function:orders:live", Sid: "backdoor",
			Owner: "shop team", Reason: "a public webhook", Until: ExampleTime.AddDate(0, 1, 0),
		}}}
		allExempt = guard.Settings{Mode: guard.Enforce, Exemptions: []guard.Exemption{{
			Function: "arn:aws:lambda:*:111122223333:function:orders*",
			Owner:    "shop team", Reason: "reviewed with the partner", Until: ExampleTime.AddDate(0, 0, 7),
		}}}
		live = Around{RoleARN: "arn:aws:iam::111122223333:role/orders", AuthType: "NONE", Address: "https://abc123.lambda-url.eu-central-1.on.aws/"}
		none = Around{RoleARN: live.RoleARN}
	)
	examples := []struct {
		name     string
		settings guard.Settings
		policy   []string
		event    string // "" is a sweep
		around   Around
		faults   []Fault
		held     bool // the sweep may remove nothing more
	}{
		{name: "reverted", settings: enforce, policy: []string{neighbour, public}, event: public, around: none},
		{name: "reverted-control", settings: enforce, policy: []string{neighbour, code}, event: code, around: none},
		{name: "reverted-beside-another", settings: enforce, policy: []string{second, public}, event: public, around: none},
		{name: "reverted-function-url", settings: urlsToo, policy: []string{neighbour, url}, event: url, around: live},
		{name: "audited", policy: []string{neighbour, public}, event: public, around: none},
		{name: "audited-read", policy: []string{read}, event: read, around: none},
		{name: "audited-function-url-live", settings: enforce, policy: []string{url}, event: url, around: live},
		{name: "audited-function-url-latent", settings: enforce, policy: []string{url}, event: url, around: none},
		{name: "audited-sweep", policy: []string{public}, around: none},
		{name: "audited-confused-deputy", policy: []string{deputy}, around: none},
		{name: "audited-external", policy: []string{external}, around: none},
		{name: "exempt", settings: exempt, policy: []string{public}, event: public, around: none},
		{name: "exempt-undetermined", settings: allExempt, policy: []string{unclear}, event: unclear, around: none},
		{name: "exempt-confused-deputy", settings: allExempt, policy: []string{deputy}, around: none},
		{name: "exempt-external", settings: allExempt, policy: []string{external}, around: none},
		{name: "needs-review", settings: enforce, policy: []string{unclear}, event: unclear, around: none},
		{name: "needs-review-planted-deny", settings: enforce, policy: []string{public, planted}, around: none},
		{name: "needs-review-document", settings: enforce, policy: []string{"<policy/>"}, event: "-", around: none},
		{name: "already-gone", settings: enforce, policy: []string{neighbour}, event: public, around: none},
		{name: "already-gone-undetermined", settings: enforce, policy: []string{neighbour}, event: unclear, around: none},
		{name: "failed-held", settings: enforce, policy: []string{public}, around: none, held: true},
		{name: "failed", settings: enforce, policy: []string{neighbour, public}, event: public, around: Around{Err: guard.ErrNotFound}, faults: []Fault{{Loses: true}}},
	}
	var all []Example
	for _, x := range examples {
		policies := &Memory{}
		document := `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(x.policy, ",") + `]}`
		if strings.HasPrefix(x.policy[0], "<") {
			document = x.policy[0]
		}
		policies.Put(exampleResource, document)
		policies.Order(Remove, x.faults...)
		recorder := &Recorder{}
		g := guard.New(policies, x.around, []guard.Sink{recorder}, recorder, NewClock(ExampleTime), x.settings)
		if x.event == "" {
			g.Inspect(context.Background(), exampleResource, guard.Inspection{FoundBy: guard.BySweep, Hold: x.held})
		} else {
			g.Respond(context.Background(), exampleCandidate(strings.Trim(x.event, "-")))
		}
		fs := recorder.Findings()
		if len(fs) == 0 || !strings.HasPrefix(x.name, string(fs[0].Outcome)) {
			panic(fmt.Sprintf("guardtest: example %s came to %+v", x.name, fs))
		}
		all = append(all, Example{x.name, fs[len(fs)-1], recorder.Evidence()})
	}
	return all
}

func exampleCandidate(statement string) guard.Candidate {
	return guard.Candidate{
		Resource: exampleResource, Call: "AddPermission20150331v2", EventID: "8f2a8f9c-5c3b-4f0e-9d0a-0123456789ab",
		Time: ExampleTime.Add(-41 * time.Second), Statement: statement,
		Actor: guard.Actor{
			Type: "AssumedRole", ARN: "arn:aws:sts::111122223333:assumed-role/developer/alice", Account: "111122223333",
			AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SessionIssuer: "arn:aws:iam::111122223333:role/developer", MFA: "true",
			Source: "203.0.113.7", UserAgent: "APN/1.0 HashiCorp/1.0 Terraform/1.14.0 terraform-provider-aws/6.20.0",
		},
	}
}
