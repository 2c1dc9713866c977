package lambdatest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

const maxPolicyLength = 20480

// The errors of the policy operations, with the texts that AWS was recorded to
// answer.
var (
	errNotThere    = &apiError{404, "ResourceNotFoundException", "The resource you requested does not exist."}
	errNoPolicy    = &apiError{404, "ResourceNotFoundException", "No policy is associated with the given resource."}
	errLatest      = &apiError{400, "InvalidParameterValueException", "We currently do not support adding policies for $LATEST."}
	errStale       = &apiError{412, "PreconditionFailedException", "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest RevisionId"}
	errPrincipal   = &apiError{400, "InvalidParameterValueException", "The provided principal was invalid. Please check the principal and try again."}
	errURLAuthType = &apiError{400, "InvalidParameterValueException", "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"}
	errTooLong     = &apiError{400, "PolicyLengthExceededException", "The final policy size is bigger than the limit (20480)."}
)

func notFound(message string) *apiError {
	return &apiError{404, "ResourceNotFoundException", message}
}

// unreadable answers an edit of a policy that was seeded with something else.
func unreadable(err error) *apiError { return &apiError{500, "ServiceException", err.Error()} }

func tooLong(policy string) bool { return utf8.RuneCountInString(policy) > maxPolicyLength }

// holder finds the resource whose policy is meant.
func (a *Account) holder(t target) (*resource, *apiError) {
	r := a.find(t)
	switch {
	case t.qualifier == latest:
		return nil, errLatest
	case r == nil && a.functions[t.function] != nil && !isVersion(t.qualifier):
		return nil, notFound("Cannot find alias arn: " + a.arn(t))
	case r == nil:
		return nil, notFound("Function not found: " + a.arn(t))
	}
	return r, nil
}

// stale reports whether a revision was given that is no longer that of r.
func (in parameters) stale(r *resource) bool {
	return in["RevisionId"] != "" && in["RevisionId"] != r.current.revision
}

// getPolicy answers GetPolicy and GetResourcePolicy.
func (a *Account) getPolicy(t target, _ parameters) (any, *apiError) {
	r, refusal := a.holder(t)
	if refusal == errLatest {
		return nil, refusal
	}
	if r == nil || r.current.policy == "" {
		return nil, errNotThere
	}
	return answerPolicy(r), nil
}

func answerPolicy(r *resource) any {
	return map[string]string{"Policy": r.current.policy, "RevisionId": r.current.revision}
}

// principals are the forms that a Principal may have, and what AddPermission
// writes for each.
var principals = []struct {
	form    *regexp.Regexp
	written string
}{
	{regexp.MustCompile(`^\*$`), `"*"`},
	{regexp.MustCompile(`^\d{12}$`), `{"AWS":"arn:PARTITION:iam::$0:root"}`},
	{regexp.MustCompile(`^arn:[a-z-]+:(iam|sts)::\d{12}:[a-zA-Z0-9+=,.@_/-]+$`), `{"AWS":"$0"}`},
	{regexp.MustCompile(`^[a-z0-9.-]+\.(amazonaws|amazon)\.com(\.cn)?$`), `{"Service":"$0"}`},
}

func (a *Account) principal(text string) json.RawMessage {
	for _, p := range principals {
		if p.form.MatchString(text) {
			return json.RawMessage(p.form.ReplaceAllString(text, strings.Replace(p.written, "PARTITION", a.partition, 1)))
		}
	}
	return nil
}

// conditions are the conditions that AddPermission writes for its parameters.
// The case of the keys is AWS's.
var conditions = []struct{ parameter, operator, key string }{
	{"SourceArn", "ArnLike", "AWS:SourceArn"},
	{"SourceAccount", "StringEquals", "AWS:SourceAccount"},
	{"PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"},
	{"EventSourceToken", "StringEquals", "lambda:EventSourceToken"},
	{"FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"},
	{"InvokedViaFunctionUrl", "Bool", "lambda:InvokedViaFunctionUrl"},
}

// statement is one as AddPermission writes it.
type statement struct {
	Sid       string
	Effect    string
	Principal json.RawMessage
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

func (a *Account) addPermission(t target, in parameters) (any, *apiError) {
	r, refusal := a.holder(t)
	if refusal != nil {
		return nil, refusal
	}
	if in.stale(r) {
		return nil, errStale
	}
	s := statement{
		Sid: in["StatementId"], Effect: "Allow", Principal: a.principal(in["Principal"]),
		Action: in["Action"], Resource: a.arn(t), Condition: map[string]map[string]string{},
	}
	if s.Principal == nil {
		return nil, errPrincipal
	}
	if in["FunctionUrlAuthType"] != "" && s.Action != "lambda:InvokeFunctionUrl" {
		return nil, errURLAuthType
	}
	for _, c := range conditions {
		value := in[c.parameter]
		if value == "" || value == "false" {
			continue
		}
		if s.Condition[c.operator] == nil {
			s.Condition[c.operator] = map[string]string{}
		}
		s.Condition[c.operator][c.key] = value
	}

	d := emptyDocument
	if r.current.policy != "" {
		var err error
		if d, err = parseDocument(r.current.policy); err != nil {
			return nil, unreadable(err)
		}
	}
	if d.index(s.Sid) >= 0 {
		return nil, &apiError{409, "ResourceConflictException", "The statement id (" + s.Sid + ") provided already exists. Please provide a new statement id, or remove the existing statement."}
	}
	text := compact(s)
	d.statements = append(d.statements, json.RawMessage(text))
	if tooLong(d.String()) {
		return nil, errTooLong
	}
	a.change(r, d.String())
	return map[string]string{"Statement": text}, nil
}

func compact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // text and maps of text can always be written
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// removePermission looks for the statement before it looks at the revision: of a
// statement that somebody else took away, it says that it is not found.
func (a *Account) removePermission(t target, in parameters) (any, *apiError) {
	if a.functions[t.function] == nil {
		return nil, notFound("No policy found for: " + a.arn(t))
	}
	r, refusal := a.holder(t)
	if refusal != nil {
		return nil, refusal
	}
	if r.current.policy == "" {
		return nil, errNoPolicy
	}
	d, err := parseDocument(r.current.policy)
	if err != nil {
		return nil, unreadable(err)
	}
	i := d.index(in["StatementId"])
	if i < 0 {
		return nil, notFound("Statement " + in["StatementId"] + " is not found in resource policy.")
	}
	if in.stale(r) {
		return nil, errStale
	}
	d.statements = append(d.statements[:i], d.statements[i+1:]...)
	a.change(r, d.String())
	return nil, nil
}

func (a *Account) putResourcePolicy(t target, in parameters) (any, *apiError) {
	r, refusal := a.holder(t)
	if refusal != nil {
		return nil, refusal
	}
	if in.stale(r) {
		return nil, errStale
	}
	d, err := parseDocument(in["Policy"])
	if err != nil || len(d.statements) == 0 {
		return nil, &apiError{400, "InvalidParameterValueException", "The policy is malformed: it has to be a JSON object with a Statement."}
	}
	if tooLong(in["Policy"]) {
		return nil, errTooLong
	}
	a.change(r, in["Policy"])
	return answerPolicy(r), nil
}

func (a *Account) deleteResourcePolicy(t target, in parameters) (any, *apiError) {
	r, refusal := a.holder(t)
	if refusal != nil {
		return nil, refusal
	}
	if in.stale(r) {
		return nil, errStale
	}
	if r.current.policy == "" {
		return nil, errNoPolicy
	}
	a.change(r, "")
	return nil, nil
}
