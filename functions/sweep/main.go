// Command sweep is the periodic function: it looks at every policy of every
// function, as far as it comes in one invocation, and says where the next one goes
// on. It knows nothing that is not in its event, its environment and the file of
// exemptions beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/go-json-experiment/json"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/seen"
	"lambda-guardrail/internal/sink"
	"lambda-guardrail/internal/sweep"
	"lambda-guardrail/internal/wire"
)

// reserve is what an invocation needs at its end: to finish with one policy whose
// calls go wrong, and to store what it has seen.
const reserve = 2 * time.Minute

func main() {
	slog.SetLogLoggerLevel(slog.LevelError) // the runtime logs its failures through log
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	h, err := newHandler(os.Environ(), os.Getenv("LAMBDA_TASK_ROOT"))
	if err != nil {
		slog.Error("the function cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

type handler struct {
	sweep      *sweep.Sweep
	log        *sink.Log
	exemptions []guard.Exemption
}

func newHandler(environ []string, root string) (*handler, error) {
	cfg, c, exemptions, err := wire.Start(environ, os.DirFS(root))
	if err != nil {
		return nil, err
	}
	if (c.Sweep.Bucket == "") != (c.Sweep.Key == "") {
		return nil, errors.New("reading the settings: GUARDRAIL_SEEN_BUCKET and GUARDRAIL_SEEN_KEY: want both, or none of them")
	}
	var store sweep.Seen
	if c.Sweep.Bucket != "" {
		store = seen.New(cfg, c.Sweep.Bucket, c.Sweep.Key)
	}
	clock := wire.Clock{}
	return &handler{
		sweep:      wire.Sweep(cfg, c, exemptions, os.Stdout, clock, store),
		log:        sink.NewLog(os.Stdout, clock.Now),
		exemptions: exemptions,
	}, nil
}

// part is the event, {"run":"full","token":""}, and the answer, which is the next
// event until it is done.
type part struct {
	Run   string `json:"run"`   // full or incremental
	Token string `json:"token"` // of the answer before; "" begins a run
	Done  bool   `json:"done"`
}

// Invoke implements the runtime's Handler.
func (h *handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var p part
	if err := json.Unmarshal(event, &p, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf(`reading the event: %w: want {"run":"full","token":""}`, err)
	}
	kind, err := sweep.ParseKind(p.Run)
	if err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	if p.Done {
		return json.Marshal(p)
	}
	run := sweep.Run{Kind: kind, Token: p.Token}
	if deadline, ok := ctx.Deadline(); ok {
		run.Until = deadline.Add(-reserve)
	}
	r, err := h.sweep.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	if err := h.log.Swept(kind, r, h.exemptions); err != nil {
		return nil, err
	}
	return json.Marshal(part{p.Run, r.Token, r.Done})
}
