package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/testdata"
)

// call makes one call on the stand-in as somebody with a key.
func (s *stage) call(t *testing.T, key, method, path, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20261120/eu-central-1/lambda/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("User-Agent", "aws-cli/2.32.3")
	if strings.HasPrefix(body, "Action=") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const (
	permissions = "/2015-03-31/functions/search/policy"
	everybody   = `{"StatementId":"mine","Action":"lambda:InvokeFunction","Principal":"*"}`
)

func TestServedAccountHasSomethingOfEverything(t *testing.T) {
	s := newStage(t, guard.Enforce, guard.Audit)
	got := map[string]string{}
	for arn, policy := range s.before {
		on, err := guard.ParseResource(arn)
		if err != nil {
			t.Fatal(err)
		}
		d, err := iampolicy.Parse(policy)
		if err != nil {
			t.Errorf("%s: %v", arn, err)
		}
		got[on.String()] = exposure.Worst(exposure.Judge(d, exposure.Target(on), s.r.config.Settings(nil).Trust, time.Now())).String()
	}
	want := map[string]string{
		"bucket-sync": "confused-deputy", "campaign-2025": "public", "invoices:live": "public", "landing-page": "public",
		"newsletter": "restricted", "open-data": "public", "orders": "public", "orders:2": "public", "orders:live": "restricted",
		"partner-feed": "external", "payments": "public", "reports": "restricted", "thumbnails": "restricted", "tickets": "undetermined",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

// What the guardrail hears of is shaped like what AWS sends.
func TestServedEventsAreShapedLikeThoseOfTheCorpus(t *testing.T) {
	const url = "/2021-10-31/functions/search/url"
	arn := "/2026-07-09/resource-policy/arn:aws:lambda:eu-central-1:111122223333:function:search"
	tests := []struct{ like, key, method, path, body string }{
		{"classic-backdoor-iam-user", visitorKey, "POST", permissions, everybody},
		{"remove-permission-by-the-guardrail", guardrailKey, "DELETE", permissions + "/mine?RevisionId=REVISION", ""},
		{"invoked-via-function-url", visitorKey, "POST", permissions, `{"StatementId":"url","Action":"lambda:InvokeFunction","Principal":"*","InvokedViaFunctionUrl":true}`},
		{"put-resource-policy", visitorKey, "PUT", arn, `{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"lambda:*\",\"Resource\":\"*\"}]}"}`},
		{"delete-resource-policy", visitorKey, "DELETE", arn, ""},
		{"create-function-url-none", visitorKey, "POST", url, `{"AuthType":"NONE"}`},
	}
	s := newStage(t, guard.Enforce, guard.Audit)
	for _, test := range tests {
		s.events = nil
		path := strings.Replace(test.path, "REVISION", s.account.Revision("search"), 1)
		if status, answer := s.call(t, test.key, test.method, path, test.body); status >= 300 || len(s.events) != 1 {
			t.Fatalf("%s: %d %s, %d events", test.like, status, answer, len(s.events))
		}
		sample, err := testdata.Files.ReadFile("events/guarded/" + test.like + ".json")
		if err != nil {
			t.Fatal(err)
		}
		got, want := shape(t, s.events[0].text), shape(t, sample)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-corpus +served):\n%s", test.like, diff)
		}
		e, err := cloudtrail.ParseEvent(s.events[0].text)
		if err != nil || e.Ignored != "" || e.Candidate.Resource.String() != "search" || e.Candidate.Actor.AccessKeyID != test.key {
			t.Errorf("%s: %+v, %v", test.like, e, err)
		}
	}
}

// shape is what members an event has, and the values that are AWS's words.
func shape(t *testing.T, event []byte) map[string]string {
	var v any
	if err := json.Unmarshal(event, &v); err != nil {
		t.Fatal(err)
	}
	members := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				walk(path+"."+name, inner)
			}
		case nil:
			members[path] = "null"
		default:
			members[path] = ""
			if text, ok := v.(string); ok && fixed.MatchString(path) {
				members[path] = text
			}
		}
	}
	walk("", v)
	maps.DeleteFunc(members, func(path, _ string) bool { return optional.MatchString(path) })
	return members
}

var (
	fixed = regexp.MustCompile(`\.(version|detail-type|source|eventSource|eventName|eventType|eventCategory|type|eventVersion)$`)
	// A client without TLS has no tlsDetails; the answer of CreateFunctionUrlConfig has
	// members that the sample leaves out.
	optional = regexp.MustCompile(`\.tlsDetails\.|^\.detail\.(requestParameters|responseElements)\.(invokeMode|lastModifiedTime|cors)`)
)

func TestServedGuardrailClosesWhatIsOpened(t *testing.T) {
	s := newStage(t, guard.Enforce, guard.Audit)
	s.delay = 3 * time.Second
	if status, answer := s.call(t, visitorKey, "POST", permissions, everybody); status != 201 {
		t.Fatal(answer)
	}
	s.call(t, visitorKey, "POST", permissions, everybody) // refused: no event of it comes
	opened := s.Now()
	if err := s.Sleep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if waited := s.Now().Sub(opened); waited < s.delay || s.account.Policy("search") != "" {
		t.Errorf("after %s the policy is %s", waited, s.account.Policy("search"))
	}
	if len(s.shown) != 2 {
		t.Fatalf("%d events were shown, want the grant and its removal", len(s.shown))
	}
	grant, removal := s.shown[0], s.shown[1]
	if grant.Outcome != "reverted" || !slices.Equal(grant.calls, []string{"GetPolicy", "RemovePermission", "GetPolicy"}) {
		t.Errorf("the grant: %s, calls %q", grant.Outcome, grant.calls)
	}
	if !strings.Contains(removal.Note, "own") || removal.APICalls != 0 || len(removal.Findings) != 0 {
		t.Errorf("the guardrail's own removal: %+v", removal)
	}
}

// The whole command, with its own loop, over the loopback interface.
func TestServeUntilCtrlC(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"rehearse", "--serve", "127.0.0.1:0", "--delay", "0s"}, strings.NewReader(""), in, &stderr)
		in.Close()
		ended <- code
	}()
	lines := bufio.NewScanner(out)
	until := func(wanted string) string {
		for lines.Scan() {
			if strings.Contains(lines.Text(), wanted) {
				return lines.Text()
			}
		}
		t.Fatalf("no line has %q; stderr is %q", wanted, stderr.String())
		return ""
	}
	url := regexp.MustCompile(`http://\S+`).FindString(until("export AWS_ENDPOINT_URL="))
	until("Ctrl-C ends it")
	s := &stage{served: &served{standIn: &standIn{url: url}}}
	if status, answer := s.call(t, visitorKey, "POST", permissions, everybody); status != 201 {
		t.Fatal(answer)
	}
	until("AddPermission on search, by user/you from 127.0.0.1")
	until("mine was taken out, and seen to be out")
	until("the guardrail's own")
	cancel()
	for lines.Scan() {
	}
	if code := <-ended; code != 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	if _, err := http.Get(url); err == nil {
		t.Error("it still serves")
	}
}

func TestServeRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		`--serve is "0.0.0.0:4599": want an address of this machine alone`:      {"--serve", "0.0.0.0:4599"},
		`--serve is ":4599": want an address of this machine alone`:             {"--serve", ":4599"},
		`--serve is "192.0.2.1:4599": want an address of this machine alone`:    {"--serve", "192.0.2.1:4599"},
		`--serve is "[::]:4599": want an address of this machine alone`:         {"--serve", "[::]:4599"},
		`--serve is "example.com:80": want an address of this machine alone`:    {"--serve", "example.com:80"},
		`--serve is "127.0.0.1": want an address of this machine alone`:         {"--serve", "127.0.0.1"},
		"starting the stand-in for Lambda: ":                                    {"--serve", "127.0.0.1:99999"},
		"--serve plays no events, and event.json is one: make the call instead": {"--serve", "127.0.0.1:0", "event.json"},
		"--delay is -1s: want a time from 0s":                                   {"--serve", "127.0.0.1:0", "--delay", "-1s"},
	} {
		code, stdout, stderr := guardrail(t, "", append([]string{"rehearse"}, args...)...)
		if code != 2 || stdout != "" {
			t.Errorf("%q: exit code %d: %s", args, code, stdout)
		}
		says(t, "stderr", stderr, want)
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:4599", "[::1]:4599", "127.5.5.5:1"} {
		if err := loopback(address); err != nil {
			t.Error(err)
		}
	}
}

// What is not there is refused as AWS would, or by a message that says so.
func TestServedServices(t *testing.T) {
	s := newStage(t, guard.Enforce, guard.Audit)
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"who one is", "Action=GetCallerIdentity", 200, "<Account>111122223333</Account>"},
		{"a stack", "Action=DescribeStacks&StackName=lambda-guardrail", 200, "<member><OutputKey>LogGroupName</OutputKey><OutputValue>/aws/lambda/lambda-guardrail-respond</OutputValue></member>"},
		{"another stack", "Action=DescribeStacks&StackName=%3Cother%3E", 400, "<Code>ValidationError</Code><Message>Stack with id &lt;other&gt; does not exist</Message>"},
		{"a role", "Action=CreateRole&RoleName=r&Path=/guardrail-drill/&Tags.member.1.Key=k&Tags.member.1.Value=v", 200, "<Arn>arn:aws:iam::111122223333:role/guardrail-drill/r</Arn>"},
		{"the same role", "Action=CreateRole&RoleName=r&Path=/guardrail-drill/", 400, "EntityAlreadyExists"},
		{"its tags", "Action=ListRoleTags&RoleName=r", 200, "<Key>k</Key><Value>v</Value>"},
		{"no role", "Action=DeleteRole&RoleName=other", 400, "NoSuchEntity"},
		{"what nobody knows", "Action=CreateUser", 400, "The stand-in has no action CreateUser"},
	}
	for _, test := range tests {
		if status, answer := s.call(t, visitorKey, "POST", "/", test.body); status != test.status || !strings.Contains(answer, test.want) {
			t.Errorf("%s: %d %s, want %q in it", test.name, status, answer, test.want)
		}
	}
	for pattern, want := range map[string]int{"": 2, `{ $.msg = "a" }`: 1, `{ $.x.y = "b" }`: 1, `{ $.msg = "c" }`: 0, "ERROR": -1, `{ $.msg != "a" }`: -1} {
		l := &logGroup{now: time.Now}
		io.WriteString(l, `{"msg":"a"}`+"\n")
		io.WriteString(l, `{"x":{"y":"b"}}`+"\n")
		found, err := l.search(pattern, 0)
		if err != nil && want >= 0 || err == nil && len(found) != want {
			t.Errorf("%s: %v, %v", pattern, found, err)
		}
	}
}
