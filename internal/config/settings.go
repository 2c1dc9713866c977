package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"lambda-guardrail/internal/guard"
)

// Setting is one row of the table of settings.
type Setting struct {
	Key     string // CDK context key, "functionUrls"
	Default string // "" for none
	Legal   string // the legal values, in words
	Doc     string
	Infra   bool // written by infra into the environment: no context key
	Stack   bool // for infra alone: no environment variable

	in func(*Config) value
}

// settings are in the order in which people read them, and in which they are
// set: regions follow mode.
var settings = [...]Setting{
	{
		Key: "mode", Default: "audit", Legal: "audit or enforce",
		Doc: "`audit` reports public statements; `enforce` takes them out, too",
		in:  func(c *Config) value { return (*mode)(&c.Mode) },
	},
	{
		Key: "functionUrls", Default: "audit", Legal: "audit or enforce",
		Doc: "the same for statements that let in nobody but callers of the function URL; `enforce` needs `mode` to be `enforce`",
		in:  func(c *Config) value { return (*mode)(&c.FunctionURLs) },
	},
	{
		Key: "trustedAccounts", Legal: "account ids of twelve digits, with commas between",
		Doc: "grants to these accounts are not reported as external",
		in:  func(c *Config) value { return list{&c.TrustedAccounts, isAccount} },
	},
	{
		Key: "trustedOrgs", Legal: "organization ids like o-a1b2c3d4e5, with commas between",
		Doc: "grants to these organizations are not reported as external",
		in:  func(c *Config) value { return list{&c.TrustedOrgs, isOrg} },
	},
	{
		Key: "exemptions", Legal: "the name of a .json file",
		Doc: "statements that may stand: which, whose, why, and until when",
		in:  func(c *Config) value { return text{&c.Exemptions, isJSONFile} },
	},
	{
		Key: "ownRoles", Legal: "ARNs of IAM roles, with commas between", Infra: true,
		Doc: "the guardrail's own roles, by which it recognises its own removals",
		in:  func(c *Config) value { return list{&c.OwnRoles, isRole} },
	},
	{
		Key: "topic", Legal: "the ARN of an SNS topic", Infra: true,
		Doc: "findings are published there, for people and machines",
		in:  func(c *Config) value { return text{&c.Topic, isTopic} },
	},
	{
		Key: "chatTopic", Legal: "the ARN of an SNS topic", Infra: true,
		Doc: "findings are published there, in the schema of Amazon Q Developer in chat applications",
		in:  func(c *Config) value { return text{&c.ChatTopic, isTopic} },
	},
	{
		Key: "securityHub", Default: "off", Legal: "on or off",
		Doc: "`on` imports each finding into Security Hub CSPM of the account and region",
		in:  func(c *Config) value { return (*onOff)(&c.SecurityHub) },
	},
	{
		Key: "eventBus", Legal: "the name or the ARN of an EventBridge bus, `default` among them",
		Doc: "each finding is put on that bus as a custom event",
		in:  func(c *Config) value { return text{&c.EventBus, isBus} },
	},
	{
		Key: "maxReverts", Legal: "a whole number from 1 to 100000",
		Doc: fmt.Sprintf("how many statements one run of the sweep takes out until it writes to no further policy, and alarms; left out, %d", DefaultMaxReverts),
		in:  func(c *Config) value { return optional{&c.Sweep.MaxReverts, isLimit} },
	},
	{
		Key: "quotaShare", Legal: "a whole percentage from 1 to 50",
		Doc: fmt.Sprintf("how much of the account's Lambda control-plane quota (15 calls a second) the sweep may use; left out, %d", DefaultQuotaShare),
		in:  func(c *Config) value { return optional{&c.Sweep.QuotaShare, isShare} },
	},
	{
		Key: "seenBucket", Legal: "the name of an S3 bucket", Infra: true,
		Doc: "where the sweep keeps what it has seen",
		in:  func(c *Config) value { return text{&c.Sweep.Bucket, isBucket} },
	},
	{
		Key: "seenKey", Legal: "the ARN of a KMS key", Infra: true,
		Doc: "encrypts what the sweep has seen",
		in:  func(c *Config) value { return text{&c.Sweep.Key, isKey} },
	},
	{
		Key: "sweepSchedule", Default: "rate(1 day)", Legal: "off, or a schedule of EventBridge Scheduler: rate(VALUE UNIT) or cron(FIELDS)", Stack: true,
		Doc: "when the incremental sweep runs, which reads only what has changed",
		in:  func(c *Config) value { return text{&c.Stack.SweepSchedule, isSchedule} },
	},
	{
		Key: "fullSweepSchedule", Default: "rate(7 days)", Legal: "off, or a schedule like that of `sweepSchedule`", Stack: true,
		Doc: "when the full sweep runs, which reads every policy",
		in:  func(c *Config) value { return text{&c.Stack.FullSweepSchedule, isSchedule} },
	},
	{
		Key: "chat", Default: "off", Legal: "on or off", Stack: true,
		Doc: "`on` makes a second topic, for Amazon Q Developer in chat applications (Slack, Teams, Chime)",
		in:  func(c *Config) value { return (*onOff)(&c.Stack.Chat) },
	},
	{
		Key: "regions", Legal: "regions like eu-central-1, each once, with commas between; eu-central-1:enforce has a mode of its own", Stack: true,
		Doc: "a stack for each; without any, one for the region that the credentials point at",
		in:  func(c *Config) value { return regions{&c.Stack.Regions, c.Mode} },
	},
	{
		Key: "email", Legal: "an e-mail address", Stack: true,
		Doc: "is subscribed to the alarms, and must confirm that",
		in:  func(c *Config) value { return text{&c.Stack.Email, isEmail} },
	},
	{
		Key: "trail", Default: string(ExistingTrail), Legal: "existing or create", Stack: true,
		Doc: "`existing` relies on a CloudTrail trail that logs management events of the region; `create` makes one",
		in:  func(c *Config) value { return text{(*string)(&c.Stack.Trail), isTrail} },
	},
	{
		Key: "reservedConcurrency", Legal: "0, which reserves none, or a whole number from 2 to 1000", Stack: true,
		Doc: "executions reserved for the change-triggered function, which handles as many events at once; left out, 5 in `enforce` and none in `audit`; where none are reserved, it handles 5 at once",
		in:  func(c *Config) value { return optional{&c.Stack.ReservedConcurrency, isConcurrency} },
	},
	{
		Key: "logRetentionDays", Default: "365", Legal: "a number of days that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653", Stack: true,
		Doc: "how long the log, and with it each removed statement, is kept",
		in:  func(c *Config) value { return number{&c.Stack.LogRetentionDays, isRetention} },
	},
	{
		Key: "name", Default: "lambda-guardrail", Legal: "at most 32 lower-case letters, digits and hyphens, a letter first", Stack: true,
		Doc: "of the stack, and the beginning of the name of everything in it; a second guardrail in an account needs another one",
		in:  func(c *Config) value { return text{&c.Stack.Name, isName} },
	},
}

// All returns the table of settings.
func All() []Setting { return settings[:] }

const envPrefix = "GUARDRAIL_"

// Env returns the name of the environment variable, "GUARDRAIL_FUNCTION_URLS".
func (s Setting) Env() string { return envName(s.Key) }

func envName(key string) string {
	var b strings.Builder
	b.WriteString(envPrefix)
	for _, r := range key {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

func contextKey(key string) string { return key }

// Table returns the README's table of settings, in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| setting | legal values | default | meaning |\n|---|---|---|---|\n")
	for _, s := range forPeople() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Key, s.Legal, cmp.Or(s.Default, "none"), s.Doc)
	}
	return b.String()
}

func forFunctions() []Setting {
	return slices.DeleteFunc(slices.Clone(settings[:]), func(s Setting) bool { return s.Stack })
}

func forPeople() []Setting {
	return slices.DeleteFunc(slices.Clone(settings[:]), func(s Setting) bool { return s.Infra })
}

// Env returns c in the form of [os.Environ], without its Stack. FromEnv(c.Env())
// is c.
func (c Config) Env() []string {
	var environ []string
	for _, s := range forFunctions() {
		if v := s.in(&c).String(); v != "" {
			environ = append(environ, s.Env()+"="+v)
		}
	}
	return environ
}

// FromEnv reads the settings from an environment. A variable that is empty or
// not there leaves the default. All that is wrong is reported at once: each
// variable of ours that is unknown or has an illegal value.
func FromEnv(environ []string) (Config, error) {
	given := map[string]string{}
	for _, variable := range environ {
		if name, v, _ := strings.Cut(variable, "="); strings.HasPrefix(name, envPrefix) {
			given[name] = v
		}
	}
	return read(given, forFunctions(), envName)
}

// FromContext reads the settings from a CDK context, as strictly as [FromEnv].
// Lists may be lists or texts with commas. Keys with a colon, a slash, an at sign
// or a hyphen are CDK's own, and are passed over.
func FromContext(context map[string]any) (Config, error) {
	given := map[string]string{}
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(context)) {
		if strings.ContainsAny(key, ":/@-") {
			continue
		}
		v, err := contextText(context[key])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s is %v: %w", key, context[key], err))
			continue
		}
		given[key] = v
	}
	c, err := read(given, forPeople(), contextKey)
	if err = errors.Join(append(problems, err)...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func contextText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []any:
		var elements []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", errors.New("want texts in the list, in quotation marks")
			}
			elements = append(elements, s)
		}
		return strings.Join(elements, ","), nil
	default:
		return "", errors.New("want a text in quotation marks, or a list of them")
	}
}

// read takes the values by the names that their source has for the settings.
func read(given map[string]string, table []Setting, name func(key string) string) (Config, error) {
	var (
		c        Config
		names    []string
		problems []error
	)
	for _, s := range table {
		n := name(s.Key)
		names = append(names, n)
		v := cmp.Or(given[n], s.Default)
		delete(given, n)
		if v != "" && !s.in(&c).set(v) {
			problems = append(problems, fmt.Errorf("%s is %q: want %s", n, v, s.Legal))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(given)) {
		problems = append(problems, fmt.Errorf("%s is %q: there is no such setting; want one of %s", n, given[n], strings.Join(names, ", ")))
	}
	if c.Mode == guard.Audit && c.FunctionURLs == guard.Enforce {
		problems = append(problems, fmt.Errorf("%s is enforce and %s is audit: want enforce for both, since in audit the function may not write at all",
			name("functionUrls"), name("mode")))
	}
	for _, r := range c.Stack.Regions {
		if r.Mode == guard.Audit && c.Mode == guard.Enforce && c.FunctionURLs == guard.Enforce {
			problems = append(problems, fmt.Errorf("functionUrls is enforce and mode is audit in %s: want enforce for both, since in audit the function may not write at all", r.Name))
		}
	}
	if len(problems) > 0 {
		return Config{}, errors.Join(problems...)
	}
	return c, nil
}
