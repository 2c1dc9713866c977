package main

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/testdata"
)

func newTestRehearsal(t *testing.T, mode guard.Mode) *rehearsal {
	r := newRehearsal()
	r.config.Mode = mode
	t.Cleanup(r.close)
	return r
}

// A guardrail that does not do its job fails the rehearsal.
func TestStoryThatEndsOtherwise(t *testing.T) {
	r := newTestRehearsal(t, guard.Enforce)
	steps, err := r.readStory()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	for i, s := range steps {
		switch s.Event {
		case "classic-backdoor":
			steps[i].Leaves = map[string]string{"backdoor": ""}
		case "hidden-in-a-policy":
			steps[i].Leaves = map[string]string{"nightly": "mode", noSid: "mode"}
		}
	}
	if err := r.play(t.Context(), steps, func(step, played) {}, &stderr); err != exitYes {
		t.Errorf("play: %v", err)
	}
	for _, want := range []string{
		"classic-backdoor: the story does not end as it should: the policy holds [], want [backdoor]\n",
		"hidden-in-a-policy: the story does not end as it should: the policy holds [nightly], want []\n",
	} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q, want %q in it", stderr.String(), want)
		}
	}
}

// The whole corpus can be rehearsed; its folders say what is matched.
func TestCorpus(t *testing.T) {
	files, err := fs.Glob(testdata.Files, "events/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text, err := testdata.Files.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := newTestRehearsal(t, guard.Enforce)
			var stderr bytes.Buffer
			err = r.play(t.Context(), []step{{Event: file, text: text}}, func(_ step, x played) {
				if want := path.Base(path.Dir(file)) == "guarded"; x.Matched != want {
					t.Errorf("matched: %v, want %v", x.Matched, want)
				}
				if x.Outcome == guard.Failed.String() {
					t.Errorf("failed: %+v", x)
				}
			}, &stderr)
			if err != nil {
				t.Errorf("%v: %s", err, &stderr)
			}
		})
	}
}

// Whatever was before, the calls of several events can be made one after the other.
func TestCallsCanBeMade(t *testing.T) {
	event := func(call, parameters string) step {
		return step{Event: call, text: envelope(`{"eventVersion":"1.11","eventTime":"2026-11-20T09:01:17Z","eventSource":"lambda.amazonaws.com","eventName":"` + call + `",
			"awsRegion":"eu-central-1","recipientAccountId":"111122223333","requestParameters":` + strings.Replace(parameters, "{", `{"functionName":"orders","revisionId":"of-another-Lambda",`, 1) + `}`)}
	}
	r := newTestRehearsal(t, guard.Audit)
	var stderr bytes.Buffer
	var left []string
	err := r.play(t.Context(), []step{
		event("UpdateFunctionUrlConfig", `{"authType":"NONE"}`),
		event("CreateFunctionUrlConfig", `{"authType":"NONE"}`),
		event("CreateFunctionUrlConfig", `{"authType":"AWS_IAM"}`),
		event("RemovePermission20150331v2", `{"statementId":"everyone"}`),
		event("DeleteResourcePolicy", `{"resourceArn":null}`),
		event("AddPermission20150331v2", `{"statementId":"bucket","action":"lambda:InvokeFunction","principal":"s3.amazonaws.com"}`),
		event("AddPermission20150331v2", `{"statementId":"everyone","action":"lambda:InvokeFunction","principal":"*"}`),
		event("RemovePermission20150331v2", `{"statementId":"everyone"}`),
	}, func(s step, x played) {
		if x.Note != "" || x.candidate.Call != s.Event {
			t.Errorf("%s: %+v", s.Event, x)
		}
		left = x.left
	}, &stderr)
	if err != nil {
		t.Errorf("%v: %s", err, &stderr)
	}
	if !slices.Equal(left, []string{"bucket"}) {
		t.Errorf("the policy holds %q", left)
	}
}

func TestADuplicateHappenedOnce(t *testing.T) {
	r := newTestRehearsal(t, guard.Enforce)
	steps, err := r.readStory()
	if err != nil {
		t.Fatal(err)
	}
	if first, second := r.happens(steps[1]), r.happens(steps[2]); steps[1].Event != steps[2].Event || !bytes.Equal(sorted(t, first), sorted(t, second)) {
		t.Errorf("delivered %s, then %s", first, second)
	}
}

func sorted(t *testing.T, text []byte) []byte {
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestColours(t *testing.T) {
	if got := (&page{colour: true}).paint("public", 8); got != "\x1b[1;31mpublic  \x1b[0m" {
		t.Errorf("got %q", got)
	}
	if got := (&page{}).paint("public", 8); got != "public  " {
		t.Errorf("got %q", got)
	}
	if newPage(new(bytes.Buffer)).colour {
		t.Error("what is no terminal is coloured")
	}
	for _, word := range slices.Concat(levels, outcomes) {
		if colours[word.String()] == "" {
			t.Errorf("%s has no colour", word)
		}
	}
}
