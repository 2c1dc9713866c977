// Command respond is the change-triggered function: each event of a guarded call
// leads to a look at the live policy, and where the settings say so to a revert.
// It knows nothing that is not in its environment and in the file of exemptions
// beside it.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"lambda-guardrail/internal/wire"
)

func main() {
	slog.SetLogLoggerLevel(slog.LevelError) // the runtime logs its failures through log
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	handler, err := handler(os.Environ(), os.Getenv("LAMBDA_TASK_ROOT"))
	if err != nil {
		slog.Error("the function cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler)
}

func handler(environ []string, root string) (*wire.Handler, error) {
	cfg, c, exemptions, err := wire.Start(environ, os.DirFS(root))
	if err != nil {
		return nil, err
	}
	g := wire.Guard(cfg, c, exemptions, os.Stdout, wire.Clock{})
	return wire.NewHandler(g, cfg.Region), nil
}
