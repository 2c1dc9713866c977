// Command respond is the change-triggered function: each event of a guarded call
// leads to a look at the live policy, and where the settings say so to a revert.
// It knows nothing that is not in its environment and in the file of exemptions
// beside it.
package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/aws/aws-lambda-go/lambda"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
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
	c, err := config.FromEnv(environ)
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	var exemptions []guard.Exemption
	if c.Exemptions != "" {
		text, err := os.ReadFile(filepath.Join(root, c.Exemptions))
		if err != nil {
			return nil, fmt.Errorf("reading the exemptions: %w", err)
		}
		if exemptions, err = config.ParseExemptions(text); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Exemptions, err)
		}
	}
	cfg, err := wire.AWS(environ)
	if err != nil {
		return nil, fmt.Errorf("reading the environment: %w", err)
	}
	g := wire.Guard(cfg, c, exemptions, os.Stdout, wire.Clock{})
	return wire.NewHandler(g, cfg.Region), nil
}
