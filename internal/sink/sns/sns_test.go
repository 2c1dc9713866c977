package sns_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/sink"
	"lambda-guardrail/internal/sink/sns"
)

const (
	topic = "arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-alerts"
	chat  = "arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-chat"
)

// standIn answers like SNS, and keeps what was sent.
type standIn struct {
	mu    sync.Mutex
	sent  []url.Values
	fails map[string][]int // statuses of the next answers, by topic
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, r.PostForm)
	to := r.PostForm.Get("TopicArn")
	if statuses := s.fails[to]; len(statuses) > 0 {
		s.fails[to] = statuses[1:]
		w.WriteHeader(statuses[0])
		io.WriteString(w, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>`)
		return
	}
	io.WriteString(w, awstest.Published)
}

func (s *standIn) topics() []string {
	var all []string
	for _, form := range s.sent {
		all = append(all, form.Get("TopicArn"))
	}
	return all
}

func connect(t *testing.T, s http.Handler, topic, chat string) *sns.Sink {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cfg := awstest.Config("eu-central-1", http.DefaultTransport)
	cfg.BaseEndpoint = &server.URL
	cfg.RetryMaxAttempts = 9 // is meant for the Lambda API
	return sns.New(cfg, topic, chat)
}

func reverted() guard.Finding { return guardtest.Examples()[0].Finding }

func TestAFindingIsPublishedOnceToEachTopic(t *testing.T) {
	for _, tt := range []struct {
		name        string
		topic, chat string
		want        []string
	}{
		{"to both", topic, chat, []string{topic, chat}},
		{"to one", topic, "", []string{topic}},
		{"to chat alone", "", chat, []string{chat}},
		{"to none", "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &standIn{}
			if err := connect(t, s, tt.topic, tt.chat).Report(t.Context(), reverted()); err != nil {
				t.Fatal(err)
			}
			if got := s.topics(); !slices.Equal(got, tt.want) {
				t.Errorf("published to %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheRequests(t *testing.T) {
	s := &standIn{}
	if err := connect(t, s, topic, chat).Report(t.Context(), reverted()); err != nil {
		t.Fatal(err)
	}
	people, err := sink.TopicMessage(reverted())
	if err != nil {
		t.Fatal(err)
	}
	talk, err := sink.ChatMessage(reverted())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]string{
		{"Action": "Publish", "TopicArn": topic, "Subject": people.Subject, "MessageStructure": "json", "Message": people.Body},
		{"Action": "Publish", "TopicArn": chat, "Subject": "", "MessageStructure": "", "Message": talk.Body},
	} {
		form := s.sent[i]
		got := map[string]string{}
		for name := range want {
			got[name] = form.Get(name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		attributes := map[string]string{}
		for name, values := range form {
			if entry, ok := strings.CutSuffix(name, ".Name"); ok {
				if kind := form.Get(entry + ".Value.DataType"); kind != "String" {
					t.Errorf("attribute %s is a %s", values[0], kind)
				}
				attributes[values[0]] = form.Get(entry + ".Value.StringValue")
			}
		}
		if diff := cmp.Diff(map[string]string{"severity": "high", "level": "public", "outcome": "reverted", "function": "orders"}, attributes); diff != "" {
			t.Error(diff)
		}
	}
	// What queues, functions and webhooks get is the finding.
	var texts map[string]string
	if err := json.Unmarshal([]byte(s.sent[0].Get("Message")), &texts); err != nil {
		t.Fatal(err)
	}
	finding, err := json.Marshal(reverted())
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := errors.Join(json.Unmarshal([]byte(texts["default"]), &got), json.Unmarshal(finding, &want)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOneTopicDoesNotSilenceTheOther(t *testing.T) {
	s := &standIn{fails: map[string][]int{topic: {http.StatusForbidden}}}
	err := connect(t, s, topic, chat).Report(t.Context(), reverted())
	if err == nil || !strings.Contains(err.Error(), "publishing to "+topic) || strings.Contains(err.Error(), chat) {
		t.Errorf("error %v", err)
	}
	if got, want := s.topics(), []string{topic, chat}; !slices.Equal(got, want) {
		t.Errorf("published to %q, want %q: a refusal is not asked for again", got, want)
	}
}

func TestAFaultThatPassesIsTriedAgainAndOneThatStaysIsAnError(t *testing.T) {
	s := &standIn{fails: map[string][]int{topic: {500}, chat: {500, 500, 500, 500}}}
	err := connect(t, s, topic, chat).Report(t.Context(), reverted())
	if err == nil || strings.Contains(err.Error(), topic) || !strings.Contains(err.Error(), chat) {
		t.Errorf("error %v", err)
	}
	if got, want := s.topics(), []string{topic, topic, chat, chat, chat}; !slices.Equal(got, want) {
		t.Errorf("published to %q, want %q", got, want)
	}
}

func TestReportEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hung := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // until then the server does not notice that nobody waits
		cancel()
		<-r.Context().Done()
	})
	if err := connect(t, hung, topic, "").Report(ctx, reverted()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
