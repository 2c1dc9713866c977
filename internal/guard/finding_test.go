package guard_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

func TestSeverity(t *testing.T) {
	want := map[string]guard.Severity{
		"reverted": guard.High, "reverted-control": guard.Critical, "reverted-beside-another": guard.High,
		"audited": guard.High, "audited-read": guard.High, "audited-sweep": guard.High,
		"audited-function-url-live": guard.High, "audited-function-url-latent": guard.Medium,
		"audited-confused-deputy": guard.Low, "audited-external": guard.Low, "exempt": guard.Informational,
		"needs-review": guard.Medium, "needs-review-document": guard.Medium, "needs-review-planted-deny": guard.High,
		"already-gone": guard.High, "failed": guard.High,
	}
	for _, x := range guardtest.Examples() {
		if severity, listed := want[x.Name]; listed && x.Finding.Severity != severity {
			t.Errorf("%s is %s, want %s", x.Name, x.Finding.Severity, severity)
		}
		delete(want, x.Name)
	}
	if len(want) > 0 {
		t.Errorf("there are no examples of %v", want)
	}
}

func TestWhatNobodyFilledInIsSevere(t *testing.T) {
	var zero guard.Finding
	if zero.Severity.String() != "high" || guard.Severity(99).String() != "high" || guard.Severity(-1).String() != "high" || guard.Severity(len(guard.Severities())).String() != "high" {
		t.Error("an unknown severity passes for harmless")
	}
	if (guard.FunctionURL{}).State.String() != "unknown" || guard.URLState(99).String() != "unknown" || (guard.Latent+1).String() != "unknown" {
		t.Error("an unknown URL passes for harmless")
	}
	if got := guard.Severities(); len(got) != 5 || got[0] != guard.Critical || got[4] != guard.Informational {
		t.Errorf("severities in order: %v", got)
	}
}

func TestOtherPublicStatementsAreNamed(t *testing.T) {
	w := newWorld(enforce, public("a"), public("b"), unclear("c"))
	fs, err := w.guard().Respond(t.Context(), candidate(public("a")))
	w.check(t, fs, err)
	beside := map[string]string{}
	for _, f := range fs {
		for _, b := range f.Beside {
			beside[f.Sid] += b.Sid + "=" + b.Outcome.String() + " "
			if !slices.ContainsFunc(fs, func(g guard.Finding) bool { return g.ID == b.ID && g.Sid == b.Sid }) {
				t.Errorf("%s is beside %s, which is no finding", f.Sid, b.ID)
			}
		}
	}
	for sid, want := range map[string]string{"a": "b=reverted ", "b": "a=reverted ", "c": "a=reverted b=reverted "} {
		if beside[sid] != want {
			t.Errorf("beside %s: %q, want %q", sid, beside[sid], want)
		}
	}
}

func TestTheToolThatMadeTheCall(t *testing.T) {
	for name, tt := range map[string]struct {
		actor guard.Actor
		want  string
	}{
		"a person":                        {guard.Actor{UserAgent: "aws-cli/2.30.0 md/command#lambda.add-permission", Source: "203.0.113.7"}, ""},
		"CloudFormation, by the source":   {guard.Actor{Source: "cloudformation.amazonaws.com"}, "CloudFormation"},
		"CloudFormation, by the service":  {guard.Actor{InvokedBy: "cloudformation.amazonaws.com"}, "CloudFormation"},
		"Terraform":                       {guard.Actor{UserAgent: "APN/1.0 HashiCorp/1.0 Terraform/1.14.0"}, "Terraform"},
		"Pulumi, in any letter case":      {guard.Actor{UserAgent: "PULUMI/3"}, "Pulumi"},
		"two words that make no tool":     {guard.Actor{UserAgent: "terra", Source: "form"}, ""},
		"nothing that the event called a": {guard.Actor{Tool: "forged"}, ""},
	} {
		c := candidate(public("a"))
		c.Actor = tt.actor
		w := newWorld(audit, public("a"))
		fs, err := w.guard().Respond(t.Context(), c)
		if err != nil || len(fs) != 1 || fs[0].Actor.Tool != tt.want {
			t.Errorf("%s: %v, %+v", name, err, fs)
		}
	}
}

// TestNextSteps reads the steps of the examples as a person would.
func TestNextSteps(t *testing.T) {
	want := map[string][]string{ // the beginning of each, in order
		"reverted":                {"Ask whoever made the call", "If they did not: revoke the sessions", "The call says that Terraform made it", "Look for what else", "Find out whether it was used while it was open: metrics Invocations and UrlRequestCount of `orders:live` in CloudWatch from 2026-11-23T11:59:19Z to 2026-11-23T12:00:00Z,", "If it was meant to be open"},
		"audited":                 {"It is open.", "Ask whoever", "If they did not", "The call says", "Look for", "Find out"},
		"audited-sweep":           {"It is open.", "Find out who opened it", "Look for", "Find out whether"},
		"exempt":                  {"Nothing to do: an exemption covers it until 2026-12-23T12:00:00Z."},
		"needs-review":            {"Judge the statement yourself", "Ask whoever", "If they", "The call", "Look", "Find"},
		"needs-review-document":   {"Read the policy yourself", "Ask", "If they", "The call", "Look", "Find"},
		"failed":                  {"It may still be open: read the error, then look with: `aws lambda get-policy --region=eu-central-1 --function-name=orders:live`.", "If other", "Ask", "If", "The call", "Look", "Find"},
		"audited-external":        {"Ask the owner whether the outsider"},
		"audited-confused-deputy": {"Bind the service to your own resources"},
	}
	placeholder := regexp.MustCompile(`\b(REMOVE|REGION|NAME|UNTIL|EVENT|TOOL|PERIOD)\b`)
	for _, x := range guardtest.Examples() {
		steps := x.Finding.NextSteps
		if len(steps) == 0 {
			t.Errorf("%s leaves the reader alone", x.Name)
		}
		for _, step := range steps {
			if left := placeholder.FindString(step); left != "" || len(step) > 350 {
				t.Errorf("%s: %q is left in %q (%d bytes)", x.Name, left, step, len(step))
			}
		}
		if begins, ok := want[x.Name]; ok {
			if !slices.EqualFunc(steps, begins, strings.HasPrefix) {
				t.Errorf("%s: %q", x.Name, steps)
			}
		}
	}
}

// What is to be copied names the statement and the event, or says that nothing can.
func TestNextStepsName(t *testing.T) {
	live := orders
	live.Qualifier = "live"
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, tt := range []struct {
		name     string
		resource guard.Resource
		sid, id  string
		want     string
	}{
		{"the statement", orders, "a", "0a1b", "`aws lambda remove-permission --region=eu-central-1 --function-name=orders --statement-id=a`"},
		{"the statement of an alias", live, "a", "0a1b", "`aws lambda remove-permission --region=eu-central-1 --function-name=orders --qualifier=live --statement-id=a`"},
		{"the longest Sid", orders, long(100), "0a1b", "--statement-id=" + long(100) + "`"},
		{"a Sid that is longer", orders, long(101), "0a1b", "(no Sid names the statement)"},
		{"no Sid", orders, "", "0a1b", "(no Sid names the statement)"},
		{"the event", orders, "a", "0a1b", "under event id `0a1b`"},
		{"the longest event id", orders, "a", long(64), "under event id `" + long(64) + "`"},
		{"an event id that is longer", orders, "a", long(65), "under event id `UNKNOWN`"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(audit)
			w.policies.Put(tt.resource, document(strings.Replace(public(tt.sid), orders.ARN(), tt.resource.ARN(), 1)))
			c := candidate("")
			c.Resource, c.EventID = tt.resource, tt.id
			fs, err := w.guard().Respond(t.Context(), c)
			if err != nil || len(fs) != 1 {
				t.Fatalf("%v, %+v", err, fs)
			}
			if steps := strings.Join(fs[0].NextSteps, "\n"); !strings.Contains(steps, tt.want) {
				t.Errorf("%q is not in\n%s", tt.want, steps)
			}
		})
	}
}

func TestNextStepsHoldNothingThatAStrangerWrote(t *testing.T) {
	const evil = "\x1b[2J*@here*; rm -rf /\n$(id)"
	w := newWorld(audit)
	text := `{"Sid":"x y;$(id)","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}`
	w.policies.Put(orders, document(text))
	c := candidate("")
	c.EventID, c.Actor = evil, guard.Actor{ARN: evil, AccessKeyID: "AKIA" + evil, UserAgent: evil + "terraform", Source: evil}
	fs, err := w.guard().Respond(t.Context(), c)
	if err != nil || len(fs) != 1 {
		t.Fatalf("%v, %+v", err, fs)
	}
	for _, step := range fs[0].NextSteps {
		if strings.ContainsAny(step, "\x1b\n*@;$") {
			t.Errorf("%q", step)
		}
	}
}

func TestWhatTheFindingCorrespondsTo(t *testing.T) {
	for _, x := range guardtest.Examples() {
		f := x.Finding
		open := f.Verdict.Level == exposure.Public || f.Verdict.Level == exposure.Undetermined
		if got := slices.Equal(f.Attack, []string{"T1546", "T1578.005"}); got != open {
			t.Errorf("%s (%s): techniques %q", x.Name, f.Verdict.Level, f.Attack)
		}
		invoked := f.Verdict.Level == exposure.Public && slices.Contains(f.Verdict.Access, exposure.Invoke)
		if (f.ElasticRule == "151d8f72-0747-11ef-a0c2-f661ea17fbcc") != invoked {
			t.Errorf("%s: Elastic's rule %q", x.Name, f.ElasticRule)
		}
	}
}

func TestAnExemptionIsWarnedOfBeforeItEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		until       time.Time
		ends, ended bool
	}{
		"in force for long":      {now.Add(guard.Notice + time.Second), false, false},
		"within the notice":      {now.Add(guard.Notice), true, false},
		"in the last second":     {now.Add(time.Second), true, false},
		"at the very end":        {now, false, true},
		"long ago":               {now.AddDate(-1, 0, 0), false, true},
		"nobody said until when": {time.Time{}, false, true},
	} {
		e := guard.Exemption{Until: tt.until}
		if e.Ends(now) != tt.ends || e.Ended(now) != tt.ended {
			t.Errorf("%s: ends %t, ended %t", name, e.Ends(now), e.Ended(now))
		}
	}
}
