package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"arn:aws:iam::111122223333:user/dev-kim": "arn:aws:iam::111122223333:user/dev-kim",
		"\x1b[2J\x1b]0;title\a":                  `\x1b[2J\x1b]0;title\a`,
		"no\r\nyes":                              `no\r\nyes`,
		"\u202eevil\u2066":                       `\u202eevil\u2066`,
		"\u0430dmin":                             `\u0430dmin`, // a Cyrillic letter
		"\x9b31m":                                `\x9b31m`,
		"\xff\xfe":                               `\xff\xfe`,
		"\U0001F600":                             `\U0001f600`,
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %s, want %s", text, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("plain text")
	f.Add("\x1b[31m\u202e\xff\n")
	f.Fuzz(func(t *testing.T, text string) {
		got := visible(text)
		if !printable(got) {
			t.Errorf("visible(%q) = %q", text, got)
		}
		if printable(text) && got != text {
			t.Errorf("visible(%q) = %q changes what was visible", text, got)
		}
		if !printable(text) && got == text {
			t.Errorf("visible(%q) hides something", text)
		}
	})
}

func printable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestAnAnswerThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var stderr strings.Builder
		code := run(t.Context(), []string{"explain", "--format", format}, strings.NewReader(`{"Statement":[]}`), broken{}, &stderr)
		if code != int(exitBadInput) || !strings.Contains(stderr.String(), "the disk is full") {
			t.Errorf("%s: exit code %d, %q", format, code, &stderr)
		}
	}
}

// hostile is in every text that somebody else may choose.
const hostile = `\u001b[2J\r\n\u202e\u0007\u0430`

// hostileEvent shows it all: text in the event, in the policy and in what is found.
var hostileEvent = strings.ReplaceAll(`{"detail-type":"AWS API Call via CloudTrail","source":"aws.lambda","account":"111122223333","detail":{
	"eventVersion":"1.11","eventID":"HOSTILE","eventTime":"2026-11-20T09:01:17Z","eventSource":"lambda.amazonaws.com","eventName":"AddPermissionHOSTILE",
	"awsRegion":"eu-central-1","sourceIPAddress":"HOSTILE","userAgent":"HOSTILE","errorMessage":"HOSTILE",
	"userIdentity":{"type":"HOSTILE","arn":"arn:aws:iam::111122223333:user/HOSTILE"},
	"requestParameters":{"functionName":"orders","statementId":"HOSTILE","action":"lambda:InvokeFunction","principal":"*"},
	"responseElements":{"statement":"{\"Sid\":\"x INNER\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"lambda:InvokeFunction\",`+
	`\"Resource\":\"arn:aws:lambda:eu-central-1:111122223333:function:orders\",\"Condition\":{\"StringLike\":{\"aws:UserAgent\":\"INNER*\"}}}"}}}`,
	"HOSTILE", hostile)

func TestOutputCannotBeForged(t *testing.T) {
	event := strings.ReplaceAll(hostileEvent, "INNER", strings.ReplaceAll(hostile, `\`, `\\`))
	inputs := map[string]string{
		"event":           event,
		"ignored event":   strings.Replace(event, `"errorMessage"`, `"errorCode":"`+hostile+`","errorMessage"`, 1),
		"policy":          strings.ReplaceAll(`{"Statement":[{"Sid":"S","Effect":"Allow","Principal":{"AWS":"S"},"Action":"lambda:*","Condition":{"S":{"S":"S"}}},{"Sid":"S","Effect":"S"}]}`, `"S"`, `"`+hostile+`"`),
		"unknown element": strings.ReplaceAll(`{"Sid":"S","Effect":"Allow","S":1}`, `"S"`, `"`+hostile+`"`),
		"broken policy":   `{"Statement":[{"Effect":"Allow","` + hostile + "\": \x1b[2J\xff}",
		"other JSON":      `{"` + hostile + `":"` + hostile + `"}`,
	}
	for name, input := range inputs {
		for _, command := range [][]string{{"explain"}, {"rehearse", "-"}} {
			for _, format := range []string{"text", "json"} {
				t.Run(fmt.Sprint(name, command, format), func(t *testing.T) {
					_, stdout, stderr := guardrail(t, input, append(command, "--format", format)...)
					for line := range strings.Lines(stdout + stderr) {
						line = strings.TrimSuffix(line, "\n")
						if format == "text" && !printable(line) || strings.ContainsAny(line, "\x1b\r\a\u202e") {
							t.Errorf("%q", line)
						}
					}
					if stdout+stderr == "" {
						t.Error("no output")
					}
				})
			}
		}
	}
	for _, args := range [][]string{
		{"explain", "\x1b[2J\n\u202e.json"}, {"\x1b[2J\u202e"}, {"explain", "--\x1b[2J"}, {"explain", "--trust", "\x1b[2J"},
		{"explain", "--format", "\x1b[2J"}, {"explain", "--account", "\x1b[2J"}, {"rehearse", "--log", "no/\x1b[2J"},
	} {
		code, stdout, stderr := guardrail(t, "", args...)
		for line := range strings.Lines(stdout + stderr) {
			if !printable(strings.TrimSuffix(line, "\n")) {
				t.Errorf("%q: %q", args, line)
			}
		}
		if code != int(exitBadInput) {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}
