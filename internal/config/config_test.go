package config_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

var full = config.Config{
	Mode:            guard.Enforce,
	FunctionURLs:    guard.Enforce,
	TrustedAccounts: []string{"111122223333", "444455556666"},
	TrustedOrgs:     []string{"o-a1b2c3d4e5"},
	Exemptions:      "exemptions.json",
	OwnRoles:        []string{"arn:aws:iam::111122223333:role/lambda-guardrail/respond", "arn:aws:iam::111122223333:role/lambda-guardrail/sweep"},
	Topic:           "arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-alerts",
	ChatTopic:       "arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-chat",
	SecurityHub:     true,
	EventBus:        "arn:aws:events:eu-central-1:111122223333:event-bus/security",
	Sweep: config.Sweep{
		MaxReverts: new(7), QuotaShare: new(10),
		Bucket: "lambda-guardrail-seen", Key: "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	},
}

func TestEnv(t *testing.T) {
	for _, test := range []struct {
		name string
		c    config.Config
		want []string
	}{
		{"the default", config.Config{}, []string{"GUARDRAIL_MODE=audit", "GUARDRAIL_FUNCTION_URLS=audit"}},
		{"everything", full, []string{
			"GUARDRAIL_MODE=enforce",
			"GUARDRAIL_FUNCTION_URLS=enforce",
			"GUARDRAIL_TRUSTED_ACCOUNTS=111122223333,444455556666",
			"GUARDRAIL_TRUSTED_ORGS=o-a1b2c3d4e5",
			"GUARDRAIL_EXEMPTIONS=exemptions.json",
			"GUARDRAIL_OWN_ROLES=arn:aws:iam::111122223333:role/lambda-guardrail/respond,arn:aws:iam::111122223333:role/lambda-guardrail/sweep",
			"GUARDRAIL_TOPIC=arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-alerts",
			"GUARDRAIL_CHAT_TOPIC=arn:aws:sns:eu-central-1:111122223333:lambda-guardrail-chat",
			"GUARDRAIL_SECURITY_HUB=on",
			"GUARDRAIL_EVENT_BUS=arn:aws:events:eu-central-1:111122223333:event-bus/security",
			"GUARDRAIL_MAX_REVERTS=7",
			"GUARDRAIL_QUOTA_SHARE=10",
			"GUARDRAIL_SEEN_BUCKET=lambda-guardrail-seen",
			"GUARDRAIL_SEEN_KEY=arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.c.Env()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFromEnvReadsWhatEnvWrites(t *testing.T) {
	account := rapid.StringMatching(`[0-9]{12}`)
	configs := rapid.Custom(func(t *rapid.T) config.Config {
		c := config.Config{
			Mode:       rapid.SampledFrom([]guard.Mode{guard.Audit, guard.Enforce}).Draw(t, "mode"),
			Exemptions: rapid.StringMatching(`([a-z./=]+\.json)?`).Draw(t, "exemptions"),
		}
		if c.Mode == guard.Enforce {
			c.FunctionURLs = rapid.SampledFrom([]guard.Mode{guard.Audit, guard.Enforce}).Draw(t, "functionUrls")
		}
		if accounts := rapid.SliceOfN(account, 0, 5).Draw(t, "accounts"); len(accounts) > 0 {
			c.TrustedAccounts = accounts
		}
		if orgs := rapid.SliceOfN(rapid.StringMatching(`o-[a-z0-9]{10,32}`), 0, 5).Draw(t, "orgs"); len(orgs) > 0 {
			c.TrustedOrgs = orgs
		}
		if rapid.Bool().Draw(t, "has a role") {
			c.OwnRoles = []string{"arn:aws-cn:iam::" + account.Draw(t, "account") + ":role/" + rapid.StringMatching(`[a-zA-Z0-9+=.@_/-]+`).Draw(t, "role")}
		}
		return c
	})
	rapid.Check(t, func(t *rapid.T) {
		c := configs.Draw(t, "config")
		environ := append([]string{"PATH=/usr/bin", "AWS_REGION=eu-central-1"}, c.Env()...)
		got, err := config.FromEnv(environ)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWhatIsNotSetIsTheDefault(t *testing.T) {
	for _, environ := range [][]string{
		nil,
		{"PATH=/usr/bin", "NOT_GUARDRAIL_MODE=enforce"},
		{"GUARDRAIL_MODE=", "GUARDRAIL_FUNCTION_URLS=", "GUARDRAIL_TRUSTED_ACCOUNTS=", "GUARDRAIL_TRUSTED_ORGS=", "GUARDRAIL_EXEMPTIONS=", "GUARDRAIL_OWN_ROLES="},
	} {
		got, err := config.FromEnv(environ)
		if diff := cmp.Diff(config.Config{}, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", environ, err, diff)
		}
	}
}

func TestSpacesAroundListElementsAreAccepted(t *testing.T) {
	got, err := config.FromEnv([]string{"GUARDRAIL_TRUSTED_ACCOUNTS=111122223333, 444455556666 "})
	if diff := cmp.Diff(full.TrustedAccounts, got.TrustedAccounts); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestIllegalSettingsAreErrorsThatNameWhatIsLegal(t *testing.T) {
	for _, test := range []struct {
		name    string
		environ []string
		want    []string // each in the error
	}{
		{"a mode that is none", []string{"GUARDRAIL_MODE=enforced"}, []string{`GUARDRAIL_MODE is "enforced": want audit or enforce`}},
		{"a mode in capitals", []string{"GUARDRAIL_MODE=Enforce"}, []string{`GUARDRAIL_MODE is "Enforce"`}},
		{"a URL mode that is none", []string{"GUARDRAIL_FUNCTION_URLS=yes"}, []string{`GUARDRAIL_FUNCTION_URLS is "yes": want audit or enforce`}},
		{"URLs alone", []string{"GUARDRAIL_FUNCTION_URLS=enforce"}, []string{"GUARDRAIL_FUNCTION_URLS is enforce and GUARDRAIL_MODE is audit: want enforce for both"}},
		{"URLs against audit", []string{"GUARDRAIL_FUNCTION_URLS=enforce", "GUARDRAIL_MODE=audit"}, []string{"GUARDRAIL_FUNCTION_URLS is enforce and GUARDRAIL_MODE is audit"}},
		{"a short account", []string{"GUARDRAIL_TRUSTED_ACCOUNTS=111122223333,44445555666"}, []string{`GUARDRAIL_TRUSTED_ACCOUNTS is "111122223333,44445555666": want account ids of twelve digits`}},
		{"an account with letters", []string{"GUARDRAIL_TRUSTED_ACCOUNTS=11112222333a"}, []string{"GUARDRAIL_TRUSTED_ACCOUNTS"}},
		{"an empty element", []string{"GUARDRAIL_TRUSTED_ACCOUNTS=111122223333,"}, []string{"GUARDRAIL_TRUSTED_ACCOUNTS"}},
		{"a star for the account", []string{"GUARDRAIL_TRUSTED_ACCOUNTS=*"}, []string{"GUARDRAIL_TRUSTED_ACCOUNTS"}},
		{"a short organization", []string{"GUARDRAIL_TRUSTED_ORGS=o-abc"}, []string{`GUARDRAIL_TRUSTED_ORGS is "o-abc": want organization ids like o-a1b2c3d4e5`}},
		{"a long organization", []string{"GUARDRAIL_TRUSTED_ORGS=o-" + strings.Repeat("a", 33)}, []string{"GUARDRAIL_TRUSTED_ORGS"}},
		{"an organization's root", []string{"GUARDRAIL_TRUSTED_ORGS=r-a1b2c3d4e5"}, []string{"GUARDRAIL_TRUSTED_ORGS"}},
		{"an organization in capitals", []string{"GUARDRAIL_TRUSTED_ORGS=o-A1B2C3D4E5"}, []string{"GUARDRAIL_TRUSTED_ORGS"}},
		{"a file that is not JSON", []string{"GUARDRAIL_EXEMPTIONS=exemptions.yaml"}, []string{`GUARDRAIL_EXEMPTIONS is "exemptions.yaml": want the name of a .json file`}},
		{"a role's name", []string{"GUARDRAIL_OWN_ROLES=respond"}, []string{`GUARDRAIL_OWN_ROLES is "respond": want ARNs of IAM roles`}},
		{"a session for a role", []string{"GUARDRAIL_OWN_ROLES=arn:aws:sts::111122223333:assumed-role/a/b"}, []string{"GUARDRAIL_OWN_ROLE"}},
		{"a role in a region", []string{"GUARDRAIL_OWN_ROLES=arn:aws:iam:eu-central-1:111122223333:role/respond"}, []string{"GUARDRAIL_OWN_ROLE"}},
		{"a user for a role", []string{"GUARDRAIL_OWN_ROLES=arn:aws:iam::111122223333:user/kim"}, []string{"GUARDRAIL_OWN_ROLE"}},
		{"a setting that there is not", []string{"GUARDRAIL_MOED=enforce"}, []string{
			`GUARDRAIL_MOED is "enforce": there is no such setting; want one of GUARDRAIL_MODE, GUARDRAIL_FUNCTION_URLS, GUARDRAIL_TRUSTED_ACCOUNTS, GUARDRAIL_TRUSTED_ORGS, GUARDRAIL_EXEMPTIONS, GUARDRAIL_OWN_ROLE`,
		}},
		{"a setting for the stack alone", []string{"GUARDRAIL_EMAIL=oncall@example.com"}, []string{"GUARDRAIL_EMAIL"}},
		{"an unknown setting that is empty", []string{"GUARDRAIL_MOED="}, []string{"GUARDRAIL_MOED"}},
		{"everything at once", []string{"GUARDRAIL_MODE=x", "GUARDRAIL_TRUSTED_ORGS=y", "GUARDRAIL_Z=z"}, []string{`GUARDRAIL_MODE is "x"`, `GUARDRAIL_TRUSTED_ORGS is "y"`, `GUARDRAIL_Z is "z"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := config.FromEnv(test.environ)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if diff := cmp.Diff(config.Config{}, got); diff != "" {
				t.Errorf("beside the error there are settings: %s", diff)
			}
		})
	}
}

func TestFromContext(t *testing.T) {
	people := full
	people.OwnRoles, people.Topic, people.ChatTopic = nil, "", ""
	people.Sweep.Bucket, people.Sweep.Key = "", ""
	none := config.Stack{Name: "lambda-guardrail", Trail: config.ExistingTrail, LogRetentionDays: 365, SweepSchedule: "rate(1 day)", FullSweepSchedule: "rate(7 days)"}
	zero := 0
	stack := people
	stack.FunctionURLs = guard.Audit
	stack.Stack = config.Stack{
		Name: "trial", Trail: config.CreateTrail, Email: "oncall@example.com", ReservedConcurrency: &zero, LogRetentionDays: 30,
		Chat: true, SweepSchedule: "cron(0 3 * * ? *)", FullSweepSchedule: config.Off,
		Regions: []config.Region{{"eu-central-1", guard.Audit}, {"us-gov-west-1", guard.Enforce}},
	}
	for _, test := range []struct {
		name    string
		context map[string]any
		want    config.Config
		wrong   string // in the error, if there must be one
	}{
		{name: "nothing", want: config.Config{}},
		{
			name: "texts, as on the command line",
			context: map[string]any{
				"mode": "enforce", "functionUrls": "enforce", "trustedAccounts": "111122223333,444455556666", "trustedOrgs": "o-a1b2c3d4e5", "exemptions": "exemptions.json",
				"securityHub": "on", "eventBus": "arn:aws:events:eu-central-1:111122223333:event-bus/security", "maxReverts": "7", "quotaShare": "10",
			},
			want: people,
		},
		{
			name: "lists, as in cdk.json",
			context: map[string]any{
				"mode": "enforce", "functionUrls": "enforce", "trustedAccounts": []any{"111122223333", "444455556666"}, "trustedOrgs": []any{"o-a1b2c3d4e5"}, "exemptions": "exemptions.json",
				"securityHub": "on", "eventBus": "arn:aws:events:eu-central-1:111122223333:event-bus/security", "maxReverts": "7", "quotaShare": "10",
			},
			want: people,
		},
		{
			name: "what is for the stack alone",
			context: map[string]any{
				"mode": "enforce", "trustedAccounts": "111122223333,444455556666", "trustedOrgs": "o-a1b2c3d4e5", "exemptions": "exemptions.json",
				"securityHub": "on", "eventBus": "arn:aws:events:eu-central-1:111122223333:event-bus/security", "maxReverts": "7", "quotaShare": "10",
				"chat": "on", "sweepSchedule": "cron(0 3 * * ? *)", "fullSweepSchedule": "off",
				"name": "trial", "trail": "create", "email": "oncall@example.com", "reservedConcurrency": "0", "logRetentionDays": "30",
				"regions": []any{"eu-central-1:audit", "us-gov-west-1"},
			},
			want: stack,
		},
		{name: "null and an empty list", context: map[string]any{"mode": nil, "trustedOrgs": []any{}}, want: config.Config{}},
		{name: "CDK's own keys", context: map[string]any{"@aws-cdk/core:newStyleStackSynthesis": true, "aws:cdk:bundling-stacks": []any{"**"}, "availability-zones:account=1:region=x": 1.0, "cli-telemetry": false}, want: config.Config{}},
		{name: "a key that there is not", context: map[string]any{"moed": "enforce"}, wrong: `moed is "enforce": there is no such setting; want one of mode, functionUrls, trustedAccounts, trustedOrgs, exemptions`},
		{name: "an illegal value", context: map[string]any{"mode": "on"}, wrong: `mode is "on": want audit or enforce`},
		{name: "an account without quotation marks", context: map[string]any{"trustedAccounts": 111122223333.0}, wrong: "trustedAccounts is 1.11122223333e+11: want a text in quotation marks"},
		{name: "accounts without quotation marks", context: map[string]any{"trustedAccounts": []any{111122223333.0}}, wrong: "want texts in the list"},
		{name: "a boolean", context: map[string]any{"functionUrls": true}, wrong: "functionUrls is true"},
		{name: "URLs alone", context: map[string]any{"functionUrls": "enforce"}, wrong: "functionUrls is enforce and mode is audit"},
		{name: "what only infra sets", context: map[string]any{"ownRoles": full.OwnRoles[0]}, wrong: "ownRoles"},
		{name: "a region that is none", context: map[string]any{"regions": "europe"}, wrong: `regions is "europe": want regions like eu-central-1, each once`},
		{name: "a zone for a region", context: map[string]any{"regions": "eu-central-1a"}, wrong: `regions is "eu-central-1a"`},
		{name: "a region twice", context: map[string]any{"regions": "eu-central-1,eu-central-1:enforce"}, wrong: "each once"},
		{name: "a region's mode that is none", context: map[string]any{"regions": "eu-central-1:on"}, wrong: `regions is "eu-central-1:on"`},
		{name: "URLs alone in a region", context: map[string]any{"mode": "enforce", "functionUrls": "enforce", "regions": "eu-central-1,us-east-1:audit"}, wrong: "functionUrls is enforce and mode is audit in us-east-1"},
		{name: "a trail that is neither", context: map[string]any{"trail": "yes"}, wrong: `trail is "yes": want existing or create`},
		{name: "an address without a host", context: map[string]any{"email": "oncall"}, wrong: `email is "oncall": want an e-mail address`},
		{name: "two addresses", context: map[string]any{"email": "a@example.com,b@example.com"}, wrong: "want an e-mail address"},
		{name: "a negative reservation", context: map[string]any{"reservedConcurrency": "-1"}, wrong: `reservedConcurrency is "-1": want 0, which reserves none, or a whole number from 2 to 1000`},
		{name: "a reservation of one, which a queue's reader does not keep to", context: map[string]any{"reservedConcurrency": "1"}, wrong: `reservedConcurrency is "1": want 0, which reserves none, or a whole number from 2 to 1000`},
		{name: "a reservation of too many", context: map[string]any{"reservedConcurrency": "1001"}, wrong: `reservedConcurrency is "1001": want 0, which reserves none, or a whole number from 2 to 1000`},
		{name: "a reservation in words", context: map[string]any{"reservedConcurrency": "none"}, wrong: `reservedConcurrency is "none"`},
		{name: "a number of days unknown to the service", context: map[string]any{"logRetentionDays": "364"}, wrong: `logRetentionDays is "364": want a number of days that CloudWatch Logs knows`},
		{name: "a name in capitals", context: map[string]any{"name": "Guardrail"}, wrong: `name is "Guardrail": want at most 32 lower-case letters`},
		{name: "a long name", context: map[string]any{"name": strings.Repeat("a", 33)}, wrong: "want at most 32"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.wrong == "" && test.want.Stack.Name == "" {
				test.want.Stack = none
			}
			got, err := config.FromContext(test.context)
			if (err != nil) != (test.wrong != "") || (err != nil && !strings.Contains(err.Error(), test.wrong)) {
				t.Errorf("error %v, want %q", err, test.wrong)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryDefaultIsTheZeroConfig(t *testing.T) {
	for _, s := range config.All() {
		if s.Default == "" || s.Stack {
			continue
		}
		got, err := config.FromEnv([]string{s.Env() + "=" + s.Default})
		if diff := cmp.Diff(config.Config{}, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", s.Key, err, diff)
		}
	}
}

func TestActions(t *testing.T) {
	if got := config.Actions(guard.Audit); !slices.Equal(got, []string{"lambda:GetPolicy", "lambda:GetFunctionConfiguration", "lambda:GetFunctionUrlConfig"}) {
		t.Errorf("audit may do more than read: %q", got)
	}
	want := []string{"lambda:GetPolicy", "lambda:GetFunctionConfiguration", "lambda:GetFunctionUrlConfig", "lambda:RemovePermission", "lambda:PutResourcePolicy", "lambda:AddPermission", "lambda:DeleteResourcePolicy"}
	if diff := cmp.Diff(want, config.Actions(guard.Enforce)); diff != "" {
		t.Error(diff)
	}
}

func TestSettings(t *testing.T) {
	exemptions := []guard.Exemption{{Owner: "web team"}}
	want := guard.Settings{
		Mode: guard.Enforce, FunctionURLs: guard.Enforce,
		Trust:      exposure.Trust{Accounts: full.TrustedAccounts, Orgs: full.TrustedOrgs},
		Exemptions: exemptions, OwnRoles: full.OwnRoles,
	}
	if diff := cmp.Diff(want, full.Settings(exemptions)); diff != "" {
		t.Error(diff)
	}
}

func TestTheReadmeHasTheTableOfSettings(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if os.IsNotExist(err) {
		t.Skip("there is no README yet")
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), config.Table()) {
		t.Errorf("README.md must hold this table:\n%s", config.Table())
	}
}

func Example() {
	c, err := config.FromEnv([]string{"GUARDRAIL_MODE=enforce", "GUARDRAIL_FUNCTION_URL=enforce"})
	fmt.Println(c.Mode, err)
	// Output:
	// audit GUARDRAIL_FUNCTION_URL is "enforce": there is no such setting; want one of GUARDRAIL_MODE, GUARDRAIL_FUNCTION_URLS, GUARDRAIL_TRUSTED_ACCOUNTS, GUARDRAIL_TRUSTED_ORGS, GUARDRAIL_EXEMPTIONS, GUARDRAIL_OWN_ROLES, GUARDRAIL_TOPIC, GUARDRAIL_CHAT_TOPIC, GUARDRAIL_SECURITY_HUB, GUARDRAIL_EVENT_BUS, GUARDRAIL_MAX_REVERTS, GUARDRAIL_QUOTA_SHARE, GUARDRAIL_SEEN_BUCKET, GUARDRAIL_SEEN_KEY
}
