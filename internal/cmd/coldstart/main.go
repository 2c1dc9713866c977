// Command coldstart measures how much later than a handler that does nothing the
// deployed function is ready, both compiled as for Lambda but for this machine.
// It does not know what AWS adds: a sandbox, a download, and a slower processor.
//
//	go run ./internal/cmd/coldstart [-runs 20]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/runtimetest"
)

// How much slower than the bare handler the function may start.
const (
	goalLog = 1.3 // with the log alone
	goalAll = 1.6 // with every sink
)

var (
	logAlone  = config.Config{Mode: guard.Enforce}
	everySink = config.Config{
		Mode:        guard.Enforce,
		Topic:       "arn:aws:sns:eu-central-1:111122223333:findings",
		ChatTopic:   "arn:aws:sns:eu-central-1:111122223333:chat",
		SecurityHub: true,
		EventBus:    "default",
	}
)

// bare is the least that a handler can be.
const bare = `package main

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context, json.RawMessage) error { return nil })
}
`

// event is about a statement that the function knows to be harmless without a
// call.
const event = `{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.lambda","account":"111122223333","time":"2026-01-02T03:04:05Z","region":"eu-central-1","resources":[],` +
	`"detail":{"eventVersion":"1.11","eventSource":"lambda.amazonaws.com","eventName":"AddPermission20150331v2","eventTime":"2026-01-02T03:04:05Z","awsRegion":"eu-central-1","eventID":"1","requestParameters":{"functionName":"orders"},` +
	`"responseElements":{"statement":"{\"Sid\":\"s3\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"s3.amazonaws.com\"},\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:aws:lambda:eu-central-1:111122223333:function:orders\",\"Condition\":{\"StringEquals\":{\"AWS:SourceAccount\":\"111122223333\"}}}"}}}`

func main() {
	runs := flag.Int("runs", 20, "cold starts of each")
	flag.Parse()
	if err := run(max(*runs, 1)); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		os.Exit(1)
	}
}

// candidate is a binary with what was measured of it.
type candidate struct {
	name, source  string
	settings      config.Config
	goal          float64 // 0 is none
	binary        string
	ready, answer []time.Duration
	memory        []int64
}

func run(runs int) error {
	dir, err := os.MkdirTemp("", "coldstart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bareSource := filepath.Join(dir, "bare.go")
	if err := os.WriteFile(bareSource, []byte(bare), 0o600); err != nil {
		return err
	}
	bare := &candidate{name: "bare handler", source: bareSource}
	const function = "lambda-guardrail/functions/respond"
	candidates := []*candidate{
		bare,
		{name: "functions/respond, log alone", source: function, goal: goalLog, settings: logAlone},
		{name: "functions/respond, every sink", source: function, goal: goalAll, settings: everySink},
	}
	for i, c := range candidates {
		c.binary = filepath.Join(dir, fmt.Sprintf("bootstrap-%d", i))
		command := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", c.binary, c.source)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w: %s", c.name, err, out)
		}
	}
	for n := range runs + 1 {
		for _, c := range candidates { // in turn, so that what else the machine does meets them all
			if err := c.start(dir, n > 0); err != nil {
				return fmt.Errorf("starting %s: %w", c.name, err)
			}
		}
	}
	return report(candidates, runs)
}

// start starts the binary once. The first time is not kept: it reads the file
// from the disk.
func (c *candidate) start(root string, keep bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	f, err := runtimetest.Start(c.binary, append(runtimetest.Environ("coldstart", "eu-central-1", root), c.settings.Env()...))
	if err != nil {
		return err
	}
	defer f.Stop()
	reply, err := f.Invoke(ctx, []byte(event), time.Minute)
	answer := time.Since(began)
	if err != nil {
		return err
	}
	if reply.Failed {
		return fmt.Errorf("the event failed: %s", reply.Payload)
	}
	ready, err := f.Ready(ctx)
	if err != nil {
		return err
	}
	memory, err := f.PeakMemory()
	if err != nil {
		return err
	}
	if keep {
		c.ready, c.answer, c.memory = append(c.ready, ready), append(c.answer, answer), append(c.memory, memory)
	}
	return nil
}

// report prints the candidates, each beside the first.
func report(candidates []*candidate, runs int) error {
	fmt.Printf("medians of %d cold starts each, in turn; in brackets, times the bare handler's\n\n", runs)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "handler\tready for events\tfirst answer\tpeak memory\tbinary")
	bare := candidates[0]
	var verdicts []string
	for _, c := range candidates {
		size, err := c.size()
		if err != nil {
			return err
		}
		ready := ratio(median(c.ready), median(bare.ready))
		fmt.Fprintf(w, "%s\t%.2f ms (%.2f)\t%.2f ms (%.2f)\t%.1f MB (%.2f)\t%.1f MB\n", c.name,
			milliseconds(median(c.ready)), ready,
			milliseconds(median(c.answer)), ratio(median(c.answer), median(bare.answer)),
			megabytes(median(c.memory)), ratio(median(c.memory), median(bare.memory)), megabytes(size))
		if c.goal > 0 {
			verdict := "met"
			if ready > c.goal {
				verdict = "missed"
			}
			verdicts = append(verdicts, fmt.Sprintf("goal: %s: ready within %.1f of the bare handler: %s", c.name, c.goal, verdict))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("\n%s\n", strings.Join(verdicts, "\n"))
	return nil
}

func (c *candidate) size() (int64, error) {
	info, err := os.Stat(c.binary)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func median[T ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

func ratio[T ~int64](a, b T) float64       { return float64(a) / float64(b) }
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func megabytes(n int64) float64            { return float64(n) / (1 << 20) }
