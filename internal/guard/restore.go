package guard

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"lambda-guardrail/internal/iampolicy"
)

// Grant is what AddPermission is called with to make a statement; "" is an
// argument that is left out.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
type Grant struct {
	StatementID, Action, Principal string
	// These end in a condition each.
	SourceARN, SourceAccount, PrincipalOrgID, EventSourceToken, FunctionURLAuthType string
	InvokedViaFunctionURL                                                           string // true; what Lambda makes of false is not documented
}

// grantConditions are the arguments of AddPermission that end in a condition, each
// with the condition that Lambda makes of it, letter case included.
var grantConditions = [...]struct {
	operator, key string
	prefix, legal string // of the value; without legal, prefix is the whole of it
	action        string // the only one that Lambda takes it with; "" is any
	argument      func(*Grant) *string
	flag          string // followed by the value, if that varies
}{
	{"ArnLike", "AWS:SourceArn", "arn:", graphic, "", func(g *Grant) *string { return &g.SourceARN }, " --source-arn"},
	{"StringEquals", "AWS:SourceAccount", "", digits, "", func(g *Grant) *string { return &g.SourceAccount }, " --source-account"},
	{"StringEquals", "aws:PrincipalOrgID", "o-", lower + digits, "", func(g *Grant) *string { return &g.PrincipalOrgID }, " --principal-org-id"},
	{"StringEquals", "lambda:EventSourceToken", "", letters + digits + "._-", "", func(g *Grant) *string { return &g.EventSourceToken }, " --event-source-token"},
	{"StringEquals", "lambda:FunctionUrlAuthType", "", upper + "_", "lambda:InvokeFunctionUrl", func(g *Grant) *string { return &g.FunctionURLAuthType }, " --function-url-auth-type"},
	{"Bool", "lambda:InvokedViaFunctionUrl", "true", "", "", func(g *Grant) *string { return &g.InvokedViaFunctionURL }, " --invoked-via-function-url"},
}

// RestoreCommand returns the shell command that puts the statement back into the
// policy of r: an add-permission where that makes exactly this statement,
// otherwise a put-resource-policy of the whole document before, which also takes
// back whatever was changed since. It is one line of printable characters,
// quoted for a POSIX shell.
func RestoreCommand(r Resource, s iampolicy.Statement, before string) string {
	if grant, text := GrantOf(r, s); text != "" {
		return grant.command(r)
	}
	return "aws lambda put-resource-policy --region=" + quote(r.Region) +
		" --resource-arn=" + quote(r.ARN()) + " --policy=" + quote(PrintableJSON(before))
}

// command joins values to their flags, since one may begin with a dash.
func (g *Grant) command(r Resource) string {
	command := "aws lambda add-permission --region=" + quote(r.Region) + " --function-name=" + quote(r.Function)
	if r.Qualifier != "" {
		command += " --qualifier=" + quote(r.Qualifier)
	}
	command += " --statement-id=" + quote(g.StatementID) + " --action=" + quote(g.Action) + " --principal=" + quote(g.Principal)
	for _, known := range grantConditions {
		switch value := *known.argument(g); {
		case value == "":
		case known.legal == "":
			command += known.flag
		default:
			command += known.flag + "=" + quote(value)
		}
	}
	return command
}

// GrantOf returns the arguments with which AddPermission makes exactly this
// statement in the policy of r, and the text that Lambda writes then, of which
// only the order of several conditions is not known. It reads the parts of the
// statement that it understands, and believes in them only if they make the same
// statement again; the text is "" if they do not.
func GrantOf(r Resource, s iampolicy.Statement) (g Grant, text string) {
	if len(s.Action.List) != 1 || !addsAction(s.Action.List[0]) || !only(s.Sid, letters+digits+"-_") || len(s.Sid) > 100 {
		return Grant{}, ""
	}
	principal, element := addsPrincipal(s.Principal)
	if principal == "" {
		return Grant{}, ""
	}
	g = Grant{StatementID: s.Sid, Action: s.Action.List[0], Principal: principal}
	conditions := map[string]map[string]string{}
	for _, c := range s.Conditions {
		if !g.adds(c) {
			return Grant{}, ""
		}
		if conditions[c.Operator] == nil {
			conditions[c.Operator] = map[string]string{}
		}
		conditions[c.Operator][c.Key] = c.Values[0]
	}
	made := struct {
		Sid, Effect string
		Principal   any
		Action      string
		Resource    string
		Condition   map[string]map[string]string `json:",omitempty"`
	}{s.Sid, iampolicy.Allow, element, g.Action, r.ARN(), conditions}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(made); err != nil || iampolicy.Fingerprint(b.String()) != iampolicy.Fingerprint(s.Raw) {
		return Grant{}, ""
	}
	return g, strings.TrimSuffix(b.String(), "\n")
}

func addsAction(action string) bool {
	name, ours := strings.CutPrefix(action, "lambda:")
	return action == "*" || ours && (name == "*" || only(name, letters))
}

// addsPrincipal returns the argument that stands for p, "" if none does, and the
// element that Lambda makes of it.
func addsPrincipal(p iampolicy.Principal) (argument string, element any) {
	switch {
	case p.Everyone:
		return "*", "*"
	case len(p.Services) == 1 && only(p.Services[0], letters+digits+"-."):
		return p.Services[0], map[string]string{"Service": p.Services[0]}
	case len(p.AWS) == 1 && strings.HasPrefix(p.AWS[0], "arn:") && only(p.AWS[0], graphic):
		return p.AWS[0], map[string]string{"AWS": p.AWS[0]}
	}
	return "", nil
}

// adds enters the argument that makes c, if there is one.
func (g *Grant) adds(c iampolicy.Condition) bool {
	if len(c.Values) != 1 {
		return false
	}
	for _, known := range grantConditions {
		if c.Operator != known.operator || c.Key != known.key || known.action != "" && known.action != g.Action {
			continue
		}
		rest, ok := strings.CutPrefix(c.Values[0], known.prefix)
		if ok && (known.legal == "" && rest == "" || known.legal != "" && only(rest, known.legal)) {
			*known.argument(g) = c.Values[0]
			return true
		}
	}
	return false
}

// quote makes one word for a POSIX shell of any text without NUL.
func quote(text string) string {
	if only(text, letters+digits+"-_./:") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// PrintableJSON returns JSON text that means the same on one line and without
// unprintable characters, be they control characters, terminal escapes or marks
// that turn the direction of writing. Text that is not JSON may change its
// meaning.
func PrintableJSON(text string) string {
	printable := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(text, func(r rune) bool { return !printable(r) }) < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case printable(r):
			b.WriteRune(r)
		case r == '\n', r == '\r', r == '\t':
			b.WriteByte(' ') // white space between tokens: JSON has none of these inside of strings
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				const hexits = "0123456789abcdef"
				b.WriteString(`\u`)
				for shift := 12; shift >= 0; shift -= 4 {
					b.WriteByte(hexits[unit>>shift&0xf])
				}
			}
		}
	}
	return b.String()
}
