package main

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

var update = flag.Bool("update", false, "rewrite the golden template")

// TestMain runs the tests in a process of its own: jsii takes its environment
// before any code of ours runs.
func TestMain(m *testing.M) {
	if os.Getenv("CDK_VALIDATION") == "false" {
		code := m.Run()
		jsii.Close()
		os.Exit(code)
	}
	again := exec.Command(os.Args[0], os.Args[1:]...)
	// Validation takes seconds. The test of the CLI has it on.
	again.Env = append(os.Environ(), "CDK_VALIDATION=false", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	if err := again.Run(); err != nil {
		os.Exit(1)
	}
}

// fixture stands for the functions.
const fixture = "testdata/asset"

type object = map[string]any

func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("node is not installed: CDK runs on it")
	}
	t.Skip("node is not installed: CDK runs on it")
}

// newApp has the context of cdk.json, so that what is tested is what is deployed,
// with the given keys over it.
func newApp(t *testing.T, context object) awscdk.App {
	t.Helper()
	needNode(t)
	text, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Context object }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	maps.Copy(file.Context, context)
	return awscdk.NewApp(&awscdk.AppProps{Context: &file.Context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
}

// newStacks are those of the app, with a fixture for the function.
func newStacks(t *testing.T, app awscdk.App) []awscdk.Stack {
	t.Helper()
	c, err := settings(app)
	if err != nil {
		t.Fatal(err)
	}
	return NewStacks(app, c, fixture, fixture)
}

// synthesize returns the template of the one stack that the context makes.
func synthesize(t *testing.T, context object) object {
	t.Helper()
	return templateOf(newStacks(t, newApp(t, context))[0])
}

func templateOf(stack awscdk.Stack) object {
	return *assertions.Template_FromStack(stack, nil).ToJSON()
}
