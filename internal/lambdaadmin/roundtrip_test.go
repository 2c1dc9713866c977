package lambdaadmin_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/lambdaadmin"
	"lambda-guardrail/internal/lambdapolicy"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/wire"
)

// drawPermission returns arguments of AddPermission in every combination that Lambda
// takes.
func drawPermission(t *rapid.T, r guard.Resource, sid string) *lambda.AddPermissionInput {
	optional := func(name string, values ...string) *string {
		if !rapid.Bool().Draw(t, "with "+name) {
			return nil
		}
		return aws.String(rapid.SampledFrom(values).Draw(t, name))
	}
	in := &lambda.AddPermissionInput{
		FunctionName: &r.Function, StatementId: &sid,
		Action: aws.String(rapid.SampledFrom([]string{"lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:GetFunction", "lambda:*", "*"}).Draw(t, "action")),
		Principal: aws.String(rapid.SampledFrom([]string{"*", "*", "*", "444455556666", "s3.amazonaws.com", "events.amazonaws.com",
			"arn:aws:iam::444455556666:role/path/deploy+x=y", "arn:aws:sts::444455556666:assumed-role/role/session"}).Draw(t, "principal")),
		SourceArn:        optional("source ARN", "arn:aws:s3:::bucket", "arn:aws:s3:::b<&>'\"*", "arn:aws:events:eu-west-1:111122223333:rule/${aws:username}", "arn:aws:sns:eu-west-1:444455556666:topic"),
		SourceAccount:    optional("source account", "111122223333", "444455556666"),
		PrincipalOrgID:   optional("organization", "o-a1b2c3d4e5"),
		EventSourceToken: optional("token", "amzn1.ask.skill-1_2"),
	}
	if r.Qualifier != "" {
		in.Qualifier = &r.Qualifier
	}
	if *in.Action == "lambda:InvokeFunctionUrl" {
		in.FunctionUrlAuthType = types.FunctionUrlAuthType(aws.ToString(optional("auth type", "NONE", "AWS_IAM")))
	}
	if via := optional("via URL", "true", "false"); via != nil {
		in.InvokedViaFunctionUrl = aws.Bool(*via == "true")
	}
	return in
}

// drawStatement returns what only PutResourcePolicy can write.
func drawStatement(t *rapid.T, r guard.Resource, n int) string {
	of := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	sid := of("Sid", "", fmt.Sprintf(`"Sid":"written%d",`, n), fmt.Sprintf(`"Sid" : "a b/\u00e4.%d" , `, n))
	return `{` + sid + `"Effect":` + of("effect", `"Allow"`, `"Allow"`, `"Deny"`) +
		of("principal", `,"Principal":"*"`, `,"Principal":{"AWS":["*"]}`, `,"Principal": {"AWS":["arn:aws:iam::444455556666:root","arn:aws:iam::777788889999:root"]}`, `,"NotPrincipal":{"AWS":"111122223333"}`, `,"Principal":{"Service":"s3.amazonaws.com"}`) +
		of("action", `,"Action":"lambda:InvokeFunction"`, `,"Action":["lambda:Invoke*","lambda:GetFunction"]`, `,"NotAction":"lambda:DeleteFunction"`) +
		of("resource", ``, `,"Resource":"`+r.ARN()+`"`, `,"Resource":["*"]`) +
		of("condition", ``, `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`, `,"Condition":{"StringLike":{"aws:PrincipalTag/team":["${aws:username}","b*"]}}`, `,"Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":true}}`) +
		strings.Repeat(" ", n) + `}`
}

// Reverted or taken out by hand, what is restored gives the same policy, up to the
// order of its statements.
func TestRestoreIsARoundTrip(t *testing.T) {
	var reverted, byHand int
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		r := fn
		r.Qualifier = rapid.SampledFrom([]string{"", "", "live", "7"}).Draw(t, "qualifier")
		account := lambdatest.New(r.Partition, r.Region, r.Account)
		account.Seed(r.ARN(), "")
		clock := guardtest.NewClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
		cfg := awstest.Config(r.Region, account)
		client := lambda.NewFromConfig(cfg)

		var seeded []string
		for n := range rapid.IntRange(0, 3).Draw(t, "statements written by hand") {
			s := drawStatement(t, r, n)
			if slices.ContainsFunc(seeded, func(other string) bool { return iampolicy.Fingerprint(other) == iampolicy.Fingerprint(s) }) {
				continue // what stood twice comes back once
			}
			seeded = append(seeded, s)
		}
		if len(seeded) > 0 {
			around := rapid.SampledFrom([]string{`{"Version":"2012-10-17","Id":"default","Statement":[%s]}`, `{ "Version" : "2008-10-17", "Statement": [ %s ] }`, `{"Statement":[%s],"Id":"x"}`}).Draw(t, "document")
			account.Seed(r.ARN(), fmt.Sprintf(around, strings.Join(seeded, " , ")))
		}
		added := rapid.IntRange(0, 3).Draw(t, "statements added")
		for n := range added {
			if _, err := client.AddPermission(ctx, drawPermission(t, r, fmt.Sprintf("added-%d_", n))); err != nil {
				t.Fatal(err)
			}
		}
		before := account.Policy(r.ARN())
		if before == "" {
			return
		}

		g := wire.Guard(cfg, config.Config{Mode: guard.Enforce, FunctionURLs: guard.Enforce}, nil, io.Discard, clock)
		findings, err := g.Respond(ctx, guard.Candidate{Resource: r, Call: "PutResourcePolicy", Time: clock.Now().Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		var removed []lambdaadmin.Removed
		for _, f := range findings {
			if f.Outcome == guard.Reverted {
				removed = append(removed, lambdaadmin.Removed{Resource: f.Resource, Statement: f.Statement, Before: f.PolicyBefore})
				reverted++
			}
		}
		policies := lambdapolicy.New(cfg, clock, nil)
		for rapid.Bool().Draw(t, "take another one out") && account.Policy(r.ARN()) != "" {
			p, err := policies.Policy(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			d, err := iampolicy.Parse(p.Document)
			if err != nil {
				t.Fatal(err)
			}
			i := rapid.IntRange(0, len(d.Statements)-1).Draw(t, "which")
			if err := policies.Remove(ctx, r, p, []int{i}); err != nil {
				t.Fatal(err)
			}
			removed = append(removed, lambdaadmin.Removed{Resource: r, Statement: d.Statements[i].Raw, Before: p.Document})
			byHand++
		}

		functions := lambdaadmin.New(cfg, clock)
		for _, s := range rapid.Permutation(removed).Draw(t, "order") {
			write, err := functions.Restore(ctx, s)
			if err != nil || write == nil || !write.Exact || !cmp.Equal(parts(t, write.Policy), parts(t, account.Policy(r.ARN()))) {
				t.Fatalf("restoring %s: %v; the write is %+v, the policy %s", s.Statement, err, write, account.Policy(r.ARN()))
			}
		}
		if diff := cmp.Diff(parts(t, before), parts(t, account.Policy(r.ARN()))); diff != "" {
			t.Errorf("policy (-before +after):\n%s", diff)
		}
	})
	if reverted == 0 || byHand == 0 {
		t.Errorf("%d statements were reverted, %d taken out by hand: the test has not tested what it meant to", reverted, byHand)
	}
}

// parts returns the statements of a policy, verbatim, in an order that does not
// matter, and what stands around them.
func parts(t *rapid.T, policy string) []string {
	d, err := iampolicy.Parse(policy)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"Version " + d.Version, "Id " + d.ID}
	for _, s := range d.Statements {
		all = append(all, s.Raw)
	}
	slices.Sort(all)
	return all
}
