package guard

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"lambda-guardrail/internal/iampolicy"
)

// addConditions are the arguments of AddPermission that end in a condition, each
// with the condition that Lambda makes of it, letter case included.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
var addConditions = [...]struct {
	operator, key string
	prefix, legal string // of the value; without legal, prefix is the whole of it
	action        string // the only one that Lambda takes it with; "" is any
	flag          string // followed by the value, if that varies
}{
	{"ArnLike", "AWS:SourceArn", "arn:", graphic, "", " --source-arn"},
	{"StringEquals", "AWS:SourceAccount", "", digits, "", " --source-account"},
	{"StringEquals", "aws:PrincipalOrgID", "o-", lower + digits, "", " --principal-org-id"},
	{"StringEquals", "lambda:EventSourceToken", "", letters + digits + "._-", "", " --event-source-token"},
	{"StringEquals", "lambda:FunctionUrlAuthType", "", upper + "_", "lambda:InvokeFunctionUrl", " --function-url-auth-type"},
	{"Bool", "lambda:InvokedViaFunctionUrl", "true", "", "", " --invoked-via-function-url"},
	{"Bool", "lambda:InvokedViaFunctionUrl", "false", "", "", " --no-invoked-via-function-url"},
}

// RestoreCommand returns the shell command that puts the statement back into the
// policy of r: an add-permission where that makes exactly this statement,
// otherwise a put-resource-policy of the whole document before, which also takes
// back whatever was changed since. It is one line of printable characters,
// quoted for a POSIX shell.
func RestoreCommand(r Resource, s iampolicy.Statement, before string) string {
	if command, ok := addPermission(r, s); ok {
		return command
	}
	return "aws lambda put-resource-policy --region=" + quote(r.Region) +
		" --resource-arn=" + quote(r.ARN()) + " --policy=" + quote(PrintableJSON(before))
}

// addPermission makes the command from the parts of the statement that it
// understands, and believes in it only if Lambda would make the same statement
// of it again. Values are joined to their flags, since one may begin with a dash.
func addPermission(r Resource, s iampolicy.Statement) (string, bool) {
	if len(s.Action.List) != 1 || !addsAction(s.Action.List[0]) || !only(s.Sid, letters+digits+"-_") || len(s.Sid) > 100 {
		return "", false
	}
	action := s.Action.List[0]
	principal, element := addsPrincipal(s.Principal)
	if principal == "" {
		return "", false
	}
	command := "aws lambda add-permission --region=" + quote(r.Region) + " --function-name=" + quote(r.Function)
	if r.Qualifier != "" {
		command += " --qualifier=" + quote(r.Qualifier)
	}
	command += " --statement-id=" + quote(s.Sid) + " --action=" + quote(action) + " --principal=" + quote(principal)

	conditions := map[string]map[string]string{}
	for _, c := range s.Conditions {
		flags := addsCondition(c, action)
		if flags == "" {
			return "", false
		}
		command += flags
		if conditions[c.Operator] == nil {
			conditions[c.Operator] = map[string]string{}
		}
		conditions[c.Operator][c.Key] = c.Values[0]
	}
	made := map[string]any{
		"Sid": s.Sid, "Effect": iampolicy.Allow, "Principal": element, "Action": action, "Resource": r.ARN(),
	}
	if len(conditions) > 0 {
		made["Condition"] = conditions
	}
	text, err := json.Marshal(made)
	return command, err == nil && iampolicy.Fingerprint(string(text)) == iampolicy.Fingerprint(s.Raw)
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

// addsCondition returns the argument that makes c, "" if none does.
func addsCondition(c iampolicy.Condition, action string) string {
	if len(c.Values) != 1 {
		return ""
	}
	for _, known := range addConditions {
		if c.Operator != known.operator || c.Key != known.key || known.action != "" && known.action != action {
			continue
		}
		switch rest, ok := strings.CutPrefix(c.Values[0], known.prefix); {
		case ok && known.legal == "" && rest == "":
			return known.flag
		case ok && known.legal != "" && only(rest, known.legal):
			return known.flag + "=" + quote(c.Values[0])
		}
	}
	return ""
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
