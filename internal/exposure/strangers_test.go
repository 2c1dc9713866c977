package exposure_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
)

// What strangers can have in a request, once more and in another form than in the
// package: one line a condition key, read from the IAM User Guide's page of global
// condition keys and the Lambda page on function URLs.

const ownerAccount = "111122223333"

var (
	target = exposure.Target{Partition: "aws", Region: "us-east-1", Account: ownerAccount, Function: "f"}
	now    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

// holdings says for the anonymous caller, for a signed one (direct, then through
// the function URL) and for a service what the key holds:
//
//   - nothing          any  whatever they like, or nothing
//     id their own        id?  their own, or nothing
//     ip an address or nothing
//     ?  nobody knows     a|b  one of these; a last | is nothing
type holdings struct {
	key                        string
	anonymous, direct, url, by string
	form                       string
	severalValues              bool
}

var stranger = func() map[string]holdings {
	table := map[string]holdings{}
	row := func(key, anonymous, direct, url, by, form string) {
		table[key] = holdings{key: key, anonymous: anonymous, direct: direct, url: url, by: by, form: form,
			severalValues: strings.HasSuffix(key, "paths") || strings.HasSuffix(key, "list") || key == "aws:calledvia" || key == "aws:tagkeys"}
	}
	signed := func(holds, form string, keys ...string) {
		for _, k := range keys {
			row(k, "-", holds, holds, "-", form)
		}
	}
	row("aws:principalaccount", "anonymous|", "id", "id", "-", "account")
	row("aws:userid", "anonymous|", "id", "id", "-", "userid")
	row("aws:principaltype", "Anonymous|", "any", "any", "-", "")
	row("aws:principalisawsservice", "false|", "false", "false", "true", "")
	signed("id", "arn", "aws:principalarn")
	signed("id?", "org", "aws:principalorgid")
	signed("id?", "path", "aws:principalorgpaths")
	signed("id?", "arn", "lambda:sourcefunctionarn", "ec2:sourceinstancearn", "ssm:sourceinstancearn", "aws:chatbotsourcearn")
	signed("id?", "vpc", "aws:ec2instancesourcevpc")
	signed("id?", "", "identitystore:userid", "saml:namequalifier")
	signed("any", "", "aws:principaltag/", "aws:username", "aws:assumedroot", "aws:ec2instancesourceprivateipv4",
		"aws:multifactorauthage", "aws:multifactorauthpresent", "aws:sourceidentity",
		"aws:tokenissuetime", "ec2:roledelivery", "glue:credentialissuingservice", "glue:roleassumedby", "saml:")
	for key, form := range map[string]string{"aws:sourcevpc": "vpc", "aws:sourcevpce": "vpce", "aws:sourcevpcarn": "arn",
		"aws:vpceaccount": "account", "aws:vpceorgid": "org", "aws:vpceorgpaths": "path"} {
		row(key, "id?", "id?", "id?", "-", form)
	}
	row("aws:vpcsourceip", "any", "any", "any", "-", "")
	row("aws:sourceip", "ip", "ip", "ip", "-", "")
	for key, form := range map[string]string{"aws:sourceaccount": "account", "aws:sourceowner": "account", "aws:sourcearn": "source",
		"aws:sourceorgid": "org", "aws:sourceorgpaths": "path", "lambda:eventsourcetoken": ""} {
		row(key, "-", "-", "-", "id?", form)
	}
	row("aws:principalservicename", "-", "-", "-", "any", "service")
	row("aws:principalservicenameslist", "-", "-", "-", "any", "service")
	for _, key := range []string{"aws:referer", "aws:requesttag/", "aws:tagkeys", "aws:useragent"} {
		row(key, "any", "any", "any", "any", "")
	}
	for _, key := range []string{"aws:calledvia", "aws:calledviafirst", "aws:calledvialast"} {
		row(key, "-", "any", "-", "-", "")
	}
	row("aws:viaawsservice", "false", "true|false", "false", "false", "")
	signed("?", "", "aws:federatedprovider")
	row("lambda:functionurlauthtype", "NONE", "-", "AWS_IAM", "-", "")
	row("lambda:invokedviafunctionurl", "true", "false|", "true", "false|", "")
	for key, value := range map[string]string{
		"aws:currenttime":     now.Format(time.RFC3339),
		"aws:epochtime":       strconv.FormatInt(now.Unix(), 10),
		"aws:requestedregion": target.Region,
		"aws:resourceaccount": target.Account,
		"aws:securetransport": "true",
	} {
		row(key, value, value, value, value, "")
	}
	for _, key := range []string{"aws:resourceorgid", "aws:resourceorgpaths", "aws:resourcetag/"} {
		row(key, "?", "?", "?", "?", "")
	}
	return table
}()

// ofOtherServices are some whose keys no request to Lambda has.
var ofOtherServices = []string{"s3", "sns", "sqs", "kms", "dynamodb", "events", "iam", "secretsmanager"}

// lookUp finds the line of a key.
func lookUp(key string) holdings {
	key = strings.ToLower(key)
	if h, ok := stranger[key]; ok {
		return h
	}
	if i := strings.IndexByte(key, '/'); i > 0 {
		if h, ok := stranger[key[:i+1]]; ok {
			return h
		}
	}
	service, _, _ := strings.Cut(key, ":")
	if h, ok := stranger[service+":"]; ok {
		return h
	}
	if slices.Contains(ofOtherServices, service) {
		return holdings{anonymous: "-", direct: "-", url: "-", by: "-"}
	}
	return holdings{anonymous: "?", direct: "?", url: "?", by: "?"}
}

func (h holdings) of(kind exposure.Kind) string {
	switch {
	case kind == exposure.AnyServiceURL && h.key == "lambda:functionurlauthtype", kind == exposure.AnyServiceURL && h.key == "lambda:invokedviafunctionurl":
		return h.url
	case service(kind):
		return h.by
	}
	return [...]string{h.anonymous, h.direct, h.url}[kind]
}

// names collects what a document says about each key: the values of all its
// conditions, and whom it names as principals.
type names struct {
	keys       []string // lower case, each once
	values     map[string][]string
	principals []string
	services   []string
}

func namesIn(doc map[string]any) names {
	n := names{values: map[string][]string{}}
	addKey := func(key string) {
		if !slices.Contains(n.keys, key) {
			n.keys = append(n.keys, key)
		}
	}
	statements, ok := doc["Statement"].([]any)
	if !ok {
		statements = []any{doc["Statement"]}
	}
	for _, each := range statements {
		s, _ := each.(map[string]any)
		for _, element := range []string{"Principal", "NotPrincipal"} {
			if kinds, ok := s[element].(map[string]any); ok {
				list, _ := texts(kinds["AWS"])
				n.principals = append(n.principals, list...)
				list, _ = texts(kinds["Service"])
				n.services = append(n.services, list...)
			}
		}
		operators, _ := s["Condition"].(map[string]any)
		for operator, keys := range operators {
			byKey, _ := keys.(map[string]any)
			for key, value := range byKey {
				key = strings.ToLower(key)
				addKey(key)
				list, _ := texts(value)
				for _, v := range list {
					n.values[key] = append(n.values[key], v)
					for rest := v; strings.Contains(rest, "${"); {
						_, after, _ := strings.Cut(rest, "${")
						name, _, _ := strings.Cut(after, "}")
						name, _, _ = strings.Cut(name, ",")
						if name = strings.ToLower(strings.TrimSpace(name)); len(name) > 1 {
							addKey(name)
						}
						rest = after
					}
				}
				_ = operator
			}
		}
	}
	slices.Sort(n.keys)
	return n
}

var (
	twelveDigits = regexp.MustCompile(`[0-9]{12}`)
	orgID        = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	orgHead      = regexp.MustCompile(`^o-[a-z0-9]{10,32}`)
	vpcName      = regexp.MustCompile(`^vpce?-[0-9a-f]{8}([0-9a-f]{9})?$`)
)

// canBe reports whether a stranger can have this value of a key that says who they
// are: it is what such a value looks like, and it is not one that the document or
// the account has a name for. Strict also wants digits where AWS has digits.
func (n *names) canBe(form, key, value string, strict bool) error {
	values := n.values[strings.ToLower(key)]
	if !strict && strings.Contains(value, "${") {
		return nil // literal text of an old version: nobody's, and no matter
	}
	account := func(a string) error {
		if len(a) != 12 || strict && !twelveDigits.MatchString(a) {
			return fmt.Errorf("%q is no account", a)
		}
		if a == ownerAccount {
			return fmt.Errorf("%s is the owner", a)
		}
		for _, v := range append(slices.Clone(values), n.principals...) {
			if slices.Contains(twelveDigits.FindAllString(v, -1), a) {
				return fmt.Errorf("account %s is named by %q", a, v)
			}
		}
		return nil
	}
	organization := func(o string) error {
		if !orgID.MatchString(o) {
			return fmt.Errorf("%q is no organization", o)
		}
		for _, v := range values {
			if orgHead.FindString(v) == o {
				return fmt.Errorf("organization %s is named by %q", o, v)
			}
		}
		return nil
	}
	switch form {
	case "account":
		return account(value)
	case "arn", "source":
		f := strings.SplitN(value, ":", 6)
		if len(f) != 6 || f[0] != "arn" {
			return fmt.Errorf("%q is no ARN", value)
		}
		if form == "source" && f[4] == "" {
			if slices.Contains(values, value) {
				return fmt.Errorf("%s is named", value)
			}
			return nil
		}
		return account(f[4])
	case "org":
		return organization(value)
	case "path":
		org, _, ok := strings.Cut(value, "/")
		if !ok {
			return fmt.Errorf("%q is no path", value)
		}
		return organization(org)
	case "userid":
		head, _, _ := strings.Cut(value, ":")
		for _, v := range values {
			if h, _, _ := strings.Cut(v, ":"); h == head {
				return fmt.Errorf("%s is named by %q", head, v)
			}
		}
		return nil
	case "vpc", "vpce":
		if !strings.HasPrefix(value, "vpc") || strict && !vpcName.MatchString(value) {
			return fmt.Errorf("%q is no VPC or endpoint", value)
		}
	}
	if slices.Contains(values, value) {
		return fmt.Errorf("%q is named", value)
	}
	return nil
}

// private is what no packet from outside has as its source.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
}

func isPublicAddress(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && !slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Contains(a) })
}

// check says what is wrong with the context of a stranger's request, if anything:
// a value that they cannot have, or one that they cannot leave out.
func (n *names) check(kind exposure.Kind, service string, context map[string][]string, mentioned []string, strict bool) error {
	for key, values := range context {
		h := lookUp(key)
		holds := h.of(kind)
		for _, v := range values {
			switch holds {
			case "-":
				return fmt.Errorf("%v has no %s", kind, key)
			case "?", "any":
				if h.form == "service" && service != "" && service != "*" && v != service && !(h.severalValues && v == strings.Replace(service, ".", "."+target.Region+".", 1)) {
					return fmt.Errorf("%s calls itself %s", service, v)
				}
			case "ip":
				if !isPublicAddress(v) {
					return fmt.Errorf("%s is no public address", v)
				}
			case "id", "id?":
				if err := n.canBe(h.form, key, v, strict); err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
			default:
				if !slices.Contains(strings.Split(holds, "|"), v) {
					return fmt.Errorf("%s = %s, want one of %s", key, v, holds)
				}
			}
		}
		if len(values) > 1 && !h.severalValues {
			return fmt.Errorf("%s has several values", key)
		}
	}
	for _, key := range mentioned {
		holds := lookUp(key).of(kind)
		_, there := context[key]
		optional := holds == "-" || holds == "any" || holds == "id?" || holds == "ip" || holds == "?" || strings.HasSuffix(holds, "|")
		if !there && !optional {
			return fmt.Errorf("%v cannot leave out %s", kind, key)
		}
	}
	return nil
}

// draw makes up a request of one kind of stranger: each key that the document
// mentions gets a value out of the domain, taken from the document's own values
// and patterns where that can be.
func (n *names) draw(r *rand.Rand, kind exposure.Kind, caller, action, resource string) *call {
	c := &call{action: action, resource: resource, context: map[string][]string{}, opaque: map[string]bool{}}
	if service(kind) {
		c.service, c.unnamed = caller, caller == ""
		if c.unnamed {
			c.service = "unnamed.amazonaws.com"
		}
	}
	keys := slices.Clone(n.keys)
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	complete(c)
	for _, key := range keys {
		h := lookUp(key)
		switch holds := h.of(kind); holds {
		case "-":
		case "?":
			c.opaque[key] = true
		case "any":
			if h.form == "service" {
				c.context[key] = []string{c.service}
			} else if r.IntN(4) > 0 {
				c.context[key] = []string{n.invent(r, key, c)}
				for h.severalValues && r.IntN(2) == 0 {
					c.context[key] = append(c.context[key], n.invent(r, key, c))
				}
			}
		case "ip":
			if r.IntN(4) > 0 {
				if a := n.address(r); isPublicAddress(a) {
					c.context[key] = []string{a}
				}
			}
		case "id", "id?":
			if holds == "id?" && r.IntN(4) == 0 {
				break
			}
			v := n.identity(r, h.form, key, c)
			if n.canBe(h.form, key, v, true) != nil {
				v = own(r, h.form)
			}
			c.context[key] = []string{v}
			// Who signs is one principal of one account.
			if arn, account := c.context["aws:principalarn"], c.context["aws:principalaccount"]; arn != nil && account != nil {
				if f := strings.SplitN(arn[0], ":", 6); f[4] != account[0] {
					f[4] = account[0]
					if moved := strings.Join(f, ":"); n.canBe(h.form, key, moved, true) == nil {
						c.context["aws:principalarn"] = []string{moved}
					} else {
						c.context["aws:principalaccount"] = []string{strings.SplitN(arn[0], ":", 6)[4]}
					}
				}
			}
		default:
			list := strings.Split(holds, "|")
			if v := list[r.IntN(len(list))]; v != "" {
				c.context[key] = []string{v}
			}
		}
	}
	return c
}

// invent returns a text that the caller chooses.
func (n *names) invent(r *rand.Rand, key string, c *call) string {
	values := n.values[key]
	for other, has := range c.context { // what a variable may compare with
		if r.IntN(6) == 0 && len(has) > 0 && other != key {
			return has[0]
		}
	}
	if len(values) == 0 || r.IntN(5) == 0 {
		return []string{"", "true", "false", "fresh", "q7", "0", "100"}[r.IntN(7)]
	}
	v := instance(r, substitute(r, values[r.IntN(len(values))], c), "")
	switch r.IntN(8) {
	case 0:
		return strings.ToUpper(v)
	case 1:
		return strings.ToLower(v)
	case 2:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return strconv.FormatFloat(f+float64(r.IntN(5)-2)/2, 'f', -1, 64)
		}
	case 3:
		if t, ok := instant(v); ok {
			return t.Add(time.Duration(r.IntN(5)-2) * time.Hour).UTC().Format(time.RFC3339)
		}
	case 4:
		if p, err := netip.ParsePrefix(v); err == nil {
			return p.Addr().Next().String()
		}
	}
	return v
}

// substitute fills the variables of a value with what the request has so far.
func substitute(r *rand.Rand, v string, c *call) string {
	for {
		before, rest, ok := strings.Cut(v, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return v
		}
		name, _, _ = strings.Cut(name, ",")
		with := "x"
		if len(name) == 1 {
			with = name
		} else if has := c.context[strings.ToLower(strings.TrimSpace(name))]; len(has) > 0 {
			with = has[0]
		}
		v = before + with + after
	}
}

// instance fills the wildcards of a pattern; in a star's place comes filler, or
// some text.
func instance(r *rand.Rand, pattern, filler string) string {
	const some = "0123456789abcdef"
	var b strings.Builder
	for _, p := range pattern {
		switch p {
		case '*':
			if filler != "" && r.IntN(2) == 0 {
				b.WriteString(filler)
			} else {
				b.WriteString([]string{"", "a", "7", "stranger", "x/y"}[r.IntN(5)])
			}
		case '?':
			b.WriteByte(some[r.IntN(len(some))])
		default:
			b.WriteRune(p)
		}
	}
	return b.String()
}

// identity tries to meet what the document says of a key.
func (n *names) identity(r *rand.Rand, form, key string, c *call) string {
	values := n.values[key]
	if len(values) == 0 || r.IntN(3) == 0 {
		return own(r, form)
	}
	v := substitute(r, values[r.IntN(len(values))], c)
	account := own(r, "account")
	switch form {
	case "arn", "source":
		if f := strings.SplitN(v, ":", 6); len(f) == 6 && r.IntN(3) > 0 {
			if glob(runes(f[4]), []rune(account)) {
				f[4] = account
			}
			for _, i := range []int{0, 1, 2, 3} {
				f[i] = instance(r, f[i], []string{"arn", "aws", "iam", "us-east-1"}[i])
			}
			f[5] = instance(r, f[5], "")
			v = strings.Join(f[:5], ":") + ":" + f[5]
		}
		v = instance(r, v, []string{account, "arn:aws:iam::" + account, "role/stranger", account + ":"}[r.IntN(4)])
		f := strings.SplitN(v, ":", 6)
		if len(f) < 6 || f[0] != "arn" || !strings.HasPrefix(f[1], "aws") || f[2] == "" || form == "arn" && f[2] != "iam" && f[2] != "sts" || f[5] == "" {
			return own(r, form) // nobody has such a name, whatever the pattern asks for
		}
		return v
	case "account":
		return instance(r, v, account[:max(0, 12-len(v)+strings.Count(v, "*"))])
	case "org", "path":
		org := own(r, "org")
		return instance(r, v, []string{org, org[2:], org[len(org)-1:]}[r.IntN(3)])
	}
	return instance(r, v, own(r, form))
}

// own makes up an identity that is nobody else's.
func own(r *rand.Rand, form string) string {
	account := fmt.Sprintf("%012d", 200000000000+r.Int64N(700000000000))
	switch form {
	case "account":
		return account
	case "arn":
		return "arn:aws:iam::" + account + []string{":role/stranger", ":user/stranger", ":root"}[r.IntN(3)]
	case "source":
		return []string{"arn:aws:s3:::bucket-of-" + account, "arn:aws:sns:us-east-1:" + account + ":topic", "arn:aws:events:us-east-1:" + account + ":rule/r"}[r.IntN(3)]
	case "org":
		return "o-" + account[:10]
	case "path":
		return "o-" + account[:10] + "/r-ab12/ou-ab12-11111111/"
	case "userid":
		return "AROA" + account + ":session"
	case "vpc":
		return "vpc-" + account[:8]
	case "vpce":
		return "vpce-" + account[:8]
	}
	return "own-" + account
}

// address draws from all over the Internet, and from the wide ranges of the
// document: a narrow one is no stranger's.
func (n *names) address(r *rand.Rand) string {
	var wide []netip.Prefix
	narrow := func(a netip.Addr) bool { return false }
	for _, v := range n.values["aws:sourceip"] {
		if p, err := netip.ParsePrefix(v); err == nil {
			if p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 32 {
				wide = append(wide, p)
				continue
			}
			before := narrow
			narrow = func(a netip.Addr) bool { return before(a) || p.Contains(a) }
		}
	}
	for range 8 {
		bytes := make([]byte, 4)
		if r.IntN(3) == 0 {
			bytes = make([]byte, 16)
		}
		for i := range bytes {
			bytes[i] = byte(r.IntN(256))
		}
		a, _ := netip.AddrFromSlice(bytes)
		if len(wide) > 0 && r.IntN(2) == 0 {
			a = wide[r.IntN(len(wide))].Addr().Next()
		}
		if !narrow(a) {
			return a.String()
		}
	}
	return ""
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 4711)) }
