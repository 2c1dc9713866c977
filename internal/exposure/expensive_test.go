package exposure_test

import (
	"fmt"
	"strings"
)

// expensive are policies made to keep a judge busy: each aims at one part of the
// search.
func expensive() map[string]string {
	out := map[string]string{}
	allow := func(conditions ...genCondition) genStatement { return with("Allow", conditions) }
	deny := func(conditions ...genCondition) genStatement { return with("Deny", conditions) }
	add := func(name string, statements ...genStatement) {
		out[name] = genPolicy{version: "2012-10-17", statements: statements}.String()
	}
	repeat := func(n int, s genStatement) (list []genStatement) {
		for range n {
			list = append(list, s)
		}
		return list
	}
	numbered := func(n int, format string) (list []string) {
		for i := range n {
			list = append(list, strings.ReplaceAll(format, "N", fmt.Sprint(i)))
		}
		return list
	}
	stars := []string{"*a?b*c?d*e*f*g*", "*1?2*3?4*", "*q?w*e?r*", "*z*x*c*v*"}
	long := func(seed int) string {
		var b strings.Builder
		for i := range 40 {
			fmt.Fprintf(&b, "*???%c%c", 'a'+(i*7+seed)%8, 'a'+(i*5+seed*3)%8)
		}
		return b.String() + "*"
	}

	add("patterns that an identity must not match", allow(
		genCondition{"StringNotLike", "aws:PrincipalArn", stars},
		genCondition{"StringNotEquals", "aws:PrincipalArn", numbered(64, "xN")}))
	add("patterns and many literals", allow(
		genCondition{"StringLike", "aws:UserAgent", stars},
		genCondition{"StringEquals", "aws:UserAgent", numbered(300, "nope-N")}))
	add("long patterns in many statements", repeat(14, allow(
		genCondition{"StringEquals", "aws:UserAgent", []string{"x"}},
		genCondition{"StringLike", "aws:UserAgent", []string{long(1), long(2), long(3), long(4)}}))...)
	add("long patterns of an ARN", repeat(14, allow(
		genCondition{"StringEquals", "aws:PrincipalArn", []string{"x"}},
		genCondition{"ArnLike", "aws:PrincipalArn", []string{"arn:aws:iam::*:role/" + long(1), "arn:aws:iam::?*1*:role/" + long(2), "arn:aws:iam::*2*3:" + long(3), "arn:aws:iam::*4*:" + long(4)}}))...)
	var chain []genCondition
	for i := range 60 {
		chain = append(chain, genCondition{"StringEquals", fmt.Sprintf("aws:PrincipalTag/%d", i), []string{fmt.Sprintf("${aws:PrincipalTag/%d}x", i+1)}})
	}
	add("a chain of variables", allow(chain...))
	ring := append(append([]genCondition(nil), chain[:59]...), genCondition{"StringNotEquals", "aws:PrincipalTag/59", []string{"${aws:PrincipalTag/0}"}})
	add("a ring of variables", allow(ring...), deny(chain[:20]...))
	add("a key of several values, with many of them", allow(
		genCondition{"ForAllValues:StringLike", "aws:TagKeys", numbered(4, "*N*")},
		genCondition{"ForAnyValue:StringEquals", "aws:TagKeys", numbered(1300, "N")}),
		deny(genCondition{"ForAnyValue:StringEquals", "aws:TagKeys", numbered(1300, "N")}))
	add("a list of literals against itself", allow(genCondition{"StringEquals", "aws:UserAgent", numbered(1500, "N")}),
		deny(genCondition{"StringEquals", "aws:UserAgent", numbered(1500, "N")}))
	var denies []genStatement
	for i := range 40 {
		denies = append(denies, deny(
			genCondition{"StringNotEquals", fmt.Sprintf("aws:PrincipalTag/%d", i), []string{"a", "b", "c"}},
			genCondition{"StringNotEquals", fmt.Sprintf("aws:PrincipalTag/%d", i+1), []string{"d", "e", "f"}}))
	}
	add("denies in a chain, and one that closes it", append(append([]genStatement{allow()}, denies...),
		deny(genCondition{"StringNotEquals", "aws:PrincipalOrgID", []string{"o-a1b2c3d4e5"}}))...)
	denies = nil
	for i := range 30 {
		denies = append(denies, deny(
			genCondition{"StringLike", "aws:UserAgent", []string{fmt.Sprintf("*%d*", i)}},
			genCondition{"StringNotLike", "aws:Referer", []string{fmt.Sprintf("*%d?", i)}},
			genCondition{"IpAddress", "aws:SourceIp", []string{fmt.Sprintf("%d.0.0.0/6", i*4)}}))
	}
	add("denies on three keys", append([]genStatement{allow(genCondition{"Null", "aws:SourceIp", []string{"false"}})}, denies...)...)
	var addresses []string
	for i := range 700 {
		addresses = append(addresses, fmt.Sprintf("%d.%d.0.0/16", i%256, i/256))
	}
	add("many addresses, many denies", allow(genCondition{"NotIpAddress", "aws:SourceIp", addresses}),
		deny(genCondition{"NotIpAddress", "aws:SourceIp", []string{"0.0.0.0/1"}}), deny(genCondition{"NotIpAddress", "aws:SourceIp", []string{"128.0.0.0/1"}}))
	var allows []genStatement
	for i := range 50 {
		s := allow(genCondition{"StringEquals", "aws:PrincipalOrgID", []string{"o-a1b2c3d4e5"}})
		s.resource = member{"Resource", fmt.Sprintf("%s:v%d*", functionARN, i)}
		allows = append(allows, s)
	}
	for i := range 25 {
		s := deny(genCondition{"StringEquals", "aws:UserAgent", []string{"x"}})
		s.resource = member{"Resource", fmt.Sprintf("%s:*w%d*", functionARN, i)}
		allows = append(allows, s)
	}
	add("many qualifiers", allows...)
	stepped := allow()
	stepped.resource = member{"Resource", functionARN + ":" + strings.Repeat("a*", 60)}
	against := deny()
	against.resource = member{"Resource", []string{functionARN + ":*" + strings.Repeat("b?", 60) + "*", functionARN + ":" + strings.Repeat("*ab", 60)}}
	add("long patterns of a qualifier", append(repeat(30, stepped), against)...)
	manyServices := deny()
	manyServices.principal = member{"Principal", map[string]any{"Service": numbered(600, "sN.amazonaws.com")}}
	add("many services", allow(genCondition{"StringLike", "aws:SourceArn", []string{"*a*", "*b*", "*c*"}}), manyServices)
	add("a pattern of stars", allow(genCondition{"StringLike", "aws:UserAgent", []string{strings.Repeat("*a", 3000) + "b"}},
		genCondition{"StringEquals", "aws:UserAgent", []string{strings.Repeat("a", 9000)}}))
	tags := func(n int, operator string) (list []genCondition) {
		for i := range n {
			list = append(list, genCondition{operator, fmt.Sprintf("aws:PrincipalTag/%d", i), []string{"x"}})
		}
		return list
	}
	for name, operator := range map[string]string{"inside": "IpAddress", "outside": "NotIpAddress"} {
		var lone []string
		for i := range 900 {
			lone = append(lone, fmt.Sprintf("%d.%d.7.0/24", 1+i%200, i/200*2))
		}
		add("lone addresses, "+name+", after many keys", allow(), allow(genCondition{operator, "aws:SourceIp", lone}),
			deny(append(tags(20, "StringEquals"), genCondition{operator, "aws:SourceIp", lone[:200]})...), deny(tags(20, "StringNotEquals")...))
	}
	add("literals and variables on one key", allow(
		genCondition{"StringEquals", "aws:PrincipalTag/x", append(numbered(900, "N"), numbered(300, "${aws:PrincipalTag/y}N")...)}))
	add("literals and variables on two keys", allow(
		genCondition{"StringEquals", "aws:PrincipalTag/x", append(numbered(400, "N"), numbered(200, "${aws:PrincipalTag/y}N")...)},
		genCondition{"StringLike", "aws:PrincipalTag/y", append(numbered(200, "N*"), numbered(200, "*${aws:PrincipalTag/x}N")...)}))
	add("patterns of an account, and many statements", append(repeat(20, allow()),
		deny(genCondition{"StringLike", "aws:PrincipalAccount", numbered(1700, "aN*")}))...)
	add("patterns of an endpoint", allow(genCondition{"StringLike", "aws:SourceVpce", numbered(1800, "xN*")}))
	add("patterns of an ARN", allow(genCondition{"ArnLike", "aws:PrincipalArn", numbered(700, "arn:N*:iam::*:role/x")}))
	add("patterns of an ARN and of somebody's", allow(genCondition{"ArnLike", "aws:PrincipalArn", numbered(300, "arn:N*:iam::*:role/x")}),
		deny(genCondition{"ArnNotLike", "aws:PrincipalArn", numbered(300, "arn:aws:iam::11112222333N:role/x*")}))
	add("a list of numbers", allow(genCondition{"NumericEquals", "aws:MultiFactorAuthAge", numbered(1200, "1N")}),
		deny(genCondition{"NumericNotEquals", "aws:MultiFactorAuthAge", numbered(900, "2N")}))
	return out
}

func with(effect string, conditions []genCondition) genStatement {
	return genStatement{effect: effect, principal: member{"Principal", "*"}, action: member{"Action", "lambda:InvokeFunction"},
		resource: member{"Resource", "*"}, conditions: conditions}
}
