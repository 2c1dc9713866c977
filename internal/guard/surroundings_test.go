package guard_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"lambda-guardrail/internal/guard"
)

// asked is a guard.Surroundings that writes down what it is asked, and what the
// policy was then.
type asked struct {
	w              *world
	authType       string // "" is no function URL
	err            error
	questions      []string
	sawPolicyWhole bool
}

func (a *asked) ask(question string) error {
	a.questions = append(a.questions, question)
	a.sawPolicyWhole = a.w.sids() != ""
	return a.err
}

func (a *asked) Role(context.Context, guard.Resource) (string, error) {
	if err := a.ask("role"); err != nil {
		return "", err
	}
	return "arn:aws:iam::111122223333:role/orders", nil
}

func (a *asked) URL(context.Context, guard.Resource) (authType, address string, err error) {
	if err := a.ask("url"); err != nil {
		return "", "", err
	}
	if a.authType == "" {
		return "", "", guard.ErrNotFound
	}
	return a.authType, "https://abc.lambda-url.eu-central-1.on.aws/", nil
}

func TestSurroundings(t *testing.T) {
	signedURL := statement("u", "Allow", "lambda:InvokeFunctionUrl", `{"StringEquals":{"lambda:FunctionUrlAuthType":"AWS_IAM"}}`)
	anyURL := statement("u", "Allow", "lambda:InvokeFunctionUrl", "")
	elsewhereToo := `{"Sid":"u","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":["` + orders.ARN() + `","` + orders.ARN() + `:live"]}`
	boom := errors.New("throttled")
	urls := guard.Settings{Mode: guard.Enforce, FunctionURLs: guard.Enforce}
	tests := []struct {
		name      string
		settings  guard.Settings
		statement string
		authType  string
		err       error

		questions []string
		role      string
		state     string // of the URL; "" if the finding has none
		severity  guard.Severity
		outcome   guard.Outcome
	}{
		{name: "direct invocation is not about a URL", settings: enforce, statement: public("a"),
			questions: []string{"role"}, role: "arn:aws:iam::111122223333:role/orders", severity: guard.High, outcome: guard.Reverted},
		{name: "without a URL the statement is latent", statement: url("u"),
			questions: []string{"role", "url"}, role: "arn:aws:iam::111122223333:role/orders", state: "latent", severity: guard.Medium, outcome: guard.Audited},
		{name: "with an open URL it is live", statement: url("u"), authType: "NONE",
			questions: []string{"role", "url"}, role: "arn:aws:iam::111122223333:role/orders", state: "live", severity: guard.High, outcome: guard.Audited},
		{name: "a URL that asks for signatures makes the unsigned statement latent", statement: url("u"), authType: "AWS_IAM",
			questions: []string{"role", "url"}, role: "arn:aws:iam::111122223333:role/orders", state: "latent", severity: guard.Medium, outcome: guard.Audited},
		{name: "a URL that asks for signatures lets any account's in", statement: signedURL, authType: "AWS_IAM",
			questions: []string{"role", "url"}, role: "arn:aws:iam::111122223333:role/orders", state: "live", severity: guard.High, outcome: guard.Audited},
		{name: "an unconditional grant is live with any URL", statement: anyURL, authType: "AWS_IAM",
			questions: []string{"role", "url"}, role: "arn:aws:iam::111122223333:role/orders", state: "live", severity: guard.High, outcome: guard.Audited},
		{name: "an auth type that nobody knows counts as live", statement: url("u"), authType: "MAGIC",
			questions: []string{"role", "url"}, role: "arn:aws:iam::111122223333:role/orders", state: "live", severity: guard.High, outcome: guard.Audited},
		{name: "a statement that names an alias too may be about its URL", statement: elsewhereToo,
			questions: []string{"role", "url"}, role: "arn:aws:iam::111122223333:role/orders", state: "unknown", severity: guard.High, outcome: guard.Audited},
		{name: "what cannot be asked is unknown, and the finding goes out", statement: url("u"), err: boom,
			questions: []string{"role", "url"}, state: "unknown", severity: guard.High, outcome: guard.Audited},
		{name: "what cannot be asked does not stop a revert", settings: urls, statement: url("u"), err: boom,
			questions: []string{"role", "url"}, state: "unknown", severity: guard.High, outcome: guard.Reverted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.settings, tt.statement)
			around := &asked{w: w, authType: tt.authType, err: tt.err}
			g := guard.New(w, around, []guard.Sink{w.sinks[0], w.sinks[1]}, w.evidence, w.clock, tt.settings)
			fs, err := g.Respond(t.Context(), candidate(tt.statement))
			w.check(t, fs, err)
			if err != nil || len(fs) != 1 {
				t.Fatalf("%v, %+v", err, fs)
			}
			f := fs[0]
			state := ""
			if f.FunctionURL != nil {
				state = f.FunctionURL.State.String()
			}
			if state != tt.state || f.Severity != tt.severity || f.Outcome != tt.outcome || f.Role != tt.role {
				t.Errorf("URL %q, severity %s, outcome %s, role %q", state, f.Severity, f.Outcome, f.Role)
			}
			if !slices.Equal(around.questions, tt.questions) || f.LookupCalls != len(tt.questions) {
				t.Errorf("asked %q, and counted %d", around.questions, f.LookupCalls)
			}
			if around.sawPolicyWhole == (f.Outcome == guard.Reverted) {
				t.Error("asked before the revert was verified")
			}
		})
	}
}

func TestNothingIsAskedWhereThereIsNothingToReport(t *testing.T) {
	w := newWorld(enforce, restricted("a"))
	around := &asked{w: w}
	g := guard.New(w, around, []guard.Sink{w.sinks[0]}, w.evidence, w.clock, enforce)
	if fs, err := g.Respond(t.Context(), candidate("")); err != nil || len(fs) > 0 {
		t.Fatalf("%v, %+v", err, fs)
	}
	if len(around.questions) > 0 {
		t.Errorf("asked %q", around.questions)
	}
}

func TestAVersionHasNoURLToAskFor(t *testing.T) {
	version := orders
	version.Qualifier = "7"
	text := `{"Sid":"u","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + version.ARN() + `"}`
	w := newWorld(audit)
	w.policies.Put(version, document(text))
	around := &asked{w: w, authType: "NONE"}
	g := guard.New(w, around, []guard.Sink{w.sinks[0]}, w.evidence, w.clock, guard.Settings{})
	c := candidate(text)
	c.Resource = version
	fs, err := g.Respond(t.Context(), c)
	if err != nil || len(fs) != 1 || fs[0].FunctionURL.State != guard.Latent {
		t.Fatalf("%v, %+v", err, fs)
	}
	if !slices.Equal(around.questions, []string{"role"}) {
		t.Errorf("asked %q", around.questions)
	}
}
