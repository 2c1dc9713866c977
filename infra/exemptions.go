package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lambda-guardrail/internal/config"
)

// exemptions returns the file of that name for the asset, if there is a name, and
// a warning for each exemption that is about to lapse. One that has lapsed is an
// error: it is no exemption any more, and whoever deploys ought to know.
func exemptions(name string, now time.Time) (files []file, warnings []string, err error) {
	if name == "" {
		return nil, nil, nil
	}
	if !filepath.IsLocal(name) {
		return nil, nil, fmt.Errorf("exemptions is %q: want a file beside cdk.json or below it", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the exemptions: %w", err)
	}
	list, err := config.ParseExemptions(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	var problems []error
	for i, e := range list {
		on := fmt.Sprintf("%s: exemptions[%d] of %s, owner %s", name, i, e.Function, e.Owner)
		end := e.Until.Format(time.RFC3339)
		switch {
		case e.Ended(now):
			problems = append(problems, fmt.Errorf("%s, ended at %s: remove it, or ask the owner for a later date", on, end))
		case e.Ends(now):
			warnings = append(warnings, fmt.Sprintf("%s, ends at %s: then its statements are public ones like any other", on, end))
		}
	}
	return []file{{filepath.ToSlash(name), 0o644, text}}, warnings, errors.Join(problems...)
}
