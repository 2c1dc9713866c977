package exposure_test

import (
	"encoding/json"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Random policies: small, and made of what decides, so that conditions of several
// statements meet on the same keys.

type genPolicy struct {
	version    string
	statements []genStatement
}

type genStatement struct {
	effect     string
	principal  member
	action     member
	resource   member
	conditions []genCondition
}

// member is an element and its value: a text, a list of texts, or a map of these.
type member struct {
	name  string
	value any
}

type genCondition struct {
	operator, key string
	values        []string
}

const functionARN = "arn:aws:lambda:us-east-1:111122223333:function:f"

var (
	genTexts = []string{"blue", "Blue", "blue-1", "red", "*", "b*", "?lue", "*e*", "b*e", "é*", "?e", "true", "false", "", "10", "10.5", "${aws:username}",
		"${aws:PrincipalTag/team}", "x${aws:username}", "${*}", "${aws:PrincipalTag/team, 'blue'}", "2020-01-01T00:00:00Z", "10.0.0.0/8"}
	genARNs = []string{"arn:aws:iam::111122223333:role/app", "arn:aws:iam::444455556666:role/app", "arn:aws:iam::*:role/app", "arn:aws:iam::*:role/*",
		"*", "arn:aws:iam::444455556666:*", "arn:*:*:*:*:*/app", "arn:aws:iam::44445555666?:role/app", "arn:aws:sns", "*/app",
		"arn:aws:iam::${aws:PrincipalAccount}:role/*", "arn:aws:iam::${aws:ResourceAccount}:role/*", "arn:aws:iam::*:user/${aws:username}"}
	genSources = []string{"arn:aws:sns:us-east-1:111122223333:topic", "arn:aws:sns:us-east-1:*:topic", "arn:aws:s3:::bucket", "arn:aws:s3:::b*", "*",
		"arn:aws:sns:*:444455556666:*", "arn:aws:sns:*:${aws:SourceAccount}:*", "arn:*"}
	genAccounts  = []string{"111122223333", "444455556666", "44445555666?", "4444*", "*", "${aws:ResourceAccount}", "${aws:PrincipalAccount}", "*6"}
	genOrgs      = []string{"o-a1b2c3d4e5", "o-f6g7h8i9j0", "o-*", "*", "o-a1b2*", "o-a1b2c3d4e?", "${aws:PrincipalOrgID}", "${aws:ResourceOrgID}"}
	genPaths     = []string{"o-a1b2c3d4e5/r-ab12/", "o-a1b2c3d4e5/*", "o-*/r-ab12/*", "*", "${aws:PrincipalOrgID}/*"}
	genAddresses = []string{"0.0.0.0/0", "203.0.113.0/24", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "3.128.0.0/9", "2.0.0.0/7", "::/0", "2600::/31", "2001:db8::/32"}
	genBooleans  = []string{"true", "false", "True"}
	genNumbers   = []string{"10", "11", "10.5", "0", "1577836800", "4070908800"}
	genDates     = []string{"2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-06-01", "1577836800", "4070908800"}
	genVPCs      = []string{"vpc-0a1b2c3d", "vpc-0a1b2c3d4e5f60718", "vpc-*", "*", "vpc-0a1b*"}
	genEndpoints = []string{"vpce-0a1b2c3d", "vpce-*", "*", "vpce-0a1b*"}
	genUsers     = []string{"AROAEXAMPLEROLEID1234:*", "AIDAEXAMPLEUSERID1234", "*:session", "AROA*", "*", "*:${aws:username}"}

	genKeys = []struct {
		key    string
		values []string
	}{
		{"aws:PrincipalTag/team", genTexts}, {"aws:username", genTexts}, {"aws:UserAgent", genTexts}, {"aws:Referer", genTexts},
		{"aws:RequestTag/team", genTexts}, {"aws:PrincipalType", genTexts}, {"aws:TagKeys", genTexts}, {"aws:CalledVia", genTexts},
		{"aws:SourceIdentity", genTexts}, {"saml:sub", genTexts}, {"saml:namequalifier", genTexts}, {"aws:CalledViaFirst", genTexts},
		{"aws:MultiFactorAuthAge", genNumbers}, {"aws:MultiFactorAuthPresent", genBooleans}, {"aws:ViaAWSService", genBooleans},
		{"aws:TokenIssueTime", genDates}, {"aws:VpcSourceIp", genAddresses}, {"lambda:EventSourceToken", genTexts},
		{"aws:PrincipalAccount", genAccounts}, {"aws:SourceAccount", genAccounts}, {"aws:SourceOwner", genAccounts}, {"aws:VpceAccount", genAccounts},
		{"aws:PrincipalArn", genARNs}, {"lambda:SourceFunctionArn", genARNs}, {"aws:SourceArn", genSources},
		{"aws:PrincipalOrgID", genOrgs}, {"aws:SourceOrgID", genOrgs}, {"aws:VpceOrgID", genOrgs},
		{"aws:PrincipalOrgPaths", genPaths}, {"aws:SourceOrgPaths", genPaths}, {"aws:SourceVpc", genVPCs}, {"aws:SourceVpce", genEndpoints},
		{"aws:userid", genUsers}, {"aws:SourceIp", genAddresses},
		{"lambda:FunctionUrlAuthType", []string{"NONE", "AWS_IAM", "*", "N*"}}, {"lambda:InvokedViaFunctionUrl", genBooleans},
		{"aws:PrincipalIsAWSService", genBooleans}, {"aws:SecureTransport", genBooleans},
		{"aws:PrincipalServiceName", []string{"sns.amazonaws.com", "s3.amazonaws.com", "*.amazonaws.com"}},
		{"aws:CurrentTime", genDates}, {"aws:EpochTime", genNumbers}, {"aws:RequestedRegion", []string{"us-east-1", "eu-west-1", "us-*"}},
		{"aws:ResourceAccount", genAccounts}, {"aws:ResourceOrgID", genOrgs}, {"aws:ResourceTag/stage", genTexts},
		{"s3:prefix", genTexts}, {"aws:BrandNewKey", genTexts},
	}
	// The keys that decide most often come up most often.
	genFavourites = []string{"aws:PrincipalTag/team", "aws:PrincipalOrgID", "aws:PrincipalArn", "aws:SourceIp", "aws:PrincipalAccount",
		"aws:SourceArn", "aws:SourceAccount", "aws:username", "aws:TagKeys"}

	genTextOperators = []string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
		"StringNotEqualsIgnoreCase", "ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals", "BinaryEquals"}
	genOtherOperators = []string{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan",
		"NumericGreaterThanEquals", "DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
		"DateGreaterThanEquals", "Bool", "IpAddress", "NotIpAddress", "StringRegex"}
)

func pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func drawCondition(t *rapid.T) genCondition {
	entry := rapid.SampledFrom(genKeys).Draw(t, "key")
	if rapid.Bool().Draw(t, "favourite") {
		name := rapid.SampledFrom(genFavourites).Draw(t, "favourite key")
		for _, e := range genKeys {
			if e.key == name {
				entry = e
			}
		}
	}
	c := genCondition{key: entry.key}
	if rapid.IntRange(0, 9).Draw(t, "null?") == 0 {
		c.operator, c.values = "Null", []string{pick(t, "null", "true", "false")}
		return c
	}
	switch rapid.IntRange(0, 5).Draw(t, "operators") {
	case 0:
		c.operator = rapid.SampledFrom(genOtherOperators).Draw(t, "operator")
	case 1, 2, 3:
		c.operator = rapid.SampledFrom(genTextOperators).Draw(t, "operator")
	default: // what fits
		switch {
		case strings.HasSuffix(entry.key, "Arn"):
			c.operator = pick(t, "operator", "ArnLike", "ArnNotLike", "StringLike", "StringNotLike")
		case &entry.values[0] == &genAddresses[0]:
			c.operator = pick(t, "operator", "IpAddress", "NotIpAddress")
		case &entry.values[0] == &genDates[0]:
			c.operator = pick(t, "operator", "DateLessThan", "DateGreaterThanEquals", "DateNotEquals", "DateEquals")
		case &entry.values[0] == &genNumbers[0]:
			c.operator = pick(t, "operator", "NumericLessThan", "NumericGreaterThanEquals", "NumericNotEquals", "NumericEquals")
		case &entry.values[0] == &genBooleans[0]:
			c.operator = "Bool"
		default:
			c.operator = pick(t, "operator", "StringLike", "StringEquals", "StringNotEquals", "StringNotLike")
		}
	}
	c.operator = pick(t, "set", "", "", "", "", "ForAllValues:", "ForAnyValue:") + c.operator
	if rapid.IntRange(0, 4).Draw(t, "ifexists") == 0 {
		c.operator += "IfExists"
	}
	c.values = rapid.SliceOfN(rapid.SampledFrom(entry.values), 1, 3).Draw(t, "values")
	if strings.Contains(c.operator, "Bool") { // what else it compares, IAM does not say
		c.values = rapid.SliceOfN(rapid.SampledFrom(genBooleans), 1, 2).Draw(t, "booleans")
	}
	if rapid.IntRange(0, 30).Draw(t, "no values") == 0 {
		c.values = []string{}
	}
	return c
}

func drawStatement(t *rapid.T, effect string) genStatement {
	s := genStatement{effect: effect, action: member{"Action", "lambda:InvokeFunction"}, resource: member{"Resource", functionARN}, principal: member{"Principal", "*"}}
	if rapid.IntRange(0, 3).Draw(t, "principal") == 0 {
		s.principal = pick(t, "principal", member{"Principal", map[string]any{"AWS": "*"}}, member{"Principal", map[string]any{"Service": "sns.amazonaws.com"}},
			member{"Principal", map[string]any{"Service": []string{"sns.amazonaws.com", "s3.amazonaws.com"}}},
			member{"Principal", map[string]any{"AWS": []string{"arn:aws:iam::444455556666:root"}}}, member{"NotPrincipal", map[string]any{"AWS": "111122223333"}},
			member{"NotPrincipal", map[string]any{"Service": "sns.amazonaws.com"}}, member{"NotPrincipal", "*"})
	}
	if rapid.IntRange(0, 3).Draw(t, "action") == 0 {
		s.action = pick(t, "action", member{"Action", "lambda:*"}, member{"Action", "lambda:InvokeFunctionUrl"}, member{"Action", "lambda:Invoke*"},
			member{"Action", []string{"lambda:GetFunction", "lambda:UpdateFunctionCode"}}, member{"NotAction", "lambda:InvokeFunction"}, member{"NotAction", "lambda:Get*"})
	}
	if rapid.IntRange(0, 3).Draw(t, "resource") == 0 {
		s.resource = pick(t, "resource", member{"Resource", "*"}, member{"Resource", functionARN + ":*"}, member{"Resource", functionARN + ":live"},
			member{"Resource", []string{functionARN, functionARN + ":v*"}}, member{"Resource", "arn:aws:lambda:*:111122223333:function:f*"},
			member{"NotResource", functionARN}, member{"NotResource", []string{functionARN + ":live", functionARN + ":4711"}}, member{})
	}
	for range rapid.IntRange(0, 3).Draw(t, "conditions") {
		s.add(drawCondition(t))
	}
	return s
}

// add adds a condition, unless its operator stands there with the same key.
func (s *genStatement) add(c genCondition) bool {
	for _, other := range s.conditions {
		if strings.EqualFold(other.operator, c.operator) && strings.EqualFold(other.key, c.key) {
			return false
		}
	}
	s.conditions = append(s.conditions, c)
	return true
}

func drawPolicy(t *rapid.T) genPolicy {
	p := genPolicy{version: pick(t, "version", "2012-10-17", "2012-10-17", "2008-10-17")}
	allows := rapid.IntRange(1, 2).Draw(t, "allows")
	denies := rapid.IntRange(0, 2).Draw(t, "denies")
	for range allows {
		p.statements = append(p.statements, drawStatement(t, "Allow"))
	}
	for range denies {
		p.statements = append(p.statements, drawStatement(t, "Deny"))
	}
	return p
}

func (p genPolicy) clone() genPolicy {
	p.statements = slices.Clone(p.statements)
	for i := range p.statements {
		p.statements[i].conditions = slices.Clone(p.statements[i].conditions)
	}
	return p
}

// String writes the members in the order that they have, conditions with the same
// operator together.
func (p genPolicy) String() string {
	var b strings.Builder
	b.WriteString(`{"Version":` + quoted(p.version) + `,"Statement":[`)
	for i, s := range p.statements {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"Effect":` + quoted(s.effect))
		for _, m := range []member{s.principal, s.action, s.resource} {
			if m.name != "" {
				b.WriteString(`,` + quoted(m.name) + `:` + quoted(m.value))
			}
		}
		b.WriteString(conditionText(s.conditions) + `}`)
	}
	b.WriteString(`]}`)
	return b.String()
}

func conditionText(conditions []genCondition) string {
	if len(conditions) == 0 {
		return ""
	}
	var operators []string
	byOperator := map[string][]string{}
	for _, c := range conditions {
		if byOperator[c.operator] == nil {
			operators = append(operators, c.operator)
		}
		byOperator[c.operator] = append(byOperator[c.operator], quoted(c.key)+":"+quoted(c.values))
	}
	for i, o := range operators {
		operators[i] = quoted(o) + ":{" + strings.Join(byOperator[o], ",") + "}"
	}
	return `,"Condition":{` + strings.Join(operators, ",") + `}`
}

func quoted(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
