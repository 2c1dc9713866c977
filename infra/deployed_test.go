package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// place is where a template is deployed to.
type place struct{ partition, region string }

const account = "111122223333"

var (
	frankfurt = place{"aws", "eu-central-1"}
	virginia  = place{"aws", "us-east-1"}
	beijing   = place{"aws-cn", "cn-north-1"}
	govCloud  = place{"aws-us-gov", "us-gov-west-1"}
)

// deployed is a template with every reference, condition and pseudo parameter
// resolved as CloudFormation resolves them in one place.
type deployed struct {
	place
	stack     string
	template  object
	resources map[string]object // by logical ID
}

func deploy(t *testing.T, template object, to place) *deployed {
	t.Helper()
	d := &deployed{place: to, stack: "lambda-guardrail", template: template, resources: map[string]object{}}
	for id, r := range template["Resources"].(object) {
		resource := r.(object)
		if condition, ok := resource["Condition"]; ok && !d.holds(condition.(string)) {
			continue
		}
		d.resources[id] = d.resolve(resource).(object)
	}
	return d
}

func (d *deployed) holds(condition string) bool {
	return d.resolve(d.template["Conditions"].(object)[condition]).(bool)
}

func (d *deployed) resolve(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = d.resolve(v[i])
		}
		return out
	case object:
		if len(v) == 1 {
			for function, argument := range v {
				if out, ok := d.call(function, argument); ok {
					return out
				}
			}
		}
		out := object{}
		for k := range v {
			out[k] = d.resolve(v[k])
		}
		return out
	}
	return v
}

func (d *deployed) call(function string, argument any) (any, bool) {
	list, _ := argument.([]any)
	switch function {
	case "Ref":
		return d.ref(argument.(string)), true
	case "Fn::GetAtt":
		return d.attribute(list[0].(string), list[1].(string)), true
	case "Fn::Join":
		var parts []string
		for _, part := range d.resolve(list[1]).([]any) {
			parts = append(parts, part.(string))
		}
		return strings.Join(parts, list[0].(string)), true
	case "Fn::Sub":
		return strings.NewReplacer("${AWS::AccountId}", account, "${AWS::Region}", d.region).Replace(argument.(string)), true
	case "Fn::Equals":
		return d.resolve(list[0]) == d.resolve(list[1]), true
	case "Fn::Or":
		return slices.Contains(d.resolve(argument).([]any), any(true)), true
	case "Fn::If":
		if d.holds(list[0].(string)) {
			return d.resolve(list[1]), true
		}
		return d.resolve(list[2]), true
	}
	return nil, false
}

// names are the properties that hold physical names, and the ARNs made from them.
var names = map[string]struct{ property, arn string }{
	"AWS::Lambda::Function":            {"FunctionName", "arn:%s:lambda:%s:%s:function:%s"},
	"AWS::IAM::Role":                   {"RoleName", "arn:%s:iam:%.0s:%s:role/%s"},
	"AWS::SQS::Queue":                  {"QueueName", "arn:%s:sqs:%s:%s:%s"},
	"AWS::SNS::Topic":                  {"TopicName", "arn:%s:sns:%s:%s:%s"},
	"AWS::Events::Rule":                {"Name", "arn:%s:events:%s:%s:rule/%s"},
	"AWS::Logs::LogGroup":              {"LogGroupName", "arn:%s:logs:%s:%s:log-group:%s:*"},
	"AWS::CloudWatch::Alarm":           {"AlarmName", "arn:%s:cloudwatch:%s:%s:alarm:%s"},
	"AWS::CloudWatch::Dashboard":       {"DashboardName", "arn:%s:cloudwatch:%.0s:%s:dashboard/%s"},
	"AWS::CloudTrail::Trail":           {"TrailName", "arn:%s:cloudtrail:%s:%s:trail/%s"},
	"AWS::S3::Bucket":                  {"BucketName", "arn:%s:s3:%.0s:%.0s:%s"},
	"AWS::StepFunctions::StateMachine": {"StateMachineName", "arn:%s:states:%s:%s:stateMachine:%s"},
	"AWS::Scheduler::Schedule":         {"Name", "arn:%s:scheduler:%s:%s:schedule/default/%s"},
	"AWS::KMS::Key":                    {"KeyId", "arn:%s:kms:%s:%s:key/%s"},
}

// name is the physical one. Where the template gives none, CloudFormation makes
// one from the stack's and the logical ID.
func (d *deployed) name(id string) string {
	resource := d.template["Resources"].(object)[id].(object)
	kind := resource["Type"].(string)
	if kind == "AWS::KMS::Key" {
		if strings.Contains(id, "Seen") {
			return "5678cdef-12ab-34cd-56ef-1234567890ab"
		}
		return "1234abcd-12ab-34cd-56ef-1234567890ab"
	}
	properties, _ := resource["Properties"].(object)
	if name, ok := properties[names[kind].property]; ok {
		return d.resolve(name).(string)
	}
	if kind == "AWS::S3::Bucket" {
		return strings.ToLower(d.stack + "-" + id + "-EXAMPLE12345")
	}
	return d.stack + "-" + id + "-EXAMPLE12345"
}

func (d *deployed) arn(id string) string {
	kind := d.template["Resources"].(object)[id].(object)["Type"].(string)
	return fmt.Sprintf(names[kind].arn, d.partition, d.region, account, d.name(id))
}

func (d *deployed) ref(id string) string {
	switch id {
	case "AWS::Partition":
		return d.partition
	case "AWS::Region":
		return d.region
	case "AWS::AccountId":
		return account
	case "AWS::StackName":
		return d.stack
	case "AWS::URLSuffix":
		return "amazonaws.com"
	}
	switch d.template["Resources"].(object)[id].(object)["Type"] {
	case "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine":
		return d.arn(id)
	case "AWS::SQS::Queue":
		return "https://sqs." + d.region + ".amazonaws.com/" + account + "/" + d.name(id)
	}
	return d.name(id)
}

func (d *deployed) attribute(id, name string) string {
	if name == "Arn" {
		return d.arn(id)
	}
	return d.name(id)
}

// all returns the logical IDs of the resources of a type, sorted.
func (d *deployed) all(kind string) []string {
	var ids []string
	for id, resource := range d.resources {
		if resource["Type"] == kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// property returns what is at a path like "Targets.0.Arn", or nil.
func property(of any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch v := of.(type) {
		case object:
			of = v[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				return nil
			}
			of = v[i]
		default:
			return nil
		}
	}
	return of
}
