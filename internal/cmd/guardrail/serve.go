package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"quamina.net/go/quamina"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/wire"
	"lambda-guardrail/testdata"
)

// What is served. The keys are those of AWS's documentation: the stand-in checks
// no signature, and tells by the key who calls.
const (
	servedStack    = "lambda-guardrail"
	servedFunction = servedStack + "-respond"
	visitorKey     = "AKIAIOSFODNN7EXAMPLE"
	guardrailKey   = "ASIAIOSFODNN7EXAMPLE"
)

// served is an account that is there until somebody ends it: a stand-in for
// Lambda, what is asked beside it, and the guardrail, which hears of calls as it
// would by CloudTrail and EventBridge.
type served struct {
	*standIn
	r        *rehearsal
	services *services
	place    guard.Resource // without a function
	role     string         // ARN of the guardrail's
	rule     *quamina.Quamina
	started  time.Time

	clock guard.Clock // of the delivery
	delay time.Duration
	show  func(step, played)
	warn  func(error)

	mu       sync.Mutex
	recorded int        // events, ever
	events   []delivery // those that are not yet delivered
	calls    []string   // of the guardrail, since it was last invoked
	wake     chan struct{}
}

// delivery is an event that is to be delivered.
type delivery struct {
	text []byte
	at   time.Time // of the call
}

// newServed seeds the account.
func newServed(settings config.Config, log io.Writer, clock guard.Clock) (*served, error) {
	rule, err := newRule()
	if err != nil {
		return nil, err
	}
	s := &served{
		r: newRehearsal(), place: guard.Resource{Partition: "aws", Region: "eu-central-1", Account: "111122223333"},
		role: "arn:aws:iam::111122223333:role/" + servedFunction + "-eu-central-1",
		rule: rule, started: clock.Now(), clock: clock, wake: make(chan struct{}, 1),
		show: func(step, played) {}, warn: func(error) {},
	}
	if _, err := s.r.readStory(); err != nil { // for exemptions and trust
		return nil, err
	}
	settings.TrustedOrgs, settings.OwnRoles = s.r.config.TrustedOrgs, []string{s.role}
	s.r.config = settings

	account := lambdatest.New(s.place.Partition, s.place.Region, s.place.Account)
	if err := seed(account); err != nil {
		return nil, err
	}
	variables := map[string]string{}
	for _, variable := range settings.Env() {
		name, value, _ := strings.Cut(variable, "=")
		variables[name] = value
	}
	account.SetEnvironment(servedFunction, variables)
	account.Hear = s.hear

	group := &logGroup{name: "/aws/lambda/" + servedFunction, now: clock.Now}
	s.standIn = &standIn{account: account, log: &functionLog{to: io.MultiWriter(group, log)}}
	elsewhere := lambdatest.New(s.place.Partition, "us-east-1", s.place.Account)
	s.services = &services{
		lambda: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if region := callerOf(r.Header.Get("Authorization")).region; region != "" && region != s.place.Region {
				elsewhere.ServeHTTP(w, r) // where there is no function
				return
			}
			account.ServeHTTP(w, r)
		}),
		region: s.place.Region, account: s.place.Account, stack: servedStack, log: group, roles: map[string]map[string]string{},
		outputs: [][2]string{
			{"Mode", settings.Mode.String()}, {"FunctionUrls", settings.FunctionURLs.String()},
			{"FunctionName", servedFunction}, {"LogGroupName", group.name},
			{"TopicArn", "arn:aws:sns:eu-central-1:111122223333:" + servedStack},
		},
	}
	return s, nil
}

// newRule matches events as EventBridge does.
func newRule() (*quamina.Quamina, error) {
	rule, err := quamina.New()
	if err == nil {
		err = rule.AddPattern("guarded", cloudtrail.Pattern())
	}
	if err != nil {
		return nil, fmt.Errorf("making the rule: %w", err)
	}
	return rule, nil
}

// seed makes the functions of story/account.json.
func seed(account *lambdatest.Account) error {
	text, err := testdata.Story.ReadFile("story/account.json")
	if err != nil {
		panic(err) // it is a part of this program
	}
	var seeds struct {
		Functions []struct {
			Name   string         `json:"name"` // also name:alias and name:version
			Policy jsontext.Value `json:"policy"`
			URL    string         `json:"url"` // auth type
		} `json:"functions"`
	}
	if err := json.Unmarshal(text, &seeds, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("reading the account: %w", err)
	}
	for _, f := range seeds.Functions {
		if err := f.Policy.Compact(); len(f.Policy) > 0 && err != nil {
			return fmt.Errorf("reading the policy of %s: %w", f.Name, err)
		}
		account.Seed(f.Name, string(f.Policy))
		account.SetURL(f.Name, f.URL)
	}
	return nil
}

// start begins to serve at an address.
func (s *served) start(address string) (err error) {
	s.url, s.stop, err = lambdatest.Serve(address, s.services)
	return err
}

// run serves at an address, and tells what the guardrail does, until the command is
// interrupted.
func (s *served) run(cmd *cobra.Command, address string, machine bool) error {
	if err := s.start(address); err != nil {
		return err
	}
	defer s.stop()
	out := newPage(cmd.OutOrStdout())
	s.warn = func(err error) { complain(cmd.ErrOrStderr(), err) }
	s.show = (&timeline{page: out}).add
	if machine {
		s.show = func(_ step, x played) { out.json(x) }
		fmt.Fprint(cmd.ErrOrStderr(), s.usage())
	} else {
		fmt.Fprint(cmd.OutOrStdout(), s.usage())
	}
	s.loop(cmd.Context())
	return out.close(nil)
}

// hear is told of every call, as CloudTrail is.
func (s *served) hear(h lambdatest.Heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if callerOf(h.Header.Get("Authorization")).key == guardrailKey {
		s.calls = append(s.calls, h.Operation)
	}
	if h.Status >= 400 || strings.HasPrefix(h.Operation, "Get") || strings.HasPrefix(h.Operation, "List") {
		return // EventBridge hears of reads only where a rule asks for them
	}
	now := s.clock.Now()
	s.recorded++
	s.events = append(s.events, delivery{s.event(h, now, s.recorded), now})
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// loop delivers events until ctx ends.
func (s *served) loop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			s.deliver(ctx)
		}
	}
}

// deliver delivers what has been recorded, each event when its delay is over, until
// nothing is left.
func (s *served) deliver(ctx context.Context) {
	for {
		s.mu.Lock()
		if len(s.events) == 0 {
			s.mu.Unlock()
			return
		}
		next := s.events[0]
		s.events = s.events[1:]
		s.mu.Unlock()

		if wait := s.delay - s.clock.Now().Sub(next.at); wait > 0 && s.clock.Sleep(ctx, wait) != nil {
			return
		}
		s.respond(ctx, next)
	}
}

// respond matches one event, and hands it to the function.
func (s *served) respond(ctx context.Context, d delivery) {
	matches, err := s.rule.MatchesForEvent(d.text)
	if err == nil && len(matches) == 0 {
		return
	}
	event, malformed := cloudtrail.ParseEvent(d.text)
	x := played{Event: event.Candidate.EventID, Matched: true, candidate: event.Candidate, Findings: []jsontext.Value{}}
	if err = errors.Join(err, malformed); err == nil {
		err = s.invoke(ctx, d.text, &x)
	}
	if err != nil && ctx.Err() == nil {
		x.Error = err.Error()
		s.warn(fmt.Errorf("%s: %w", x.Event, err))
	}
	s.show(step{Title: d.at.Format(time.TimeOnly), Event: x.Event, text: d.text}, x)
}

func (s *served) invoke(ctx context.Context, event []byte, x *played) error {
	h, err := s.function()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.calls, s.log.findings = nil, nil
	s.mu.Unlock()

	start := time.Now()
	_, failed := h.Invoke(ctx, event)
	x.MS = float64(time.Since(start).Microseconds()) / 1000

	s.mu.Lock()
	for _, operation := range s.calls {
		x.called(operation)
	}
	s.mu.Unlock()
	x.Findings = append(x.Findings, s.log.findings...)
	if x.candidate.Actor.AccessKeyID == guardrailKey && failed == nil && len(x.Findings) == 0 {
		x.Note = "a call of the guardrail's own: it looks no further"
		return nil
	}
	return errors.Join(failed, s.r.judge(x, s.standIn))
}

// function starts the function, with the environment that it has now: guardrail
// pause may have changed it.
func (s *served) function() (*wire.Handler, error) {
	var environ []string
	for name, value := range s.account.Environment(servedFunction) {
		environ = append(environ, name+"="+value)
	}
	c, err := config.FromEnv(environ)
	if err != nil {
		return nil, fmt.Errorf("starting the function: %w", err)
	}
	cfg, err := wire.AWS([]string{
		"AWS_REGION=" + s.place.Region, "AWS_ENDPOINT_URL=" + s.url,
		"AWS_ACCESS_KEY_ID=" + guardrailKey, "AWS_SECRET_ACCESS_KEY=rehearsal",
	})
	if err != nil {
		return nil, fmt.Errorf("starting the function: %w", err)
	}
	return wire.NewHandler(wire.Guard(cfg, c, s.r.exemptions, s.log, clock{}), s.place.Region), nil
}

// usage says how to make calls.
func (s *served) usage() string {
	return fmt.Sprintf(`A stand-in for AWS account %[3]s in %[2]s, with a guardrail: mode %[4]s, function URLs %[5]s. In another terminal:

  export AWS_ENDPOINT_URL=%[1]s AWS_REGION=%[2]s AWS_DEFAULT_REGION=%[2]s \
    AWS_ACCESS_KEY_ID=%[6]s AWS_SECRET_ACCESS_KEY=rehearsal

  aws lambda list-functions --query 'Functions[].FunctionName'
  aws lambda add-permission --function-name search --statement-id mine --action lambda:InvokeFunction --principal '*'
  guardrail scan
  guardrail drill --yes

(An AWS command line that knows no AWS_ENDPOINT_URL takes --endpoint-url %[1]s.)
Each call that can open a function is delivered to the guardrail %[7]s later. Ctrl-C ends it.
`, s.url, s.place.Region, s.place.Account, s.r.config.Mode.String(), s.r.config.FunctionURLs.String(), visitorKey, s.delay)
}

// loopback refuses an address that others than this machine can reach: the
// stand-in checks no signature.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err == nil && host != "localhost" {
		var ip netip.Addr
		if ip, err = netip.ParseAddr(host); err == nil && !ip.IsLoopback() {
			err = errors.New("others could reach it, and it asks nobody who they are")
		}
	}
	if err != nil {
		return fmt.Errorf("--serve is %q: want an address of this machine alone, like 127.0.0.1:4599: %w", address, err)
	}
	return nil
}
