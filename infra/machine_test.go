package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
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
		case "Wait":
		case "Pass":
			out := fill(state["Parameters"], data)
			if to, ok := state["ResultPath"].(string); ok {
				data.(object)[strings.TrimPrefix(to, "$.")] = out
			} else {
				data = out
			}
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
		if path, ok := property(choice, "StringEqualsPath").(string); ok && look(property(choice, "Variable").(string), data) == look(path, data) {
			return property(choice, "Next").(string)
		}
		is := look(property(choice, "Variable").(string), data)
		if want, ok := property(choice, "BooleanEquals").(bool); ok && is == want {
			return property(choice, "Next").(string)
		}
		if want, ok := property(choice, "StringEquals").(string); ok && is == want {
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
	case path == "$$.Execution.Id":
		return "own"
	case path == "States.ArrayGetItem($.others.arns, States.MathAdd($.others.running, -1))":
		return property(data, "others.arns").([]any)[int(property(data, "others.running").(float64))-1]
	case strings.Contains(path, "[*]."):
		from, member, _ := strings.Cut(path, "[*].")
		found := []any{}
		for _, element := range look(from, data).([]any) {
			found = append(found, property(element, member))
		}
		return found
	}
	return property(data, strings.TrimPrefix(path, "$."))
}

func TestTheStateMachineCallsTheSweepUntilItIsDone(t *testing.T) {
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		run     string     // "" is full
		running [][]string // executions, the latest first, each time that they are listed; nil is this one alone
		parts   int        // until the run is done
		fails   int        // calls of the function, from the second part on
		end     string
		tokens  []string // in the order of the calls
	}{
		"a small account":              {parts: 1, end: "Done", tokens: []string{""}},
		"a large account":              {parts: 3, end: "Done", tokens: []string{"", "part 1", "part 2"}},
		"a call that fails":            {parts: 2, fails: 2, end: "Done", tokens: []string{"", "part 1", "part 1", "part 1"}},
		"a run that is not listed yet": {running: [][]string{{}}, parts: 1, end: "Done", tokens: []string{""}},
		"an incremental run gives way to one that began before": {run: "incremental", running: [][]string{{"own", "earlier"}}, end: "Another run is under way"},
		"an incremental run that is not listed yet gives way":   {run: "incremental", running: [][]string{{"earlier"}}, end: "Another run is under way"},
		"of runs that began together the first one goes on":     {run: "incremental", running: [][]string{{"later", "own"}}, parts: 1, end: "Done", tokens: []string{""}},
		"a full run waits for its turn":                         {running: [][]string{{"own", "earlier"}, {"later", "own", "earlier"}, {"later", "own"}}, parts: 1, end: "Done", tokens: []string{""}},
		"a full run that is not listed yet waits":               {running: [][]string{{"earlier"}, {"own", "earlier"}, {"own"}}, parts: 1, end: "Done", tokens: []string{""}},
		"a function that is broken":                             {parts: 2, fails: 99, end: "Failed", tokens: []string{"", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1", "part 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var tokens []string
			part, fails, lists := 0, test.fails, 0
			kind := cmp.Or(test.run, "full")
			end, path := run(t, object{"run": kind}, func(resource string, in any) (any, error) {
				if resource == "${ListExecutions}" {
					if property(in, "StateMachineArn") != "arn:machine" || property(in, "StatusFilter") != "RUNNING" {
						t.Errorf("asked for %v", in)
					}
					running := []string{"own"}
					if lists < len(test.running) {
						running = test.running[lists]
					}
					lists++
					executions := []any{}
					for _, arn := range running {
						executions = append(executions, object{"ExecutionArn": arn})
					}
					return object{"Executions": executions}, nil
				}
				if resource != "${Invoke}" {
					t.Errorf("there is no %s", resource)
				}
				if property(in, "FunctionName") != "${Function}" || property(in, "Payload.run") != kind {
					t.Errorf("called %v", in)
				}
				tokens = append(tokens, property(in, "Payload.token").(string))
				if part > 0 && fails > 0 {
					fails--
					return nil, boom
				}
				part++
				return object{"Payload": object{"run": kind, "token": fmt.Sprintf("part %d", part), "done": part == test.parts}}, nil
			})
			if end != test.end {
				t.Errorf("it ends with %q, by way of %q", end, path)
			}
			if diff := gocmp.Diff(test.tokens, tokens); diff != "" {
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
