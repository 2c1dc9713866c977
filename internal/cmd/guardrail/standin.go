package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/wire"
)

// standIn is the Lambda of one account in one region, with the guardrail of that
// account and region.
type standIn struct {
	account *lambdatest.Account
	url     string
	stop    func()
	handler *wire.Handler
	log     *functionLog
}

// standInOf returns the one that a resource lives in.
func (r *rehearsal) standInOf(at guard.Resource) (*standIn, error) {
	place := at.Partition + "/" + at.Region + "/" + at.Account
	if s := r.stage[place]; s != nil {
		return s, nil
	}
	s := &standIn{account: lambdatest.New(at.Partition, at.Region, at.Account), log: &functionLog{to: r.log}}
	var err error
	if s.url, s.stop, err = s.account.Start(); err != nil {
		return nil, err
	}
	r.stage[place] = s
	cfg, err := wire.AWS([]string{
		"AWS_REGION=" + at.Region, "AWS_ENDPOINT_URL=" + s.url,
		"AWS_ACCESS_KEY_ID=rehearsal", "AWS_SECRET_ACCESS_KEY=rehearsal",
	})
	if err != nil {
		return nil, err
	}
	g := wire.Guard(cfg, r.config, r.exemptions, s.log, clock{})
	s.handler = wire.NewHandler(g, at.Region)
	return s, nil
}

// clock is the wall clock, but nobody waits for it: pauses are for Lambda's
// eventual consistency and for its throttling, and the stand-in has neither.
type clock struct{}

func (clock) Now() time.Time                                   { return time.Now() }
func (clock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// functionLog is what the function writes, a line in each Write. What is told of
// findings is read off it, as any consumer would.
type functionLog struct {
	to       io.Writer
	findings []jsontext.Value
}

func (l *functionLog) Write(line []byte) (int, error) {
	var told struct {
		Message string         `json:"msg"`
		Finding jsontext.Value `json:"finding"`
	}
	if err := json.Unmarshal(line, &told); err != nil {
		return 0, fmt.Errorf("a line that is not JSON: %w", err)
	}
	if told.Message == "finding" {
		l.findings = append(l.findings, told.Finding)
	}
	return l.to.Write(line)
}

// live returns the policy of r as it really is; without statements if there is
// none.
func (s *standIn) live(r guard.Resource) (iampolicy.Document, error) {
	policy := s.account.Policy(r.ARN())
	if policy == "" {
		return iampolicy.Document{}, nil
	}
	return iampolicy.Parse(policy)
}

// operations are the guarded calls, as https://docs.aws.amazon.com/lambda/latest/api/
// has them. All take the ARN in the place of a name.
var operations = map[string]struct{ method, path string }{
	"AddPermission":           {http.MethodPost, "/2015-03-31/functions/ARN/policy"},
	"RemovePermission":        {http.MethodDelete, "/2015-03-31/functions/ARN/policy/SID"},
	"PutResourcePolicy":       {http.MethodPut, "/2026-07-09/resource-policy/ARN"},
	"DeleteResourcePolicy":    {http.MethodDelete, "/2026-07-09/resource-policy/ARN"},
	"CreateFunctionUrlConfig": {http.MethodPost, "/2021-10-31/functions/ARN/url"},
	"UpdateFunctionUrlConfig": {http.MethodPut, "/2021-10-31/functions/ARN/url"},

	"GetFunctionConfiguration": {http.MethodGet, "/2015-03-31/functions/ARN/configuration"},
}

// perform makes the call that an event records, so that the policy is what the
// event says. The note says where that cannot be.
func (s *standIn) perform(ctx context.Context, played step, c guard.Candidate) (note string, err error) {
	if err := s.create(ctx, c.Resource); err != nil {
		return "", err
	}
	arn, call := c.Resource.ARN(), operationOf(c.Call)
	recorded := recordOf(string(played.text))
	in := recorded.parameters()
	if policy := cmp.Or(string(played.Policy), recorded.policy()); policy != "" {
		in["Policy"] = policy
	}
	switch call {
	case "PutResourcePolicy":
		if in["Policy"] == nil {
			return "the event does not hold the policy that was written: the stand-in's is as it was", nil
		}
	case "CreateFunctionUrlConfig":
		s.account.SetURL(arn, "")
	case "UpdateFunctionUrlConfig":
		s.account.SetURL(arn, "AWS_IAM")
	}
	before := s.account.Policy(arn)
	status, refusal, err := s.send(ctx, call, arn, in)
	if err != nil {
		return "", err
	}
	if granted, err := iampolicy.ParseStatement(c.Statement); err == nil && !holds(s.account.Policy(arn), granted.Statements[0]) {
		// The record tells more than the parameters that it repeats.
		s.account.Seed(arn, with(before, granted.Statements[0]))
		status = http.StatusOK
	}
	if played.Removed {
		status, refusal, err = s.send(ctx, "RemovePermission", arn, in)
	}
	gone := status == http.StatusNotFound && operations[call].method == http.MethodDelete // as it should be
	if status >= 400 && !gone {
		note = "the stand-in refuses the call: " + refusal
	}
	return note, err
}

// create makes the function, version or alias if it is not there.
func (s *standIn) create(ctx context.Context, r guard.Resource) error {
	status, refusal, err := s.send(ctx, "GetFunctionConfiguration", r.ARN(), nil)
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound:
		s.account.Touch(r.ARN())
	case status != http.StatusOK:
		return fmt.Errorf("making %s on the stand-in: %s", r.ARN(), refusal)
	}
	return nil
}

func (s *standIn) send(ctx context.Context, call, arn string, in map[string]any) (status int, refusal string, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, "", err
	}
	sid, _ := in["StatementId"].(string)
	op := operations[call]
	path := strings.NewReplacer("ARN", url.PathEscape(arn), "SID", url.PathEscape(sid)).Replace(op.path)
	request, err := http.NewRequestWithContext(ctx, op.method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("calling the stand-in: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var said struct{ Message string }
	_ = json.Unmarshal(text, &said) // only a refusal has one
	return answer.StatusCode, said.Message, err
}

// holds reports whether a policy has a statement.
func holds(policy string, statement iampolicy.Statement) bool {
	d, err := iampolicy.Parse(policy)
	same := func(s iampolicy.Statement) bool {
		return iampolicy.Fingerprint(s.Raw) == iampolicy.Fingerprint(statement.Raw)
	}
	return err == nil && slices.ContainsFunc(d.Statements, same)
}

// with returns a policy with a statement more. Another one of its Sid must have been
// gone when it was granted.
func with(policy string, added iampolicy.Statement) string {
	var all []string
	d, _ := iampolicy.Parse(policy) // "" has no statements
	for _, s := range d.Statements {
		if s.Sid == "" || s.Sid != added.Sid {
			all = append(all, s.Raw)
		}
	}
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(append(all, added.Raw), ",") + `]}`
}
