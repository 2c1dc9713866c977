package main

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/runtimetest"
)

// How many times as long as the bare handler the function may take, until it is
// ready and until it has answered.
const (
	goalLog = 1.25 // with the log alone
	goalAll = 1.6  // with every sink
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

// The job in Python, and what runs it there.
var (
	//go:embed handler.py
	pythonHandler string
	//go:embed bootstrap.py
	pythonBootstrap string
)

// handler is what is started.
type handler struct {
	name     string
	command  []string
	settings []string
	guards   bool    // or else it takes events and does nothing
	goal     float64 // 0 is none
}

// handlers builds them in dir. The bare one is the first. note says why one is
// missing.
func handlers(dir string) (all []handler, note string, err error) {
	source := filepath.Join(dir, "bare.go")
	if err := os.WriteFile(source, []byte(bare), 0o600); err != nil {
		return nil, "", err
	}
	const function = "lambda-guardrail/functions/respond"
	bareBinary, respond := filepath.Join(dir, "bare"), filepath.Join(dir, "respond")
	for binary, source := range map[string]string{bareBinary: source, respond: function} {
		if err := build(binary, source); err != nil {
			return nil, "", err
		}
	}
	all = []handler{
		{name: "bare Go handler", command: []string{bareBinary}},
		{name: "functions/respond, log alone", command: []string{respond}, settings: logAlone.Env(), guards: true, goal: goalLog},
		{name: "functions/respond, every sink", command: []string{respond}, settings: everySink.Env(), guards: true, goal: goalAll},
	}
	interpreter, versions, ok := python()
	if !ok {
		return all, "python3 with boto3 is not installed: the job in Python is not measured", nil
	}
	for name, text := range map[string]string{"handler.py": pythonHandler, "bootstrap.py": pythonBootstrap} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, "", err
		}
	}
	return append(all, handler{name: "the same job in " + versions, command: []string{interpreter, filepath.Join(dir, "bootstrap.py")}, guards: true}), "", nil
}

// build compiles as for Lambda, for this machine or for that of environ. The file is
// then written again in one piece: a linker writes it page by page, and it stays in
// the page cache as it came there, so that each start would have a quarter more page
// faults, some more and some less.
func build(binary, source string, environ ...string) error {
	if err := runtimetest.Build(binary, source, environ...); err != nil {
		return err
	}
	text, err := os.ReadFile(binary)
	if err == nil {
		err = os.Remove(binary)
	}
	if err == nil {
		err = os.WriteFile(binary, text, 0o700)
	}
	return err
}

// python returns the interpreter itself, past what a version manager puts before
// it, and "Python 3.11.7, boto3 1.43.11".
func python() (interpreter, versions string, ok bool) {
	out, err := exec.Command("python3", "-c", "import sys, platform, boto3; print(sys.executable); print('Python', platform.python_version() + ', boto3', boto3.__version__)").Output()
	if err != nil {
		return "", "", false
	}
	interpreter, versions, ok = strings.Cut(strings.TrimSpace(string(out)), "\n")
	return interpreter, versions, ok
}
