package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
	"lambda-guardrail/internal/seen/seentest"
)

// resourceless are the actions for which AWS has no type of resource, so that only a
// star allows them:
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var resourceless = map[string]string{
	"lambda:ListFunctions":     "it is asked which functions there are",
	"xray:PutTraceSegments":    "a trace belongs to an account",
	"xray:PutTelemetryRecords": "the same",
	"xray:GetSamplingRules":    "rules of sampling belong to an account",
	"xray:GetSamplingTargets":  "the same",
}

// beside are what AWS asks of the role of a function because of what the code does, or
// does itself in the name of that role.
var beside = []struct {
	because string // action that is seen; "" for always
	actions []string
	role    string // "" for both
	why     string
}{
	{"", []string{"logs:CreateLogStream", "logs:PutLogEvents"}, "", "Lambda writes the log of a function"},
	{"", []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, "", "Lambda traces an invocation"},
	{"", pollActions, "RespondRole", "Lambda reads the queue of the event source mapping"},
	{"sns:Publish", []string{"kms:Decrypt", "kms:GenerateDataKey"}, "", "SNS encrypts a message in the name of who publishes it"},
	{"lambda:PutResourcePolicy", []string{"lambda:AddPermission", "lambda:RemovePermission"}, "", "Lambda wants all three"},
	{"lambda:DeleteResourcePolicy", []string{"lambda:RemovePermission"}, "", "Lambda wants both"},
	{"s3:GetObject", []string{"s3:ListBucket"}, "", "S3 says of no object that it is missing to who may not list it"},
}

// Nothing is granted that is not used, and nothing used that is not granted: the
// functions as they are deployed meet all that they can meet, and what they call is
// written down.
func TestTheRolesOfTheFunctionsMayDoWhatTheFunctionsAreSeenToDo(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the functions")
	}
	root := t.TempDir()
	binaries := map[string]string{}
	for _, function := range []string{"respond", "sweep"} {
		binary, err := build("..", function, root, runtime.GOOS, runtime.GOARCH)
		if err != nil {
			t.Fatal(err)
		}
		binaries[function] = filepath.Join(root, function, binary.name)
	}
	for name, context := range map[string]object{
		"audit, the log alone":   {"mode": "audit"},
		"audit, every sink":      {"mode": "audit", "chat": "on", "securityHub": "on", "eventBus": "security"},
		"enforce, the log alone": {"mode": "enforce", "functionUrls": "enforce", "quotaShare": "50"},
		"enforce, every sink":    {"mode": "enforce", "functionUrls": "enforce", "chat": "on", "securityHub": "on", "eventBus": "security", "quotaShare": "50"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, synthesize(t, context), frankfurt)
			for function, role := range map[string]string{"respond": "RespondRole", "sweep": "SweepRole"} {
				needed := seenToCall(t, d, function, binaries[function])
				for _, b := range beside {
					if (b.because == "" || needed[b.because]) && (b.role == "" || b.role == role) {
						for _, action := range b.actions {
							needed[action] = true
						}
					}
				}
				if diff := cmp.Diff(slices.Sorted(maps.Keys(needed)), granted(t, statements(t, d, role))); diff != "" {
					t.Errorf("%s; needed (-) and granted (+): %s", role, diff)
				}
			}
		})
	}
}

// granted are the actions that statements allow, sorted. None may have a star, nor be on
// every resource where AWS knows resources for it.
func granted(t *testing.T, statements []any) []string {
	t.Helper()
	all := map[string]bool{}
	for _, s := range statements {
		if property(s, "Effect") != "Allow" {
			continue
		}
		for _, action := range textList(property(s, "Action")) {
			all[action] = true
			if strings.Contains(action, "*") {
				t.Errorf("%s is more than one action", action)
			}
			if slices.Contains(textList(property(s, "Resource")), "*") && resourceless[action] == "" {
				t.Errorf("%s is allowed on everything", action)
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// seenToCall runs a function on policies of every kind, and returns the actions of what
// it calls.
func seenToCall(t *testing.T, d *deployed, function, binary string) map[string]bool {
	t.Helper()
	const resource = `"Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders"`
	noSid := strings.Replace(backdoor, `"Sid":"backdoor",`, "", 1)
	forURL := `{"Sid":"url","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl",` + resource + `,"Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`
	account := lambdatest.New("aws", "eu-central-1", account)
	events := map[string][]byte{}
	for name, statements := range map[string]string{
		"orders": neighbour + "," + backdoor, "nameless": neighbour + "," + noSid, "alone": noSid, "site": forURL, "uploads": neighbour,
	} {
		account.Seed(name, policy(strings.ReplaceAll(statements, "function:orders", "function:"+name)))
		events[name] = putEvent(name)
	}
	account.SetURL("site", "NONE")
	store := seentest.New()
	var mu sync.Mutex
	called := map[string]bool{}
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service, operation := operationOf(t, r)
		answers := map[string]string{
			"sns":         `<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>`,
			"securityhub": `{"FailedCount":0,"SuccessCount":1}`,
			"events":      `{"FailedEntryCount":0,"Entries":[{"EventId":"e-1"}]}`,
		}
		if operation != "" {
			mu.Lock()
			called[service+":"+operation] = true
			mu.Unlock()
		}
		switch service {
		case "lambda":
			account.ServeHTTP(w, r)
		case "s3", "kms":
			store.ServeHTTP(w, r)
		default:
			io.WriteString(w, answers[service])
		}
	}))
	defer aws.Close()

	p := d.resources[find(t, d, "AWS::Lambda::Function", strings.ToUpper(function[:1])+function[1:])]["Properties"]
	environ := append(runtimetest.Environ(property(p, "FunctionName").(string), d.region, filepath.Dir(binary)), "AWS_ENDPOINT_URL="+aws.URL)
	for name, value := range property(p, "Environment.Variables").(object) {
		environ = append(environ, name+"="+value.(string))
	}
	f, err := runtimetest.Start(binary, environ)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	payloads := [][]byte{[]byte(`{"run":"full","token":""}`), []byte(`{"run":"incremental","token":""}`)}
	if function == "respond" {
		payloads = slices.Collect(maps.Values(events))
	}
	for _, payload := range payloads {
		reply, err := f.Invoke(t.Context(), payload, sweepSeconds*time.Second)
		if err != nil || reply.Failed {
			t.Fatalf("%v: %s\n%s", err, reply.Payload, f.Log())
		}
	}
	for _, call := range account.Calls() {
		called["lambda:"+call.Operation] = true
	}
	return called
}

// putEvent is an old one, so that nothing waits for AWS to become consistent. It says
// nothing of the policy.
func putEvent(function string) []byte {
	return fmt.Appendf(nil, `{"detail-type":"AWS API Call via CloudTrail","source":"aws.lambda","account":"111122223333","region":"eu-central-1","detail":{`+
		`"eventVersion":"1.11","eventSource":"lambda.amazonaws.com","eventName":"PutResourcePolicy","eventTime":"2026-01-02T03:04:05Z","awsRegion":"eu-central-1","eventID":"e-%s",`+
		`"requestParameters":{"resourceArn":"arn:aws:lambda:eu-central-1:111122223333:function:%[1]s"}}}`, function)
}

// operationOf says what a request asks for, by the service that it is signed for. The
// stand-in of Lambda keeps its own list.
func operationOf(t *testing.T, r *http.Request) (service, operation string) {
	t.Helper()
	scope := strings.Split(r.Header.Get("Authorization"), "/")
	if len(scope) < 5 {
		t.Errorf("%s %s is not signed", r.Method, r.URL)
		return "", ""
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, target, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch service = scope[3]; service {
	case "lambda":
		return service, ""
	case "s3":
		return service, map[string]string{"GET": "GetObject", "PUT": "PutObject"}[r.Method]
	case "sns":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		return service, form.Get("Action")
	case "securityhub":
		return service, map[string]string{"/findings/import": "BatchImportFindings"}[r.URL.Path]
	}
	return service, target // of KMS and EventBridge
}

// integrations are the actions of what a state machine calls:
// https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
var integrations = map[string]string{
	"arn:aws:states:::lambda:invoke":              "lambda:InvokeFunction",
	"arn:aws:states:::aws-sdk:sfn:listExecutions": "states:ListExecutions",
}

func TestTheRolesOfTheMachineAndTheSchedulesMayDoWhatTheseSay(t *testing.T) {
	for name, context := range map[string]object{
		"audit":   {"mode": "audit"},
		"enforce": {"mode": "enforce", "chat": "on", "securityHub": "on", "eventBus": "security"},
	} {
		d := deploy(t, synthesize(t, context), frankfurt)
		p := d.resources[find(t, d, "AWS::StepFunctions::StateMachine", "Machine")]["Properties"]
		needed := map[string]bool{}
		if property(p, "TracingConfiguration.Enabled") == true {
			// https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
			for _, action := range []string{"PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets"} {
				needed["xray:"+action] = true
			}
		}
		var definition struct {
			States map[string]struct{ Type, Resource string }
		}
		if err := json.Unmarshal([]byte(property(p, "DefinitionString").(string)), &definition); err != nil {
			t.Fatal(err)
		}
		for _, state := range definition.States {
			if state.Type != "Task" {
				continue
			}
			arn, _ := property(p, "DefinitionSubstitutions."+strings.Trim(state.Resource, "${}")).(string)
			action := integrations[arn]
			if action == "" {
				t.Errorf("%s: no action is known for %s, %s", name, state.Resource, arn)
			}
			needed[action] = true
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(needed)), granted(t, statements(t, d, "MachineRole"))); diff != "" {
			t.Errorf("%s, the machine; needed (-) and granted (+): %s", name, diff)
		}

		needed = map[string]bool{}
		for _, id := range d.all("AWS::Scheduler::Schedule") {
			target := property(d.resources[id], "Properties.Target")
			for path, action := range map[string]string{"Arn": "states:StartExecution", "DeadLetterConfig.Arn": "sqs:SendMessage"} {
				arn, _ := property(target, path).(string)
				if !can(statements(t, d, "ScheduleRole"), action, arn) {
					t.Errorf("%s: %s may not %s on %q", name, id, action, arn)
				}
				needed[action] = true
			}
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(needed)), granted(t, statements(t, d, "ScheduleRole"))); diff != "" {
			t.Errorf("%s, the schedules; needed (-) and granted (+): %s", name, diff)
		}
	}
}
