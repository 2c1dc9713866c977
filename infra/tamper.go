package main

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/jsii-runtime-go"
)

// iamRegions are where the calls to IAM of each partition are recorded:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html
var iamRegions = [...]string{"us-east-1", "us-gov-west-1", "cn-north-1"}

// tampering is one kind of call against the guardrail's own parts: a rule of its
// own, whose pattern stays far below what EventBridge takes.
type tampering struct {
	name      string
	service   string   // that of the record's eventSource
	calls     []string // how their names begin: Lambda's end in the date of the API
	parameter string   // of the request, or with a dot a path in the record, that says whose part it is
	ours      any      // matcher of the parameter; nil for any
}

func (g *Guardrail) tamperings() []tampering {
	begins := func(with string) any { return map[string]any{"prefix": with + *g.name("")} }
	holds := func(part *string) any { return map[string]any{"wildcard": "*" + *part + "*"} }
	stack := map[string]any{"wildcard": "*" + *g.stack.StackName() + "*"}
	return []tampering{
		{"rules", "events", []string{"DisableRule", "DeleteRule", "PutRule"}, "name", begins("")},
		{"targets", "events", []string{"RemoveTargets", "PutTargets"}, "rule", begins("")},
		{"functions", "lambda", []string{
			"DeleteFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "PutFunctionConcurrency", "PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig",
			"AddPermission", "RemovePermission", "PutResourcePolicy", "DeleteResourcePolicy",
		}, "functionName", holds(g.name(""))},
		// No record of these has been published. This is how the API calls the parameter.
		{"policies", "lambda", []string{"PutResourcePolicy", "DeleteResourcePolicy"}, "resourceArn", holds(g.name(""))},
		// The request names a mapping by an id; the answer has the queue, also when the
		// mapping goes to another function then. A call that is refused has neither.
		// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteEventSourceMapping.html
		{"mapping", "lambda", []string{"CreateEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping"}, "responseElements.eventSourceArn", g.events.QueueArn()},
		{"topic", "sns", []string{"DeleteTopic", "SetTopicAttributes", "AddPermission", "RemovePermission"}, "topicArn", holds(g.name(""))},
		{"subscriptions", "sns", []string{"Unsubscribe", "SetSubscriptionAttributes"}, "subscriptionArn", holds(g.name(""))},
		{"queues", "sqs", []string{"DeleteQueue", "SetQueueAttributes", "PurgeQueue", "AddPermission", "RemovePermission"}, "queueUrl", holds(g.name(""))},
		// A key of theirs, a copy to them, or a mask over what was removed. Each call names
		// the group by its own parameter, some by the ARN too.
		// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html
		{"log", "logs", []string{
			"DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey", "PutSubscriptionFilter",
		}, "logGroupName", g.Log.LogGroupName()},
		{"log-key", "logs", []string{"AssociateKmsKey", "DisassociateKmsKey"}, "resourceIdentifier", holds(g.Log.LogGroupName())},
		{"log-masks", "logs", []string{"PutDataProtectionPolicy"}, "logGroupIdentifier", holds(g.Log.LogGroupName())},
		// Masks or copies every group's lines, or makes no metrics of them.
		// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html
		{"log-account", "logs", []string{"PutAccountPolicy"}, "policyName", nil},
		{"alarms", "monitoring", []string{"DeleteAlarms", "DisableAlarmActions"}, "alarmNames", begins("")},
		{"alarm", "monitoring", []string{"PutMetricAlarm", "SetAlarmState"}, "alarmName", begins("")},
		{"schedules", "scheduler", []string{"DeleteSchedule", "UpdateSchedule"}, "name", begins("")},
		{"machine", "states", []string{"DeleteStateMachine", "UpdateStateMachine"}, "stateMachineArn", holds(g.name(""))},
		{"runs", "states", []string{"StopExecution", "RedriveExecution"}, "executionArn", holds(g.name(""))},
		{"bucket", "s3", []string{"DeleteBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketLifecycle", "PutBucketEncryption", "PutBucketPublicAccessBlock"}, "bucketName", g.seen.BucketName()},
		{"stack", "cloudformation", []string{"DeleteStack", "UpdateStack", "ExecuteChangeSet"}, "stackName", stack},
		{"key", "kms", []string{"ScheduleKeyDeletion", "DisableKey", "PutKeyPolicy"}, "keyId", holds(g.key.KeyId())},
		{"seen-key", "kms", []string{"ScheduleKeyDeletion", "DisableKey", "PutKeyPolicy", "CreateGrant"}, "keyId", holds(g.seenKey.KeyId())},
		// Any trail may be the one that feeds the rule.
		{"trail", "cloudtrail", []string{"StopLogging", "DeleteTrail", "UpdateTrail"}, "name", nil},
		{"trail-selectors", "cloudtrail", []string{"PutEventSelectors"}, "trailName", nil},
		{"role", "iam", []string{
			"DeleteRole", "UpdateAssumeRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy",
			"PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary",
		}, "roleName", begins("")},
	}
}

// addTamperRules makes calls against the guardrail's own parts known to people
// without the function, which may be what was tampered with. Calls that were
// refused are among them: somebody tried.
func (g *Guardrail) addTamperRules() {
	condition, possible := g.recordsIAM()
	for _, t := range g.tamperings() {
		if t.service == "iam" && !possible {
			continue
		}
		id := "Tamper" + strings.ToUpper(t.name[:1]) + t.name[1:]
		rule := awsevents.NewRule(g.Construct, &id, &awsevents.RuleProps{
			RuleName:     g.name("tamper-" + t.name),
			Description:  jsii.String("Calls against the guardrail's own parts: " + t.name),
			EventPattern: t.pattern(),
			Targets:      &[]awsevents.IRuleTarget{awseventstargets.NewSnsTopic(g.Topic, &awseventstargets.SnsTopicProps{Message: t.message(g.config.Stack.Name)})},
		})
		if g.chat != nil {
			rule.AddTarget(awseventstargets.NewSnsTopic(g.chat, &awseventstargets.SnsTopicProps{Message: t.chat(g.config.Stack.Name)}))
		}
		if t.service == "iam" && condition != nil {
			rule.Node().DefaultChild().(awsevents.CfnRule).CfnOptions().SetCondition(condition)
		}
	}
}

// recordsIAM reports whether calls to IAM can be seen in the stack's region. For a
// region that nobody knows yet, the condition says so when it is deployed.
func (g *Guardrail) recordsIAM() (condition awscdk.CfnCondition, possible bool) {
	if !*awscdk.Token_IsUnresolved(g.stack.Region()) {
		return nil, slices.Contains(iamRegions[:], *g.stack.Region())
	}
	var regions []awscdk.ICfnConditionExpression
	for _, region := range iamRegions {
		regions = append(regions, awscdk.Fn_ConditionEquals(g.stack.Region(), &region))
	}
	return awscdk.NewCfnCondition(g.Construct, jsii.String("RecordsIAM"), &awscdk.CfnConditionProps{Expression: awscdk.Fn_ConditionOr(regions...)}), true
}

// path is where the record has the parameter.
func (t tampering) path() (member, name string) {
	if member, name, found := strings.Cut(t.parameter, "."); found {
		return member, name
	}
	return "requestParameters", t.parameter
}

func (t tampering) pattern() *awsevents.EventPattern {
	var calls []any
	for _, call := range t.calls {
		calls = append(calls, map[string]any{"prefix": call})
	}
	detail := map[string]any{"eventSource": []any{t.service + ".amazonaws.com"}, "eventName": calls}
	if t.ours != nil {
		member, name := t.path()
		detail[member] = map[string]any{name: []any{t.ours}}
	}
	return &awsevents.EventPattern{
		Source:     awsevents.Match_Prefix(jsii.String("aws.")), // a source that nobody but AWS can use
		DetailType: jsii.Strings("AWS API Call via CloudTrail"),
		Detail:     &detail,
	}
}

func (t tampering) message(name string) awsevents.RuleTargetInput {
	field := func(path string) string { return *awsevents.EventField_FromPath(jsii.String("$." + path)) }
	member, part := t.path()
	return awsevents.RuleTargetInput_FromMultilineText(jsii.String(strings.Join([]string{
		name + " may have been tampered with: " + field("detail.eventName") + " on " + field("detail."+member+"."+part),
		"who: " + field("detail.userIdentity.arn") + " from " + field("detail.sourceIPAddress"),
		"when: " + field("detail.eventTime") + " in account " + field("account") + ", " + field("region"),
		"refused: " + field("detail.errorCode") + " (nothing here means that it was done)",
		"event: " + field("detail.eventID"),
		"Expected while " + name + " itself is deployed, paused or removed, and at no other time.",
	}, "\n")))
}

// chat is the same for chat, less the parameter: see chatMessage.
func (t tampering) chat(name string) awsevents.RuleTargetInput {
	return chatMessage(name+" may have been tampered with: "+t.name, []string{
		"Call: " + code("detail.eventName"),
		"Who: " + code("detail.userIdentity.principalId") + " of account " + code("detail.userIdentity.accountId") + " from " + code("detail.sourceIPAddress"),
		"When: " + code("detail.eventTime") + " in account " + code("account") + ", " + code("region"),
		"Refused: " + code("detail.errorCode") + " (nothing here means that it was done)",
		"Event: " + code("detail.eventID"),
	}, "Expected while "+name+" itself is deployed, paused or removed, and at no other time.", "The whole record is in CloudTrail under the event's id.")
}
