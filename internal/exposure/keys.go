package exposure

import (
	"fmt"
	"strings"
)

// source says where the values of a condition key come from, for one kind of
// stranger.
type source int8

const (
	unknowable source = iota // every key that the table does not have
	none                     // never in the request
	free                     // the stranger chooses it
	theirs                   // fixed by who they are; never what names somebody else
	address                  // any public IP address
	listed                   // one of domain.values
	given                    // of the function, or of the moment
	owners                   // of the owner's organization, which is not known
)

// domain is what a key can hold in the request of one kind of stranger.
type domain struct {
	source source
	values []string // for listed
	absent bool     // it can also be missing
}

var (
	never         = domain{source: none, absent: true}
	anything      = domain{source: free, absent: true}
	always        = domain{source: theirs}
	theirsOrNone  = domain{source: theirs, absent: true}
	ofTheFunction = domain{source: given}
	ofTheOwner    = domain{source: owners}
	notKnown      = domain{source: unknowable}
)

func oneOf(values ...string) domain      { return domain{source: listed, values: values} }
func noneOrOneOf(v ...string) domain     { return domain{source: listed, values: v, absent: true} }
func noneOrAddress() domain              { return domain{source: address, absent: true} }
func everyone(d domain) domains          { return domains{d, d, d, d, d} }
func signed(anon, others domain) domains { return domains{anon, others, others, never, never} }
func services(d domain) domains          { return domains{never, never, never, d, d} }
func callers(d domain) domains           { return domains{d, d, d, never, never} }

// forwarded are keys of what a service calls for a principal who called it: that is
// an API, and never a function URL.
func forwarded(others, principal domain) domains {
	return domains{others, principal, others, others, others}
}

// domains is a domain for each kind of stranger, in the order of [Kind].
type domains = [len(kindNames)]domain

// identity says which part of a value names its owner: a pattern that fixes that
// part keeps every stranger out, any other lets some of them in (R7).
type identity int8

const (
	whole identity = iota
	accountID
	orgID
	orgPath // the organization, up to the first slash
	userID  // up to the colon
	vpcID   // prefix-, then 8 or 17 hexadecimal digits
	arnOfAccount
)

// keyRow is one condition key.
type keyRow struct {
	name     string // lower case; one that ends in / or : is a family
	domains  domains
	identity identity
	multi    bool   // the request can hold several values
	page     string // where AWS describes it

	mine string // own(0)
}

const (
	global = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"
	saml   = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html"
	// What a service does for whoever called it.
	forward = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html"
	urls    = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
	lambda  = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html"
)

// anonymousName is what AWS puts into principal keys of unsigned requests; the
// keys count as absent too, which is the wider reading.
var anonymousName = noneOrOneOf("anonymous")

// keys is the table. A new key is one row here and, in testdata/policies, a
// statement that it restricts and one that it does not.
var keys = []keyRow{
	// who calls
	{"aws:principalaccount", signed(anonymousName, always), accountID, false, global, ""},
	{"aws:principalarn", signed(never, always), arnOfAccount, false, global, ""},
	{"aws:principalorgid", signed(never, theirsOrNone), orgID, false, global, ""},
	{"aws:principalorgpaths", signed(never, theirsOrNone), orgPath, true, global, ""},
	{"aws:principaltag/", signed(never, anything), whole, false, global, ""},
	{"aws:principaltype", signed(noneOrOneOf("Anonymous"), anything), whole, false, global, ""},
	{"aws:principalisawsservice", domains{noneOrOneOf("false"), oneOf("false"), oneOf("false"), oneOf("true"), oneOf("true")}, whole, false, global, ""},
	{"aws:principalservicename", services(anything), whole, false, global, ""},
	{"aws:principalservicenameslist", services(anything), whole, true, global, ""},
	{"aws:userid", signed(anonymousName, always), userID, false, global, ""},
	{"aws:username", signed(never, anything), whole, false, global, ""},

	// how the session came about
	{"aws:assumedroot", signed(never, anything), whole, false, global, ""},
	{"aws:chatbotsourcearn", signed(never, theirsOrNone), arnOfAccount, false, global, ""},
	{"aws:ec2instancesourceprivateipv4", signed(never, anything), whole, false, global, ""},
	{"aws:ec2instancesourcevpc", signed(never, theirsOrNone), vpcID, false, global, ""},
	{"aws:federatedprovider", signed(never, notKnown), whole, false, global, ""}, // a name that is everybody's, or an ARN
	{"aws:multifactorauthage", signed(never, anything), whole, false, global, ""},
	{"aws:multifactorauthpresent", signed(never, anything), whole, false, global, ""},
	{"aws:sourceidentity", signed(never, anything), whole, false, global, ""},
	{"aws:tokenissuetime", signed(never, anything), whole, false, global, ""},
	{"ec2:roledelivery", signed(never, anything), whole, false, global, ""},
	{"ec2:sourceinstancearn", signed(never, theirsOrNone), arnOfAccount, false, global, ""},
	{"glue:credentialissuingservice", signed(never, anything), whole, false, global, ""},
	{"glue:roleassumedby", signed(never, anything), whole, false, global, ""},
	{"identitystore:userid", signed(never, theirsOrNone), whole, false, global, ""},
	{"lambda:sourcefunctionarn", signed(never, theirsOrNone), arnOfAccount, false, lambda, ""},
	{"ssm:sourceinstancearn", signed(never, theirsOrNone), arnOfAccount, false, global, ""},
	{"saml:", signed(never, anything), whole, false, saml, ""}, // they bring their own identity provider
	{"saml:namequalifier", signed(never, theirsOrNone), whole, false, saml, ""},

	// from where
	{"aws:sourceip", callers(noneOrAddress()), whole, false, global, ""},
	{"aws:sourcevpc", callers(theirsOrNone), vpcID, false, global, ""},
	{"aws:sourcevpcarn", callers(theirsOrNone), arnOfAccount, false, global, ""},
	{"aws:sourcevpce", callers(theirsOrNone), vpcID, false, global, ""},
	{"aws:vpceaccount", callers(theirsOrNone), accountID, false, global, ""},
	{"aws:vpceorgid", callers(theirsOrNone), orgID, false, global, ""},
	{"aws:vpceorgpaths", callers(theirsOrNone), orgPath, true, global, ""},
	{"aws:vpcsourceip", callers(anything), whole, false, global, ""},

	// for whom a service calls
	{"aws:sourceaccount", services(theirsOrNone), accountID, false, global, ""},
	{"aws:sourcearn", services(theirsOrNone), arnOfAccount, false, global, ""},
	{"aws:sourceorgid", services(theirsOrNone), orgID, false, global, ""},
	{"aws:sourceorgpaths", services(theirsOrNone), orgPath, true, global, ""},
	{"aws:sourceowner", services(theirsOrNone), accountID, false, global, ""},
	{"lambda:eventsourcetoken", services(theirsOrNone), whole, false, lambda, ""}, // a secret: theirs is another one

	// what is asked
	{"aws:calledvia", forwarded(never, anything), whole, true, forward, ""},
	{"aws:calledviafirst", forwarded(never, anything), whole, false, forward, ""},
	{"aws:calledvialast", forwarded(never, anything), whole, false, forward, ""},
	{"aws:referer", everyone(anything), whole, false, global, ""},
	{"aws:requesttag/", everyone(anything), whole, false, global, ""},
	{"aws:tagkeys", everyone(anything), whole, true, global, ""},
	{"aws:useragent", everyone(anything), whole, false, global, ""},
	{"aws:viaawsservice", forwarded(oneOf("false"), oneOf("true", "false")), whole, false, forward, ""},
	{"lambda:functionurlauthtype", domains{oneOf("NONE"), never, oneOf("AWS_IAM"), never, oneOf("AWS_IAM")}, whole, false, urls, ""},
	{"lambda:invokedviafunctionurl", domains{oneOf("true"), noneOrOneOf("false"), oneOf("true"), noneOrOneOf("false"), oneOf("true")}, whole, false, urls, ""},

	// of the function, and of the moment
	{"aws:currenttime", everyone(ofTheFunction), whole, false, global, ""},
	{"aws:epochtime", everyone(ofTheFunction), whole, false, global, ""},
	{"aws:requestedregion", everyone(ofTheFunction), whole, false, global, ""},
	{"aws:resourceaccount", everyone(ofTheFunction), accountID, false, global, ""},
	{"aws:resourceorgid", everyone(ofTheOwner), orgID, false, global, ""},
	{"aws:resourceorgpaths", everyone(ofTheOwner), orgPath, true, global, ""},
	{"aws:resourcetag/", everyone(notKnown), whole, false, global, ""},
	{"aws:securetransport", everyone(oneOf("true")), whole, false, global, ""},
}

// foreign are the services whose own condition keys no Lambda request carries. A
// service with a key that comes along with its credentials, which has a row of its
// own above, is not among them: it may have more of these.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
const foreign = " acm acm-pca apigateway appconfig appsync athena autoscaling backup batch bedrock cloudformation cloudfront cloudtrail " +
	"cloudwatch codecommit codepipeline cognito-identity cognito-idp dynamodb ebs ecr ecs eks elasticache elasticfilesystem " +
	"elasticloadbalancing elasticmapreduce es events execute-api firehose glacier iam iot kafka kinesis kms logs " +
	"mediastore network-firewall organizations quicksight ram rds redshift resource-explorer-2 route53 s3 s3express sagemaker scheduler " +
	"secretsmanager servicecatalog servicediscovery ses sns sqs ssmmessages states sts transfer wafv2 workspaces "

var (
	keyIndex = func() map[string]*keyRow {
		m := make(map[string]*keyRow, len(keys))
		for i := range keys {
			keys[i].mine = keys[i].own(0)
			m[keys[i].name] = &keys[i]
		}
		return m
	}()
	unknownKey = &keyRow{name: "every other key", domains: everyone(notKnown)}
	foreignKey = &keyRow{name: "keys of other services", domains: everyone(never)}
)

// lookUp returns the row of a key; case does not matter.
func lookUp(key string) *keyRow {
	var buf [64]byte
	name := lower(buf[:0], key)
	if row := keyIndex[string(name)]; row != nil {
		return row
	}
	cut := strings.IndexAny(key, "/:")
	if cut < 0 {
		return unknownKey
	}
	if slash := strings.IndexByte(key, '/'); slash > cut {
		if row := keyIndex[string(name[:slash+1])]; row != nil {
			return row
		}
	}
	if row := keyIndex[string(name[:cut+1])]; row != nil {
		return row
	}
	if key[cut] == ':' && strings.Contains(foreign, " "+string(name[:cut])+" ") {
		return foreignKey
	}
	return unknownKey
}

func lower(to []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// fixes reports whether a pattern names one owner, so that no stranger's value
// matches it (R7).
func (id identity) fixes(pattern string, arn bool) bool {
	if !hasWildcard(pattern) {
		return true
	}
	if arn {
		return fixesARN(pattern)
	}
	p := literalPrefix(pattern)
	switch id {
	case accountID:
		return len(p) >= 12
	case orgID:
		return isOrg(p)
	case orgPath:
		return isOrg(p) || strings.Contains(p, "/")
	case userID:
		return strings.Contains(p, ":")
	case vpcID:
		_, hex, ok := strings.Cut(p, "-")
		return ok && (len(hex) == 8 || len(hex) >= 17)
	case arnOfAccount:
		f := strings.SplitN(p, ":", 6)
		return len(f) >= 5 && len(f[4]) >= 12
	}
	return false // whole: a wildcard leaves some of it open
}

// shape is what every value looks like, as far as AWS says: patterns that no such
// value matches can never hold, and a Deny that matches all of them leaves none.
func (row *keyRow) shape() []constraint {
	is := func(pattern string, arn bool) []constraint { return []constraint{{pattern, arn, true}} }
	switch row.identity {
	case accountID:
		return is("????????????", false)
	case orgID:
		return append(is("o-??????????*", false), constraint{pattern: "*/*"})
	case orgPath:
		return is("o-??????????*/?*", false)
	case vpcID:
		return is(row.mine[:strings.IndexByte(row.mine, '-')+1]+"????????*", false)
	case arnOfAccount:
		if row.name == "aws:sourcearn" { // a bucket's has no account
			return is("arn:aws*:?*:*:*:?*", true)
		}
		return is("arn:aws*:?*:*:????????????:?*", true)
	}
	return nil
}

// possible reports whether a text looks like a value of the key.
func (row *keyRow) possible(text string) bool {
	return allMet(row.shape(), text) && (row.identity != accountID || isDigits(text))
}

// isOrg: o- and ten to thirty-two characters, ten of them in practice.
func isOrg(p string) bool { return strings.HasPrefix(p, "o-") && len(p) >= 12 }

// fixesARN judges a pattern of ArnLike or ArnEquals: by its account field or,
// where that is empty as in S3, by the resource field.
func fixesARN(pattern string) bool {
	f := strings.SplitN(pattern, ":", 6)
	switch {
	case pattern == "*":
		return false
	case len(f) < 6:
		return true // matches nothing at all
	case f[4] == "":
		return !hasWildcard(f[5])
	}
	return !hasWildcard(f[4])
}

// own returns the nth value that a stranger may have of their own, to be passed
// over where the policy names it. The part that tells owners apart differs in
// each, so that one pattern that fixes it meets one of them.
func (row *keyRow) own(n int) string {
	account := strangersAccount
	if n > 0 {
		account = fmt.Sprintf("%012d", 998877665544-n)
	}
	switch row.identity {
	case accountID:
		return account
	case orgID:
		return "o-strange" + account[9:]
	case orgPath:
		return "o-strange" + account[9:] + "/r-ab12/ou-ab12-11111111/"
	case userID:
		return "AIDASTRANGER" + account
	case vpcID:
		if row.name == "aws:sourcevpce" {
			return "vpce-" + account[4:] + "0abcdef01"
		}
		return "vpc-" + account[4:] + "0abcdef01"
	case arnOfAccount:
		before, after, _ := strings.Cut(arnShape[row.name], "ACCOUNT")
		return "arn:aws:" + before + account + after
	}
	return "stranger-" + account
}

const strangersAccount = "998877665544"

// arnShape is what the ARN in a key looks like, behind the partition.
var arnShape = map[string]string{
	"aws:principalarn":         "iam::ACCOUNT:role/stranger",
	"aws:chatbotsourcearn":     "chatbot::ACCOUNT:chat-configuration/slack-channel/stranger",
	"ec2:sourceinstancearn":    "ec2:us-east-1:ACCOUNT:instance/i-0123456789abcdef0",
	"ssm:sourceinstancearn":    "ec2:us-east-1:ACCOUNT:instance/i-0123456789abcdef0",
	"lambda:sourcefunctionarn": "lambda:us-east-1:ACCOUNT:function:stranger",
	"aws:sourcevpcarn":         "ec2:us-east-1:ACCOUNT:vpc/vpc-0123456789abcdef0",
	"aws:sourcearn":            "events:us-east-1:ACCOUNT:rule/stranger",
}
