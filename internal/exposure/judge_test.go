package exposure_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/exposure"
)

// open is an Allow for everyone with this condition and these other members.
func open(condition string, others ...string) string {
	members := []string{`"Effect":"Allow"`, `"Principal":"*"`, `"Action":"lambda:InvokeFunction"`, `"Resource":"` + functionARN + `"`}
	for _, o := range others {
		name, _, _ := strings.Cut(o, ":")
		members = slices.DeleteFunc(members, func(m string) bool {
			return strings.TrimPrefix(strings.Trim(strings.SplitN(m, ":", 2)[0], `"`), "Not") == strings.TrimPrefix(strings.Trim(name, `"`), "Not")
		})
		members = append(members, o)
	}
	if condition != "" {
		members = append(members, `"Condition":{`+condition+`}`)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// A verdict names all strangers that are let in, and what they can do (R19).
func TestWhoIsLetIn(t *testing.T) {
	const everyone = "anonymous any-principal any-principal-url any-service"
	for _, c := range []struct{ name, policy, kinds, access string }{
		{"no condition", document(open("")), everyone, "invoke"},
		{"all actions", document(open("", `"Action":"*"`)), everyone, "invoke url code read control"},
		{"two actions", document(open("", `"Action":["lambda:InvokeFunction","lambda:DeleteFunction"]`)), everyone, "invoke control"},
		{"two actions, turned round", document(open("", `"Action":["lambda:DeleteFunction","lambda:InvokeFunction"]`)), everyone, "invoke control"},
		{"the URL and reading", document(open("", `"Action":["lambda:InvokeFunctionUrl","lambda:GetFunction"]`)), "anonymous any-principal any-principal-url", "url read"},
		{"reading, and invoking by the name of the API", document(open("", `"Action":["lambda:GetFunction","lambda:Invoke"]`)), everyone, "invoke read"},
		{"URL only", document(open("", `"Action":"lambda:InvokeFunctionUrl"`)), "anonymous any-principal-url", "url"},
		{"URL without authentication", document(open(`"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}`, `"Action":"lambda:InvokeFunctionUrl"`)), "anonymous", "url"},
		{"URL with authentication", document(open(`"StringEquals":{"lambda:FunctionUrlAuthType":"AWS_IAM"}`, `"Action":"lambda:InvokeFunctionUrl"`)), "any-principal-url", "url"},
		{"invoking, with an authentication type", document(open(`"StringLike":{"lambda:FunctionUrlAuthType":"*"}`)), "anonymous any-principal-url", "invoke"},
		{"no authentication type", document(open(`"Null":{"lambda:FunctionUrlAuthType":"true"}`)), "any-principal any-service", "invoke"},
		{"through the URL", document(open(`"Bool":{"lambda:InvokedViaFunctionUrl":"true"}`)), "anonymous any-principal-url", "invoke"},
		{"not through the URL", document(open(`"Bool":{"lambda:InvokedViaFunctionUrl":"false"}`)), "any-principal any-service", "invoke"},
		{"not said whether through the URL", document(open(`"Null":{"lambda:InvokedViaFunctionUrl":"true"}`)), "any-principal any-service", "invoke"},
		{"invoking by the name of the API", document(open("", `"Action":"lambda:invoke"`)), everyone, "invoke"},
		{"a Deny by the name of the API", document(open(""), open("", `"Effect":"Deny"`, `"Action":"lambda:Invoke"`)), everyone, "invoke"},
		{"reading", document(open("", `"Action":"lambda:GetFunction"`)), "any-principal", "read"},
		{"signed", document(open(`"Null":{"aws:PrincipalArn":"false"}`)), "any-principal any-principal-url", "invoke"},
		{"unsigned, or a service", document(open(`"Null":{"aws:PrincipalArn":"true"}`)), "anonymous any-service", "invoke"},
		{"in no organization", document(open(`"Null":{"aws:PrincipalOrgID":"true"}`)), everyone, "invoke"},
		{"in some organization", document(open(`"Null":{"aws:PrincipalOrgID":"false"}`)), "any-principal any-principal-url", "invoke"},
		{"in no organization, but an account", document(open(`"Null":{"aws:PrincipalOrgID":"true","aws:PrincipalArn":"false"}`)), "any-principal any-principal-url", "invoke"},
		{"not through an endpoint", document(open(`"Null":{"aws:SourceVpce":"true"}`)), everyone, "invoke"},
		{"through an endpoint", document(open(`"Null":{"aws:SourceVpce":"false"}`)), "anonymous any-principal any-principal-url", "invoke"},
		{"not through an endpoint, from an address", document(open(`"Null":{"aws:SourceVpce":"true","aws:SourceIp":"false"}`)), "anonymous any-principal any-principal-url", "invoke"},
		{"from an address", document(open(`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`)), "anonymous any-principal any-principal-url", "invoke"},
		{"with a tag", document(open(`"StringEquals":{"aws:PrincipalTag/team":"blue"}`)), "any-principal any-principal-url", "invoke"},
		{"with a header", document(open(`"StringEquals":{"aws:UserAgent":"x"}`)), everyone, "invoke"},
		{"for a source", document(open(`"Null":{"aws:SourceArn":"false"}`)), "any-service", "invoke"},
		{"for no source", document(open(`"Null":{"aws:SourceArn":"true"}`)), everyone, "invoke"},
		{"a service without a source", document(open("", `"Principal":{"Service":"sns.amazonaws.com"}`)), "any-service", "invoke"},
		{"a service that calls itself so", document(open(`"StringEquals":{"aws:PrincipalServiceName":"s3.amazonaws.com"}`, `"Principal":{"Service":["sns.amazonaws.com","s3.amazonaws.com"]}`)), "any-service", "invoke"},
		{"anonymous by name", document(open(`"StringEquals":{"aws:userid":"anonymous"}`)), "anonymous", "invoke"},
		{"a Deny for the URL", document(open(""), open(`"Bool":{"lambda:InvokedViaFunctionUrl":"true"}`, `"Effect":"Deny"`)), "any-principal any-service", "invoke"},
		{"a Deny for invoking", document(open("", `"Action":"lambda:*"`), open("", `"Effect":"Deny"`)), "anonymous any-principal any-principal-url", "url code read control"},
		{"a Deny for services", document(open(""), open(`"Bool":{"aws:PrincipalIsAWSService":"true"}`, `"Effect":"Deny"`)), "anonymous any-principal any-principal-url", "invoke"},
		{"a Deny for all but one service", document(open(""), open("", `"Effect":"Deny"`, `"NotPrincipal":{"Service":"s3.amazonaws.com"}`)), "any-service", "invoke"},
		{"all but an account, and a Deny for all but one service", document(open("", `"NotPrincipal":{"AWS":"444455556666"}`), open("", `"Effect":"Deny"`, `"NotPrincipal":{"Service":"s3.amazonaws.com"}`)), "any-service", "invoke"},
		{"all but a service, and a Deny for all but the same", document(open("", `"NotPrincipal":{"Service":"s3.amazonaws.com"}`), open("", `"Effect":"Deny"`, `"NotPrincipal":{"Service":"s3.amazonaws.com"}`)), "", ""},
		{"a Deny that can be avoided for one action of three", document(open("", `"Action":["lambda:InvokeFunction","lambda:GetFunction","lambda:DeleteFunction"]`), open(`"StringEquals":{"aws:UserAgent":"x"}`, `"Effect":"Deny"`)), everyone, "invoke read control"},
		{"a Deny for each of two actions", document(open("", `"Action":["lambda:GetFunction","lambda:DeleteFunction"]`), open("", `"Effect":"Deny"`, `"Action":"lambda:GetFunction"`), open("", `"Effect":"Deny"`, `"Action":"lambda:DeleteFunction"`)), "", ""},
		{"a pattern that only the owner's account has", document(open(`"StringLike":{"aws:PrincipalAccount":"11112222333?"},"StringLikeIfExists":{"aws:PrincipalAccount":"*33"}`)), "", ""},
		{"a pattern that only a named account has", document(open(`"StringLike":{"aws:PrincipalAccount":"44445555666?"},"StringLikeIfExists":{"aws:PrincipalAccount":"*66"}`), open("", `"Principal":{"AWS":"arn:aws:iam::444455556666:root"}`)), "", ""},
		{"a pattern that a named account has, and others", document(open(`"StringLike":{"aws:PrincipalAccount":["44445555666?","*6"]}`), open("", `"Principal":{"AWS":"arn:aws:iam::444455556666:root"}`)), "any-principal any-principal-url", "invoke"},
		{"a pattern that a star among the principals would cover, if it were none", document(open(`"StringLike":{"aws:PrincipalAccount":"44445555666?"},"StringLikeIfExists":{"aws:PrincipalAccount":"*66"}`), open("", `"Principal":{"AWS":"arn:aws:iam::44445555666*:root"}`)), "any-principal any-principal-url", "invoke"},
		{"a pattern that the account fits that comes to mind first, which is named", document(open(`"StringLike":{"aws:PrincipalAccount":"99887766554?"}`), open("", `"Principal":{"AWS":"998877665544"}`)), "any-principal any-principal-url", "invoke"},
		{"a pattern that the ARN fits that comes to mind first, which is named", document(open(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:*"}`), open("", `"Principal":{"AWS":"998877665544"}`)), "any-principal any-principal-url", "invoke"},
		{"anything but what comes to mind first, which is named", document(open(`"StringNotEquals":{"aws:PrincipalAccount":"444455556666"}`), open("", `"Principal":{"AWS":"998877665544"}`)), everyone, "invoke"},
		{"an ARN that only a named account has", document(open(`"StringLike":{"aws:PrincipalArn":"arn:aws:iam::44445555666?:role/x"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*66:*"}`), open("", `"Principal":{"AWS":"444455556666"}`)), "", ""},
		{"a source that flat text matches and an ARN does not", document(open(`"StringLike":{"aws:SourceArn":"arn:aws:sns:us-east-1:*:topic"},"ArnNotLike":{"aws:SourceArn":"arn:aws:sns:us-east-1:*:topic"}`)), "any-service", "invoke"},
		{"a Deny for the organization of the function, which is the one of the function", document(open(`"StringEquals":{"aws:ResourceOrgID":"o-a1b2c3d4e5"}`), open(`"StringEquals":{"aws:ResourceOrgID":["o-*","${aws:ResourceOrgID}"]}`, `"Effect":"Deny"`)), "", ""},
		{"a Deny for another organization of the function", document(open(`"StringEquals":{"aws:ResourceOrgID":"o-a1b2c3d4e5"}`), open(`"StringEquals":{"aws:ResourceOrgID":["o-*","x${aws:ResourceOrgID}"]}`, `"Effect":"Deny"`)), everyone, "invoke"},
		{"said not to come through the URL, and not said", document(open(`"Bool":{"lambda:InvokedViaFunctionUrl":"false"},"Null":{"lambda:InvokedViaFunctionUrl":"true"}`)), "", ""},
		{"a Deny that can be avoided for one action, and one that cannot for the other", document(open("", `"Action":["lambda:InvokeFunction","lambda:GetFunction"]`), open(`"StringEquals":{"aws:UserAgent":"x"}`, `"Effect":"Deny"`), open("", `"Effect":"Deny"`, `"Action":"lambda:GetFunction"`)), everyone, "invoke"},
		{"a Deny for all but some addresses, of what no service does for somebody", document(open(`"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}`, `"Action":"lambda:InvokeFunctionUrl"`), open(`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"},"Bool":{"aws:ViaAWSService":"false"}`, `"Effect":"Deny"`, `"Action":"*"`)), "", ""},
		{"a Deny for all but some addresses, of what no service does for somebody, of the API", document(open(""), open(`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"},"Bool":{"aws:ViaAWSService":"false"}`, `"Effect":"Deny"`)), "any-principal", "invoke"},
		{"CloudFront, for whichever distribution", document(open("", `"Principal":{"Service":"cloudfront.amazonaws.com"}`, `"Action":"lambda:InvokeFunctionUrl"`)), "any-service-url", "url"},
		{"CloudFront, through the URL", document(open(`"Bool":{"lambda:InvokedViaFunctionUrl":"true"}`, `"Principal":{"Service":"cloudfront.amazonaws.com"}`)), "any-service-url", "invoke"},
		{"CloudFront, for the owner's distribution", document(open(`"ArnLike":{"aws:SourceArn":"arn:aws:cloudfront::111122223333:distribution/E1"}`, `"Principal":{"Service":"cloudfront.amazonaws.com"}`, `"Action":"lambda:InvokeFunctionUrl"`)), "", ""},
		{"a service through the URL, and nobody else", document(open(`"Bool":{"aws:PrincipalIsAWSService":"true"}`, `"Action":"lambda:InvokeFunctionUrl"`)), "any-service-url", "url"},
		{"all but CloudFront, as a service", document(open(`"Bool":{"aws:PrincipalIsAWSService":"true"}`, `"NotPrincipal":{"Service":"cloudfront.amazonaws.com"}`, `"Action":"lambda:InvokeFunctionUrl"`)), "", ""},
		{"a regional name of a service", document(open(`"ForAnyValue:StringEquals":{"aws:PrincipalServiceNamesList":"logs.us-east-1.amazonaws.com"}`, `"Principal":{"Service":"logs.amazonaws.com"}`)), "any-service", "invoke"},
		{"a Deny for an action with a letter beyond ASCII", document(open(""), open("", `"Effect":"Deny"`, `"Action":"lambda:Invo\u212aeFunction"`)), everyone, "invoke"},
		{"a Deny for a tag with a letter beyond ASCII", document(open(`"StringEquals":{"aws:PrincipalTag/s":"x"}`), open(`"StringEquals":{"aws:PrincipalTag/\u017f":"x"}`, `"Effect":"Deny"`)), "any-principal any-principal-url", "invoke"},
		{"a Deny for the text of a variable", document(open(`"Null":{"aws:PrincipalAccount":"false"}`), open(`"StringEquals":{"aws:PrincipalAccount":"${$}{aws:PrincipalAccount}"}`, `"Effect":"Deny"`)), "anonymous any-principal any-principal-url", "invoke"},
		{"a Deny for half of the addresses", document(open(`"Null":{"aws:SourceIp":"false"}`), open(`"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}`, `"Effect":"Deny"`)), "anonymous any-principal any-principal-url", "invoke"},
		{"an organization of the function, and a Deny that can be avoided", document(open(`"StringLike":{"aws:ResourceOrgID":["o-a1b2c3d4e5","o-*"]}`), open(`"StringEquals":{"aws:UserAgent":"x"}`, `"Effect":"Deny"`)), everyone, "invoke"},
		{"a header with the caller's account in it", document(open(`"StringEquals":{"aws:UserAgent":"${aws:PrincipalAccount}"}`)), "anonymous any-principal any-principal-url", "invoke"},
		{"a header with the caller's name in it, or nothing", document(open(`"StringEquals":{"aws:UserAgent":"x${aws:username, ''}"}`)), everyone, "invoke"},
		{"a Deny for those without an organization", document(open(""), open(`"Null":{"aws:PrincipalOrgID":"true"}`, `"Effect":"Deny"`)), "any-principal any-principal-url", "invoke"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.policy)
			v := exposure.Judge(d, target, exposure.Trust{}, now)[0]
			var kinds, access []string
			for _, w := range v.Strangers {
				kinds = append(kinds, w.Kind.String())
			}
			slices.Sort(kinds)
			for _, a := range v.Access {
				access = append(access, a.String())
			}
			if got := strings.Join(kinds, " "); got != c.kinds {
				t.Errorf("open to %s, want %s", got, c.kinds)
			}
			if got := strings.Join(access, " "); got != c.access {
				t.Errorf("access %s, want %s", got, c.access)
			}
			urlOnly := c.kinds != "" && !strings.Contains(c.kinds+" ", "any-principal ") && !strings.Contains(c.kinds+" ", "any-service ")
			if v.FunctionURLOnly() != urlOnly {
				t.Errorf("a matter of the function URL only: %v", v.FunctionURLOnly())
			}
			checkVerdict(t, c.policy, &d, 0, target, v, true)
		})
	}
}

// The search finds the one way in that there is, and sees that there is none (R15).
func TestTheOneWayIn(t *testing.T) {
	for _, c := range []struct {
		name, condition string
		want            exposure.Level
	}{
		{"an empty header", `"StringEquals":{"aws:UserAgent":""}`, exposure.Public},
		{"a number below the least", `"NumericLessThan":{"aws:MultiFactorAuthAge":"0.5"}`, exposure.Public},
		{"a number above the greatest", `"NumericGreaterThan":{"aws:MultiFactorAuthAge":"3600"}`, exposure.Public},
		{"a number between two", `"NumericGreaterThan":{"aws:MultiFactorAuthAge":"10.01"},"NumericLessThan":{"aws:MultiFactorAuthAge":"10.02"}`, exposure.Public},
		{"a moment before the first", `"DateLessThan":{"aws:TokenIssueTime":"1999-01-01T00:00:00Z"}`, exposure.Public},
		{"a moment after the last", `"DateGreaterThan":{"aws:TokenIssueTime":"2099-01-01T00:00:00Z"}`, exposure.Public},
		{"a moment between two", `"DateGreaterThan":{"aws:TokenIssueTime":"2099-01-01T00:00:00Z"},"DateLessThan":{"aws:TokenIssueTime":"2099-01-01T00:00:01Z"}`, exposure.Public},
		{"before a year, or so many seconds", `"DateLessThan":{"aws:CurrentTime":"2030"}`, exposure.Undetermined},
		{"before the end of all time", `"DateLessThan":{"aws:EpochTime":"4102444800000000000"}`, exposure.Undetermined},
		{"a number above one that has no next", `"NumericGreaterThan":{"aws:MultiFactorAuthAge":"9007199254740992"}`, exposure.Public},
		{"a number below one that has none before", `"NumericLessThan":{"aws:MultiFactorAuthAge":"-9007199254740992"}`, exposure.Public},
		{"neither true nor false", `"Bool":{"aws:SecureTransport":"yes"}`, exposure.Undetermined},
		{"a letter that is another one's capital, beyond ASCII", `"StringEqualsIgnoreCase":{"aws:PrincipalIsAWSService":"falſe"}`, exposure.Undetermined},
		{"addresses that nobody has", `"IpAddress":{"aws:SourceIp":["240.0.0.0/4","8000::/1"]}`, exposure.Restricted},
		{"the seconds before a date", `"DateLessThan":{"aws:CurrentTime":"1900000000"}`, exposure.Public},
		{"a star by its escape", `"StringEquals":{"aws:UserAgent":"${*}"}`, exposure.Public},
		{"the owner's account for a header", `"StringLike":{"aws:UserAgent":"11112222333?"},"StringLikeIfExists":{"aws:UserAgent":"?11122223333"}`, exposure.Public},
		{"a question mark by its escape", `"StringEquals":{"aws:UserAgent":"${?}"}`, exposure.Public},
		{"a character of two bytes for a question mark", `"StringLike":{"aws:UserAgent":"?b"},"StringLikeIfExists":{"aws:UserAgent":"é*"}`, exposure.Public},
		{"two question marks for a character of two bytes", `"StringLike":{"aws:UserAgent":"??"},"StringEquals":{"aws:UserAgent":"é"}`, exposure.Restricted},
		{"a character that is none of many", `"StringLike":{"aws:UserAgent":"?"},"StringNotLike":{"aws:UserAgent":` + quoted(strings.Split("0123456789zqxjkvwyZQXJ~^_!", "")) + `}`, exposure.Public},
		{"a character that is none of many more", `"StringLike":{"aws:UserAgent":"?"},"StringNotLike":{"aws:UserAgent":` + quoted(strings.Split("0123456789zqxjkvwyZQXJ~^_!abcdefg", "")) + `}`, exposure.Public},
		{"a name that no VPC has", `"StringLike":{"aws:SourceVpc":"vpx*"}`, exposure.Restricted},
		{"a name that no organization has", `"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-a/b*"}`, exposure.Restricted},
		{"one value of several that is, and one that is not", `"ForAnyValue:StringEquals":{"aws:TagKeys":"a"},"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}`, exposure.Public},
		{"an account of which the first digit is open", `"StringLike":{"aws:PrincipalAccount":"?44455556666"}`, exposure.Public},
		{"an account of which the beginning is open", `"StringLike":{"aws:PrincipalAccount":"*44455556666"}`, exposure.Public},
		{"a character that no pattern begins with", `"StringLike":{"aws:UserAgent":"?"},"StringNotLike":{"aws:UserAgent":["0*","9"]}`, exposure.Public},
		{"a resource with a colon in it", `"ArnLike":{"aws:SourceArn":"arn:aws:lambda:us-east-1:*:function:*"},"StringLike":{"aws:SourceArn":"*:x"}`, exposure.ConfusedDeputy},
		{"what has too many ways, beside what has none", `"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"StringLike":{"aws:UserAgent":["ab*","ac*"]},"StringNotLike":{"aws:UserAgent":["a*","b*","c*"]}`, exposure.External},
		{"what is not known, of an identity", `"StringRegex":{"aws:PrincipalArn":"${aws:username}"}`, exposure.Undetermined},
		{"names of an account in any partition", `"ArnLike":{"aws:PrincipalArn":"arn:*:iam::444455556666:role/${aws:username}"}`, exposure.External},
		{"an account that is not the first two that come to mind", `"StringNotEquals":{"aws:PrincipalAccount":["998877665544","998877665543"]}`, exposure.Public},
		{"an account of a pattern, less two", `"StringLike":{"aws:PrincipalAccount":"44445555666?"},"StringNotEquals":{"aws:PrincipalAccount":["444455556669","444455556668"]}`, exposure.Public},
		{"a header that begins in another way", `"StringNotLike":{"aws:UserAgent":"s*"},"Null":{"aws:UserAgent":"false"}`, exposure.Public},
		{"four patterns that leave nothing", `"StringLike":{"aws:UserAgent":["ab*","ac*"]},"StringNotLike":{"aws:UserAgent":["a*","b*"]}`, exposure.Restricted},
		{"five patterns that may leave nothing", `"StringLike":{"aws:UserAgent":["ab*","ac*"]},"StringNotLike":{"aws:UserAgent":["a*","b*","c*"]}`, exposure.Undetermined},
		{"five values of which no set will do", `"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"ForAnyValue:StringEquals":{"aws:TagKeys":["c","d"]}`, exposure.Restricted},
		{"the one pair of many values", `"ForAnyValue:StringEquals":{"aws:TagKeys":"a"},"ForAnyValue:StringLike":{"aws:TagKeys":["b","c","d","e","f"]},"ForAllValues:StringLike":{"aws:TagKeys":["a","b"]}`, exposure.Public},
		{"all of many values", `"ForAnyValue:StringEquals":{"aws:TagKeys":"a"},"ForAnyValue:StringLike":{"aws:TagKeys":"b"},"ForAnyValue:ArnLike":{"aws:TagKeys":["a:b:c:d:e:f","g:h:i:j:k:l","m:n:o:p:q:r","s:t:u:v:w:x"]}`, exposure.Public},
		{"three of many values, which are not all tried", `"ForAnyValue:StringEquals":{"aws:TagKeys":"a"},"ForAnyValue:StringLike":{"aws:TagKeys":"b"},"ForAnyValue:ArnLike":{"aws:TagKeys":"a:b:c:d:e:f"},"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","a:b:c:d:e:f","g","h","i"]}`, exposure.Undetermined},
		{"a key that may come along with credentials, as another of its service does", `"StringEquals":{"glue:RoleTrustedBy":"x"}`, exposure.Undetermined},
		{"what is not known, before what is", `"StringRegex":{"aws:UserAgent":"x"},"StringEquals":{"aws:UserAgent":"y"}`, exposure.Undetermined},
		{"what is not known, of the organization of the function", `"StringRegex":{"aws:ResourceOrgID":"o-a1b2c3d4e5"}`, exposure.Undetermined},
		{"the organization of the function, which is the caller's", `"StringEquals":{"aws:ResourceOrgID":"${aws:PrincipalOrgID}"}`, exposure.Restricted},
		{"another organization of the function than the one that is named", `"StringNotEquals":{"aws:ResourceOrgID":"o-a1b2c3d4e5"}`, exposure.Undetermined},
		{"the organization of the function, which is its own", `"StringEquals":{"aws:ResourceOrgID":"${aws:ResourceOrgID}"}`, exposure.Public},
		{"an organization that is as the caller likes", `"StringEquals":{"aws:PrincipalOrgID":"${aws:PrincipalTag/x}"}`, exposure.Public},
		{"an organization that ends as the caller likes", `"StringLike":{"aws:PrincipalOrgID":"o-*${aws:PrincipalTag/x}"}`, exposure.Public},
		{"an ARN in which the caller sets the account", `"ArnLike":{"aws:PrincipalArn":"arn:*:iam::${aws:PrincipalTag/x}:role/*"}`, exposure.Public},
		{"an ARN in which the caller sets a name of somebody else", `"ArnLike":{"aws:PrincipalArn":"arn:*:iam::444455556666:role/${aws:PrincipalTag/x}*"}`, exposure.External},
		{"an account with a letter in it, however it begins", `"StringLike":{"aws:PrincipalAccount":"${aws:PrincipalTag/x}a*"}`, exposure.Restricted},
		{"an organization that begins as the caller likes", `"StringLike":{"aws:PrincipalOrgID":"${aws:PrincipalTag/x}*"}`, exposure.Public},
		{"a header that is the caller's account, beside what cannot be read", `"StringEquals":{"aws:UserAgent":["${aws:${aws:username}}","${aws:PrincipalAccount}"]}`, exposure.Public},
		{"a header that is itself or the caller's name", `"StringEquals":{"aws:UserAgent":["x${aws:UserAgent}","${aws:username}"]},"Null":{"aws:UserAgent":"false"}`, exposure.Public},
		{"a header that is blue or the caller's name, and not blue", `"StringEquals":{"aws:UserAgent":["blue","${aws:username}"]},"StringNotEquals":{"aws:UserAgent":"blue"}`, exposure.Public},
		{"two tags, and a header with the second in it", `"StringEquals":{"aws:PrincipalTag/a":"x","aws:PrincipalTag/b":"y","aws:UserAgent":"${aws:PrincipalTag/b}z"}`, exposure.Public},
		{"what is not known, of an identity and a name", `"StringRegex":{"aws:PrincipalArn":"x${aws:username}"}`, exposure.Undetermined},
		{"a default without quotation marks", `"StringEquals":{"aws:UserAgent":"${aws:username, blue}"}`, exposure.Undetermined},
		{"a default that does not end", `"StringEquals":{"aws:UserAgent":"${aws:username, 'blue}"}`, exposure.Undetermined},
		{"a default of one quotation mark", `"StringEquals":{"aws:UserAgent":"${aws:username, '}"}`, exposure.Undetermined},
		{"a source that is not of this region", `"StringNotLike":{"aws:SourceArn":"arn:aws:events:${aws:RequestedRegion}:*"},"Null":{"aws:SourceArn":"false"}`, exposure.ConfusedDeputy},
		{"a source that is not of this region, as an ARN", `"ArnNotLike":{"aws:SourceArn":"arn:aws:events:${aws:RequestedRegion}:*:*"},"Null":{"aws:SourceArn":"false"}`, exposure.ConfusedDeputy},
		{"a role in the account that the caller sets", `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalTag/account}:role/x"}`, exposure.Public},
		{"a role in the account that the caller sets, by name", `"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::${aws:SourceIdentity}:role/x"}`, exposure.Public},
		{"a session in the role that the caller sets", `"StringEquals":{"aws:userid":"${aws:PrincipalTag/id}:admin"}`, exposure.Public},
		{"a role in the caller's account, which begins with a five", `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::5*:role/x"},"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalAccount}:role/x"}`, exposure.Public},
		{"a tag that is the caller's account, and does not begin with a nine", `"StringEquals":{"aws:PrincipalTag/a":"${aws:PrincipalAccount}"},"StringNotLike":{"aws:PrincipalTag/a":"9*"}`, exposure.Public},
		{"an account that is the caller's tag, which begins with a one", `"StringEquals":{"aws:PrincipalAccount":"${aws:PrincipalTag/a}"},"StringLike":{"aws:PrincipalTag/a":"1*"}`, exposure.Public},
		{"a tag that is the caller's organization, and another one", `"StringEquals":{"aws:PrincipalTag/a":"${aws:PrincipalOrgID}"},"StringEqualsIfExists":{"aws:PrincipalTag/a":"o-a1b2c3d4e5"}`, exposure.Undetermined},
		{"a tag that is the caller's account, and the owner's", `"StringEquals":{"aws:PrincipalTag/a":"${aws:PrincipalAccount}"},"StringEqualsIfExists":{"aws:PrincipalTag/a":"111122223333"}`, exposure.Undetermined},
		{"a role in the caller's account, by a star that hides where that stands", `"StringLike":{"aws:PrincipalArn":"arn:*iam::${aws:PrincipalAccount}:role/x"}`, exposure.Undetermined},
		{"a tag that is not the caller's name", `"ForAnyValue:StringNotEquals":{"aws:PrincipalTag/a":"${aws:username}"}`, exposure.Public},
		{"one pattern of many", `"StringLike":{"aws:UserAgent":["a*","b*","c*","d*"]},"StringNotLike":{"aws:UserAgent":"a*"},"StringLikeIfExists":{"aws:UserAgent":["d*","f*"]}`, exposure.Public},
		{"the caller's name, in other letters", `"StringEqualsIgnoreCase":{"aws:PrincipalTag/a":"${aws:username}"}`, exposure.Public},
		{"a dollar by its escape is no variable", `"StringEquals":{"aws:PrincipalOrgID":"${$}{aws:PrincipalOrgID}"}`, exposure.Restricted},
		{"a dollar by its escape", `"StringEquals":{"aws:UserAgent":"${$}{aws:PrincipalOrgID}"}`, exposure.Public},
		{"a variable in a number", `"NumericEquals":{"aws:MultiFactorAuthAge":"${aws:PrincipalTag/x}"}`, exposure.Undetermined},
		{"some organization of the function", `"StringLike":{"aws:ResourceOrgID":"o-*"}`, exposure.Public},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := document(open(c.condition))
			d := parse(t, policy)
			v := exposure.Judge(d, target, exposure.Trust{}, now)[0]
			if v.Level != c.want {
				t.Errorf("%v, want %v\n%s", v.Level, c.want, asJSON(t, v))
			}
			checkVerdict(t, policy, &d, 0, target, v, true)
		})
	}
}

// A witness holds a number that people can read.
func TestTheNextNumberIsAWholeOne(t *testing.T) {
	for condition, want := range map[string]string{
		`"NumericGreaterThan":{"aws:MultiFactorAuthAge":"3600"}`: "3601",
		`"NumericLessThan":{"aws:MultiFactorAuthAge":"-3600"}`:   "-3601",
	} {
		v := exposure.Judge(parse(t, document(open(condition))), target, exposure.Trust{}, now)[0]
		if got := contextOf(v.Strangers[0])["aws:multifactorauthage"]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %s", condition, got, want)
		}
	}
}

// How much of the Internet a range leaves decides, not how it is written (R9).
func TestAddresses(t *testing.T) {
	apart := func(first, n int) (list []string) { // ranges of /8, none beside the next
		for i := range n {
			list = append(list, fmt.Sprintf("%d.0.0.0/8", first+4*i))
		}
		return list
	}
	eights := func(n int) string { return quoted(apart(20, n)) }
	for _, c := range []struct {
		name, condition string
		want            exposure.Level
		address         string // of the first witness
	}{
		{"everything", `"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`, exposure.Public, "52.95.110.1"},
		{"a /8", `"IpAddress":{"aws:SourceIp":"96.0.0.0/8"}`, exposure.Restricted, ""},
		{"a /7", `"IpAddress":{"aws:SourceIp":"96.0.0.0/7"}`, exposure.Public, "96.0.0.1"},
		{"a /8 in two halves", `"IpAddress":{"aws:SourceIp":["96.0.0.0/9","96.128.0.0/9"]}`, exposure.Restricted, ""},
		{"two /8 side by side", `"IpAddress":{"aws:SourceIp":["97.0.0.0/8","96.0.0.0/8"]}`, exposure.Public, "96.0.0.1"},
		{"two /8 apart", `"IpAddress":{"aws:SourceIp":["96.0.0.0/8","98.0.0.0/8"]}`, exposure.Restricted, ""},
		{"a range and one inside of it", `"IpAddress":{"aws:SourceIp":["96.0.0.0/7","96.1.0.0/16"]}`, exposure.Public, "96.0.0.1"},
		{"sixteen /8 apart", `"IpAddress":{"aws:SourceIp":` + eights(16) + `}`, exposure.Restricted, ""},
		{"seventeen /8 apart", `"IpAddress":{"aws:SourceIp":` + eights(17) + `}`, exposure.Public, "52.95.110.1"},
		{"a private range, and a /7", `"IpAddress":{"aws:SourceIp":["10.0.0.0/8","96.0.0.0/7"]}`, exposure.Public, "96.0.0.1"},
		{"one address, and seventeen /8 apart", `"IpAddress":{"aws:SourceIp":` + quoted(append([]string{"9.9.9.9"}, apart(96, 17)...)) + `}`, exposure.Public, "9.9.9.9"},
		{"a /32 of IPv6", `"IpAddress":{"aws:SourceIp":"2a00:1::/32"}`, exposure.Restricted, ""},
		{"a /31 of IPv6", `"IpAddress":{"aws:SourceIp":"2a00::/31"}`, exposure.Public, "2a00::1"},
		{"many /32 of IPv6", `"IpAddress":{"aws:SourceIp":["2a00:1::/32","2a00:3::/32","2a00:5::/32"]}`, exposure.Restricted, ""},
		{"all but one half", `"NotIpAddress":{"aws:SourceIp":"0.0.0.0/1"},"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`, exposure.Public, "185.199.108.7"},
		{"all but both halves", `"NotIpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]},"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`, exposure.Restricted, ""},
		{"the one half, but not the other", `"NotIpAddress":{"aws:SourceIp":"128.0.0.0/1"},"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}`, exposure.Public, "52.95.110.1"},
		{"any address as a text", `"StringLike":{"aws:SourceIp":"*"}`, exposure.Public, ""},
		{"any address as an ARN", `"ArnLike":{"aws:SourceIp":"*"}`, exposure.Public, ""},
		{"a star for an address", `"StringEquals":{"aws:SourceIp":"*"}`, exposure.Restricted, ""},
		{"an address as a text", `"StringLike":{"aws:SourceIp":"203.0.113.7"}`, exposure.Restricted, ""},
		{"some addresses as a text", `"StringLike":{"aws:SourceIp":"203.*"}`, exposure.Undetermined, ""},
		{"all that is private", `"IpAddress":{"aws:SourceIp":["10.0.0.0/8","172.16.0.0/12","192.168.0.0/16","fc00::/7"]}`, exposure.Restricted, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := document(open(c.condition))
			d := parse(t, policy)
			v := exposure.Judge(d, target, exposure.Trust{}, now)[0]
			if v.Level != c.want {
				t.Fatalf("%v, want %v\n%s", v.Level, c.want, asJSON(t, v))
			}
			checkVerdict(t, policy, &d, 0, target, v, true)
			if c.address != "" && contextOf(v.Strangers[0])["aws:sourceip"][0] != c.address {
				t.Errorf("%s, want it from %s", v.Strangers[0].Sentence(), c.address)
			}
		})
	}
}

// The resource that the policy hangs on decides what its Resources can name (R6).
func TestQualifiers(t *testing.T) {
	qualified := func(q string) exposure.Target {
		on := target
		on.Qualifier = q
		return on
	}
	live, unknown := qualified("live"), exposure.Target{Account: ownerAccount}
	resource := func(r string) string { return `"Resource":` + r }
	deny := func(r string) string { return open("", `"Effect":"Deny"`, resource(r)) }
	f := func(q string) string { return quoted(functionARN + q) }
	for _, c := range []struct {
		name, policy string
		on           exposure.Target
		want         exposure.Level
	}{
		{"the alias", document(open("", resource(f(":live")))), live, exposure.Public},
		{"another alias", document(open("", resource(f(":test")))), live, exposure.Restricted},
		{"the function without a qualifier", document(open("", resource(f("")))), live, exposure.Restricted},
		{"any qualifier", document(open("", resource(f(":*")))), live, exposure.Public},
		{"a prefix of function and qualifier", document(open("", resource(f("*")))), live, exposure.Public},
		{"a pattern of the alias", document(open("", resource(f(":l?v*")))), live, exposure.Public},
		{"all but the alias", document(open("", `"NotResource":`+f(":live"))), live, exposure.Restricted},
		{"all but another alias", document(open("", `"NotResource":`+f(":test"))), live, exposure.Public},
		{"no resource", document(`{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction"}`), live, exposure.Public},
		{"a Deny on the alias", document(open("", resource(f(":*"))), deny(f(":live"))), live, exposure.Restricted},
		{"a Deny on another alias", document(open("", resource(f(":*"))), deny(f(":test"))), live, exposure.Public},
		{"a Deny on the function without a qualifier", document(open("", resource(f(":*"))), deny(f(""))), live, exposure.Public},
		{"a Deny on all but the alias", document(open("", resource(f(":*"))), open("", `"Effect":"Deny"`, `"NotResource":`+f(":live"))), live, exposure.Public},
		{"another function whose name ends like the alias", document(open("", resource(f("-live")))), live, exposure.Restricted},
		{"an empty qualifier", document(open("", resource(f(":")))), target, exposure.Restricted},
		{"a version by a question mark", document(open("", resource(f(":?")))), qualified("7"), exposure.Public},
		{"two digits by a question mark", document(open("", resource(f(":?")))), qualified("42"), exposure.Restricted},

		{"unqualified: each of two is denied in part", document(open("", resource(`[`+f("")+`,`+f(":live")+`]`)), deny(f("")), deny(f(":l*"))), target, exposure.Restricted},
		{"unqualified: two Denies leave a third", document(open("", resource(f("*"))), deny(f("")), deny(f(":live"))), target, exposure.Public},
		{"unqualified: all versions are denied", document(open("", resource(f("*"))), deny(`[`+f("")+`,`+f(":*")+`]`)), target, exposure.Restricted},
		{"unqualified: longer qualifiers are denied", document(open("", resource(f(":*"))), deny(f(":??*"))), target, exposure.Public},
		{"unqualified: only what ends in live, but not l", document(open("", resource(f(":*live"))), deny(f(":l*"))), target, exposure.Public},

		{"unqualified: the same, the Deny first", document(deny(f(":l*")), open("", resource(f(":*live")))), target, exposure.Public},
		{"a variable beside the function", document(open("", resource(`["${aws:PrincipalTag/x}",`+f("")+`]`))), target, exposure.Public},
		{"no partition", document(open("")), exposure.Target{Region: "us-east-1", Account: ownerAccount, Function: "f"}, exposure.Public},
		{"no region", document(open("")), exposure.Target{Partition: "aws", Account: ownerAccount, Function: "f"}, exposure.Public},
		{"no account", document(open("")), exposure.Target{Partition: "aws", Region: "us-east-1", Function: "f"}, exposure.Public},
		{"no function", document(open("")), exposure.Target{Partition: "aws", Region: "us-east-1", Account: ownerAccount}, exposure.Public},
		{"unknown: the Deny covers more than a pattern", document(open("", resource(f(":*"))), deny(f("*"))), unknown, exposure.Restricted},
		{"unknown: the Deny has the same pattern", document(open("", resource(f(":?"))), deny(f(":?"))), unknown, exposure.Restricted},
		{"unknown: the Deny is for all but two", document(open(""), open("", `"Effect":"Deny"`, `"NotResource":[`+f(":live")+`,`+f("")+`]`)), unknown, exposure.Public},
		{"unknown: any resource", document(open("", resource(`"arn:aws:lambda:us-east-1:444455556666:function:g"`))), unknown, exposure.Public},
		{"unknown: the Deny covers the same", document(open(""), deny(f(""))), unknown, exposure.Restricted},
		{"unknown: the Deny covers more", document(open(""), deny(f("*"))), unknown, exposure.Restricted},
		{"unknown: the Deny covers less", document(open("", resource(f("*"))), deny(f(""))), unknown, exposure.Public},
		{"unknown: the Deny covers a part of the pattern", document(open("", resource(f(":*"))), deny(f(":?"))), unknown, exposure.Public},
		{"unknown: the Deny covers one of two", document(open("", resource(`[`+f("")+`,`+f(":live")+`]`)), deny(f(""))), unknown, exposure.Public},
		{"unknown: the Deny covers both of two", document(open("", resource(`[`+f("")+`,`+f(":live")+`]`)), deny(f("*"))), unknown, exposure.Restricted},
		{"unknown: the Deny is for all but these", document(open(""), open("", `"Effect":"Deny"`, `"NotResource":`+f(""))), unknown, exposure.Public},
		{"unknown: the Deny is for all but others", document(open(""), open("", `"Effect":"Deny"`, `"NotResource":`+f(":live"))), unknown, exposure.Restricted},
		{"unknown: the Deny has no resource", document(open(""), `{"Effect":"Deny","Principal":"*","Action":"*"}`), unknown, exposure.Restricted},
		{"unknown: the Allow has no resource, the Deny has", document(`{"Effect":"Allow","Principal":"*","Action":"*"}`, deny(f("*"))), unknown, exposure.Public},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.policy)
			verdicts := exposure.Judge(d, c.on, exposure.Trust{}, now)
			if got := exposure.Worst(verdicts); got != c.want {
				t.Errorf("%v, want %v\n%s\n%s", got, c.want, c.policy, asJSON(t, verdicts))
			}
			if c.on.Function != "" && c.on.Account+c.on.Region+c.on.Partition == target.Account+target.Region+target.Partition {
				checkVerdict(t, c.policy, &d, 0, c.on, verdicts[0], true)
				checkStrangers(t, c.policy, c.on, verdicts, 300, 1)
			}
		})
	}
}

// Whom the configuration trusts is no outsider, and still no stranger's way in (R17).
func TestTrust(t *testing.T) {
	named := func(principal string) string { return document(open("", `"Principal":`+principal)) }
	trust := exposure.Trust{Accounts: []string{"444455556666"}, Orgs: []string{"o-a1b2c3d4e5"}}
	for _, c := range []struct {
		name, policy  string
		plain, trusts exposure.Level
	}{
		{"a trusted account", named(`{"AWS":"arn:aws:iam::444455556666:root"}`), exposure.External, exposure.Restricted},
		{"a trusted account's id", named(`{"AWS":"444455556666"}`), exposure.External, exposure.Restricted},
		{"a trusted account and another", named(`{"AWS":["444455556666","123456789012"]}`), exposure.External, exposure.External},
		{"an account that no other account may be", document(open(`"StringLike":{"aws:PrincipalAccount":"44445555666?"},"StringLikeIfExists":{"aws:PrincipalAccount":"*66"}`, `"Principal":{"AWS":["444455556666","123456789012"]}`)), exposure.External, exposure.External},
		{"another account", named(`{"AWS":"123456789012"}`), exposure.External, exposure.External},
		{"a trusted organization", document(open(`"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`)), exposure.External, exposure.Restricted},
		{"another organization", document(open(`"StringEquals":{"aws:PrincipalOrgID":"o-f6g7h8i9j0"}`)), exposure.External, exposure.External},
		{"a trusted organization and another", document(open(`"StringEquals":{"aws:PrincipalOrgID":["o-a1b2c3d4e5","o-f6g7h8i9j0"]}`)), exposure.External, exposure.External},
		{"a trusted organization, if there is one", document(open(`"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Principal":{"AWS":"123456789012"}`)), exposure.External, exposure.External},
		{"a trusted organization, if there is one, and there is another key", document(open(`"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"StringEquals":{"aws:username":"x"},"Null":{"aws:PrincipalArn":"false"}`, `"Principal":{"AWS":"123456789012"}`)), exposure.External, exposure.External},
		{"a trusted organization, if there is one, and there is", document(open(`"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"Null":{"aws:PrincipalOrgID":"false"}`, `"Principal":{"AWS":"123456789012"}`)), exposure.External, exposure.Restricted},
		{"all units that there are in a trusted organization", document(open(`"ForAllValues:StringLike":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/*"}`, `"Principal":{"AWS":"123456789012"}`)), exposure.External, exposure.External},
		{"an account that is none", document(open(`"StringEquals":{"aws:PrincipalAccount":"12345"}`)), exposure.Restricted, exposure.Restricted},
		{"a unit of a trusted organization", document(open(`"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/r-ab12/*"}`)), exposure.External, exposure.Restricted},
		{"a source in a trusted account", document(open(`"StringEquals":{"aws:SourceAccount":"444455556666"}`, `"Principal":{"Service":"sns.amazonaws.com"}`)), exposure.External, exposure.Restricted},
		{"a role of a trusted account", document(open(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:role/*"}`)), exposure.External, exposure.Restricted},
		{"an organization lock by Deny", document(open(""), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`)), exposure.External, exposure.Restricted},
		{"an organization lock by Deny, for somebody named", document(open("", `"Principal":{"AWS":"123456789012"}`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`)), exposure.External, exposure.Restricted},
		{"an organization lock by Deny, of another action", document(open("", `"Principal":{"AWS":"123456789012"}`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`, `"Action":"lambda:GetFunction"`)), exposure.External, exposure.External},
		{"an organization lock by Deny, of one action of two", document(open("", `"Principal":{"AWS":"123456789012"}`, `"Action":["lambda:InvokeFunction","lambda:GetFunction"]`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`)), exposure.External, exposure.External},
		{"an organization lock by Deny, of each of two actions", document(open("", `"Principal":{"AWS":"123456789012"}`, `"Action":["lambda:InvokeFunction","lambda:GetFunction"]`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`), open(`"StringNotEquals":{"aws:PrincipalAccount":"444455556666"}`, `"Effect":"Deny"`, `"Action":"lambda:GetFunction"`)), exposure.External, exposure.Restricted},
		{"an organization lock by Deny, of an alias", document(open("", `"Principal":{"AWS":"123456789012"}`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`, `"Resource":"`+functionARN+`:live"`)), exposure.External, exposure.External},
		{"an organization lock by Deny, for one principal of two", document(open("", `"Principal":{"AWS":["123456789012","210987654321"]}`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`, `"Principal":{"AWS":"123456789012"}`)), exposure.External, exposure.External},
		{"an organization lock by Deny, for all but one principal", document(open("", `"Principal":{"AWS":"123456789012"}`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`, `"NotPrincipal":{"AWS":"123456789012"}`)), exposure.External, exposure.External},
		{"a Deny for a trusted organization", document(open("", `"Principal":{"AWS":"123456789012"}`), open(`"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`)), exposure.External, exposure.External},
		{"a Deny for those who have a unit that is not of a trusted organization", document(open("", `"Principal":{"AWS":"123456789012"}`), open(`"ForAnyValue:StringNotLike":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/*"}`, `"Effect":"Deny"`)), exposure.External, exposure.External},
		{"a trusted account's id, and a star", document(open(`"StringLike":{"aws:PrincipalAccount":"444455556666*"}`)), exposure.External, exposure.Restricted},
		{"a trusted organization, and a star", document(open(`"StringLike":{"aws:PrincipalOrgID":"o-a1b2c3d4e5*"}`)), exposure.External, exposure.Restricted},
		{"ARNs that begin with a trusted account", document(open(`"StringLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666*"}`)), exposure.External, exposure.Restricted},
		{"all ARNs of a trusted account", document(open(`"StringLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:*"}`)), exposure.External, exposure.Restricted},
		{"a VPC, and a Deny of another action that names an organization", document(open(`"StringEquals":{"aws:SourceVpc":"vpc-0a1b2c3d4e5f60718"}`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-f6g7h8i9j0"}`, `"Effect":"Deny"`, `"Action":"lambda:GetFunction"`)), exposure.Restricted, exposure.Restricted},
		{"a VPC, and a star", document(open(`"StringLike":{"aws:SourceVpc":"vpc-0a1b2c3d4e5f60718*"}`)), exposure.Restricted, exposure.Restricted},
		{"everyone", document(open("")), exposure.Public, exposure.Public},
		{"any service", named(`{"Service":"sns.amazonaws.com"}`), exposure.ConfusedDeputy, exposure.ConfusedDeputy},
		{"all but a trusted account", document(open("", `"NotPrincipal":{"AWS":"444455556666"}`)), exposure.Public, exposure.Public},
		{"the pattern of a trusted account", document(open(`"StringLike":{"aws:PrincipalAccount":"4444*"}`)), exposure.Public, exposure.Public},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.policy)
			if got := exposure.Worst(exposure.Judge(d, target, exposure.Trust{}, now)); got != c.plain {
				t.Errorf("%v, want %v", got, c.plain)
			}
			if got := exposure.Worst(exposure.Judge(d, target, trust, now)); got != c.trusts {
				t.Errorf("with trust %v, want %v", got, c.trusts)
			}
		})
	}
}

// What no request at all can meet restricts, whoever is named beside it (R12), and
// wherever it stands.
func TestWhatNeverHoldsRestricts(t *testing.T) {
	const (
		org     = `"ForAnyValue:StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`
		account = `"Principal":{"AWS":"444455556666"}`
	)
	for _, c := range []struct {
		name, condition string
		want            exposure.Level
	}{
		{"a moment that every request has is missing", `"Null":{"aws:CurrentTime":"true"}`, exposure.Restricted},
		{"a moment that every request has is there", `"Null":{"aws:CurrentTime":"false"}`, exposure.External},
		{"a date that has passed", `"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, exposure.Restricted},
		{"a date that has not", `"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}`, exposure.External},
		{"seconds that have passed", `"NumericLessThan":{"aws:EpochTime":"1700000000"}`, exposure.Restricted},
		{"seconds that have not", `"NumericLessThan":{"aws:EpochTime":"1900000000"}`, exposure.External},
		{"another region", `"StringEquals":{"aws:RequestedRegion":"eu-central-1"}`, exposure.Restricted},
		{"this region", `"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, exposure.External},
		{"the function of another account", `"StringNotEquals":{"aws:ResourceAccount":"111122223333"}`, exposure.Restricted},
		{"a function of two organizations", `"StringEquals":{"aws:ResourceOrgID":"o-a1b2c3d4e5"},"StringLike":{"aws:ResourceOrgID":"o-f6*"}`, exposure.Restricted},
		{"no encryption", `"Bool":{"aws:SecureTransport":"false"}`, exposure.Restricted},
		{"encryption", `"Bool":{"aws:SecureTransport":"true"}`, exposure.External},
		{"an authentication that there is not", `"StringEquals":{"lambda:FunctionUrlAuthType":"MTLS"}`, exposure.Restricted},
		{"an authentication that there is", `"StringEquals":{"lambda:FunctionUrlAuthType":"AWS_IAM"}`, exposure.External},
		{"no value", `"StringEquals":{"aws:PrincipalArn":[]}`, exposure.Restricted},
		{"a star that is taken literally", `"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::444455556666:*"}`, exposure.Restricted},
		{"a star that is taken literally, among others", `"StringEquals":{"aws:PrincipalArn":["arn:aws:iam::444455556666:*","arn:aws:iam::444455556666:role/x"]}`, exposure.External},
		{"a star that is taken literally, if the key is there", `"StringEqualsIfExists":{"aws:PrincipalArn":"arn:aws:iam::444455556666:*"}`, exposure.External},
		{"a star that is taken literally, of all values", `"ForAllValues:StringEquals":{"aws:PrincipalArn":"arn:aws:iam::444455556666:*"}`, exposure.External},
		{"anything but a star that is taken literally", `"StringNotEquals":{"aws:PrincipalArn":"arn:aws:iam::444455556666:*"}`, exposure.External},
		{"a star in a text", `"StringEquals":{"aws:UserAgent":"a*"}`, exposure.External},
		{"an ARN of five fields", `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666"}`, exposure.Restricted},
		{"any ARN", `"ArnLike":{"aws:PrincipalArn":"*"}`, exposure.External},
		{"a bucket's prefix", `"StringEquals":{"s3:prefix":"x"}`, exposure.Restricted},
		{"anything but a bucket's prefix", `"StringNotEquals":{"s3:prefix":"x"}`, exposure.External},
		{"a tag that is two things", `"StringEquals":{"aws:PrincipalTag/team":"blue"},"StringLike":{"aws:PrincipalTag/team":"r*"}`, exposure.Restricted},
		{"two tags", `"StringEquals":{"aws:PrincipalTag/team":"blue"},"StringLike":{"aws:PrincipalTag/role":"r*"}`, exposure.External},
		{"no tag, and its value", `"StringEquals":{"aws:PrincipalTag/team":"blue"},"Null":{"aws:PrincipalTag/team":"true"}`, exposure.Restricted},
		{"in two organizations", `"StringLike":{"aws:PrincipalOrgID":"o-f6g7h8i9j0*"},"StringNotLike":{"aws:PrincipalOrgID":"o-f6*"}`, exposure.Restricted},
		{"in an organization, and in none", `"StringLike":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"Null":{"aws:PrincipalOrgID":"true"}`, exposure.Restricted},
		{"an organization without a name", `"StringEquals":{"aws:PrincipalOrgID":""}`, exposure.Restricted},
		{"a unit of what is no organization", `"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"x*"}`, exposure.External},
		{"an office, and not an office", `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, exposure.Restricted},
		{"an office", `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"NotIpAddress":{"aws:SourceIp":"10.0.0.0/9"}`, exposure.External},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, statement := range []string{
				open(c.condition, account),
				open(org+","+c.condition, `"Principal":{"AWS":"*"}`),
				open(c.condition+","+org, `"Principal":{"AWS":"*"}`),
			} {
				v := exposure.Judge(parse(t, document(statement)), target, exposure.Trust{}, now)[0]
				if v.Level != c.want {
					t.Errorf("%v, want %v\n%s", v.Level, c.want, statement)
				}
				said := slices.ContainsFunc(v.Reasons, func(r exposure.Reason) bool { return r.Code == exposure.NeverHolds })
				if said != (c.want == exposure.Restricted) {
					t.Errorf("said to hold never: %t\n%s\n%s", said, statement, asJSON(t, v.Reasons))
				}
			}
		})
	}
}

// A Deny that cannot be read hides no other, and what is open is not lost in what is
// not known.
func TestWhatIsNotKnownStandsBesideTheRest(t *testing.T) {
	const unreadable = `{"Effect":"Deny","Principal":"*","Action":7}`
	for _, c := range []struct {
		name, policy string
		want         exposure.Level
		access       string
	}{
		{"a Deny with a variable in a number", document(open(""), open(`"NumericEquals":{"aws:EpochTime":"${aws:EpochTime}"}`, `"Effect":"Deny"`)), exposure.Undetermined, "invoke"},
		{"a Deny with a key of several values for a variable", document(open(`"Null":{"aws:PrincipalOrgPaths":"false"}`), open(`"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"${aws:PrincipalOrgPaths}"}`, `"Effect":"Deny"`)), exposure.Undetermined, "invoke"},
		{"a Deny with a variable before the last field of its resource", document(open(""), open("", `"Effect":"Deny"`, `"Resource":"arn:aws:lambda:us-east-1:${aws:ResourceAccount}:function:f"`)), exposure.Undetermined, "invoke"},
		{"a Deny for a resource by a star that crosses a colon", document(open(""), open("", `"Effect":"Deny"`, `"Resource":"arn:aws:lambda:us-east-1*function:f"`)), exposure.Undetermined, "invoke"},
		{"a Deny for a resource by a question mark for a colon", document(open(""), open("", `"Effect":"Deny"`, `"Resource":"arn:aws:lambda:us-east-1?111122223333:function:f"`)), exposure.Undetermined, "invoke"},
		{"a Deny for a resource by a star for the service", document(open(""), open("", `"Effect":"Deny"`, `"Resource":"arn:aws:*:us-east-1:111122223333:function:f"`)), exposure.Undetermined, "invoke"},
		{"a Deny for a resource by a star before a colon", document(open(""), open("", `"Effect":"Deny"`, `"Resource":"arn:aws:lambda:us-east-1*:function:f*"`)), exposure.Restricted, ""},
		{"a Deny for a resource by a star for all that is before its name", document(open(""), open("", `"Effect":"Deny"`, `"Resource":"*:function:f"`)), exposure.Restricted, ""},
		{"a Deny for a resource by a star within a field", document(open(""), open("", `"Effect":"Deny"`, `"Resource":"arn:aws:lambda:*-1:*:f*n:?"`)), exposure.Restricted, ""},
		{"a Deny that cannot be read", document(open(""), unreadable), exposure.Undetermined, "invoke"},
		{"and one that can", document(open(""), unreadable, open("", `"Effect":"Deny"`)), exposure.Restricted, ""},
		{"two actions of which neither is known", document(open(`"StringRegex":{"aws:PrincipalTag/x":"a"}`, `"Action":["lambda:InvokeFunction","lambda:GetFunction"]`), open(`"StringEquals":{"aws:UserAgent":"x"}`, `"Effect":"Deny"`)), exposure.Undetermined, "invoke read"},
		{"five patterns that are not all tried", document(open(`"StringLike":{"aws:UserAgent":"a*"}`), open(`"StringLike":{"aws:UserAgent":["ab*","ac*","ad*","a?*","a*"]}`, `"Effect":"Deny"`)), exposure.Undetermined, "invoke"},
		{"a Deny for a header, and one for half of the addresses", document(open(`"Null":{"aws:SourceIp":"false"}`), open(`"StringEquals":{"aws:UserAgent":"x"}`, `"Effect":"Deny"`), open(`"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}`, `"Effect":"Deny"`)), exposure.Public, "invoke"},
		{"two actions of which no stranger has either", document(open("", `"Action":["lambda:GetFunction","lambda:DeleteFunction"]`), open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`, `"Action":"lambda:GetFunction"`), open(`"StringNotEquals":{"aws:PrincipalAccount":"111122223333"}`, `"Effect":"Deny"`, `"Action":"lambda:DeleteFunction"`)), exposure.External, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.policy)
			v := exposure.Judge(d, target, exposure.Trust{}, now)[0]
			var access []string
			for _, a := range v.Access {
				access = append(access, a.String())
			}
			if got := strings.Join(access, " "); v.Level != c.want || got != c.access {
				t.Errorf("%v with access %q, want %v with %q\n%s", v.Level, got, c.want, c.access, asJSON(t, v))
			}
			checkVerdict(t, c.policy, &d, 0, target, v, true)
		})
	}
}

// The verdict is of the moment that is passed in.
func TestTheMomentDecides(t *testing.T) {
	d := parse(t, document(open(`"DateGreaterThan":{"aws:CurrentTime":"2026-06-01T00:00:00Z"},"DateLessThanEquals":{"aws:CurrentTime":"2026-07-01T00:00:00Z"}`)))
	for moment, want := range map[string]exposure.Level{
		"2026-05-31T23:59:59Z": exposure.Restricted, "2026-06-01T00:00:00Z": exposure.Restricted, "2026-06-01T00:00:01Z": exposure.Public,
		"2026-07-01T02:00:00+02:00": exposure.Public, "2026-07-01T00:00:01Z": exposure.Restricted,
	} {
		at, err := time.Parse(time.RFC3339, moment)
		if err != nil {
			t.Fatal(err)
		}
		if got := exposure.Worst(exposure.Judge(d, target, exposure.Trust{}, at)); got != want {
			t.Errorf("at %s %v, want %v", moment, got, want)
		}
	}
}

// The very moment is neither before nor after itself.
func TestTheVeryMoment(t *testing.T) {
	for operator, holds := range map[string]bool{
		"Equals": true, "NotEquals": false, "LessThan": false, "LessThanEquals": true, "GreaterThan": false, "GreaterThanEquals": true,
	} {
		want := exposure.Restricted
		if holds {
			want = exposure.Public
		}
		for _, condition := range []string{
			fmt.Sprintf(`"Date%s":{"aws:CurrentTime":%q}`, operator, now.Format(time.RFC3339)),
			fmt.Sprintf(`"Numeric%s":{"aws:EpochTime":"%d"}`, operator, now.Unix()),
		} {
			if got := exposure.Worst(exposure.Judge(parse(t, document(open(condition))), target, exposure.Trust{}, now)); got != want {
				t.Errorf("%v, want %v: %s", got, want, condition)
			}
		}
	}
}

// Worst is by rank, and the zero value is not the best.
func TestWorst(t *testing.T) {
	order := []exposure.Level{exposure.Restricted, exposure.External, exposure.ConfusedDeputy, exposure.Undetermined, exposure.Public}
	for i, low := range order {
		for _, high := range order[i:] {
			got := exposure.Worst([]exposure.Verdict{{Level: low}, {Level: high}, {Level: low}})
			if got != high {
				t.Errorf("worst of %v and %v is %v", low, high, got)
			}
		}
	}
	if got := exposure.Worst(nil); got != exposure.Restricted {
		t.Errorf("worst of nothing is %v", got)
	}
	if got := exposure.Worst([]exposure.Verdict{{}}); got != exposure.Undetermined {
		t.Errorf("worst of a verdict that nobody filled in is %v", got)
	}
	if got := fmt.Sprint(exposure.Level(-1), exposure.Public+1, exposure.Level(99)); got != "undetermined undetermined undetermined" {
		t.Errorf("impossible levels are %s", got)
	}
}

// Reasons name the deciding elements, by a path that is in the document.
func TestReasonsNameTheElements(t *testing.T) {
	for _, c := range []struct {
		policy string
		want   []string
	}{
		{document(open(`"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"Bool":{"aws:SecureTransport":"true"}`)),
			[]string{"principal-everyone $.Statement[0].Principal", "condition-limits $.Statement[0].Condition.StringEquals['aws:PrincipalOrgID']", "names-outsider $.Statement[0].Condition.StringEquals['aws:PrincipalOrgID']"}},
		{document(open(""), open("", `"Effect":"Deny"`)), []string{"principal-everyone $.Statement[0].Principal", "deny-cancels $.Statement[1]"}},
		{document(open(`"Bool":{"aws:SecureTransport":"true"}`)), []string{"principal-everyone $.Statement[0].Principal", "condition-no-limit $.Statement[0].Condition.Bool['aws:SecureTransport']"}},
		{document(open("", `"NotAction":"*"`)), []string{"action-not-grantable $.Statement[0].NotAction"}},
		{document(open("", `"NotResource":"*"`)), []string{"resource-elsewhere $.Statement[0].NotResource"}},
		{document(open("", `"NotPrincipal":"*"`)), []string{"principal-nobody $.Statement[0].NotPrincipal"}},
		{document(open("", `"Principal":{"AWS":"111122223333"}`)), []string{"principal-named $.Statement[0].Principal"}},
		{document(open(`"StringRegex":{"aws:UserAgent":"x"}`)), []string{"principal-everyone $.Statement[0].Principal", "condition-unknown-operator $.Statement[0].Condition.StringRegex['aws:UserAgent']"}},
		{document(`{"Effect":"Maybe","Principal":"*","Action":"*"}`), []string{"effect-grants-nothing $.Statement[0].Effect"}},
		{document(open(`"NumericEquals":{"aws:UserAgent":"x"},"NumericLessThan":{"aws:UserAgent":"1"}`)), []string{"principal-everyone $.Statement[0].Principal", "condition-unknown-outcome $.Statement[0].Condition.NumericEquals['aws:UserAgent']"}},
		{document(open("", `"Resource":"${aws:PrincipalTag/x}"`)), []string{"principal-everyone $.Statement[0].Principal", "resource-unknown $.Statement[0].Resource"}},
		{document(`"x"`), []string{"unreadable $.Statement[0]"}},
	} {
		var got []string
		for _, r := range exposure.Judge(parse(t, c.policy), target, exposure.Trust{}, now)[0].Reasons {
			got = append(got, r.Code.String()+" "+r.Path())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s\ngot  %q\nwant %q", c.policy, got, c.want)
		}
	}
}

// The text of a reason says in what way its element decides.
func TestADenyThatTakesNothingAwayIsNoReason(t *testing.T) {
	lock := open(`"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, `"Effect":"Deny"`)
	tls := open(`"Bool":{"aws:SecureTransport":"false"}`, `"Effect":"Deny"`)
	named := open(`"StringEquals":{"aws:PrincipalTag/x":"a"}`, `"Effect":"Deny"`)
	unnamed := open(`"StringNotEquals":{"aws:PrincipalTag/x":"a"}`, `"Effect":"Deny"`)
	for policy, want := range map[string]string{
		document(open(""), tls, lock):      "$.Statement[2]",
		document(open(""), named, unnamed): "$.Statement[1] $.Statement[2]", // together
	} {
		var paths []string
		for _, r := range exposure.Judge(parse(t, policy), target, exposure.Trust{}, now)[0].Reasons {
			if r.Code == exposure.DenyCancels {
				paths = append(paths, r.Path())
			}
		}
		if got := strings.Join(paths, " "); got != want {
			t.Errorf("taken away by %s, want %s: %s", got, want, policy)
		}
	}
}

func TestReasonsSayWhy(t *testing.T) {
	toService := `"Principal":{"Service":"sns.amazonaws.com"}`
	for _, c := range []struct{ name, policy, says string }{
		{"somebody else's organization", document(open(`"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`)), "keeps strangers out: a stranger's value is another one"},
		{"a private network", document(open(`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`)), "keeps strangers out: a stranger has no address there"},
		{"a caller's key for a service", document(open(`"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`, toService)), "keeps strangers out: requests of a service do not have this key"},
		{"a closed set of values", document(open(`"StringEquals":{"lambda:InvokedViaFunctionUrl":"maybe"}`)), "keeps strangers out: requests of other accounts have another value"},
		{"a moment that has passed", document(open(`"DateLessThan":{"aws:CurrentTime":"2020-01-01"}`)), "can never hold: the function, or the time, has another value"},
		{"a moment that has passed, for somebody named", document(open(`"DateLessThan":{"aws:CurrentTime":"2020-01-01"}`, `"Principal":{"AWS":"444455556666"}`)), "can never hold: the function, or the time, has another value"},
		{"two organizations of the function, for somebody named", document(open(`"StringEquals":{"aws:ResourceOrgID":"o-a1b2c3d4e5"},"StringLike":{"aws:ResourceOrgID":"o-f6*"}`, `"Principal":{"AWS":"444455556666"}`)), "can never hold: the function, or the time, has another value"},
		{"two tags, for somebody named", document(open(`"StringEquals":{"aws:username":"a"},"StringLike":{"aws:username":"b*"}`, `"Principal":{"AWS":"444455556666"}`)), "can never hold: no request has such a value"},
		{"a star that is none", document(open(`"StringEquals":{"aws:PrincipalOrgID":"o-*"}`)), "can never hold: StringEquals takes * and ? literally"},
		{"an ARN that is none", document(open(`"ArnLike":{"aws:PrincipalArn":"role/x"}`)), "can never hold: an ARN has six fields"},
		{"a key of another service", document(open(`"StringEquals":{"s3:prefix":"x"}`)), "can never hold: requests to Lambda do not carry a key of another service"},
		{"no value", document(open(`"StringEquals":{"aws:PrincipalOrgID":[]}`)), "can never hold: it has no value"},
		{"a variable that is never the same", document(open(`"StringEquals":{"aws:username":"x${aws:username}"},"Null":{"aws:username":"false"}`)), "keeps strangers out: its policy variable has another value in every request of a stranger"},
		{"a variable in what has to be decided", document(open(`"StringEquals":{"aws:UserAgent":"${aws:ResourceTag/x}"}`)), "cannot be decided: it has a policy variable"},
		{"a service", document(open("", toService)), "admits an AWS service, which acts for any account: sns.amazonaws.com"},
		{"an outsider", document(open("", `"Principal":{"AWS":["111122223333","444455556666"]}`)), "names an outsider: 444455556666"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said []string
			for _, r := range exposure.Judge(parse(t, c.policy), target, exposure.Trust{}, now)[0].Reasons {
				said = append(said, r.Text())
			}
			if !slices.ContainsFunc(said, func(text string) bool { return strings.HasPrefix(text, c.says) }) {
				t.Errorf("%q is not among %q", c.says, said)
			}
		})
	}
}

// A witness tells one request, for people and for machines (R19).
func TestWitnesses(t *testing.T) {
	live, unknown := target, exposure.Target{Account: ownerAccount}
	live.Qualifier = "live"
	service := func(s string) string { return open("", `"Principal":{"Service":"`+s+`"}`) }
	for _, c := range []struct {
		name, statement string
		on              exposure.Target
		witness         int
		sentence, json  string
	}{
		{"signed", open(""), target, 0, `any AWS account can call lambda:InvokeFunction on f (signed)`,
			`{"kind":"any-principal","action":"lambda:InvokeFunction","context":{},"sentence":`},
		{"unsigned, of an alias", open("", `"Resource":"`+functionARN+`:live"`), live, 1, `anybody on the Internet can call lambda:InvokeFunction on f:live (through the function URL, unsigned)`,
			`{"kind":"anonymous","action":"lambda:InvokeFunction","context":{},"sentence":`},
		{"a function that is not known", open(""), unknown, 0, `any AWS account can call lambda:InvokeFunction (signed)`,
			`{"kind":"any-principal","action":"lambda:InvokeFunction","context":{},"sentence":`},
		{"any service", open(""), target, 3, `any AWS service, acting for any account, can call lambda:InvokeFunction on f`,
			`{"kind":"any-service","action":"lambda:InvokeFunction","context":{},"sentence":`},
		{"a star for a service", service("*"), target, 0, `any AWS service, acting for any account, can call lambda:InvokeFunction on f`,
			`{"kind":"any-service","action":"lambda:InvokeFunction","context":{},"sentence":`},
		{"one service", service("sns.amazonaws.com"), target, 0, `sns.amazonaws.com, acting for any AWS account, can call lambda:InvokeFunction on f`,
			`{"kind":"any-service","action":"lambda:InvokeFunction","context":{},"sentence":`},
		{"what the caller sets and has", open(`"StringEquals":{"aws:PrincipalTag/team":"bl\"ue"},"StringLike":{"aws:PrincipalAccount":"9*"}`), target, 0,
			`any AWS account can call lambda:InvokeFunction on f (signed; aws:PrincipalTag/team = "bl\"ue", which the caller sets; aws:PrincipalAccount = "998877665544", which is the caller's own)`,
			`{"kind":"any-principal","action":"lambda:InvokeFunction","context":{"aws:PrincipalTag/team":"bl\"ue","aws:PrincipalAccount":"998877665544"},"sentence":`},
		{"one address of many", open(`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`), target, 0,
			`any AWS account can call lambda:InvokeFunction on f (signed; aws:SourceIp = "52.95.110.1", which is one address of many)`,
			`{"kind":"any-principal","action":"lambda:InvokeFunction","context":{"aws:SourceIp":"52.95.110.1"},"sentence":`},
		{"several values", open(`"ForAnyValue:StringEquals":{"aws:TagKeys":"a"},"ForAnyValue:StringLike":{"aws:TagKeys":"b"}`), target, 0,
			`any AWS account can call lambda:InvokeFunction on f (signed; aws:TagKeys = "a", "b", which the caller sets)`,
			`{"kind":"any-principal","action":"lambda:InvokeFunction","context":{"aws:TagKeys":["a","b"]},"sentence":`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := exposure.Judge(parse(t, document(c.statement)), c.on, exposure.Trust{}, now)[0].Strangers[c.witness]
			if got := w.Sentence(); got != c.sentence {
				t.Errorf("%s\nwant %s", got, c.sentence)
			}
			if got, want := asJSON(t, w), c.json+quoted(c.sentence)+"}"; got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}
