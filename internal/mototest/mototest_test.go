package mototest_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	bridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	hub "github.com/aws/aws-sdk-go-v2/service/securityhub"
	hubtypes "github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	topics "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/mototest"
	"lambda-guardrail/internal/sink"
	"lambda-guardrail/internal/sink/eventbridge"
	"lambda-guardrail/internal/sink/securityhub"
	"lambda-guardrail/internal/sink/sns"
)

func TestMotoTakesWhatTheSinksSend(t *testing.T) {
	url := mototest.Start(t)
	cfg := awstest.Config("eu-central-1", http.DefaultTransport)
	cfg.BaseEndpoint = &url
	t.Run("SNS delivers to a queue what its filter policy lets through", func(t *testing.T) { testSNS(t, cfg) })
	t.Run("Security Hub keeps one finding, and updates it", func(t *testing.T) { testSecurityHub(t, cfg) })
	t.Run("EventBridge delivers to a queue what a rule selects", func(t *testing.T) { testEventBridge(t, cfg) })
}

func example(t *testing.T, name string) guard.Finding {
	t.Helper()
	for _, x := range guardtest.Examples() {
		if x.Name == name {
			return x.Finding
		}
	}
	t.Fatalf("there is no example %s", name)
	return guard.Finding{}
}

// queue makes a queue, and returns its ARN and what takes all messages from it.
func queue(t *testing.T, cfg aws.Config, name string) (arn string, take func() []sqstypes.Message) {
	t.Helper()
	client := sqs.NewFromConfig(cfg)
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	about, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return about.Attributes["QueueArn"], func() []sqstypes.Message {
		t.Helper()
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: made.QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.Messages
	}
}

func testSNS(t *testing.T, cfg aws.Config) {
	client := topics.NewFromConfig(cfg)
	topic, err := client.CreateTopic(t.Context(), &topics.CreateTopicInput{Name: aws.String("findings")})
	if err != nil {
		t.Fatal(err)
	}
	arn, take := queue(t, cfg, "from-sns")
	_, err = client.Subscribe(t.Context(), &topics.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn,
		Attributes: map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"severity":["high","critical"],"outcome":["reverted"]}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := sns.New(cfg, *topic.TopicArn, "")
	f := example(t, "reverted")
	for _, name := range []string{"reverted", "audited", "exempt"} { // the filter policy takes the first only
		if err := s.Report(t.Context(), example(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	messages := take()
	if len(messages) != 1 {
		t.Fatalf("%d messages, want 1", len(messages))
	}
	var got struct{ ID, Outcome string }
	if err := json.Unmarshal([]byte(*messages[0].Body), &got); err != nil || got.ID != f.ID || got.Outcome != "reverted" {
		t.Errorf("%v: %s", err, *messages[0].Body)
	}
	attributes := map[string]string{}
	for name, value := range messages[0].MessageAttributes {
		attributes[name] = aws.ToString(value.StringValue)
	}
	if want := map[string]string{"severity": "high", "level": "public", "outcome": "reverted", "function": "orders"}; !maps.Equal(attributes, want) {
		t.Errorf("attributes %v, want %v", attributes, want)
	}
}

func testSecurityHub(t *testing.T, cfg aws.Config) {
	client := hub.NewFromConfig(cfg)
	if _, err := client.EnableSecurityHub(t.Context(), &hub.EnableSecurityHubInput{}); err != nil {
		t.Fatal(err)
	}
	now := guardtest.ExampleTime
	s := securityhub.New(cfg, func() time.Time { return now }, func(string, error) error { return errors.New("Security Hub is off") })
	for _, step := range []struct {
		finding    string
		record     hubtypes.RecordState
		compliance hubtypes.ComplianceStatus
	}{
		{"audited", hubtypes.RecordStateActive, hubtypes.ComplianceStatusFailed},
		{"reverted", hubtypes.RecordStateArchived, hubtypes.ComplianceStatusPassed},
	} {
		now = now.Add(time.Second)
		f := example(t, step.finding)
		if err := s.Report(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		all, err := client.GetFindings(t.Context(), &hub.GetFindingsInput{})
		if err != nil {
			t.Fatal(err)
		}
		if len(all.Findings) != 1 {
			t.Fatalf("%d findings, want 1", len(all.Findings))
		}
		got := all.Findings[0]
		if aws.ToString(got.Id) != "lambda-guardrail/"+f.ID || got.RecordState != step.record || got.Compliance.Status != step.compliance ||
			aws.ToString(got.UpdatedAt) != now.Format("2006-01-02T15:04:05.000Z") || aws.ToString(got.Resources[0].Type) != "AwsLambdaFunction" {
			t.Errorf("%s was read back as %+v", step.finding, got)
		}
	}
}

func testEventBridge(t *testing.T, cfg aws.Config) {
	client := bridge.NewFromConfig(cfg)
	bus := aws.String("findings")
	if _, err := client.CreateEventBus(t.Context(), &bridge.CreateEventBusInput{Name: bus}); err != nil {
		t.Fatal(err)
	}
	arn, take := queue(t, cfg, "from-eventbridge")
	pattern, err := json.Marshal(map[string]any{
		"source": []string{sink.EventSource}, "detail-type": []string{sink.EventDetail}, "detail": map[string]any{"outcome": []string{"reverted"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutRule(t.Context(), &bridge.PutRuleInput{Name: bus, EventBusName: bus, EventPattern: aws.String(string(pattern))}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutTargets(t.Context(), &bridge.PutTargetsInput{Rule: bus, EventBusName: bus, Targets: []bridgetypes.Target{{Id: bus, Arn: &arn}}}); err != nil {
		t.Fatal(err)
	}
	s := eventbridge.New(cfg, *bus, func() time.Time { return guardtest.ExampleTime })
	for _, name := range []string{"reverted", "audited"} { // the rule selects the first only
		if err := s.Report(t.Context(), example(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	messages := take()
	if len(messages) != 1 {
		t.Fatalf("%d messages, want 1", len(messages))
	}
	var got struct {
		Time      string
		Resources []string
		Detail    struct{ ID, Outcome string }
	}
	f := example(t, "reverted")
	if err := json.Unmarshal([]byte(*messages[0].Body), &got); err != nil {
		t.Fatalf("%v: %s", err, *messages[0].Body)
	}
	if got.Detail.ID != f.ID || got.Detail.Outcome != "reverted" || !slices.Equal(got.Resources, []string{f.Resource.ARN()}) || !strings.HasPrefix(got.Time, "2026-11-23T12:00:00") {
		t.Errorf("read back as %+v", got)
	}
}
