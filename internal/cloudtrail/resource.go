package cloudtrail

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"lambda-guardrail/internal/guard"
)

// partitions by the first letters of their regions; all others are in "aws".
var partitions = [...]struct{ region, partition string }{
	{"cn-", "aws-cn"},
	{"us-gov-", "aws-us-gov"},
	{"eusc-", "aws-eusc"},
	{"us-iso-", "aws-iso"},
	{"us-isob-", "aws-iso-b"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-isof-", "aws-iso-f"},
}

func partition(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			return p.partition
		}
	}
	return "aws"
}

// named is what the caller named, in the caller's words.
func (r *record) named() string {
	if r.Request.ResourceARN != "" {
		return r.Request.ResourceARN
	}
	return r.Request.FunctionName
}

// resourceType is that of an ARN of Lambda, "layer" or "web-function"; anything
// else that names something names a function.
func resourceType(name string) string {
	fields := strings.SplitN(name, ":", 6)
	if len(fields) < 6 || fields[0] != "arn" || fields[2] != "lambda" {
		return "function"
	}
	if end := strings.IndexAny(fields[5], ":/"); end >= 0 {
		return fields[5][:end]
	}
	return fields[5]
}

// resource finds the function, best source first: the statement's Resource is a
// whole ARN, written by Lambda itself, however the caller named the function.
// What a name leaves out is filled in from the record. The function's account
// is never taken from the caller's identity: that may be another account.
func (r *record) resource(account string) (guard.Resource, error) {
	if written, err := guard.ParseResource(statementResource(r.Response.Statement)); err == nil {
		return written, nil
	}
	full := &r.Request.FullARN
	found, err := parseName(r.named(), r.Region)
	if err != nil {
		return guard.Resource{}, err
	}
	fill(&found.Function, full.RelativeID.FunctionName)
	if found.Function == "" {
		return guard.Resource{}, r.nameless()
	}
	fill(&found.Region, full.Prefix.Region, r.Region)
	fill(&found.Partition, full.Prefix.Partition, partition(found.Region))
	fill(&found.Account, full.Prefix.Account, account, r.Recipient)
	fill(&found.Qualifier, r.Request.Qualifier)
	// Through the parser once more: what is missing is an error that names it, and
	// $LATEST is no qualifier.
	return guard.ParseResource(found.ARN())
}

// fill sets an empty field to the first value that is not empty.
func fill(field *string, values ...string) {
	if *field == "" {
		*field = cmp.Or(values...)
	}
}

func (r *record) nameless() error {
	if r.Request.Omitted == "true" {
		return errors.New("it names no function: CloudTrail omitted its requestParameters for their size")
	}
	return errors.New("it names no function, neither in responseElements.statement nor in requestParameters (functionName, resourceArn)")
}

// statementResource returns the Resource of a statement if it is one string.
func statementResource(statement string) string {
	var s struct{ Resource string }
	if json.Unmarshal([]byte(statement), &s) != nil {
		return ""
	}
	return s.Resource
}

// parseName reads a function's name in the forms that Lambda takes:
//
//	name
//	111122223333:function:name
//	arn:aws:lambda:us-east-1:111122223333:function:name
//
// each with or without :qualifier. Before the name, Lambda's own expression for
// it makes a region, an account and the word "function" optional each. So they are
// here, but for a region on its own: after that of the record, a second field may
// be the name, or the qualifier of a function that is called like the region. See
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func parseName(name, region string) (guard.Resource, error) {
	if strings.HasPrefix(name, "arn:") {
		return guard.ParseResource(name)
	}
	var r guard.Resource
	fields := strings.Split(name, ":")
	if len(fields) > 2 && isAccount(fields[1]) {
		r.Region, fields = fields[0], fields[1:]
	}
	if len(fields) > 1 && isAccount(fields[0]) {
		r.Account, fields = fields[0], fields[1:]
	}
	if len(fields) > 1 && fields[0] == "function" {
		fields = fields[1:]
	}
	switch len(fields) {
	case 2:
		if name == region+":"+fields[1] {
			return guard.Resource{}, fmt.Errorf("its function is named %q, which may be %s in that region, or a qualifier of a function that is called like the region", name, fields[1])
		}
		r.Qualifier = fields[1]
		fallthrough
	case 1:
		r.Function = fields[0]
		return r, nil
	default:
		return guard.Resource{}, fmt.Errorf("its function is named %q, which is none of the forms that Lambda takes", name)
	}
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
