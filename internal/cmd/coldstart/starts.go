package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

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
	"SNS":         `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`,
	"SECURITYHUB": `{"FailedCount":0,"SuccessCount":1,"FailedFindings":[]}`,
	"EVENTBRIDGE": `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`,
}

// figures are those of one handler and one event.
type figures struct {
	ready, answer []time.Duration
	memory        []int64
}

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

	measured := make([][len(events)]figures, len(all))
	for n := range runs + 1 {
		for e, event := range events {
			for i, h := range all { // in turn, so that what else the machine does meets them all
				f := &measured[i][e]
				if n == 0 {
					f = new(figures) // the first start is not kept: it reads the file from the disk
				}
				account.Forget()
				account.Seed("orders", `{"Version":"2012-10-17","Id":"default","Statement":[`+harmless+`,`+backdoor+`]}`)
				if err := f.start(h, environ, payload(event.added)); err != nil {
					return fmt.Errorf("starting %s: %w", h.name, err)
				}
				if err := check(h, event.calls, account.Calls()); err != nil {
					return err
				}
			}
		}
	}
	fmt.Fprintf(w, "medians of %d cold starts each, in turn, on %d processors (%s, %s/%s); in brackets, times the bare handler's\n",
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
func (f *figures) start(h handler, environ []string, event []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	process, err := runtimetest.Start(h.command[0], slices.Concat(environ, h.settings), h.command[1:]...)
	if err != nil {
		return err
	}
	defer process.Stop()
	reply, err := process.Invoke(ctx, event, time.Minute)
	answer := time.Since(began)
	if err != nil {
		return err
	}
	if reply.Failed {
		return fmt.Errorf("the event failed: %s", reply.Payload)
	}
	ready, err := process.Ready(ctx)
	if err != nil {
		return err
	}
	memory, err := process.PeakMemory()
	if err != nil {
		return err
	}
	f.ready, f.answer, f.memory = append(f.ready, ready), append(f.answer, answer), append(f.memory, memory)
	return nil
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
func report(w io.Writer, e int, all []handler, measured [][len(events)]figures) error {
	fmt.Fprintf(w, "\n%s\n\n", events[e].title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "handler\tfirst next\tfirst response\tpeak memory\tgoal")
	bare := measured[0][e]
	for i, h := range all {
		f := measured[i][e]
		ready, answer := ratio(f.ready, bare.ready), ratio(f.answer, bare.answer)
		fmt.Fprintf(t, "%s\t%.2f ms (%.2f)\t%.2f ms (%.2f)\t%.1f MiB (%.2f)\t%s\n", h.name,
			milliseconds(median(f.ready)), ready, milliseconds(median(f.answer)), answer,
			mebibytes(median(f.memory)), ratio(f.memory, bare.memory), verdict(h.goal, ready, answer, events[e].calls))
	}
	return t.Flush()
}

// verdict says whether a goal is met. Against a handler that does nothing, it can
// only be one where there is nothing to do.
func verdict(goal, ready, answer float64, calls []string) string {
	if goal == 0 || len(calls) > 0 {
		return "-"
	}
	var missed []string
	if ready > goal {
		missed = append(missed, "first next")
	}
	if answer > goal {
		missed = append(missed, "first response")
	}
	if len(missed) > 0 {
		return fmt.Sprintf("%.2f, missed: %s", goal, strings.Join(missed, ", "))
	}
	return fmt.Sprintf("%.2f, met", goal)
}

func median[T ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func ratio[T ~int64](a, b []T) float64     { return float64(median(a)) / float64(median(b)) }
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func mebibytes(n int64) float64            { return float64(n) / (1 << 20) }
