package lambdatest

import "strings"

// urlHolder finds the resource whose function URL is meant: a function or an
// alias, since a version can have none.
func (a *Account) urlHolder(t target) (*resource, *apiError) {
	if t.qualifier == latest || isVersion(t.qualifier) {
		return nil, invalid("'"+t.qualifier+"'", "Qualifier", `Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`)
	}
	r := a.find(t)
	if r == nil {
		return nil, notFound("Function does not exist")
	}
	return r, nil
}

func (a *Account) getFunctionURLConfig(t target, _ parameters) (any, *apiError) {
	r, refusal := a.urlHolder(t)
	if refusal != nil {
		return nil, refusal
	}
	if r.urlAuthType == "" {
		return nil, errNotThere
	}
	return a.urlConfig(t, r), nil
}

func (a *Account) createFunctionURLConfig(t target, in parameters) (any, *apiError) {
	r, refusal := a.urlHolder(t)
	if refusal != nil {
		return nil, refusal
	}
	if r.urlAuthType != "" {
		return nil, &apiError{409, "ResourceConflictException", "Failed to create function url config for [functionArn = " + a.arn(t) + "]. Error message:  FunctionUrlConfig exists for this Lambda function"}
	}
	r.urlAuthType = in["AuthType"]
	return a.urlConfig(t, r), nil
}

func (a *Account) updateFunctionURLConfig(t target, in parameters) (any, *apiError) {
	r, refusal := a.urlHolder(t)
	if refusal != nil {
		return nil, refusal
	}
	if r.urlAuthType == "" {
		return nil, errNotThere
	}
	if in["AuthType"] != "" {
		r.urlAuthType = in["AuthType"]
	}
	return a.urlConfig(t, r), nil
}

// deleteFunctionURLConfig leaves the statements of the URL in the policy, as
// Lambda does.
func (a *Account) deleteFunctionURLConfig(t target, _ parameters) (any, *apiError) {
	r, refusal := a.urlHolder(t)
	if refusal != nil {
		return nil, refusal
	}
	if r.urlAuthType == "" {
		return nil, errNotThere
	}
	r.urlAuthType = ""
	return nil, nil
}

func (a *Account) urlConfig(t target, r *resource) any {
	const then = "2026-11-23T00:00:00Z"
	host := strings.ToLower(strings.ReplaceAll(t.function+t.qualifier, "_", "-"))
	return map[string]string{
		"FunctionArn": a.arn(t), "FunctionUrl": "https://" + host + ".lambda-url." + a.region + ".on.aws/",
		"AuthType": r.urlAuthType, "InvokeMode": "BUFFERED", "CreationTime": then, "LastModifiedTime": then,
	}
}
