package lambdaadmin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
)

// maxLooks is how often a policy is read after a write until it shows it:
// GetPolicy is eventually consistent.
const maxLooks = 5

// Removed is a statement that was taken out of the policy of a resource.
type Removed struct {
	Resource  guard.Resource
	Statement string // verbatim
	Before    string // the whole policy that held it; "" if it is not known
}

// Write is the one call that puts a statement back: AddPermission where that is
// known to write the same bytes, otherwise PutResourcePolicy of the policy as it is
// now, with the statement at its end.
type Write struct {
	Resource guard.Resource
	Grant    *guard.Grant // of AddPermission; nil is PutResourcePolicy
	Policy   string       // as it is to be afterwards, up to white space that AddPermission may set otherwise
	// Revision is compared; "" if there is no policy that AddPermission could change.
	Revision string
	// Exact says that the statement was read back with the same bytes, and not only
	// with the same content.
	Exact bool

	before livePolicy
}

// Restore puts the statement back into the policy as it is now, proves it by
// reading, with every neighbour as it was, and returns the write that did it; nil if
// the same statement stands there already, so that one that stood twice comes back
// once, which means the same. It fails, and writes nothing, if the
// policy holds another statement of that Sid, or one in which variables would mean
// something else. A write that somebody else's got ahead of begins again with what
// is there then, and one whose answer was lost is decided by reading.
func (f *Functions) Restore(ctx context.Context, removed Removed) (*Write, error) {
	s, err := removed.read()
	if err != nil {
		return nil, err
	}
	var last, made *Write // sent, and of these the one that happened or may have
	var problem error     // of the last write
	answered := false     // the last write
	for writes := 0; ; writes++ {
		now, err := f.policyAfter(ctx, removed.Resource, made, s.fingerprint)
		switch {
		case err != nil && made != nil:
			return nil, fmt.Errorf("the statement was sent, and could not be seen to be there: %w", errors.Join(problem, err))
		case err != nil:
			return nil, errors.Join(problem, err)
		case now.holds(s.fingerprint):
			if lost := made.lost(now); len(lost) > 0 {
				return nil, fmt.Errorf("the statement is back in the policy of %s, but others have vanished since it was read: %s; before, it was %s",
					removed.Resource.ARN(), strings.Join(lost, ", "), guard.PrintableJSON(made.before.document))
			}
			if last != nil {
				last.Exact = slices.ContainsFunc(now.parsed.Statements, func(is iampolicy.Statement) bool { return is.Raw == removed.Statement })
			}
			return last, nil
		case answered:
			if other := now.other(s.statement.Sid, s.fingerprint); other != "" {
				return nil, fmt.Errorf("the policy of %s has the Sid now, but with another content; take it out again: %s", removed.Resource.ARN(), guard.PrintableJSON(other))
			}
			return nil, fmt.Errorf("the statement was put into the policy of %s, and is gone again: the guardrail, or somebody else, has taken it out", removed.Resource.ARN())
		case writes == maxWrites:
			return nil, fmt.Errorf("restoring the statement in the policy of %s: given up after %d writes: %w", removed.Resource.ARN(), writes, problem)
		}
		write, err := f.plan(ctx, s, now)
		if err != nil {
			return nil, err
		}
		last, made = write, write
		problem = f.restore(ctx, write)
		if answered = problem == nil; answered {
			continue
		}
		switch {
		case errors.Is(problem, errConflict), errors.Is(problem, errThrottled):
			made = nil
		case !errors.Is(problem, guard.ErrUnknownOutcome):
			return nil, problem
		}
		if err := f.clock.Sleep(ctx, pause); err != nil {
			return nil, errors.Join(problem, err)
		}
	}
}

// Plan reads the policy, and returns the write with which Restore would begin; nil
// if the statement stands. It fails where Restore would.
func (f *Functions) Plan(ctx context.Context, removed Removed) (*Write, error) {
	s, err := removed.read()
	if err != nil {
		return nil, err
	}
	now, err := f.policy(ctx, removed.Resource)
	if err != nil || now.holds(s.fingerprint) {
		return nil, err
	}
	return f.plan(ctx, s, now)
}

// wanted is a Removed that was read.
type wanted struct {
	Removed
	statement   iampolicy.Statement
	fingerprint string
	alone       string // the policy that held it, less its neighbours
	version     string // of that policy; "" if it is not known
}

// freshPolicy is what AddPermission makes where there is no policy.
const freshPolicy = `{"Version":"2012-10-17","Id":"default","Statement":[%s]}`

func (r Removed) read() (wanted, error) {
	d, err := iampolicy.ParseStatement(r.Statement)
	if err != nil {
		return wanted{}, err
	}
	s := wanted{Removed: r, statement: d.Statements[0], fingerprint: iampolicy.Fingerprint(r.Statement), alone: fmt.Sprintf(freshPolicy, r.Statement)}
	if r.Before == "" {
		return s, nil
	}
	before, err := iampolicy.Parse(r.Before)
	if err != nil {
		return wanted{}, fmt.Errorf("the policy before: %w", err)
	}
	var others []int
	for i := range before.Statements {
		if before.Statements[i].Raw != r.Statement || len(others) < i {
			others = append(others, i)
		}
	}
	if len(others) == len(before.Statements) {
		return wanted{}, errors.New("the policy before does not hold the statement: they do not belong together")
	}
	s.alone, _ = before.Without(others)
	s.version = versionOf(before)
	return s, nil
}

// versionOf returns the Version of a policy; the older one is meant where there is
// none. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
func versionOf(d iampolicy.Document) string {
	if d.Version == "" {
		return "2008-10-17"
	}
	return d.Version
}

// plan decides how the statement gets into the policy as it is now.
func (f *Functions) plan(ctx context.Context, s wanted, now livePolicy) (*Write, error) {
	w := &Write{Resource: s.Resource, Revision: now.revision, before: now}
	grant, text := guard.GrantOf(s.Resource, s.statement)
	if text == s.Statement && len(s.statement.Conditions) < 2 { // the order of several is not known
		w.Grant = &grant
	}
	if holdsVariables(s.statement) && s.version == "" {
		return nil, errors.New("the statement holds ${...}, which is a variable in one Version of a policy and plain text in another, and the Version is not known: " +
			"want the finding, or the evidence in the log, that holds policyBefore")
	}
	if now.document == "" {
		w.Policy = s.alone
		if w.Grant != nil && w.Policy == fmt.Sprintf(freshPolicy, text) {
			return w, nil
		}
		w.Grant = nil
		var err error
		w.Revision, err = f.revision(ctx, s.Resource)
		return w, err
	}
	if other := now.other(s.statement.Sid, s.fingerprint); other != "" {
		return nil, fmt.Errorf("the policy of %s holds another statement with the Sid %q: %s; want it taken out first, or put in under another Sid",
			s.Resource.ARN(), s.statement.Sid, guard.PrintableJSON(other))
	}
	if version := versionOf(now.parsed); holdsVariables(s.statement) && version != s.version {
		return nil, fmt.Errorf("the statement holds ${...}, which is a variable in one Version of a policy and plain text in another: the policy of %s has the Version %s, and had %s with the statement",
			s.Resource.ARN(), version, s.version)
	}
	var ok bool
	if w.Policy, ok = now.parsed.With(s.Statement); !ok {
		return nil, fmt.Errorf("the policy of %s has no statement beside which to write: %s", s.Resource.ARN(), guard.PrintableJSON(now.document))
	}
	return w, nil
}

// holdsVariables reports whether there is ${ in what may hold policy variables. A
// statement that cannot be read may have them anywhere.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func holdsVariables(s iampolicy.Statement) bool {
	has := func(text string) bool { return strings.Contains(text, "${") }
	return s.Problem != "" || slices.ContainsFunc(s.Resource.List, has) ||
		slices.ContainsFunc(s.Conditions, func(c iampolicy.Condition) bool { return slices.ContainsFunc(c.Values, has) })
}

// livePolicy is the policy of a resource; the zero value is none.
type livePolicy struct {
	document, revision string
	parsed             iampolicy.Document
}

func (p livePolicy) holds(fingerprint string) bool {
	return slices.ContainsFunc(p.parsed.Statements, func(s iampolicy.Statement) bool {
		return iampolicy.Fingerprint(s.Raw) == fingerprint
	})
}

// other returns the statement that has the Sid, and not the content; "" if there is
// none.
func (p livePolicy) other(sid, fingerprint string) string {
	for _, s := range p.parsed.Statements {
		if sid != "" && s.Sid == sid && iampolicy.Fingerprint(s.Raw) != fingerprint {
			return s.Raw
		}
	}
	return ""
}

// lost returns the statements that stood before the write and do not now, by Sid.
func (w *Write) lost(now livePolicy) (lost []string) {
	if w == nil {
		return nil
	}
	for _, s := range w.before.parsed.Statements {
		if !slices.ContainsFunc(now.parsed.Statements, func(is iampolicy.Statement) bool { return is.Raw == s.Raw }) {
			if s.Sid == "" {
				s.Sid = "one without a Sid"
			}
			lost = append(lost, guard.PrintableJSON(s.Sid))
		}
	}
	return lost
}

// policyAfter reads the policy, and again while it does not show the write, if
// there was one, or shows that it did harm.
func (f *Functions) policyAfter(ctx context.Context, r guard.Resource, made *Write, fingerprint string) (livePolicy, error) {
	for looks := 1; ; looks++ {
		p, err := f.policy(ctx, r)
		if err != nil || made == nil || looks == maxLooks || p.holds(fingerprint) && len(made.lost(p)) == 0 {
			return p, err
		}
		if err := f.clock.Sleep(ctx, pause); err != nil {
			return p, fmt.Errorf("waiting to read the policy of %s again: %w", r.ARN(), err)
		}
	}
}

func (f *Functions) policy(ctx context.Context, r guard.Resource) (livePolicy, error) {
	name, qualifier := named(r)
	out, err := f.client.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name, Qualifier: qualifier})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return livePolicy{}, nil // if it is the function that is missing, the write says so
	}
	if err != nil {
		return livePolicy{}, fmt.Errorf("reading the policy of %s: %w", r.ARN(), err)
	}
	p := livePolicy{document: aws.ToString(out.Policy), revision: aws.ToString(out.RevisionId)}
	if p.revision == "" {
		return p, fmt.Errorf("reading the policy of %s: it has no revision to compare", r.ARN())
	}
	if p.parsed, err = iampolicy.Parse(p.document); err != nil {
		return p, fmt.Errorf("the policy of %s: %w", r.ARN(), err)
	}
	return p, nil
}

// revision returns that of a resource without a policy, which a policy that
// somebody gives it meanwhile would move.
func (f *Functions) revision(ctx context.Context, r guard.Resource) (string, error) {
	name, qualifier := named(r)
	var revision *string
	var err error
	if strings.Trim(r.Qualifier, "0123456789") != "" {
		var out *lambda.GetAliasOutput
		if out, err = f.client.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: name, Name: qualifier}); err == nil {
			revision = out.RevisionId
		}
	} else {
		var out *lambda.GetFunctionConfigurationOutput
		if out, err = f.client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name, Qualifier: qualifier}); err == nil {
			revision = out.RevisionId
		}
	}
	if err == nil && aws.ToString(revision) == "" {
		err = errors.New("there is none to compare")
	}
	if err != nil {
		return "", fmt.Errorf("reading the revision of %s: %w", r.ARN(), err)
	}
	return *revision, nil
}

// restore makes the write. It is sent once: what a second one would meet says
// nothing of the first.
func (f *Functions) restore(ctx context.Context, w *Write) error {
	once := func(o *lambda.Options) { o.RetryMaxAttempts = 1 }
	var revision *string
	if w.Revision != "" {
		revision = &w.Revision
	}
	var err error
	if g := w.Grant; g != nil {
		name, qualifier := named(w.Resource)
		in := &lambda.AddPermissionInput{
			FunctionName: name, Qualifier: qualifier, RevisionId: revision,
			StatementId: &g.StatementID, Action: &g.Action, Principal: &g.Principal,
			SourceArn: given(g.SourceARN), SourceAccount: given(g.SourceAccount), PrincipalOrgID: given(g.PrincipalOrgID),
			EventSourceToken: given(g.EventSourceToken), FunctionUrlAuthType: types.FunctionUrlAuthType(g.FunctionURLAuthType),
		}
		if g.InvokedViaFunctionURL != "" {
			in.InvokedViaFunctionUrl = aws.Bool(g.InvokedViaFunctionURL == "true")
		}
		_, err = f.client.AddPermission(ctx, in, once)
	} else {
		_, err = f.client.PutResourcePolicy(ctx, &lambda.PutResourcePolicyInput{
			ResourceArn: aws.String(w.Resource.ARN()), Policy: &w.Policy, RevisionId: revision,
		}, once)
	}
	if err != nil {
		return fmt.Errorf("restoring the statement in the policy of %s: %w", w.Resource.ARN(), classify(err))
	}
	return nil
}

// classify adds what an error means for a write.
func classify(err error) error {
	resp, isHTTP := errors.AsType[*smithyhttp.ResponseError](err)
	api, isAPI := errors.AsType[smithy.APIError](err)
	switch {
	case !isHTTP || !isAPI || resp.HTTPStatusCode() < 400 || resp.HTTPStatusCode() > 499:
		return fmt.Errorf("%w: %w", guard.ErrUnknownOutcome, err)
	case slices.Contains(conflicts, api.ErrorCode()):
		return fmt.Errorf("%w: %w", errConflict, err)
	case resp.HTTPStatusCode() == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", errThrottled, err)
	}
	return err
}

// errThrottled is of a write that was not made, and may be later.
var errThrottled = errors.New("calls come too fast")

func given(argument string) *string {
	if argument == "" {
		return nil
	}
	return &argument
}

// named returns r as the older operations want it: the ARN of the function, and the
// qualifier, nil if there is none, beside it. With an ARN, no function of another
// account or region is meant.
func named(r guard.Resource) (name, qualifier *string) {
	qualifier = given(r.Qualifier)
	r.Qualifier = ""
	return aws.String(r.ARN()), qualifier
}
