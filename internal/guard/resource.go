package guard

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Resource is one function, version or alias: each has a policy of its own.
type Resource struct {
	Partition, Region, Account, Function string
	Qualifier                            string // version or alias; "" is the unqualified function
}

// arnFields are the fields of a function's ARN. Names of partitions and regions
// are not checked against a list: AWS adds to it. Function and qualifier follow
// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
var arnFields = [...]struct {
	name    string
	literal string // the only legal value; "" means any value of alphabet
	legal   string // alphabet
	max     int
}{
	{name: "prefix", literal: "arn"},
	{name: "partition", legal: lower + digits + "-", max: 32},
	{name: "service", literal: "lambda"},
	{name: "region", legal: lower + digits + "-", max: 32},
	{name: "account", legal: digits, max: 12},
	{name: "resource type", literal: "function"},
	{name: "function name", legal: letters + digits + "-_.", max: 140},
	{name: "qualifier", legal: letters + digits + "-_$.", max: 128},
}

// ParseResource reads the ARN of a function, version or alias. $LATEST is the
// unqualified function: it has no policy of its own.
func ParseResource(arn string) (Resource, error) {
	fields := strings.Split(arn, ":")
	if n := len(fields); n != len(arnFields) && n != len(arnFields)-1 {
		return Resource{}, fmt.Errorf("reading the function ARN %q: want arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]", arn)
	}
	for i, value := range fields {
		want := &arnFields[i]
		if want.literal != "" {
			if value != want.literal {
				return Resource{}, fmt.Errorf("reading the function ARN %q: the %s is %q, want %q", arn, want.name, value, want.literal)
			}
			continue
		}
		if len(value) > want.max || !only(value, want.legal) {
			return Resource{}, fmt.Errorf("reading the function ARN %q: %q cannot be a %s", arn, value, want.name)
		}
	}
	r := Resource{Partition: fields[1], Region: fields[3], Account: fields[4], Function: fields[6]}
	if len(r.Account) != 12 {
		return Resource{}, fmt.Errorf("reading the function ARN %q: the account %q does not have twelve digits", arn, r.Account)
	}
	if len(fields) == len(arnFields) && fields[7] != "$LATEST" {
		r.Qualifier = fields[7]
	}
	return r, nil
}

// ARN returns the qualified ARN; without a qualifier, that of the function.
func (r Resource) ARN() string {
	arn := "arn:" + r.Partition + ":lambda:" + r.Region + ":" + r.Account + ":function:" + r.Function
	if r.Qualifier != "" {
		arn += ":" + r.Qualifier
	}
	return arn
}

// String returns the name that people use, "function" or "function:qualifier".
func (r Resource) String() string {
	if r.Qualifier == "" {
		return r.Function
	}
	return r.Function + ":" + r.Qualifier
}

// MarshalJSON implements [json.Marshaler]: consumers get the ARN and its parts.
func (r Resource) MarshalJSON() ([]byte, error) {
	return json.Marshal(resourceJSON{r.ARN(), r.Partition, r.Region, r.Account, r.Function, r.Qualifier})
}

type resourceJSON struct {
	ARN       string `json:"arn"`
	Partition string `json:"partition"`
	Region    string `json:"region"`
	Account   string `json:"account"`
	Function  string `json:"function"`
	Qualifier string `json:"qualifier,omitempty"`
}
