package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"quamina.net/go/quamina"
)

const ours, theirs = "lambda-guardrail-", "orders-"

// record is of a call with a parameter, or with a value in its answer: "answer.eventSourceArn".
func record(service, call, parameter string, value any) []byte {
	member := "requestParameters"
	if name, ok := strings.CutPrefix(parameter, "answer."); ok {
		member, parameter = "responseElements", name
	}
	text, _ := json.Marshal(object{
		"source": "aws." + service, "detail-type": "AWS API Call via CloudTrail",
		"detail": object{"eventSource": service + ".amazonaws.com", "eventName": call, member: object{parameter: value}},
	})
	return text
}

func tamperRules(t *testing.T, d *deployed) *quamina.Quamina {
	t.Helper()
	var rules []string
	for _, id := range d.all("AWS::Events::Rule") {
		if strings.HasPrefix(id, "GuardrailTamper") {
			rules = append(rules, id)
		}
	}
	return patterns(t, d, rules...)
}

func TestTamperingIsNoticedOnOurPartsOnly(t *testing.T) {
	d := deploy(t, synthesize(t, nil), virginia)
	q := tamperRules(t, d)
	log := d.name(d.all("AWS::Logs::LogGroup")[0])
	for _, test := range []struct {
		service, calls, parameter string
		ours, theirs              any
	}{
		{"events", "DisableRule DeleteRule PutRule", "name", ours + "guarded-calls", theirs + "rule"},
		{"events", "RemoveTargets PutTargets", "rule", ours + "guarded-calls", theirs + "rule"},
		{"lambda", "DeleteFunction20150331 UpdateFunctionCode20150331v2 UpdateFunctionConfiguration20150331v2 PutFunctionConcurrency20171031 DeleteFunctionConcurrency20171031 RemovePermission20150331v2 AddPermission20150331v2 PutFunctionEventInvokeConfig",
			"functionName", ours + "respond", theirs + "api"},
		{"lambda", "DeleteFunction20150331", "functionName", "arn:aws:lambda:us-east-1:111122223333:function:" + ours + "respond:live", "arn:aws:lambda:us-east-1:111122223333:function:orders"},
		{"lambda", "PutResourcePolicy DeleteResourcePolicy", "resourceArn", "arn:aws:lambda:us-east-1:111122223333:function:" + ours + "respond", "arn:aws:lambda:us-east-1:111122223333:function:orders"},
		{"sns", "DeleteTopic SetTopicAttributes", "topicArn", "arn:aws:sns:us-east-1:111122223333:" + ours + "alerts", "arn:aws:sns:us-east-1:111122223333:orders"},
		{"sns", "Unsubscribe SetSubscriptionAttributes", "subscriptionArn", "arn:aws:sns:us-east-1:111122223333:" + ours + "alerts:1234abcd", "arn:aws:sns:us-east-1:111122223333:orders:1234abcd"},
		{"lambda", "CreateEventSourceMapping20150331 UpdateEventSourceMapping20150331 DeleteEventSourceMapping20150331", "answer.eventSourceArn", "arn:aws:sqs:us-east-1:111122223333:" + ours + "events", "arn:aws:sqs:us-east-1:111122223333:orders"},
		{"sqs", "DeleteQueue SetQueueAttributes PurgeQueue AddPermission RemovePermission", "queueUrl", "https://sqs.us-east-1.amazonaws.com/111122223333/" + ours + "events", "https://sqs.us-east-1.amazonaws.com/111122223333/orders"},
		{"sqs", "DeleteQueue SetQueueAttributes PurgeQueue AddPermission RemovePermission", "queueUrl", "https://sqs.us-east-1.amazonaws.com/111122223333/" + ours + "failed", "https://sqs.us-east-1.amazonaws.com/111122223333/orders"},
		{"logs", "DeleteLogGroup PutRetentionPolicy AssociateKmsKey DisassociateKmsKey PutSubscriptionFilter", "logGroupName", log, "/aws/lambda/orders"},
		{"logs", "AssociateKmsKey DisassociateKmsKey", "resourceIdentifier", "arn:aws:logs:us-east-1:111122223333:log-group:" + log, "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/orders"},
		{"logs", "PutDataProtectionPolicy", "logGroupIdentifier", log, "/aws/lambda/orders"},
		{"logs", "PutDataProtectionPolicy", "logGroupIdentifier", "arn:aws:logs:us-east-1:111122223333:log-group:" + log, "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/orders"},
		{"logs", "PutAccountPolicy", "policyName", "no-metrics", nil},
		{"monitoring", "DeleteAlarms DisableAlarmActions", "alarmNames", []string{theirs + "errors", ours + "errors"}, []string{theirs + "errors"}},
		{"monitoring", "PutMetricAlarm SetAlarmState", "alarmName", ours + "errors", theirs + "errors"},
		{"sns", "DeleteTopic", "topicArn", "arn:aws:sns:us-east-1:111122223333:" + ours + "findings", "arn:aws:sns:us-east-1:111122223333:findings"},
		{"scheduler", "DeleteSchedule UpdateSchedule", "name", ours + "full", theirs + "full"},
		{"states", "DeleteStateMachine UpdateStateMachine", "stateMachineArn", "arn:aws:states:us-east-1:111122223333:stateMachine:" + ours + "sweep", "arn:aws:states:us-east-1:111122223333:stateMachine:orders"},
		{"states", "StopExecution", "executionArn", "arn:aws:states:us-east-1:111122223333:execution:" + ours + "sweep:1234abcd", "arn:aws:states:us-east-1:111122223333:execution:orders:1234abcd"},
		{"s3", "DeleteBucket PutBucketPolicy", "bucketName", d.name(find(t, d, "AWS::S3::Bucket", "Seen")), "orders"},
		{"kms", "ScheduleKeyDeletion CreateGrant", "keyId", d.arn(find(t, d, "AWS::KMS::Key", "SeenKey")), "arn:aws:kms:us-east-1:111122223333:key/00000000-12ab-34cd-56ef-1234567890ab"},
		{"cloudformation", "DeleteStack UpdateStack ExecuteChangeSet", "stackName", "lambda-guardrail", "orders"},
		{"cloudformation", "DeleteStack", "stackName", "arn:aws:cloudformation:us-east-1:111122223333:stack/lambda-guardrail/1234abcd", "arn:aws:cloudformation:us-east-1:111122223333:stack/orders/1234abcd"},
		{"kms", "ScheduleKeyDeletion DisableKey PutKeyPolicy", "keyId", d.arn(find(t, d, "AWS::KMS::Key", "Key")), "arn:aws:kms:us-east-1:111122223333:key/00000000-12ab-34cd-56ef-1234567890ab"},
		{"cloudtrail", "StopLogging DeleteTrail UpdateTrail", "name", "management-events", nil},
		{"cloudtrail", "PutEventSelectors", "trailName", "management-events", nil},
		{"iam", "DeleteRole PutRolePolicy DeleteRolePolicy AttachRolePolicy DetachRolePolicy UpdateAssumeRolePolicy PutRolePermissionsBoundary", "roleName", ours + "respond-us-east-1", theirs + "role"},
	} {
		for call := range strings.FieldsSeq(test.calls) {
			if got := matches(t, q, record(test.service, call, test.parameter, test.ours)); len(got) != 1 {
				t.Errorf("%s %s on %v: reported by %q, want one rule", test.service, call, test.ours, got)
			}
			if got := matches(t, q, record(test.service, call, test.parameter, test.theirs)); test.theirs != nil && len(got) > 0 {
				t.Errorf("%s %s on %v: reported by %q", test.service, call, test.theirs, got)
			}
		}
	}
	for _, harmless := range [][]byte{
		record("events", "DescribeRule", "name", ours+"guarded-calls"),
		record("lambda", "GetPolicy20150331v2", "functionName", ours+"respond"),
		record("lambda", "RemovePermission20150331v2", "functionName", "orders"),
		record("lambda", "GetEventSourceMapping20150331", "answer.eventSourceArn", "arn:aws:sqs:us-east-1:111122223333:"+ours+"events"),
		record("sqs", "GetQueueAttributes", "queueUrl", "https://sqs.us-east-1.amazonaws.com/111122223333/"+ours+"events"),
		record("cloudtrail", "LookupEvents", "name", "management-events"),
		bytes.Replace(record("cloudtrail", "StopLogging", "name", "t"), []byte(`"aws.cloudtrail"`), []byte(`"my.forgery"`), 1),
	} {
		if got := matches(t, q, harmless); len(got) > 0 {
			t.Errorf("%s is reported by %q", harmless, got)
		}
	}
}

func TestTamperMessagesGoStraightToTheTopicAndAreReadable(t *testing.T) {
	d := deploy(t, synthesize(t, nil), virginia)
	n := 0
	for _, id := range d.all("AWS::Events::Rule") {
		if !strings.HasPrefix(id, "GuardrailTamper") {
			continue
		}
		n++
		targets := property(d.resources[id], "Properties.Targets").([]any)
		if len(targets) != 1 || property(targets[0], "Arn") != d.arn(find(t, d, "AWS::SNS::Topic", "Topic")) {
			t.Errorf("%s goes to %v", id, targets)
		}
		template, _ := property(targets[0], "InputTransformer.InputTemplate").(string)
		for path := range property(targets[0], "InputTransformer.InputPathsMap").(object) {
			if !strings.Contains(template, "<"+path+">") {
				t.Errorf("%s reads %s and does not say it", id, path)
			}
		}
		for line := range strings.Lines(template) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, `"`) || !strings.HasSuffix(line, `"`) || strings.Count(line, `"`) != 2 {
				t.Errorf("%s: EventBridge takes lines in quotation marks: %s", id, line)
			}
		}
		for _, part := range []string{"lambda-guardrail may have been tampered with: <detail-eventName> on <detail-re", "<detail-userIdentity-arn>", "<detail-sourceIPAddress>", "<detail-eventTime>", "<account>", "<region>", "<detail-errorCode>"} {
			if !strings.Contains(template, part) {
				t.Errorf("%s does not say %s", id, part)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d rules", n)
	}
}

// What chat reads has the schema of Amazon Q Developer, and no field of an event
// outside of a code span, nor one that can be any text.
func TestTamperAndAlarmMessagesForChatAreInert(t *testing.T) {
	d := deploy(t, synthesize(t, object{"chat": "on"}), virginia)
	chat := d.arn(find(t, d, "AWS::SNS::Topic", "Chat"))
	inert := []string{
		"$.account", "$.region", "$.detail.alarmName", "$.detail.state.timestamp", "$.detail.eventName", "$.detail.eventTime", "$.detail.eventID", "$.detail.errorCode",
		"$.detail.sourceIPAddress", "$.detail.userIdentity.principalId", "$.detail.userIdentity.accountId",
	}
	n := 0
	for _, id := range d.all("AWS::Events::Rule") {
		for _, target := range asList(property(d.resources[id], "Properties.Targets")) {
			if property(target, "Arn") != chat {
				continue
			}
			n++
			template, _ := property(target, "InputTransformer.InputTemplate").(string)
			var message struct {
				Version, Source string
				Content         struct {
					TextType, Title, Description string
					NextSteps                    []string
				}
			}
			if err := json.Unmarshal([]byte(template), &message); err != nil {
				t.Fatalf("%s: %v: %s", id, err, template)
			}
			c := message.Content
			if message.Version != "1.0" || message.Source != "custom" || c.TextType != "client-markdown" || c.Title == "" || len(c.Title) > 250 || c.Description == "" || len(c.Description) > 4000 || len(c.NextSteps) == 0 {
				t.Errorf("%s: %s", id, template)
			}
			for _, path := range property(target, "InputTransformer.InputPathsMap").(object) {
				if !slices.Contains(inert, path.(string)) {
					t.Errorf("%s shows %s, which may hold a quotation mark or a backtick", id, path)
				}
			}
			if strings.ContainsAny(c.Title+strings.Join(c.NextSteps, ""), "<`") {
				t.Errorf("%s shows what anybody may write: %s", id, template)
			}
			if spans := strings.Split(c.Description, "`"); len(spans)%2 == 0 {
				t.Errorf("%s: a code span does not end: %s", id, c.Description)
			} else {
				for i := 0; i < len(spans); i += 2 {
					if strings.Contains(spans[i], "<") {
						t.Errorf("%s: a field is in no code span: %s", id, c.Description)
					}
				}
			}
		}
	}
	if rules := len(d.all("AWS::Events::Rule")); n != rules-1 {
		t.Errorf("%d of %d rules speak in chat, want all but the one that calls the function", n, rules)
	}
	if got := len(deploy(t, synthesize(t, nil), virginia).all("AWS::SNS::Topic")); got != 2 {
		t.Errorf("%d topics without chat, want two", got)
	}
}

func TestChatHearsOfOurAlarmsOnly(t *testing.T) {
	d := deploy(t, synthesize(t, object{"chat": "on"}), virginia)
	q := patterns(t, d, find(t, d, "AWS::Events::Rule", "ChatAlarms"))
	hears := func(source, name, state string) bool {
		text, err := json.Marshal(object{
			"source": source, "detail-type": "CloudWatch Alarm State Change", "detail": object{"alarmName": name, "state": object{"value": state}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(matches(t, q, text)) == 1
	}
	for _, id := range d.all("AWS::CloudWatch::Alarm") {
		if name := d.name(id); !hears("aws.cloudwatch", name, "ALARM") || hears("aws.cloudwatch", name, "OK") || hears("my.forgery", name, "ALARM") {
			t.Errorf("chat does not hear of %s, or of what is no alarm", name)
		}
	}
	for _, name := range []string{ours + "`<!here> all is well`", ours + "x", "orders"} {
		if hears("aws.cloudwatch", name, "ALARM") {
			t.Errorf("chat hears of somebody else's alarm %s", name)
		}
	}
}

// Calls to IAM are recorded in one region of each partition.
func TestTheRoleIsWatchedWhereItsCallsAreRecorded(t *testing.T) {
	template := synthesize(t, nil)
	for at, want := range map[place]int{virginia: 1, govCloud: 1, beijing: 1, frankfurt: 0} {
		for name, d := range map[string]*deployed{
			"anywhere":   deploy(t, template, at),
			"one region": deploy(t, synthesize(t, object{"regions": at.region}), at),
		} {
			got := matches(t, tamperRules(t, d), record("iam", "DeleteRole", "roleName", ours+"respond"))
			if len(got) != want {
				t.Errorf("%s, deployed to %s: reported by %q, want %d", name, at.region, got, want)
			}
		}
	}
}
