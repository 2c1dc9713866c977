package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/lambdatest"
	"lambda-guardrail/internal/runtimetest"
)

const (
	harmless = `{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}}`
	backdoor = `{"Sid":"backdoor","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-central-1:111122223333:function:orders"}`
)

// events are what a fresh process is asked, each with the calls that a guardrail
// then makes. They are old, so that nothing waits for AWS to become consistent.
var events = [...]struct {
	title, added string
	calls        []string
}{
	{"a harmless event: no API call", harmless, nil},
	{"the classic backdoor, in enforce: taken out by three API calls, and one to look around", backdoor,
		[]string{"GetPolicy", "RemovePermission", "GetPolicy", "GetFunctionConfiguration"}},
}

func payload(statement string) []byte {
	return fmt.Appendf(nil, `{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.lambda","account":"111122223333","time":"2026-01-02T03:04:05Z","region":"eu-central-1","resources":[],`+
		`"detail":{"eventVersion":"1.11","eventSource":"lambda.amazonaws.com","eventName":"AddPermission20150331v2","eventTime":"2026-01-02T03:04:05Z","awsRegion":"eu-central-1","eventID":"1",`+
		`"requestParameters":{"functionName":"orders"},"responseElements":{"statement":%q}}}`, statement)
}

// sinks are what the services of the sinks answer, each below a path of its own.
var sinks = map[string]string{
	"SNS":         awstest.Published,
	"SECURITYHUB": awstest.Imported,
	"EVENTBRIDGE": awstest.Put,
}

// sample is one cold start.
type sample struct {
	ready, answer time.Duration // from the start of the process
	memory        int64         // the most, in bytes
}

func ready(s sample) float64  { return float64(s.ready) / float64(time.Millisecond) }
func answer(s sample) float64 { return float64(s.answer) / float64(time.Millisecond) }
func memory(s sample) float64 { return mebibytes(s.memory) }

// starts measures every handler with every event, and writes a table for each.
func starts(w io.Writer, dir string, runs int) error {
	all, note, err := handlers(dir)
	if err != nil {
		return err
	}
	account := lambdatest.New("aws", "eu-central-1", "111122223333")
	url, stop, err := lambdatest.Serve("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer, ok := sinks[strings.Split(r.URL.Path, "/")[1]]; ok {
			io.WriteString(w, answer)
			return
		}
		account.ServeHTTP(w, r)
	}))
	if err != nil {
		return err
	}
	defer stop()
	environ := append(runtimetest.Environ("coldstart", "eu-central-1", dir), "AWS_ENDPOINT_URL="+url)
	for service := range sinks {
		environ = append(environ, "AWS_ENDPOINT_URL_"+service+"="+url+"/"+service)
	}

	measured := make([][len(events)][]sample, len(all))
	round := func(interpreted, keep bool) error {
		for e, event := range events {
			for _, i := range rand.Perm(len(all)) { // none has always the same one before it
				h := all[i]
				if len(h.command) > 1 != interpreted {
					continue
				}
				account.Forget()
				account.Seed("orders", `{"Version":"2012-10-17","Id":"default","Statement":[`+harmless+`,`+backdoor+`]}`)
				one, err := start(h, environ, payload(event.added))
				if err != nil {
					return fmt.Errorf("starting %s: %w", h.name, err)
				}
				if err := check(h, event.calls, account.Calls()); err != nil {
					return err
				}
				if keep {
					measured[i][e] = append(measured[i][e], one)
				}
			}
		}
		return nil
	}
	// An interpreter comes after the others: whoever starts behind it finds other
	// caches. The first start is not kept: it reads the file from the disk.
	for _, interpreted := range []bool{false, true} {
		for n := range runs + 1 {
			if err := round(interpreted, n > 0); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(w, "medians of %d cold starts each, in changing order, on %d processors (%s, %s/%s); in brackets, times the bare handler's\n",
		runs, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if note != "" {
		fmt.Fprintln(w, note)
	}
	for e := range events {
		if err := report(w, e, all, measured); err != nil {
			return err
		}
	}
	return nil
}

// start starts a handler once.
func start(h handler, environ []string, event []byte) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	process, err := runtimetest.Start(h.command[0], slices.Concat(environ, h.settings), h.command[1:]...)
	if err != nil {
		return sample{}, err
	}
	defer process.Stop()
	reply, err := process.Invoke(ctx, event, time.Minute)
	s := sample{answer: time.Since(began)}
	if err != nil {
		return sample{}, err
	}
	if reply.Failed {
		return sample{}, fmt.Errorf("the event failed: %s", reply.Payload)
	}
	if s.ready, err = process.Ready(ctx); err != nil {
		return sample{}, err
	}
	s.memory, err = process.PeakMemory()
	return s, err
}

// check holds all that guard to the same calls.
func check(h handler, want []string, calls []lambdatest.Call) error {
	var got []string
	for _, c := range calls {
		got = append(got, c.Operation)
	}
	if !h.guards {
		want = nil
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s called %q, want %q", h.name, got, want)
	}
	return nil
}

// report writes the table of one event, each handler beside the bare one.
func report(w io.Writer, e int, all []handler, measured [][len(events)][]sample) error {
	fmt.Fprintf(w, "\n%s\n\n", events[e].title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "handler\tfirst next\tfirst response\tpeak memory\tgoal")
	for i, h := range all {
		cell := func(of func(sample) float64) (value, ratio float64) {
			value = median(measured[i][e], of)
			return value, value / median(measured[0][e], of)
		}
		next, timesNext := cell(ready)
		response, timesResponse := cell(answer)
		most, timesMost := cell(memory)
		fmt.Fprintf(t, "%s\t%.2f ms (%.2f)\t%.2f ms (%.2f)\t%.1f MiB (%.2f)\t%s\n", h.name,
			next, timesNext, response, timesResponse, most, timesMost, verdict(h.goal, timesNext, timesResponse, events[e].calls))
	}
	return t.Flush()
}

// verdict says whether a goal is met. Against a handler that does nothing, it can
// only be one where there is nothing to do.
func verdict(goal, next, response float64, calls []string) string {
	if goal == 0 || len(calls) > 0 {
		return "-"
	}
	var missed []string
	if next > goal {
		missed = append(missed, "first next")
	}
	if response > goal {
		missed = append(missed, "first response")
	}
	if len(missed) > 0 {
		return fmt.Sprintf("%.2f, missed: %s", goal, strings.Join(missed, ", "))
	}
	return fmt.Sprintf("%.2f, met", goal)
}

func median(samples []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
