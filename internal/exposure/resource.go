package exposure

import (
	"slices"
	"strconv"
	"strings"

	"lambda-guardrail/internal/iampolicy"
)

// resource is what a request can be made on.
type resource struct {
	arn       string // with the qualifier; a pattern where the target is not known
	qualifier string
}

func (t *Target) known() bool {
	return t.Partition != "" && t.Region != "" && t.Account != "" && t.Function != ""
}

func (t *Target) arn() string {
	arn := "arn:" + t.Partition + ":lambda:" + t.Region + ":" + t.Account + ":function:" + t.Function
	if t.Qualifier != "" {
		arn += ":" + t.Qualifier
	}
	return arn
}

// is compares without putting the ARN together: most statements name their own
// resource.
func (t *Target) is(arn string) bool {
	for _, part := range [...]string{"arn:", t.Partition, ":lambda:", t.Region, ":", t.Account, ":function:", t.Function} {
		rest, ok := strings.CutPrefix(arn, part)
		if !ok {
			return false
		}
		arn = rest
	}
	if t.Qualifier == "" {
		return arn == ""
	}
	return len(arn) > 0 && arn[0] == ':' && arn[1:] == t.Qualifier
}

// resourcesOf lists the resources that an Allow lets be called, as far as a Deny
// can tell them apart (R6), and how sure that is.
func (j *judge) resourcesOf(s *iampolicy.Statement) (list []resource, sure tri) {
	if !j.on.known() {
		if s.Resource.Missing || s.Resource.Not {
			return []resource{{arn: "*"}}, yes
		}
		for _, p := range s.Resource.List {
			list = append(list, resource{arn: p})
		}
		return list, yes
	}
	if len(j.denies) == 0 && len(s.Resource.List) == 1 && !s.Resource.Not && j.on.is(s.Resource.List[0]) {
		j.self[0] = resource{arn: s.Resource.List[0], qualifier: j.on.Qualifier}
		return j.self[:], yes
	}
	target := j.on.arn()
	j.self[0] = resource{arn: target, qualifier: j.on.Qualifier}
	sure = j.named(&s.Resource, target, maybe)
	if sure == yes && len(j.denies) == 0 {
		return j.self[:], yes
	}
	all := j.self[:]
	if j.on.Qualifier == "" {
		if !j.listed {
			j.versions, j.listed = j.qualified(target, &j.listing), true
			j.missed = j.missed || j.listing < 0
		}
		all = append(all[:1:1], j.versions...)
	}
	best := no
	for _, r := range all {
		if m := j.named(&s.Resource, r.arn, maybe); m != no {
			list = append(list, r)
			best = max(best, m)
		}
	}
	if len(list) == 0 && j.missed { // it may name one that was not tried
		return []resource{{arn: target + ":\x00"}}, unknown
	}
	return list, best
}

// qualified lists versions and aliases of the function: those that the document
// names, and one for each way in which its patterns can match the others or not.
func (j *judge) qualified(function string, left *work) (list []resource) {
	add := func(arn string) {
		r := resource{arn: arn, qualifier: arn[len(function)+1:]}
		if left.spend(len(list)) && !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	var patterns, literals []constraint
	for i := range j.doc.Statements {
		for _, p := range j.doc.Statements[i].Resource.List {
			if j.doc.Variables() {
				filled, _ := expand([]string{p}, &j.on, "")
				p = filled[0]
			}
			before, after, wild := strings.Cut(p, "*")
			switch c := (constraint{pattern: p}); {
			case !hasWildcard(p):
				if strings.HasPrefix(p, function+":") && len(p) > len(function)+1 {
					add(p)
					literals = append(literals, c)
				}
			case wild && after == "" && strings.HasPrefix(function+":", before):
				// matches them all
			case left.spend(len(patterns)) && !slices.Contains(patterns, c):
				patterns = append(patterns, c)
			}
		}
	}
	meet := func(cs []constraint) {
		arn, found := solve(slices.Concat(versionOf(function), literals, cs), anyText, left)
		j.missed = j.missed || found == unknown
		if found == yes {
			add(arn)
		}
	}
	if n := len(patterns); n == 0 {
		q := 4711
		for slices.ContainsFunc(literals, func(c constraint) bool { return c.pattern == function+":"+strconv.Itoa(q) }) {
			q++
		}
		add(function + ":" + strconv.Itoa(q))
	} else if n <= maxPatterns {
		for matching := range 1 << n {
			cs := slices.Clone(patterns)
			for i := range cs {
				cs[i].want = matching&(1<<i) != 0
			}
			meet(cs)
		}
	} else {
		j.missed = true
		meet(patterns)
		for _, c := range patterns {
			c.want = true
			meet([]constraint{c})
		}
	}
	return list
}

// versionOf is what the ARN of a version or alias looks like.
func versionOf(function string) []constraint {
	return []constraint{{pattern: function + ":?*", want: true}, {pattern: function + ":*:*"}}
}

// named reports whether a Resource element matches an ARN, each of its patterns as
// matches has it.
func (j *judge) named(p *iampolicy.Patterns, arn string, matches func(pattern, arn string) tri) tri {
	if p.Missing {
		return yes
	}
	out := no
	for _, pattern := range p.List {
		if pattern == arn {
			out = yes
			break
		}
		if j.doc.Variables() && hasVariable(pattern) {
			filled, open := expand([]string{pattern}, &j.on, "")
			if open {
				out = max(out, unknown)
				continue
			}
			pattern = filled[0]
		}
		out = max(out, matches(pattern, arn))
	}
	if p.Not {
		return out.not()
	}
	return out
}

// maybe is how an Allow is read: by whatever AWS might make of a pattern.
func maybe(pattern, arn string) tri { return truth(match(pattern, arn)) }

// surely is how a Deny is read: no wildcard crosses a colon but a star at the end of
// its field, and none stands for the service. AWS says so, and may do otherwise.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func (t *trial) surely(pattern, arn string) tri {
	if pattern == "*" {
		return yes
	}
	if !match(pattern, arn) {
		return no
	}
	f := strings.SplitN(pattern, ":", 4)
	if len(f) == 4 && hasWildcard(f[2]) || !t.left.spend(len(pattern)*len(arn)/16) || !matchFields(pattern, arn) {
		return unknown
	}
	return yes
}

// covered reports whether the Resource element of a Deny matches a resource. Where
// the target is not known that is a pattern, and all of it must be covered.
func (t *trial) covered(p *iampolicy.Patterns, on resource) tri {
	if t.on.known() {
		m := t.named(p, on.arn, t.surely)
		if m == yes && t.doc.Variables() && slices.ContainsFunc(p.List, variableEarly) {
			return unknown // by AWS's page, variables are filled in in the last field alone
		}
		return m
	}
	if p.Missing {
		return yes
	}
	for _, pattern := range p.List {
		if p.Not {
			if hasWildcard(on.arn) || match(pattern, on.arn) {
				return no
			}
			continue
		}
		if pattern == on.arn || t.surely(pattern, on.arn) == yes && !(strings.Contains(pattern, "?") && hasWildcard(on.arn)) {
			return yes
		}
	}
	return truth(p.Not)
}

// variableEarly reports whether an ARN has a variable before its last field.
func variableEarly(arn string) bool {
	before, _, found := strings.Cut(arn, "${")
	return found && strings.Count(before, ":") < 5
}

func resourceElement(s *iampolicy.Statement) element {
	if s.Resource.Not {
		return notResource
	}
	return theResource
}

func actionElement(s *iampolicy.Statement) element {
	if s.Action.Not {
		return notAction
	}
	return theAction
}

func principalElement(s *iampolicy.Statement) element {
	if s.Principal.Not {
		return notPrincipal
	}
	return thePrincipal
}
