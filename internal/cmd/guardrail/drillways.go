package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/lambdaadmin"
)

// way is how an attacker opens a function, or how somebody makes a grant that
// harms nobody. Each is tried on a resource that has a policy of its own, or
// beside an open one.
type way struct {
	name, what string
	alias      string // "" is the function itself
	harmless   bool
	urlOnly    bool // it lets in nobody but callers of the function URL

	url    bool                // a function URL without authentication is made first
	grants []lambdaadmin.Grant // ACCOUNT stands for that of the function
	policy string              // or the whole policy, with RESOURCE, ACCOUNT and PARTITION
}

// neighbour is the Sid of a statement that harms nobody, in a policy that opens.
const neighbour = "drill-neighbour"

// ways are in the order in which they are tried: what is harmless stands before
// what is open comes beside it, so that it is looked at, and AddPermission adds to
// no policy that is being taken apart.
var ways = []way{
	{
		name: "bucket", what: "AddPermission for S3, with the account as the source", harmless: true,
		grants: []lambdaadmin.Grant{{Sid: "drill-bucket", Principal: "s3.amazonaws.com", Action: "lambda:InvokeFunction", SourceAccount: "ACCOUNT"}},
	},
	{
		name: "own-account", what: "AddPermission for the account itself", harmless: true,
		grants: []lambdaadmin.Grant{{Sid: "drill-own-account", Principal: "ACCOUNT", Action: "lambda:InvokeFunction"}},
	},
	{
		name: "everybody", what: "AddPermission for *",
		grants: []lambdaadmin.Grant{{Sid: "drill-everybody", Principal: "*", Action: "lambda:InvokeFunction"}},
	},
	{
		name: "alias", what: "AddPermission for *, on an alias, where the function's own policy does not show it", alias: "drill-alias",
		grants: []lambdaadmin.Grant{{Sid: "drill-alias", Principal: "*", Action: "lambda:GetFunction"}},
	},
	{
		name: "whole-policy", what: "PutResourcePolicy, * among the principals of a statement without a Sid", alias: "drill-policy",
		policy: `{"Version":"2012-10-17","Statement":[` +
			`{"Sid":"` + neighbour + `","Effect":"Allow","Principal":{"AWS":"arn:PARTITION:iam::ACCOUNT:root"},"Action":"lambda:InvokeFunction","Resource":"RESOURCE"},` +
			`{"Effect":"Allow","Principal":{"AWS":["arn:PARTITION:iam::ACCOUNT:root","*"]},"Action":"lambda:invoke*","Resource":"RESOURCE"}]}`,
	},
	{
		name: "function-url", what: "a function URL without authentication, and the two statements that open it", alias: "drill-url", urlOnly: true, url: true,
		grants: []lambdaadmin.Grant{
			{Sid: "FunctionURLAllowPublicAccess", Principal: "*", Action: "lambda:InvokeFunctionUrl", URLAuthType: "NONE"},
			{Sid: "FunctionURLInvokeAllowPublicAccess", Principal: "*", Action: "lambda:InvokeFunction", ViaURL: true},
		},
	},
}

// aliases are those that the ways need.
func aliases() (all []string) {
	for _, w := range ways {
		if w.alias != "" {
			all = append(all, w.alias)
		}
	}
	return all
}

// calls names the calls of the Lambda API that a way makes.
func (w way) calls(on guard.Resource) (all []string) {
	on.Qualifier = w.alias
	if w.url {
		all = append(all, "lambda:CreateFunctionUrlConfig "+on.String()+" AuthType=NONE")
	}
	for _, g := range w.grants {
		all = append(all, fmt.Sprintf("lambda:AddPermission %s StatementId=%s Principal=%s Action=%s", on, g.Sid, g.Principal, g.Action))
	}
	if w.policy != "" {
		all = append(all, "lambda:PutResourcePolicy "+on.String())
	}
	return all
}

// fill puts in what a resource is called.
func fill(text string, on guard.Resource) string {
	return strings.NewReplacer("RESOURCE", on.ARN(), "ACCOUNT", on.Account, "PARTITION", on.Partition).Replace(text)
}

// door is a statement that a way has put into a policy, and what has become of it.
type door struct {
	harmless    bool
	fingerprint string
	id          string // of the finding that must come of it, or must not

	outcome string    // of that finding; "" if there is none
	problem string    // why, if that is not what should be
	found   time.Time // when the finding was first seen to be as it should
	stands  bool      // by the last reading of the policy
	gone    time.Time // since when it does not stand, by every reading after
}

func newDoor(statement string, on guard.Resource, harmless bool) *door {
	fingerprint := iampolicy.Fingerprint(statement)
	return &door{harmless: harmless, fingerprint: fingerprint, id: guard.FindingID(on.ARN(), fingerprint), stands: true}
}

// attempt is a way that has been tried.
type attempt struct {
	way
	on     guard.Resource
	want   guard.Outcome // of each finding
	doors  []*door
	opened time.Time // all of it, or not all: refused
	// refused is why it could not be opened: there is nothing to wait for.
	refused error
	err     error // of the last look
}

// try opens a resource in one way.
func (w way) try(ctx context.Context, functions *lambdaadmin.Throwaways, on guard.Resource, clock guard.Clock) *attempt {
	on.Qualifier = w.alias
	a := &attempt{way: w, on: on}
	a.refused = a.open(ctx, functions)
	a.opened = clock.Now()
	return a
}

func (a *attempt) open(ctx context.Context, functions *lambdaadmin.Throwaways) error {
	if a.url {
		if err := functions.MakeURL(ctx, a.on.ARN()); err != nil {
			return err
		}
	}
	for _, g := range a.grants {
		g.Principal, g.SourceAccount = fill(g.Principal, a.on), fill(g.SourceAccount, a.on)
		statement, err := functions.Grant(ctx, a.on.ARN(), g)
		if err != nil {
			return err
		}
		a.doors = append(a.doors, newDoor(statement, a.on, a.harmless))
	}
	if a.policy == "" {
		return nil
	}
	policy := fill(a.policy, a.on)
	d, err := iampolicy.Parse(policy)
	if err != nil {
		return err
	}
	if err := functions.Put(ctx, a.on.ARN(), policy); err != nil {
		return err
	}
	for _, s := range d.Statements {
		a.doors = append(a.doors, newDoor(s.Raw, a.on, s.Sid == neighbour))
	}
	return nil
}

// look enters what the policy and the log say now.
func (a *attempt) look(ctx context.Context, policies guard.Policies, told []logged, now time.Time) error {
	p, err := policies.Policy(ctx, a.on)
	if err != nil && !errors.Is(err, guard.ErrNotFound) {
		return err
	}
	d, err := iampolicy.Parse(p.Document)
	if err != nil && p.Document != "" {
		return fmt.Errorf("reading the policy of %s: %w", a.on, err)
	}
	for _, door := range a.doors {
		door.stands = slices.ContainsFunc(d.Statements, func(s iampolicy.Statement) bool { return iampolicy.Fingerprint(s.Raw) == door.fingerprint })
		switch {
		case door.stands:
			door.gone = time.Time{}
		case door.gone.IsZero():
			door.gone = now
		}
		for _, f := range told {
			if f.ID != door.id || door.outcome == a.want.String() {
				continue // a second event finds what the first has done
			}
			door.outcome, door.problem = f.Outcome, f.Error
			if f.Exemption != nil {
				door.problem = "an exemption of " + f.Exemption.Owner + " covers it"
			}
			if f.Outcome == a.want.String() {
				door.found = now
			}
		}
	}
	return nil
}

// right reports whether a door is as it should be.
func (a *attempt) right(d *door) bool {
	switch {
	case d.harmless:
		return d.stands && d.outcome == ""
	case a.want == guard.Reverted:
		return !d.stands && d.outcome == guard.Reverted.String()
	}
	return d.stands && d.outcome == a.want.String()
}

// settled reports whether no more is to be expected. What harms nobody is only
// looked at when all else is settled.
func (a *attempt) settled() bool {
	if a.refused != nil {
		return true
	}
	for _, d := range a.doors {
		if !d.harmless && !a.right(d) && d.outcome != guard.Exempt.String() {
			return false
		}
	}
	return true
}

// seconds are those from the opening until every door was closed; where it was not
// to be, until it was found.
func (a *attempt) seconds() float64 {
	last := a.opened
	for _, d := range a.doors {
		at := d.gone
		if a.want != guard.Reverted {
			at = d.found
		}
		if !d.harmless && at.After(last) {
			last = at
		}
	}
	return last.Sub(a.opened).Seconds()
}
