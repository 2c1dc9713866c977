package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run interprets as much of the Amazon States Language as the machine is written
// in. A task answers with a value or an error; one that is tried again is called
// again.
func run(t *testing.T, input object, task func(resource string, parameters any) (any, error)) (end string, path []string) {
	t.Helper()
	var definition object
	if err := json.Unmarshal([]byte(machine()), &definition); err != nil {
		t.Fatal(err)
	}
	states := definition["States"].(object)
	var data any = input
	at := definition["StartAt"].(string)
	for range 100 {
		path = append(path, at)
		state, ok := states[at].(object)
		if !ok {
			t.Fatalf("there is no state %q", at)
		}
		next, _ := state["Next"].(string)
		switch state["Type"] {
		case "Succeed", "Fail":
			return at, path
		case "Pass":
			data = fill(state["Parameters"], data)
		case "Choice":
			next = choose(t, state, data)
		case "Task":
			out, err := tried(state, func() (any, error) {
				return task(state["Resource"].(string), fill(state["Parameters"], data))
			})
			if err != nil {
				caught := property(state, "Catch.0")
				data, next = object{"failure": object{"Error": "TaskFailed", "Cause": err.Error()}}, property(caught, "Next").(string)
				break
			}
			if selector := state["ResultSelector"]; selector != nil {
				out = fill(selector, out)
			}
			if to, ok := state["ResultPath"].(string); ok {
				data.(object)[strings.TrimPrefix(to, "$.")] = out
			} else {
				data = out
			}
			if from, ok := state["OutputPath"].(string); ok {
				data = look(from, data)
			}
		}
		at = next
	}
	t.Fatal("the machine does not come to an end")
	return "", nil
}

func tried(state object, call func() (any, error)) (out any, err error) {
	attempts := 1 + int(property(state, "Retry.0.MaxAttempts").(float64))
	for range attempts {
		if out, err = call(); err == nil {
			break
		}
	}
	return out, err
}

func choose(t *testing.T, state object, data any) string {
	t.Helper()
	for _, choice := range state["Choices"].([]any) {
		is := look(property(choice, "Variable").(string), data)
		if want, ok := property(choice, "BooleanEquals").(bool); ok && is == want {
			return property(choice, "Next").(string)
		}
		if than, ok := property(choice, "NumericGreaterThan").(float64); ok && is.(float64) > than {
			return property(choice, "Next").(string)
		}
	}
	return state["Default"].(string)
}

// fill evaluates the members of a template that end in ".$".
func fill(template, data any) any {
	members, ok := template.(object)
	if !ok {
		return template
	}
	out := object{}
	for name, value := range members {
		if plain, dynamic := strings.CutSuffix(name, ".$"); dynamic {
			out[plain] = look(value.(string), data)
		} else {
			out[name] = fill(value, data)
		}
	}
	return out
}

func look(path string, data any) any {
	switch {
	case path == "$$.StateMachine.Id":
		return "arn:machine"
	case strings.HasPrefix(path, "States.ArrayLength("):
		list, _ := look(strings.TrimSuffix(strings.TrimPrefix(path, "States.ArrayLength("), ")"), data).([]any)
		return float64(len(list))
	}
	return property(data, strings.TrimPrefix(path, "$."))
}

func TestTheStateMachineCallsTheSweepUntilItIsDone(t *testing.T) {
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		running int
		parts   int // until the run is done
		fails   int // calls of the function, from the second part on
		end     string
		tokens  []string // in the order of the calls
	}{
		"a small account":           {running: 1, parts: 1, end: "Done", tokens: []string{""}},
		"a large account":           {running: 1, parts: 3, end: "Done", tokens: []string{"", "part 1", "part 2"}},
		"a call that fails":         {running: 1, parts: 2, fails: 2, end: "Done", tokens: []string{"", "part 1", "part 1", "part 1"}},
		"another run is under way":  {running: 2, end: "Another run is under way"},
		"a function that is broken": {running: 1, parts: 2, fails: 99, end: "Failed", tokens: []string{"", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var tokens []string
			part, fails := 0, test.fails
			end, path := run(t, object{"run": "full"}, func(resource string, in any) (any, error) {
				if strings.HasSuffix(resource, ":listExecutions") {
					if property(in, "StateMachineArn") != "arn:machine" || property(in, "StatusFilter") != "RUNNING" {
						t.Errorf("asked for %v", in)
					}
					return object{"Executions": make([]any, test.running)}, nil
				}
				if property(in, "FunctionName") != "${Function}" || property(in, "Payload.run") != "full" {
					t.Errorf("called %v", in)
				}
				tokens = append(tokens, property(in, "Payload.token").(string))
				if part > 0 && fails > 0 {
					fails--
					return nil, boom
				}
				part++
				return object{"Payload": object{"run": "full", "token": fmt.Sprintf("part %d", part), "done": part == test.parts}}, nil
			})
			if end != test.end {
				t.Errorf("it ends with %q, by way of %q", end, path)
			}
			if diff := cmp.Diff(test.tokens, tokens); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithoutASchedule(t *testing.T) {
	for name, test := range map[string]struct {
		context          object
		schedules, roles int
		heartbeat        any // days
	}{
		"both":    {nil, 2, 4, 4.0},
		"full":    {object{"sweepSchedule": "off"}, 1, 4, nil},
		"nightly": {object{"sweepSchedule": "cron(0 3 * * ? *)", "fullSweepSchedule": "off"}, 1, 4, 4.0},
		"seldom":  {object{"sweepSchedule": "cron(0 3 1 * ? *)", "fullSweepSchedule": "rate(36 hours)"}, 2, 4, 6.0},
		"neither": {object{"sweepSchedule": "off", "fullSweepSchedule": "off"}, 0, 3, nil},
	} {
		d := deploy(t, synthesize(t, test.context), frankfurt)
		if n := len(d.all("AWS::Scheduler::Schedule")); n != test.schedules {
			t.Errorf("%s: %d schedules", name, n)
		}
		if n := len(d.all("AWS::IAM::Role")); n != test.roles {
			t.Errorf("%s: %d roles", name, n)
		}
		var days any
		for _, id := range d.all("AWS::CloudWatch::Alarm") {
			if strings.HasPrefix(id, "GuardrailHeartbeat") {
				days = property(d.resources[id], "Properties.EvaluationPeriods")
			}
		}
		if days != test.heartbeat {
			t.Errorf("%s: the heartbeat may be missing for %v days", name, days)
		}
	}
}
