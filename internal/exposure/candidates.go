package exposure

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values that stand for the owner's where they are not known.
const (
	ownersAccount = "000000000000"
	ownersOrg     = "o-owner000000"
)

// maxPatterns bounds the combinations of patterns that are tried on one key.
const maxPatterns = 4

// candidates returns the few values of the key that can make a difference to the
// tests on it: what they name, what lies between, one fresh value, absence.
// Complete is false where there may be others.
func (s *search) candidates(u *use) (out []value, complete bool) {
	d := s.domainOf(u)
	complete = true
	switch d.source {
	case unknowable:
		return []value{{present: true, unknown: true}}, true
	case listed:
		for _, v := range d.values {
			out = append(out, value{present: true, text: v})
		}
	case owners:
		return s.ownersOrg(u), true
	case free, theirs:
		var texts []string
		texts, complete = s.generate(u, d.source == theirs)
		for _, v := range texts {
			out = append(out, value{present: true, text: v})
		}
		if u.row.multi && len(u.tests) > 1 && len(texts) > 1 {
			var all bool
			out, all = severalOf(out, texts)
			complete = complete && all
		}
	}
	if d.absent {
		out = append(out, value{})
	}
	return out, complete
}

// domainOf is the domain of a key in this request, with what is known of the
// function and of the calling service filled in.
func (s *search) domainOf(u *use) domain {
	d := u.row.domains[s.kind]
	if s.anybody && (d.source == theirs || d.source == address) {
		d.source = free
	}
	if s.service != "" && s.service != "*" {
		switch u.row.name {
		case "aws:principalservicename":
			return oneOf(s.service)
		case "aws:principalservicenameslist": // its regional names too
			return oneOf(s.service, strings.Replace(s.service, ".", "."+s.on.Region+".", 1))
		}
	}
	if d.source != given {
		return d
	}
	var known string
	switch u.row.name {
	case "aws:currenttime":
		known = s.now.UTC().Format(time.RFC3339)
	case "aws:epochtime":
		known = strconv.FormatInt(s.now.Unix(), 10)
	case "aws:requestedregion":
		known = s.on.Region
	case "aws:resourceaccount":
		known = s.on.Account
	}
	if known != "" {
		return oneOf(known)
	}
	return domain{source: free} // not known: taken to be what the owner wrote
}

// ownersOrg is the organization of the function, which is not known: taken to be
// one that the policy names, if it names any, since the owner would name their own.
// The account may be in none.
func (s *search) ownersOrg(u *use) (out []value) {
	for _, t := range u.tests {
		for _, v := range t.values {
			if t.operator != nil && t.operator.operand != presence && !hasVariable(v) {
				out = append(out, value{present: true, text: unescape.Replace(strings.NewReplacer("*", "", "?", "0").Replace(v))})
			}
		}
	}
	return append(out, value{present: true, text: ownersOrg, doubtful: len(out) > 0}, value{doubtful: true})
}

// generate makes texts for a key that the stranger chooses or, with theirs, that
// is fixed by who they are: then none that names somebody else.
func (s *search) generate(u *use, theirs bool) (texts []string, complete bool) {
	g := generator{row: u.row, theirs: theirs, accounts: s.accounts, complete: true, left: s.left}
	var types [presence + 1]bool
	for _, t := range u.tests {
		if t.operator == nil {
			continue
		}
		types[t.operator.operand] = true
		for _, v := range t.values {
			if !t.variables || !hasVariable(v) {
				g.take(t.operator, v)
			}
		}
		if !s.left.spend(len(t.values) * len(g.texts)) {
			g.complete = false
			break
		}
	}
	if !theirs { // where a variable takes the place of the value, one of its kind
		for _, of := range [...]operand{number, date, addressRange} {
			if types[of] {
				g.scale(of, anInstance[of])
			}
		}
	}
	if !theirs && mixed(types) {
		g.complete = false // a text that is a number too, say: each is tried, their meeting is not
	}
	// A fresh value last but one, so that a witness shows what the policy names.
	g.combine()
	g.between()
	g.add(g.fresh())
	for _, link := range u.links {
		if !s.left.spend(len(g.texts)) {
			return g.texts, false
		}
		if !theirs || !g.named(link) && u.row.possible(link) {
			g.add(link)
		}
	}
	return g.texts, g.complete
}

var anInstance = [...]string{number: "1", date: "2026-01-01T00:00:00Z", addressRange: "10.0.0.1"}

// mixed reports whether tests of several types look at one key; text and patterns
// are one type, and presence goes with all.
func mixed(types [presence + 1]bool) bool {
	n := 0
	if types[text] || types[pattern] || types[arnPattern] {
		n++
	}
	for _, other := range [...]operand{foldedText, number, date, boolean, binary, addressRange} {
		if types[other] {
			n++
		}
	}
	return n > 1
}

type generator struct {
	row      *keyRow
	theirs   bool
	accounts []string // that are no stranger's, in order
	texts    []string
	complete bool
	left     *work

	literals map[string]bool // texts that tests name
	fixed    []constraint    // patterns that name somebody else
	open     []constraint    // patterns that strangers can meet
	numbers  []float64
	dates    []time.Time
}

func (g *generator) add(text string) {
	if text == "" && g.row.identity != whole || slices.Contains(g.texts, text) {
		return
	}
	g.texts = append(g.texts, text)
}

// take learns what one value of a test names.
func (g *generator) take(op *operator, v string) {
	switch op.operand {
	case pattern, arnPattern:
		arn := op.operand == arnPattern && v != "*"
		if arn && strings.Count(v, ":") < 5 {
			return // matches nothing
		}
		c := constraint{pattern: v, arn: arn}
		switch {
		case g.theirs && g.row.identity.fixes(v, arn):
			g.fixed = append(g.fixed, c)
		case !hasWildcard(v):
			g.name(unescape.Replace(v))
		case !slices.Contains(g.open, c):
			g.open = append(g.open, c)
		}
	case text, foldedText, binary:
		g.name(unescape.Replace(v))
	case boolean:
		g.name(v)
		if !g.theirs {
			g.add("true")
			g.add("false")
		}
	case presence:
	default: // numbers, dates, addresses
		if g.theirs {
			g.complete = false // compares an identity by size: which ones a stranger has is not known
			return
		}
		g.scale(op.operand, v)
	}
}

func (g *generator) name(literal string) {
	if g.literals == nil {
		g.literals = map[string]bool{}
	}
	g.literals[literal] = true
	if !g.theirs {
		g.add(literal)
	}
}

func (g *generator) scale(of operand, v string) {
	switch of {
	case number:
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			g.numbers = append(g.numbers, n)
		}
	case date:
		if t, ok := parseDate(v); ok {
			g.dates = append(g.dates, t)
		}
	case addressRange:
		if p, ok := parseRange(v); ok {
			last := lastOf(p)
			for _, a := range [...]string{p.Addr().String(), last.String(), p.Addr().Prev().String(), last.Next().String()} {
				if a != "invalid IP" {
					g.add(a)
				}
			}
		}
	}
}

// between adds the numbers and dates named, and one on each side of each.
func (g *generator) between() {
	slices.Sort(g.numbers)
	for i, n := range g.numbers {
		around := []float64{n, min(n-1, math.Nextafter(n, math.Inf(-1))), max(n+1, math.Nextafter(n, math.Inf(1)))}
		if i > 0 {
			around = append(around, (n+g.numbers[i-1])/2)
		}
		for _, a := range around {
			g.add(strconv.FormatFloat(a, 'f', -1, 64))
		}
	}
	slices.SortFunc(g.dates, time.Time.Compare)
	for i, d := range g.dates {
		around := []time.Time{d, d.Add(-time.Second), d.Add(time.Second)}
		if i > 0 {
			around = append(around, d.Add(-d.Sub(g.dates[i-1])/2))
		}
		for _, a := range around {
			g.add(a.UTC().Format(time.RFC3339Nano))
		}
	}
}

// named reports whether a text is no stranger's: it is what a test names or, for
// theirs, somebody else's.
func (g *generator) named(text string) bool {
	if g.literals[text] {
		return true
	}
	for _, c := range g.fixed {
		c.want = true
		if c.met(text) {
			return true
		}
	}
	if !g.theirs || g.row.identity != arnOfAccount {
		return g.taken(text)
	}
	account := accountOfARN(text)
	if len(account) != 12 {
		return account != "" // a bucket's ARN has none
	}
	// A star before the account lets the pattern's own account slip into the
	// resource, but not out of the account field.
	return g.taken(text) || slices.ContainsFunc(g.open, func(c constraint) bool { return strings.Contains(c.pattern, account) })
}

// taken reports whether the account in a value of theirs is one that the policy
// names, or the owner's.
func (g *generator) taken(text string) bool {
	if !g.theirs || g.row.identity != accountID && g.row.identity != arnOfAccount {
		return false
	}
	_, taken := slices.BinarySearch(g.accounts, accountOf(text))
	return taken
}

// fresh returns a value that nothing names: each literal and each fixed pattern
// names one owner at the most.
func (g *generator) fresh() string {
	v := g.row.mine
	for n := 1; v == "" || g.named(v); n++ {
		v = g.row.own(n)
	}
	return v
}

// combine adds a text for each way in which the open patterns can match or not.
func (g *generator) combine() {
	n := len(g.open)
	if n == 0 {
		return // the fresh value will do
	}
	if n > maxPatterns {
		g.complete = false
		for _, c := range g.open {
			if !g.left.spend(1) {
				break
			}
			c.want = true
			g.meet([]constraint{c})
		}
		return
	}
	for matching := 1<<n - 1; matching >= 0; matching-- {
		cs := slices.Clone(g.open)
		for i := range cs {
			cs[i].want = matching&(1<<i) != 0
		}
		g.meet(cs)
	}
}

// perMeeting is how often about a text is compared before solve is asked.
const perMeeting = 16

// meet adds a text that meets the constraints: one that looks like a real value
// where it can.
func (g *generator) meet(cs []constraint) {
	if !g.left.spend(perMeeting * (1 + len(g.open) + len(g.fixed) + len(g.literals))) {
		g.complete = false
		return
	}
	patterns := cs
	if g.theirs {
		cs = append(cs, g.row.shape()...)
	}
	alphabet := anyText
	if g.theirs && g.row.identity == accountID {
		alphabet = digits
	}
	ok := func(v string) bool {
		return allMet(cs, v) && !g.named(v) && (alphabet == anyText || isDigits(v))
	}
	for n := 0; n < 3; n++ {
		if v := g.row.own(n); ok(v) { // as it stands, it may well do
			g.add(v)
			return
		}
	}
	for _, c := range patterns {
		for _, v := range g.row.instances(c.pattern) {
			if ok(v) {
				g.add(v)
				return
			}
		}
	}
	cs = append(cs, g.fixed...) // want is false
	for _, literal := range slices.Sorted(maps.Keys(g.literals)) {
		cs = append(cs, constraint{pattern: escape.Replace(literal)})
		if len(cs) > 64 {
			break
		}
	}
	v, found := solve(cs, alphabet, g.left)
	if found == yes && g.taken(v) {
		v, found = solve(append(cs, g.notTaken()...), alphabet, g.left)
	}
	switch {
	case found == yes && !g.named(v):
		g.add(v)
	case found != no:
		g.complete = false
	}
}

// notTaken are constraints that keep the accounts out that are taken, the first of
// them where they are many.
func (g *generator) notTaken() (cs []constraint) {
	for _, account := range g.accounts[:min(len(g.accounts), 64)] {
		if g.row.identity == accountID {
			cs = append(cs, constraint{pattern: account})
		} else {
			cs = append(cs, constraint{pattern: "*:*:*:*:" + account + ":*", arn: true})
		}
	}
	return cs
}

var escape = strings.NewReplacer("*", string(literalStar), "?", string(literalMark))

// instances fills the wildcards of a pattern with what a stranger may have there.
func (row *keyRow) instances(p string) (out []string) {
	switch row.identity {
	case accountID:
		out = append(out, padded(p, strangersAccount, 12))
	case orgID:
		out = append(out, padded(p, "stranger0000", 12), padded(p, "o-stranger00", 12))
	case vpcID:
		out = append(out, padded(p, "0123456789abcdef0", len(row.mine)), padded(p, row.mine, len(row.mine)))
	case arnOfAccount:
		own := strings.SplitN(row.mine, ":", 6)
		if f := strings.SplitN(p, ":", 6); len(f) == 6 {
			for i := range f {
				switch {
				case match(f[i], own[i]):
					f[i] = own[i]
				case i == 4:
					f[i] = padded(f[i], strangersAccount, 12)
				}
			}
			out = append(out, filled(strings.Join(f, ":"), "stranger"))
		}
		for _, head := range []string{own[3] + ":" + strangersAccount + ":stranger", strangersAccount, strangersAccount + ":stranger", strings.Join(own[:5], ":"), row.mine} {
			out = append(out, filled(p, head, "stranger"))
		}
	}
	return append(out, filled(p, "stranger"), filled(p, ""))
}

// filled puts the fillers in the place of the stars, the last one again and again.
func filled(p string, fillers ...string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*':
			b.WriteString(fillers[0])
			if len(fillers) > 1 {
				fillers = fillers[1:]
			}
		case '?':
			b.WriteByte('9')
		default:
			b.WriteByte(literal(p[i]))
		}
	}
	return b.String()
}

// padded fills the first star so that the whole gets to its length.
func padded(p, with string, length int) string {
	n := length - len(p) + strings.Count(p, "*")
	if n < 0 || n > len(with) {
		n = 0
	}
	return filled(p, with[:n], "")
}

// severalOf adds values of several texts: all subsets of a few, else pairs and
// all together.
func severalOf(out []value, texts []string) ([]value, bool) {
	n := len(texts)
	if n > 5 {
		for i := range texts {
			for j := i + 1; j < len(texts) && j < i+8; j++ {
				out = append(out, value{present: true, text: texts[i], more: []string{texts[j]}})
			}
		}
		return append(out, value{present: true, text: texts[0], more: texts[1:]}), false
	}
	for set := 1; set < 1<<n; set++ {
		var v value
		for i, t := range texts {
			switch {
			case set&(1<<i) == 0:
			case !v.present:
				v = value{present: true, text: t}
			default:
				v.more = append(v.more, t)
			}
		}
		if len(v.more) > 0 {
			out = append(out, v)
		}
	}
	return out, true
}
