package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// actor is somebody with permissions in the account: an attacker, a colleague, a
// pipeline.
type actor struct {
	*world
	name   string
	chance *rand.Rand
	calls  int
	grants []grant
}

// grant is a statement that an actor has added.
type grant struct {
	arn, sid string
	kind     *kind
}

// habits are what actors do.
var habits = []struct {
	name   string
	weight int
	do     func(*actor)
}{
	{"open", 8, func(a *actor) { a.add(a.somewhere(), a.sid(), a.oneOf(kindsOf(true, open, byURL))) }},
	{"open by a whole policy", 6, func(a *actor) { a.replace(a.somewhere(), a.oneOf(kindsOf(false, open, byURL))) }},
	{"open by taking a Deny away", 4, (*actor).openInTwoSteps},
	{"open a function URL", 3, (*actor).openURL},
	{"open again", 6, (*actor).openAgain},
	{"hit and run", 4, (*actor).hitAndRun},
	{"open in a burst", 2, (*actor).burst},
	{"edit a neighbour", 10, func(a *actor) { a.add(a.somewhere(), a.sid(), a.oneOf(kindsOf(true, closed, named))) }},
	{"edit a whole policy", 3, func(a *actor) {
		a.replace(a.somewhere(), a.oneOf(kindsOf(false, closed, named, unclear, denial, lock)))
	}},
	{"take a statement away", 3, (*actor).takeAway},
	{"take a policy away", 1, func(a *actor) { a.call("DeleteResourcePolicy", a.somewhere(), "", nil) }},
	{"deploy", 5, func(a *actor) { a.call("UpdateFunctionConfiguration", a.function(), "", nil) }},
	{"delete a function", 1, (*actor).deleteFunction},
	{"open what is exempt", 1, func(a *actor) { a.add(a.world.exemptAt(a.chance), exemptedSid, exempted) }},
}

// live is the work of an actor until it has made so many calls.
func (a *actor) live(calls int) {
	for a.calls < calls {
		a.pause(time.Duration(a.chance.ExpFloat64() * float64(12*time.Second)))
		total := 0
		for i := range habits {
			total += habits[i].weight
		}
		pick := a.chance.IntN(total)
		for i := range habits {
			if pick -= habits[i].weight; pick < 0 {
				a.count("actor: " + habits[i].name)
				a.note("%s: %s", a.name, habits[i].name)
				habits[i].do(a)
				break
			}
		}
	}
}

func (a *actor) pause(d time.Duration) { a.Sleep(context.Background(), d) }

// moment is a short while, in which others act too.
func (a *actor) moment() {
	a.pause(10*time.Millisecond + time.Duration(a.chance.Int64N(int64(150*time.Millisecond))))
}

func (a *actor) oneOf(some []*kind) *kind { return some[a.chance.IntN(len(some))] }

// function draws a function. Some of them are everybody's favourites.
func (a *actor) function() string {
	n := len(a.names)
	if a.chance.IntN(2) == 0 {
		n = min(n, 6)
	}
	return functions + a.names[a.chance.IntN(n)]
}

// somewhere draws a function, version or alias.
func (a *actor) somewhere() string {
	if a.chance.IntN(2) == 0 {
		return a.function()
	}
	return a.function() + qualifiers[a.chance.IntN(len(qualifiers))]
}

func (a *actor) sid() string {
	a.sids++
	return fmt.Sprintf("s%d", a.sids)
}

// call makes a call, three times if it is throttled, and tells model and bus what
// came of it.
func (a *actor) call(operation, arn, sid string, params map[string]any, ks ...*kind) bool {
	c := &call{operation: operation, arn: arn, sid: sid, params: params, named: a.naming(arn)}
	for range 3 {
		a.moment()
		a.calls++
		a.count("actors: " + operation)
		status := c.send(a.account)
		a.note("%s: %s of %s %s: %d", a.name, operation, short(arn), sid, status)
		if status == http.StatusTooManyRequests {
			a.pause(time.Second)
			continue
		}
		if status >= 300 {
			return false
		}
		if len(ks) > 0 && c.recorded != "" {
			a.model.knows(arn, c.recorded, ks[0])
		}
		a.look(arn, c)
		if operation != "UpdateFunctionConfiguration" && operation != "DeleteFunction" { // the rule does not select them
			a.bus.publish(c, user(a.name))
		}
		a.moment()
		return true
	}
	return false
}

// naming is how a caller names a function: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func (a *actor) naming(arn string) string {
	switch name := short(arn); a.chance.IntN(3) {
	case 0:
		return name
	case 1:
		return accountID + ":function:" + name
	}
	return arn
}

// look tells the model of the policies that a call can have changed.
func (a *actor) look(arn string, by *call) {
	if by.operation != "DeleteFunction" {
		a.observe(arn, by)
		return
	}
	for _, qualifier := range qualifiers {
		a.observe(arn+qualifier, by)
	}
}

func (w *world) observe(arn string, by *call) {
	text := w.account.Policy(arn)
	if text != w.model.policy(arn).text {
		w.model.observe(arn, text, by)
		w.note("    now %s", text)
	}
}

// add is an AddPermission.
func (a *actor) add(arn, sid string, k *kind) bool {
	if arn == "" || !a.call("AddPermission", arn, sid, k.add, k) {
		return false
	}
	a.grants = append(a.grants, grant{arn, sid, k})
	return true
}

// remove is a RemovePermission.
func (a *actor) remove(g grant) { a.call("RemovePermission", g.arn, g.sid, nil) }

// statements of a document, to be written in one.
func document(statements []string) string {
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(statements, ",") + `]}`
}

// replace is a PutResourcePolicy of what the actor has read, a while ago, and a
// few statements more.
func (a *actor) replace(arn string, more ...*kind) bool {
	statements := split(a.account.Policy(arn))
	if a.chance.IntN(4) == 0 {
		statements = nil
	}
	for _, k := range more {
		text := k.statement(a.sid(), arn)
		if a.chance.IntN(3) == 0 && k.is != lock && k.is != denial {
			text = k.statement("twice", arn)
		}
		a.model.knows(arn, text, k)
		statements = slices.Insert(statements, a.chance.IntN(len(statements)+1), text)
	}
	a.moment() // in which somebody else's edit is lost
	return a.call("PutResourcePolicy", arn, "", map[string]any{"Policy": document(statements)})
}

func (a *actor) openInTwoSteps() {
	arn := a.somewhere()
	if !a.replace(arn, a.oneOf(kindsOf(false, lock)), a.oneOf(kindsOf(false, open))) {
		return
	}
	a.pause(time.Duration(a.chance.Int64N(int64(40 * time.Second))))
	statements := split(a.account.Policy(arn))
	for _, s := range statements {
		if a.model.kind(arn, s).is != lock {
			continue
		}
		sid := s[len(`{"Sid":"`):]
		sid = sid[:strings.IndexByte(sid, '"')]
		if a.chance.IntN(2) == 0 {
			a.remove(grant{arn: arn, sid: sid})
			continue
		}
		rest := slices.DeleteFunc(split(a.account.Policy(arn)), func(other string) bool { return other == s })
		if len(rest) > 0 {
			a.call("PutResourcePolicy", arn, "", map[string]any{"Policy": document(rest)})
		}
	}
}

func (a *actor) openURL() {
	arn := a.function()
	operation := "CreateFunctionUrlConfig"
	if a.chance.IntN(3) == 0 {
		operation = "UpdateFunctionUrlConfig"
	}
	a.call(operation, arn, "", map[string]any{"AuthType": "NONE"})
	for _, k := range kindsOf(true, byURL) {
		a.add(arn, a.sid(), k)
	}
}

func (a *actor) openAgain() {
	if len(a.grants) == 0 {
		return
	}
	g := a.grants[a.chance.IntN(len(a.grants))]
	for range 1 + a.chance.IntN(4) {
		a.call("AddPermission", g.arn, g.sid, g.kind.add, g.kind)
		a.pause(time.Duration(a.chance.ExpFloat64() * float64(2*time.Second)))
	}
}

func (a *actor) hitAndRun() {
	g := grant{a.somewhere(), a.sid(), a.oneOf(kindsOf(true, open))}
	if a.call("AddPermission", g.arn, g.sid, g.kind.add, g.kind) {
		a.pause(time.Duration(a.chance.Int64N(int64(4 * time.Second))))
		a.remove(g)
	}
}

func (a *actor) burst() {
	arn := a.somewhere()
	for range 3 + a.chance.IntN(6) {
		a.add(arn, a.sid(), a.oneOf(kindsOf(true, open, open, closed, byURL)))
	}
}

func (a *actor) takeAway() {
	if len(a.grants) > 0 {
		a.remove(a.grants[a.chance.IntN(len(a.grants))])
	}
}

func (a *actor) deleteFunction() {
	arn := a.function()
	if a.call("DeleteFunction", arn, "", nil) && a.chance.IntN(4) > 0 {
		a.pause(time.Duration(a.chance.Int64N(int64(10 * time.Second))))
		for _, qualifier := range qualifiers {
			a.account.Seed(arn+qualifier, "")
		}
	}
}
