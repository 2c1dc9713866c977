package exposure

import (
	"math/bits"
	"slices"

	"lambda-guardrail/internal/iampolicy"
)

// action is an action that a Lambda resource policy can grant.
type action struct {
	name   string
	access Access
}

// actions is what a resource policy can grant, most telling first: that one
// stands in the witness. A pattern that matches none of them grants nothing (R5).
// Source: https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
var actions = [...]action{
	{"lambda:InvokeFunction", Invoke},
	{"lambda:InvokeFunctionUrl", URL},
	{"lambda:UpdateFunctionCode", Code},
	{"lambda:PublishVersion", Code},
	{"lambda:CreateAlias", Code},
	{"lambda:UpdateAlias", Code},
	{"lambda:DeleteAlias", Code},
	{"lambda:GetFunction", Read}, // a link to download the code
	{"lambda:GetFunctionConfiguration", Read},
	{"lambda:GetPolicy", Read},
	{"lambda:GetAlias", Read},
	{"lambda:GetFunctionConcurrency", Read},
	{"lambda:GetFunctionEventInvokeConfig", Read},
	{"lambda:GetProvisionedConcurrencyConfig", Read},
	{"lambda:ListAliases", Read},
	{"lambda:ListFunctionEventInvokeConfigs", Read},
	{"lambda:ListProvisionedConcurrencyConfigs", Read},
	{"lambda:ListTags", Read},
	{"lambda:ListVersionsByFunction", Read},
	{"lambda:DeleteFunction", Control},
	{"lambda:DeleteFunctionConcurrency", Control},
	{"lambda:DeleteFunctionEventInvokeConfig", Control},
	{"lambda:DeleteProvisionedConcurrencyConfig", Control},
	{"lambda:PutFunctionConcurrency", Control},
	{"lambda:PutFunctionEventInvokeConfig", Control},
	{"lambda:PutProvisionedConcurrencyConfig", Control},
	{"lambda:TagResource", Control},
	{"lambda:UntagResource", Control},
	{"lambda:UpdateFunctionEventInvokeConfig", Control},
}

// actionSet is a set of indices into actions.
type actionSet uint64

const (
	invokeFunction actionSet = 1 << iota
	invokeFunctionURL
	allActions actionSet = 1<<len(actions) - 1
)

// reach is what each kind of stranger can call at all.
var reach = [...]actionSet{
	Anonymous:       invokeFunction | invokeFunctionURL,
	AnyPrincipal:    allActions &^ invokeFunctionURL,
	AnyPrincipalURL: invokeFunction | invokeFunctionURL,
	AnyService:      invokeFunction,
	AnyServiceURL:   invokeFunction | invokeFunctionURL,
}

// granted returns the actions that the patterns name: case does not matter, and
// NotAction is the complement.
func granted(p iampolicy.Patterns) actionSet {
	var set actionSet
	for _, p := range p.List {
		switch p {
		case "lambda:InvokeFunction":
			set |= invokeFunction
			continue
		case "lambda:InvokeFunctionUrl":
			set |= invokeFunctionURL
			continue
		}
		for i := range actions {
			if matchFold(p, actions[i].name) {
				set |= 1 << i
			}
		}
	}
	if p.Not {
		set = allActions &^ set
	}
	return set
}

// allowed is what an Allow grants. The page lists Invoke by the name of its API;
// should that be an action too, an Allow of it lets callers in, while a Deny of it
// is not counted on.
func allowed(p iampolicy.Patterns) actionSet {
	set := granted(p)
	if !p.Not && slices.ContainsFunc(p.List, func(a string) bool { return sameFold(a, "lambda:Invoke") }) {
		set |= invokeFunction
	}
	return set
}

// first is the most telling action of a set.
func (set actionSet) first() int { return bits.TrailingZeros64(uint64(set)) }

var eachAccess = [...]Access{Invoke, URL, Code, Read, Control}

// list names the classes of the actions in a set.
func (set actionSet) list() []Access {
	var have [len(accessNames)]bool
	n := 0
	for rest := set; rest != 0; rest &= rest - 1 {
		if a := actions[rest.first()].access; !have[a] {
			have[a] = true
			n++
		}
	}
	if n == 1 {
		a := actions[set.first()].access
		return eachAccess[a : a+1 : a+1]
	}
	out := make([]Access, 0, n)
	for a, ok := range have {
		if ok {
			out = append(out, Access(a))
		}
	}
	return out
}
