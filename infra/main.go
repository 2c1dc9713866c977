// Infra is the CDK app: it turns the settings in cdk.json into a stack for each
// region, with the functions built and packed. It does not know what a public
// statement is: rule, environment and permissions are made from what cloudtrail
// and config say.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"lambda-guardrail/internal/config"
)

func main() {
	if os.Getenv("CDK_VALIDATION") == "" {
		os.Exit(withoutValidation())
	}
	err := synth(time.Now())
	jsii.Close()
	if err != nil {
		fmt.Fprintf(os.Stderr, "lambda-guardrail: %v\n", err)
		os.Exit(1)
	}
}

// withoutValidation runs the app again with CDK's validator of templates off: it
// takes longer than all the rest. CDK_VALIDATION=true keeps it on. The variable is
// read before main begins, so that it takes another process to set it.
func withoutValidation() (code int) {
	again := exec.Command(os.Args[0], os.Args[1:]...)
	again.Env = append(os.Environ(), "CDK_VALIDATION=false")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := again.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "lambda-guardrail: %v\n", err)
		return 1
	}
	return 0
}

// synth runs in the directory of cdk.json, which is the module's.
func synth(now time.Time) error {
	app := awscdk.NewApp(nil)
	c, err := settings(app)
	if err != nil {
		return fmt.Errorf("reading the context (cdk.json, or -c KEY=VALUE):\n%w", err)
	}
	files, warnings, err := exemptions(c.Exemptions, now)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lambda-guardrail-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // cdk.out has a copy
	assets := map[string]string{}
	for _, function := range []string{"respond", "sweep"} {
		bootstrap, err := build(".", function, dir, "linux", "arm64")
		if err != nil {
			return err
		}
		assets[function] = filepath.Join(dir, function+".zip")
		if err := pack(assets[function], append(slices.Clip(files), bootstrap)); err != nil {
			return err
		}
	}
	for _, stack := range NewStacks(app, c, assets["respond"], assets["sweep"]) {
		for _, w := range warnings {
			awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("lambda-guardrail:exemptions"), &w)
		}
	}
	app.Synth(nil)
	return nil
}

func settings(app awscdk.App) (config.Config, error) {
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	return config.FromContext(context)
}
