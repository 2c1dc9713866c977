package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/internal/lambdaadmin"
)

// wantFinding closes every message about an input that holds none.
const wantFinding = "want a finding (with resource, statement and policyBefore), a line of the guardrail's log that holds one, " +
	"or a message of SNS, SQS or EventBridge that does"

// Members in which a finding is delivered, as an object or as text; and those that
// are lists of such.
var (
	wrappers = []string{"finding", "detail", "Message", "message", "body", "Body"}
	lists    = []string{"findings", "Records", "Messages", "events"}
)

// maxWrappers is far above what AWS puts around a message: EventBridge, then SNS,
// then SQS, then a list.
const maxWrappers = 8

// taken is what a finding says of a statement that was taken out. Nothing else in it
// is believed.
type taken struct {
	lambdaadmin.Removed
	sid, fingerprint string
}

// readFinding reads what was taken out from a file; "-" is stdin.
func readFinding(input string, stdin io.Reader) (taken, error) {
	name := place{Input: input}.String()
	if input != "-" {
		file, err := os.Open(input)
		if err != nil {
			return taken{}, err
		}
		defer file.Close()
		stdin = file
	}
	dec := jsontext.NewDecoder(&limited{from: stdin, left: maxDocument})
	text, err := dec.ReadValue()
	switch {
	case err == io.EOF:
		return taken{}, fmt.Errorf("%s: it is empty; %s", name, wantFinding)
	case err != nil:
		return taken{}, fmt.Errorf("%s: %w; %s", name, notJSON(err), wantFinding)
	}
	text = text.Clone()
	if _, err := dec.ReadToken(); err != io.EOF {
		return taken{}, fmt.Errorf("%s: there is more in it than one document; want one finding at a time", name)
	}
	t, err := findingIn(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return t, err
}

// findingIn takes a finding, or evidence, out of what it was delivered in.
func findingIn(text jsontext.Value) (taken, error) {
	var omitted []string
	for range maxWrappers {
		if text.Kind() == '"' {
			text = jsontext.Value(plain(text))
		}
		var has map[string]jsontext.Value
		if err := json.Unmarshal(text, &has); err != nil {
			break
		}
		if has["resource"].Kind() == '{' {
			return statementOf(text, omitted)
		}
		if has["omitted"] != nil {
			_ = json.Unmarshal(has["omitted"], &omitted) // it only explains what is missing
		}
		if text = inside(has); text == nil {
			break
		}
	}
	return taken{}, errors.New("there is no finding in it, or more than one; " + wantFinding)
}

// inside returns the one member that a finding can be in, or nil.
func inside(has map[string]jsontext.Value) jsontext.Value {
	for _, name := range wrappers {
		if has[name] != nil {
			return has[name]
		}
	}
	for _, name := range lists {
		var all []jsontext.Value
		if json.Unmarshal(has[name], &all) == nil && len(all) == 1 {
			return all[0]
		}
	}
	return nil
}

func statementOf(text jsontext.Value, omitted []string) (taken, error) {
	var f struct {
		SchemaVersion string `json:"schemaVersion"` // evidence has none
		ID            string `json:"id"`
		Resource      struct {
			ARN string `json:"arn"`
		} `json:"resource"`
		Statement    string `json:"statement"`
		Fingerprint  string `json:"fingerprint"`
		PolicyBefore string `json:"policyBefore"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return taken{}, fmt.Errorf("reading the finding: %w", err)
	}
	fingerprint := iampolicy.Fingerprint(f.Statement)
	major, _, _ := strings.Cut(guard.SchemaVersion, ".")
	switch is, _, _ := strings.Cut(f.SchemaVersion, "."); {
	case f.SchemaVersion != "" && is != major:
		return taken{}, fmt.Errorf("the finding has the schema version %q, and this version of guardrail reads %s.x", f.SchemaVersion, major)
	case f.Statement == "" && slices.Contains(omitted, "statement"):
		return taken{}, fmt.Errorf("the log left the statement out of this line, for want of room: want the line with msg evidence and id %q", f.ID)
	case f.Statement == "":
		return taken{}, errors.New("the finding holds no statement, so there is none to put back")
	case f.Fingerprint != "" && f.Fingerprint != fingerprint:
		return taken{}, errors.New("the statement does not have the fingerprint that the finding says: it was changed on its way")
	}
	r, err := guard.ParseResource(f.Resource.ARN)
	if err != nil {
		return taken{}, err
	}
	d, err := iampolicy.ParseStatement(f.Statement)
	if err != nil {
		return taken{}, err
	}
	return taken{lambdaadmin.Removed{Resource: r, Statement: f.Statement, Before: f.PolicyBefore}, d.Statements[0].Sid, fingerprint}, nil
}
