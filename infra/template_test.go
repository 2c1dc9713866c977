package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/google/go-cmp/cmp"
	"quamina.net/go/quamina"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sink"
	"lambda-guardrail/internal/sweep"
	"lambda-guardrail/testdata"
)

var everything = object{
	"mode": "enforce", "functionUrls": "enforce", "trail": "create", "email": "oncall@example.com",
	"trustedAccounts": "444455556666", "trustedOrgs": "o-a1b2c3d4e5", "exemptions": "exemptions.json",
	"chat": "on", "securityHub": "on", "eventBus": "security", "maxReverts": "20", "quotaShare": "25",
}

func TestEverySentenceAboutTheStackIsInTheTemplate(t *testing.T) {
	d := deploy(t, synthesize(t, everything), frankfurt)
	const name, arn = "lambda-guardrail-", ":eu-central-1:111122223333:"
	for _, test := range []struct {
		says string
		kind string
		id   string // how the logical ID begins, without "Guardrail"
		path string
		want any
	}{
		{"the rule listens on the default bus", "Events::Rule", "Rule", "EventBusName", nil},
		{"the rule is on", "Events::Rule", "Rule", "State", "ENABLED"},
		{"the rule fills the queue", "Events::Rule", "Rule", "Targets.0.Arn", "arn:aws:sqs" + arn + "lambda-guardrail-events"},
		{"and nothing else", "Events::Rule", "Rule", "Targets.1", nil},
		{"an event is delivered within the hour", "Events::Rule", "Rule", "Targets.0.RetryPolicy.MaximumEventAgeInSeconds", 3600.0},
		{"until then it is tried again", "Events::Rule", "Rule", "Targets.0.RetryPolicy.MaximumRetryAttempts", 185.0},
		{"what cannot be delivered is kept", "Events::Rule", "Rule", "Targets.0.DeadLetterConfig.Arn", "arn:aws:sqs" + arn + "lambda-guardrail-undelivered"},
		{"the function has a runtime that is supported", "Lambda::Function", "Respond", "Runtime", "provided.al2023"},
		{"the function is for arm64", "Lambda::Function", "Respond", "Architectures", []any{"arm64"}},
		{"the function logs JSON", "Lambda::Function", "Respond", "LoggingConfig.LogFormat", "JSON"},
		{"the function logs to a group of ours", "Lambda::Function", "Respond", "LoggingConfig.LogGroup", name + d.all("AWS::Logs::LogGroup")[0] + "-EXAMPLE12345"},
		{"findings are not filtered out", "Lambda::Function", "Respond", "LoggingConfig.ApplicationLogLevel", "INFO"},
		{"the function is traced", "Lambda::Function", "Respond", "TracingConfig.Mode", "Active"},
		{"the function has some executions of its own", "Lambda::Function", "Respond", "ReservedConcurrentExecutions", 5.0},
		{"settings reach the function", "Lambda::Function", "Respond", "Environment.Variables", object{
			"GUARDRAIL_MODE": "enforce", "GUARDRAIL_FUNCTION_URLS": "enforce", "GUARDRAIL_TRUSTED_ACCOUNTS": "444455556666", "GUARDRAIL_TRUSTED_ORGS": "o-a1b2c3d4e5",
			"GUARDRAIL_EXEMPTIONS": "exemptions.json", "GUARDRAIL_OWN_ROLES": "arn:aws:iam::111122223333:role/lambda-guardrail-respond-eu-central-1,arn:aws:iam::111122223333:role/lambda-guardrail-sweep-eu-central-1",
			"GUARDRAIL_TOPIC": "arn:aws:sns" + arn + "lambda-guardrail-findings", "GUARDRAIL_CHAT_TOPIC": "arn:aws:sns" + arn + "lambda-guardrail-chat",
			"GUARDRAIL_SECURITY_HUB": "on", "GUARDRAIL_EVENT_BUS": "security", "GUARDRAIL_MAX_REVERTS": "20", "GUARDRAIL_QUOTA_SHARE": "25",
		}},
		{"the queue is read for the function", "Lambda::EventSourceMapping", "Mapping", "FunctionName", name + "respond"},
		{"it is read", "Lambda::EventSourceMapping", "Mapping", "EventSourceArn", "arn:aws:sqs" + arn + "lambda-guardrail-events"},
		{"one event is one invocation", "Lambda::EventSourceMapping", "Mapping", "BatchSize", 1.0},
		{"no event waits for others", "Lambda::EventSourceMapping", "Mapping", "MaximumBatchingWindowInSeconds", nil},
		{"every event is for the function", "Lambda::EventSourceMapping", "Mapping", "FilterCriteria", nil},
		{"the reading is not off", "Lambda::EventSourceMapping", "Mapping", "Enabled", nil},
		{"an event that fails is tried again", "SQS::Queue", "Events", "RedrivePolicy.maxReceiveCount", 10.0},
		{"soon", "SQS::Queue", "Events", "VisibilityTimeout", 150.0},
		{"an event that is given up is kept", "SQS::Queue", "Events", "RedrivePolicy.deadLetterTargetArn", "arn:aws:sqs" + arn + "lambda-guardrail-failed"},
		{"as are those of no other queue", "SQS::Queue", "Failed", "RedriveAllowPolicy", object{"redrivePermission": "byQueue", "sourceQueueArns": []any{"arn:aws:sqs" + arn + "lambda-guardrail-events"}}},
		{"no other queue has its letters among the events", "SQS::Queue", "Events", "RedriveAllowPolicy", object{"redrivePermission": "denyAll"}},
		{"nor among those undelivered", "SQS::Queue", "Undelivered", "RedriveAllowPolicy", object{"redrivePermission": "denyAll"}},
		{"events are encrypted", "SQS::Queue", "Events", "SqsManagedSseEnabled", true},
		{"events wait for two weeks", "SQS::Queue", "Events", "MessageRetentionPeriod", 1209600.0},
		{"an event that waits for a quarter of an hour is told of", "CloudWatch::Alarm", "WaitingAlarm", "Threshold", 900.0},
		{"it is the oldest", "CloudWatch::Alarm", "WaitingAlarm", "MetricName", "ApproximateAgeOfOldestMessage"},
		{"of the events", "CloudWatch::Alarm", "WaitingAlarm", "Dimensions", []any{object{"Name": "QueueName", "Value": name + "events"}}},
		{"the log is kept for a year", "Logs::LogGroup", "Log", "RetentionInDays", 365.0},
		{"alarms go to an encrypted topic", "SNS::Topic", "Topic", "KmsMasterKeyId", "arn:aws:kms" + arn + "key/1234abcd-12ab-34cd-56ef-1234567890ab"},
		{"findings go to an encrypted topic", "SNS::Topic", "Findings", "KmsMasterKeyId", "arn:aws:kms" + arn + "key/1234abcd-12ab-34cd-56ef-1234567890ab"},
		{"chat has an encrypted topic", "SNS::Topic", "Chat", "KmsMasterKeyId", "arn:aws:kms" + arn + "key/1234abcd-12ab-34cd-56ef-1234567890ab"},
		{"the key rotates", "KMS::Key", "Key", "EnableKeyRotation", true},
		{"a person hears of alarms", "SNS::Subscription", "Topic", "Endpoint", "oncall@example.com"},
		{"of every alarm", "SNS::Subscription", "Topic", "FilterPolicy", nil},
		{"a person hears of findings", "SNS::Subscription", "Findings", "Endpoint", "oncall@example.com"},
		{"of those that matter", "SNS::Subscription", "Findings", "FilterPolicy", object{"severity": []any{"critical", "high", "medium"}}},
		{"the sweep has a quarter of an hour", "Lambda::Function", "Sweep", "Timeout", 900.0},
		{"the sweep is of the same mode", "Lambda::Function", "Sweep", "Environment.Variables.GUARDRAIL_MODE", "enforce"},
		{"the sweep knows where it keeps what it has seen", "Lambda::Function", "Sweep", "Environment.Variables.GUARDRAIL_SEEN_KEY", "arn:aws:kms" + arn + "key/5678cdef-12ab-34cd-56ef-1234567890ab"},
		{"what was seen goes after 90 days", "S3::Bucket", "Seen", "LifecycleConfiguration.Rules.0.ExpirationInDays", 90.0},
		{"nobody else reads what was seen", "S3::Bucket", "Seen", "PublicAccessBlockConfiguration", object{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}},
		{"the incremental sweep is daily", "Scheduler::Schedule", "IncrementalSchedule", "ScheduleExpression", "rate(1 day)"},
		{"it is told so", "Scheduler::Schedule", "IncrementalSchedule", "Target.Input", `{"run":"incremental"}`},
		{"the full sweep is weekly", "Scheduler::Schedule", "FullSchedule", "ScheduleExpression", "rate(7 days)"},
		{"it is told so, too", "Scheduler::Schedule", "FullSchedule", "Target.Input", `{"run":"full"}`},
		{"a schedule starts the state machine", "Scheduler::Schedule", "FullSchedule", "Target.Arn", "arn:aws:states" + arn + "stateMachine:lambda-guardrail-sweep"},
		{"a start that fails is kept", "Scheduler::Schedule", "FullSchedule", "Target.DeadLetterConfig.Arn", "arn:aws:sqs" + arn + "lambda-guardrail-undelivered"},
		{"letters undelivered are encrypted", "SQS::Queue", "Undelivered", "SqsManagedSseEnabled", true},
		{"letters given up are encrypted", "SQS::Queue", "Failed", "SqsManagedSseEnabled", true},
		{"letters undelivered are kept for two weeks", "SQS::Queue", "Undelivered", "MessageRetentionPeriod", 1209600.0},
		{"letters given up are kept for two weeks", "SQS::Queue", "Failed", "MessageRetentionPeriod", 1209600.0},
		{"the trail logs", "CloudTrail::Trail", "Trail", "IsLogging", true},
		{"the trail logs management events", "CloudTrail::Trail", "Trail", "EventSelectors.0.IncludeManagementEvents", true},
		{"nobody else reads the trail", "S3::Bucket", "TrailBucket", "PublicAccessBlockConfiguration", object{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}},
		{"the dashboard is named after the region", "CloudWatch::Dashboard", "Dashboard", "DashboardName", "lambda-guardrail-eu-central-1"},
	} {
		t.Run(test.says, func(t *testing.T) {
			id := find(t, d, "AWS::"+test.kind, test.id)
			if diff := cmp.Diff(test.want, property(d.resources[id]["Properties"], test.path)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func find(t *testing.T, d *deployed, kind, begins string) string {
	t.Helper()
	var found []string
	for _, id := range d.all(kind) {
		if rest, ok := strings.CutPrefix(id, "Guardrail"+begins); ok && regexp.MustCompile(`^.*[0-9A-F]{8}$`).MatchString(rest) {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		t.Fatalf("of the type %s these begin with %q: %q, want one", kind, begins, found)
	}
	return found[0]
}

func TestNothingIsLeftOutOfEveryKind(t *testing.T) {
	d := deploy(t, synthesize(t, everything), frankfurt)
	topic := d.arn(find(t, d, "AWS::SNS::Topic", "Topic"))
	heartbeat := find(t, d, "AWS::CloudWatch::Alarm", "HeartbeatAlarm")
	for _, id := range d.all("AWS::CloudWatch::Alarm") {
		p := d.resources[id]["Properties"].(object)
		silence := map[bool]string{true: "breaching", false: "notBreaching"}[id == heartbeat]
		if !cmp.Equal(p["AlarmActions"], any([]any{topic})) || p["TreatMissingData"] != silence || p["AlarmDescription"] == "" {
			t.Errorf("%s tells nobody, or is raised by silence, or does not say what to do: %v", id, p)
		}
	}
	if got, want := len(d.all("AWS::CloudWatch::Alarm")), 10; got != want {
		t.Errorf("%d alarms, want %d", got, want)
	}
	var denied []any
	for _, kind := range []string{"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"} {
		for _, id := range d.all(kind) {
			for _, s := range property(d.resources[id], "Properties.PolicyDocument.Statement").([]any) {
				if property(s, "Effect") == "Deny" && property(s, "Condition.Bool.aws:SecureTransport") == "false" {
					denied = append(denied, property(d.resources[id], "Properties"))
				}
			}
		}
	}
	if len(denied) != 8 {
		t.Errorf("%d of three queues, three topics and two buckets refuse what is not encrypted on its way", len(denied))
	}
	for _, kind := range []string{"AWS::Logs::LogGroup", "AWS::S3::Bucket"} {
		for _, id := range d.all(kind) {
			if d.resources[id]["DeletionPolicy"] != "Retain" || d.resources[id]["UpdateReplacePolicy"] != "Retain" {
				t.Errorf("%s goes with the stack, and it holds evidence", id)
			}
		}
	}
}

func TestTheTopicAndItsKeyTakeMessagesOfEventsAndAlarmsOnly(t *testing.T) {
	d := deploy(t, synthesize(t, nil), frankfurt)
	alarms := object{
		"StringEquals": object{"aws:SourceAccount": account},
		"ArnLike":      object{"aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:lambda-guardrail-*"},
	}
	for _, test := range []struct {
		what   string
		policy any
		action any
	}{
		{"topic", property(d.resources[find(t, d, "AWS::SNS::TopicPolicy", "Topic")], "Properties.PolicyDocument.Statement"), "sns:Publish"},
		{"key", property(d.resources[find(t, d, "AWS::KMS::Key", "Key")], "Properties.KeyPolicy.Statement"), []any{"kms:Decrypt", "kms:GenerateDataKey*"}},
	} {
		got := map[any]any{}
		for _, s := range test.policy.([]any) {
			if property(s, "Effect") == "Allow" && property(s, "Principal.Service") != nil {
				if diff := cmp.Diff(test.action, property(s, "Action")); diff != "" {
					t.Errorf("%s: %s", test.what, diff)
				}
				got[property(s, "Principal.Service")] = property(s, "Condition")
			}
		}
		want := map[any]any{"events.amazonaws.com": nil, "cloudwatch.amazonaws.com": alarms}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", test.what, diff)
		}
	}
}

// The queue's reader must never call the function more often at once than it may run.
func TestConcurrencyIsReservedAndKeptTo(t *testing.T) {
	for _, test := range []struct {
		context  object
		reserved any
		atOnce   float64
	}{
		{object{"mode": "audit"}, nil, 5},
		{object{"mode": "enforce"}, 5.0, 5},
		{object{"mode": "enforce", "reservedConcurrency": "0"}, nil, 5},
		{object{"mode": "audit", "reservedConcurrency": "7"}, 7.0, 7},
		{object{"mode": "enforce", "reservedConcurrency": "2"}, 2.0, 2},
	} {
		d := deploy(t, synthesize(t, test.context), frankfurt)
		function := d.resources[find(t, d, "AWS::Lambda::Function", "Respond")]
		if got := property(function, "Properties.ReservedConcurrentExecutions"); got != test.reserved {
			t.Errorf("%v: %v are reserved, want %v", test.context, got, test.reserved)
		}
		mapping := d.resources[find(t, d, "AWS::Lambda::EventSourceMapping", "Mapping")]
		if got := property(mapping, "Properties.ScalingConfig.MaximumConcurrency"); got != test.atOnce {
			t.Errorf("%v: %v at once, want %v", test.context, got, test.atOnce)
		}
	}
}

// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: Lambda
// refuses a mapping whose queue shows an event again while the function may run.
func TestAnEventIsOutOfSightForAsLongAsTheFunctionMayRun(t *testing.T) {
	d := deploy(t, synthesize(t, nil), frankfurt)
	hidden := property(d.resources[find(t, d, "AWS::SQS::Queue", "Events")], "Properties.VisibilityTimeout").(float64)
	runs := property(d.resources[find(t, d, "AWS::Lambda::Function", "Respond")], "Properties.Timeout").(float64)
	if hidden < runs {
		t.Errorf("out of sight for %v s, and the function may run for %v s", hidden, runs)
	}
}

func TestNobodyButTheQueuesReaderCallsTheFunction(t *testing.T) {
	d := deploy(t, synthesize(t, everything), frankfurt)
	for _, kind := range []string{"AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"} {
		for _, id := range d.all(kind) {
			if property(d.resources[id], "Properties.FunctionName") != ours+"sweep" {
				t.Errorf("%s is of the time when EventBridge called the function", id)
			}
		}
	}
}

// Only the rule puts events in, and the function alone takes them out. The rule comes
// after the policy: what it delivers before would be refused.
func TestThePolicyOfTheQueue(t *testing.T) {
	d := deploy(t, synthesize(t, everything), frankfurt)
	id := find(t, d, "AWS::SQS::QueuePolicy", "Events")
	const queue = " on arn:aws:sqs:eu-central-1:111122223333:lambda-guardrail-events"
	const others = ` if {"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/lambda-guardrail-respond-eu-central-1"}}`
	want := []string{
		"Allow sqs:SendMessage" + queue + ` if {"ArnEquals":{"aws:SourceArn":"arn:aws:events:eu-central-1:111122223333:rule/lambda-guardrail-guarded-calls"}}`,
		"Deny sqs:*" + queue + ` if {"Bool":{"aws:SecureTransport":"false"}}`,
		"Deny sqs:ChangeMessageVisibility" + queue + others, "Deny sqs:DeleteMessage" + queue + others, "Deny sqs:ReceiveMessage" + queue + others,
	}
	policy := property(d.resources[id], "Properties.PolicyDocument.Statement").([]any)
	if diff := cmp.Diff(want, listed(t, policy)); diff != "" {
		t.Error(diff)
	}
	for _, s := range policy {
		want := any(object{"AWS": "*"})
		if property(s, "Effect") == "Allow" {
			want = object{"Service": "events.amazonaws.com"}
		}
		if diff := cmp.Diff(want, property(s, "Principal")); diff != "" {
			t.Errorf("%v: %s", property(s, "Sid"), diff)
		}
	}
	for _, id := range []string{id, find(t, d, "AWS::SQS::QueuePolicy", "Undelivered")} {
		if rule := d.resources[find(t, d, "AWS::Events::Rule", "Rule")]; !slices.Contains(textList(rule["DependsOn"]), id) {
			t.Errorf("the rule waits for %v, and not for %s", rule["DependsOn"], id)
		}
	}
}

func TestWhatIsNotAskedForIsNotThere(t *testing.T) {
	d := deploy(t, synthesize(t, nil), frankfurt)
	for _, kind := range []string{"AWS::SNS::Subscription", "AWS::CloudTrail::Trail", "Custom::LogRetention", "AWS::IAM::ManagedPolicy"} {
		if ids := d.all(kind); ids != nil {
			t.Errorf("there are %s: %q", kind, ids)
		}
	}
}

// A pattern that matches too little is blind, and one that matches too much is
// paid for: the corpus says what is right.
func TestTheDeployedRuleSelectsTheCorpus(t *testing.T) {
	d := deploy(t, synthesize(t, nil), frankfurt)
	q := patterns(t, d, find(t, d, "AWS::Events::Rule", "Rule"))
	for folder, want := range map[string]bool{"events/guarded": true, "events/ignored": false} {
		entries, err := testdata.Files.ReadDir(folder)
		if err != nil || len(entries) == 0 {
			t.Fatal(folder, err)
		}
		for _, entry := range entries {
			text, err := testdata.Files.ReadFile(folder + "/" + entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			if selected := len(matches(t, q, text)) > 0; selected != want {
				t.Errorf("%s/%s: selected is %t", folder, entry.Name(), selected)
			}
		}
	}
}

func patterns(t *testing.T, d *deployed, rules ...string) *quamina.Quamina {
	t.Helper()
	q, err := quamina.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range rules {
		text, err := json.Marshal(property(d.resources[id], "Properties.EventPattern"))
		if err != nil {
			t.Fatal(err)
		}
		if err := q.AddPattern(id, string(text)); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	return q
}

func matches(t *testing.T, q *quamina.Quamina, event []byte) []string {
	t.Helper()
	found, err := q.MatchesForEvent(event)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, x := range found {
		ids = append(ids, x.(string))
	}
	slices.Sort(ids)
	return ids
}

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
func TestPatternsNamesAndPoliciesAreWithinTheQuotas(t *testing.T) {
	longest := object{"name": strings.Repeat("n", 32), "mode": "enforce"}
	d := deploy(t, synthesize(t, longest), place{"aws-us-gov", "us-gov-west-1"})
	d.stack = strings.Repeat("n", 32)
	for _, id := range d.all("AWS::Events::Rule") {
		p := d.resources[id]["Properties"]
		text, err := json.Marshal(property(p, "EventPattern"))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 2048 {
			t.Errorf("the pattern of %s has %d characters, EventBridge takes 2048", id, len(text))
		}
		if template, _ := property(p, "Targets.0.InputTransformer.InputTemplate").(string); len(template) > 8192 {
			t.Errorf("the template of %s has %d characters, EventBridge takes 8192", id, len(template))
		}
	}
	for kind, most := range map[string]int{"AWS::Events::Rule": 64, "AWS::IAM::Role": 64, "AWS::Lambda::Function": 64, "AWS::SQS::Queue": 80, "AWS::SNS::Topic": 256, "AWS::CloudWatch::Alarm": 255, "AWS::StepFunctions::StateMachine": 80, "AWS::Scheduler::Schedule": 64} {
		for _, id := range d.all(kind) {
			if name := d.name(id); len(name) > most {
				t.Errorf("%s has the name %s of %d characters, AWS takes %d", id, name, len(name), most)
			}
		}
	}
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
	for _, id := range d.all("AWS::SQS::QueuePolicy") {
		if n := len(property(d.resources[id], "Properties.PolicyDocument.Statement").([]any)); n > 10 {
			t.Errorf("%s has %d statements with conditions, SQS takes 10", id, n)
		}
	}
}

func TestNoAccountAndNoPartitionIsWrittenDown(t *testing.T) {
	for name, context := range map[string]object{
		"anywhere":   {"mode": "enforce", "trail": "create"},
		"one region": {"regions": "eu-central-1"},
	} {
		text, err := json.Marshal(synthesize(t, context))
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{`arn:aws[a-z-]*:`, `\b[0-9]{12}\b`} {
			if at := regexp.MustCompile(wrong).Find(text); at != nil {
				t.Errorf("%s: the template has %s", name, at)
			}
		}
	}
}

func TestOtherPartitionsGetTheirOwnARNsAndConsole(t *testing.T) {
	template := synthesize(t, everything)
	for _, test := range []struct {
		place
		console string
	}{
		{frankfurt, "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/lambda-guardrail-eu-central-1"},
		{beijing, "https://cn-north-1.console.amazonaws.cn/cloudwatch/home?region=cn-north-1#dashboards/dashboard/lambda-guardrail-cn-north-1"},
		{govCloud, "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudwatch/home?region=us-gov-west-1#dashboards/dashboard/lambda-guardrail-us-gov-west-1"},
	} {
		d := deploy(t, template, test.place)
		if got := d.resolve(property(template, "Outputs.DashboardUrl.Value")); got != test.console {
			t.Errorf("%v: the dashboard is at %v, want %s", test.place, got, test.console)
		}
		text, err := json.Marshal(d.resources)
		if err != nil {
			t.Fatal(err)
		}
		for _, arn := range regexp.MustCompile(`arn:aws[a-z-]*:`).FindAllString(string(text), -1) {
			if arn != "arn:"+test.partition+":" {
				t.Errorf("%v: there is %s", test.place, arn)
			}
		}
	}
}

func TestOutputs(t *testing.T) {
	template := synthesize(t, nil)
	d := deploy(t, template, frankfurt)
	got := map[string]any{}
	for name, output := range template["Outputs"].(object) {
		got[name] = d.resolve(property(output, "Value"))
	}
	want := map[string]any{
		"Mode":              "audit",
		"FunctionUrls":      "audit",
		"RuleName":          "lambda-guardrail-guarded-calls",
		"FunctionName":      "lambda-guardrail-respond",
		"LogGroupName":      "lambda-guardrail-" + d.all("AWS::Logs::LogGroup")[0] + "-EXAMPLE12345",
		"TopicArn":          "arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-alerts",
		"FindingsTopicArn":  "arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-findings",
		"SweepFunctionName": "lambda-guardrail-sweep",
		"StateMachineArn":   "arn:aws:states:eu-central-1:111122223333:stateMachine:lambda-guardrail-sweep",
		"DashboardUrl":      "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/lambda-guardrail-eu-central-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRegionsAndModesOfOneList(t *testing.T) {
	stacks := newStacks(t, newApp(t, object{"regions": []any{"eu-central-1", "us-east-1:enforce"}}))
	var got []string
	for _, s := range stacks {
		got = append(got, *s.Node().Id()+" "+*s.StackName()+" "+*s.Region()+" "+property(templateOf(s), "Outputs.Mode.Value").(string))
	}
	want := []string{
		"lambda-guardrail-eu-central-1 lambda-guardrail eu-central-1 audit",
		"lambda-guardrail-us-east-1 lambda-guardrail us-east-1 enforce",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Four guardrails, two in each of two regions, in one app and account.
func TestNamesDoNotClash(t *testing.T) {
	app := newApp(t, object{"regions": "eu-central-1,us-east-1"})
	c, err := settings(app)
	if err != nil {
		t.Fatal(err)
	}
	var stacks []awscdk.Stack
	for name, mode := range map[string]guard.Mode{"lambda-guardrail": guard.Audit, "trial": guard.Enforce} {
		c.Stack.Name = name
		for i := range c.Stack.Regions {
			c.Stack.Regions[i].Mode = mode
		}
		stacks = append(stacks, NewStacks(app, c, fixture, fixture)...)
	}
	taken := map[string]string{}
	for _, stack := range stacks {
		d := deploy(t, templateOf(stack), place{"aws", *stack.Region()})
		d.stack = *stack.StackName()
		for id, resource := range d.resources {
			kind := resource["Type"].(string)
			if _, named := names[kind]; !named || kind == "AWS::KMS::Key" || kind == "AWS::S3::Bucket" {
				continue // what CloudFormation names does not clash
			}
			arn, owner := d.arn(id), *stack.Node().Id()+" "+id
			if other, clash := taken[arn]; clash {
				t.Errorf("%s is both %s and %s", arn, owner, other)
			}
			taken[arn] = owner
		}
	}
	if len(taken) < 100 {
		t.Errorf("only %d names were compared", len(taken))
	}
}

// What alarms and dashboard look at must be what the function writes.
func TestMetricsAndFieldsAreThoseOfTheLog(t *testing.T) {
	d := deploy(t, synthesize(t, object{"mode": "enforce"}), frankfurt)
	written := map[string]bool{}
	var line object
	for _, outcome := range []guard.Outcome{guard.Audited, guard.NeedsReview, guard.Reverted, guard.AlreadyGone, guard.Failed} {
		for _, mode := range []guard.Mode{guard.Audit, guard.Enforce} {
			var out bytes.Buffer
			now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
			f := guard.Finding{Outcome: outcome, Mode: mode, Verdict: exposure.Verdict{Level: exposure.Public}, OpenedAt: now, ClosedAt: now, Sid: "s", Call: "c", Actor: guard.Actor{ARN: "a", Source: "s"}}
			if err := sink.NewLog(&out, func() time.Time { return now }).Report(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			line = object{}
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			for _, k := range metricsOf(line) {
				written[k] = true
			}
		}
	}
	var out bytes.Buffer
	log := sink.NewLog(&out, time.Now)
	if err := log.Swept(sweep.Full, sweep.Result{Done: true}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range apiErrors {
		log.APIError("GetPolicy", strings.ToLower(strings.TrimPrefix(name, "APIErrors")), "Code")
	}
	for text := range strings.Lines(out.String()) {
		var line object
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		for _, k := range metricsOf(line) {
			written[k] = true
		}
	}
	for _, name := range append([]string{"SweepHeartbeat"}, apiErrors[:]...) {
		if k := key(namespace, name, object{}); !written[k] {
			t.Errorf("nothing writes %s", k)
		}
	}
	read := 0
	for _, id := range d.all("AWS::CloudWatch::Alarm") {
		p := d.resources[id]["Properties"].(object)
		looked := []any{p}
		for _, m := range asList(p["Metrics"]) {
			looked = append(looked, property(m, "MetricStat.Metric"))
		}
		for _, m := range looked {
			if property(m, "Namespace") != namespace {
				continue
			}
			values := object{}
			for _, dimension := range asList(property(m, "Dimensions")) {
				values[property(dimension, "Name").(string)] = property(dimension, "Value")
			}
			read++
			if k := key(namespace, property(m, "MetricName"), values); !written[k] {
				t.Errorf("%s looks at %s, which nothing writes", id, k)
			}
		}
	}
	if read < 7 {
		t.Errorf("only %d metrics of ours are looked at", read)
	}
	body := property(d.resources[d.all("AWS::CloudWatch::Dashboard")[0]], "Properties.DashboardBody").(string)
	if !json.Valid([]byte(body)) {
		t.Errorf("the dashboard is not JSON: %s", body)
	}
	for _, field := range strings.Split(strings.TrimPrefix(latestFindings[0], "fields @timestamp, "), ", ") {
		if field = strings.Replace(field, "finding.resource.arn", "finding.resource", 1); property(line, field) == nil {
			t.Errorf("the dashboard lists %s, which the log does not have", field)
		}
	}
}

// metricsOf returns what CloudWatch makes of a line.
func metricsOf(line object) []string {
	var all []string
	for _, directive := range asList(property(line, "_aws.CloudWatchMetrics")) {
		for _, metric := range asList(property(directive, "Metrics")) {
			for _, set := range asList(property(directive, "Dimensions")) {
				values := object{}
				for _, dimension := range asList(set) {
					values[dimension.(string)] = line[dimension.(string)]
				}
				all = append(all, key(property(directive, "Namespace"), property(metric, "Name"), values))
			}
		}
	}
	return all
}

func key(namespace, metric any, dimensions object) string {
	text, _ := json.Marshal([]any{namespace, metric, dimensions})
	return string(text)
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// The golden template shows a reviewer each change of what is deployed.
func TestTemplateIsTheGoldenOne(t *testing.T) {
	const golden = "testdata/template.json"
	got, err := json.MarshalIndent(synthesize(t, everything), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the template has changed; go test ./infra -update accepts that:\n%s", diff)
	}
}
