package exposure

import (
	"slices"
	"strings"
)

// standing says what the owner has to do with an identity.
type standing int8

const (
	nobodys standing = iota // no account or organization can be read from it
	trusted                 // the owner's own, or configured
	foreigner
)

// outsider looks for somebody named who is neither the owner nor trusted (R17):
// among the principals or, where a condition decides who gets in, in that.
func (t *trial) outsider() (Reason, bool) {
	p := &t.from.Principal
	var who Reason
	found := false
	if !p.Not && !p.Everyone {
		for _, names := range [...][]string{p.AWS, p.Other} {
			for _, name := range names {
				if !found && t.standingOf(name, arnOfAccount) == foreigner {
					who, found = Reason{Code: Outsider, statement: t.statement, element: thePrincipal, detail: name}, true
				}
			}
		}
		if !found && len(p.Services) == 0 {
			return Reason{}, false
		}
	}
	decide := func(c *test) (owners bool) {
		worst := nobodys
		var name string
		for _, v := range c.values {
			if s := t.standingOf(v, c.key.identity); s > worst {
				worst, name = s, v
			}
		}
		if worst == foreigner && !found {
			who, found = c.reason(Outsider, unescape.Replace(name)), true
		}
		return worst == trusted
	}
	// Where a test admits the owner's only, whoever else is named must be that too.
	for i := range t.tests {
		c := &t.tests[i]
		if c.names() && !c.operator.negated && (!c.ifExists && c.quantifier != forAll || t.mustExist(c)) && decide(c) {
			return Reason{}, false
		}
	}
	// A Deny names who gets in by what it does not match, if that is all it asks.
	owners := actionSet(0) // that Denies leave to nobody but the owner's
	for i := range t.denies {
		if d := &t.denies[i]; d.from.Problem == "" && len(d.tests) == 1 && d.actions&t.actions != 0 {
			if c := &d.tests[0]; c.names() && c.operator.negated && c.quantifier != forAny && decide(c) && t.againstAll(d) {
				owners |= d.actions
			}
		}
	}
	if t.actions&^owners == 0 {
		return Reason{}, false
	}
	return who, found
}

// againstAll reports whether the Deny is addressed to everybody, wherever the Allow
// lets them in.
func (t *trial) againstAll(d *deny) bool {
	p := &d.from.Principal
	return p.Everyone && !p.Not && t.left.spend(len(t.resources)) &&
		!slices.ContainsFunc(t.resources, func(on resource) bool { return t.covered(&d.from.Resource, on) != yes })
}

// neverHolds reports whether nobody at all can meet the tests on some key (R12).
// Those with a policy variable are taken to be met.
func (t *trial) neverHolds() bool {
	if len(t.tests) == 1 && t.tests[0].lists() {
		return false // most statements that name an outsider are like this
	}
	s := search{on: t.on, now: t.now, allow: t.tests, left: &t.left, anybody: true}
	s.collect()
	found := false
	for _, u := range s.uses {
		met := slices.ContainsFunc(tellingOrder[:], func(k Kind) bool {
			s.kind = k
			complete := s.choose(u)
			return len(u.choices) > 0 || !complete
		})
		for _, c := range u.tests {
			why := c.never()
			if why == "" && !met {
				why = "no request has such a value"
				if source := c.key.domains[AnyPrincipal].source; source == given || source == owners {
					why = hasAnother
				}
			}
			if why != "" {
				t.because(c.reason(NeverHolds, why))
				found = true
			}
		}
	}
	return found
}

// lists reports whether the test lists callers by their very names: they meet it.
func (t *test) lists() bool {
	return t.key.domains[AnyPrincipal].source == theirs && t.operator != nil && t.operator.operand == text && !t.operator.negated &&
		!t.variables && slices.ContainsFunc(t.values, func(v string) bool { return v != "" && !hasWildcard(v) })
}

// names reports whether the values of a test can name a caller.
func (t *test) names() bool {
	source := t.key.domains[AnyPrincipal].source
	return t.operator != nil && t.operator.operand <= foldedText && t.key.identity != whole && source != owners && source != given
}

// mustExist reports whether the Allow requires that the request has the key of c.
func (t *trial) mustExist(c *test) bool {
	for i := range t.tests {
		if o := &t.tests[i]; o.key == c.key && o.operator != nil && o.operator.operand == presence && o.null(value{}) == no {
			return true
		}
	}
	return false
}

// standingOf reads the account or the organization out of a name, or out of a
// pattern that fixes it.
func (j *judge) standingOf(name string, id identity) standing {
	switch id {
	case orgID, orgPath:
		org, _, _ := strings.Cut(strings.ToLower(literalPrefix(name)), "/")
		switch {
		case org == ownersOrg || slices.Contains(j.trust.Orgs, org):
			return trusted
		case isOrg(org):
			return foreigner
		}
	case accountID:
		return j.accountStanding(name)
	case arnOfAccount:
		if len(name) == 64 { // a canonical user: whose account that is cannot be told
			return foreigner
		}
		return j.accountStanding(accountOf(name))
	}
	return nobodys // the id of a deleted principal, an identity provider, a bucket
}

func (j *judge) accountStanding(account string) standing {
	account = literalPrefix(account)
	if len(account) != 12 || !isDigits(account) {
		return nobodys
	}
	if account == j.on.Account || account == ownersAccount || slices.Contains(j.trust.Accounts, account) {
		return trusted
	}
	return foreigner
}

// accountOf is the account of an ARN, or the one that stands alone.
func accountOf(name string) string {
	if isDigits(name) {
		return name
	}
	return accountOfARN(name)
}

// accountOfARN is the fifth of six fields.
func accountOfARN(arn string) string {
	for range 4 {
		_, arn, _ = strings.Cut(arn, ":")
	}
	account, _, _ := strings.Cut(arn, ":")
	return account
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
