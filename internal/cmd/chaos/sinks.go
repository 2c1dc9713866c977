package main

import (
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/config"
)

// services are where findings go beside the log, by what their hosts begin with.
// Their faults are such that nobody tries again within the attempt: that would
// take real time.
var services = []struct {
	host     string
	messages int // of a finding
	good     string
	faults   []answer
}{
	{"sns.", 2, awstest.Published, []answer{denied, missing}},
	{"securityhub.", 1, awstest.Imported, []answer{denied, garbled,
		{"refuses the finding", 200, `{"FailedCount":1,"FailedFindings":[{"ErrorCode":"InvalidInput","ErrorMessage":"no"}],"SuccessCount":0}`}}},
	{"events.", 1, awstest.Put, []answer{denied, garbled, missing,
		{"refuses the entry", 200, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"NotAuthorizedForDetailTypeException","ErrorMessage":"no"}]}`}}},
}

type answer struct {
	name   string
	status int
	body   string
}

var (
	denied  = answer{"denies access", 403, `{"__type":"AccessDeniedException","message":"no"}`}
	missing = answer{"does not know the resource", 404, `{"__type":"ResourceNotFoundException","message":"no"}`}
	garbled = answer{"answers with rubbish", 200, `<html>`}
)

// everySink switches all of them on.
func everySink(c *config.Config) {
	topic := "arn:aws:sns:" + region + ":" + accountID + ":"
	c.Topic, c.ChatTopic, c.SecurityHub, c.EventBus = topic+"findings", topic+"chat", true, "default"
}

// sent is a call of a sink.
type sent struct {
	host, body string
	refused    string // why; "" if it was not
}

// sinks are the services. The guardrail calls them on goroutines of its own, all at
// the same virtual time: whether a call fails follows from what it says, not from
// the order.
type sinks struct {
	seed  uint64
	odds  float64 // of a fault
	quiet bool    // no faults
	mu    sync.Mutex
	calls []sent // since they were taken
}

// Do implements the SDK's HTTPClient.
func (s *sinks) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	for _, service := range services {
		if !strings.HasPrefix(r.URL.Host, service.host) {
			continue
		}
		sum := fnv.New64a()
		io.WriteString(sum, r.URL.Host)
		sum.Write(body)
		chance := rand.New(rand.NewPCG(s.seed, sum.Sum64()))
		how := answer{"", http.StatusOK, service.good}
		if !s.quiet && chance.Float64() < s.odds {
			how = service.faults[chance.IntN(len(service.faults))]
		}
		s.mu.Lock()
		s.calls = append(s.calls, sent{service.host, string(body), how.name})
		s.mu.Unlock()
		return awstest.Response(how.status, nil, how.body), nil
	}
	panic("chaos: nobody is at " + r.URL.Host)
}

// take returns the calls since it was last asked.
func (s *sinks) take() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// reached checks that each finding of an attempt was given to each sink, whatever
// became of it in the others, and that the attempt does not hide a refusal.
func (m *model) reached(a *attempt) {
	for _, c := range a.sent {
		if c.refused != "" && a.err == nil {
			m.wrong("%s %s, and the attempt says that all is well", c.host, c.refused)
		}
	}
	if m.settings.Topic == "" {
		return
	}
	ids := append(slices.Sorted(maps.Keys(a.reported)), a.unsaid...)
	for _, service := range services {
		var all []string
		for _, c := range a.sent {
			if c.host == service.host {
				all = append(all, c.body)
			}
		}
		if want := len(ids) * service.messages; len(all) != want {
			m.wrong("%s got %d messages of %d findings, want %d", service.host, len(all), len(ids), want)
		}
		for _, id := range ids {
			if !strings.Contains(strings.Join(all, ""), id) {
				m.wrong("finding %s was not given to %s", id, service.host)
			}
		}
	}
}
