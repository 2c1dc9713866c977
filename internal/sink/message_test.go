package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

// published returns what a subscriber by mail gets, and what filter policies see.
func published(t *testing.T, f guard.Finding) []byte {
	t.Helper()
	m, err := TopicMessage(f)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "Subject: %s\n", m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		fmt.Fprintf(&out, "%s: %s\n", name, m.Attributes[name])
	}
	fmt.Fprintf(&out, "\n%s", checkMessage(t, m)["email"])
	return out.Bytes()
}

// checkMessage checks what holds for every message to the topic, and returns the
// texts by protocol.
func checkMessage(t *testing.T, m Message) map[string]string {
	t.Helper()
	if len(m.Subject) > 99 || strings.TrimSpace(m.Subject) == "" {
		t.Errorf("a subject of %d characters: %q", len(m.Subject), m.Subject)
	}
	if i := strings.IndexFunc(m.Subject, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("subject %q", m.Subject)
	}
	size := len(m.Body)
	for _, name := range []string{"severity", "level", "outcome", "function"} {
		value := m.Attributes[name]
		if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
			t.Errorf("attribute %s is %q", name, value)
		}
		size += len(name) + len("String") + len(value)
	}
	if size > 256<<10 {
		t.Errorf("a message of %d bytes", size)
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(m.Body), &texts); err != nil {
		t.Fatalf("%v: %s", err, m.Body)
	}
	if got := slices.Sorted(maps.Keys(texts)); !slices.Equal(got, []string{"default", "email", "sms"}) {
		t.Errorf("texts for %q", got)
	}
	printable(t, texts["default"])
	printable(t, texts["email"])
	if texts["sms"] != m.Subject {
		t.Errorf("text message %q", texts["sms"])
	}
	return texts
}

// printable checks that a text has neither control characters, but the ends of
// its lines, nor marks of direction.
func printable(t *testing.T, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) && r != '\n' }); i >= 0 {
		t.Fatalf("unprintable at %d of %q", i, text)
	}
}

// checkChat holds a message against the schema of custom notifications, and
// returns all its texts.
func checkChat(t *testing.T, body string) notification {
	t.Helper()
	var n notification
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&n); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if n.Version != "1.0" || n.Source != "custom" || n.Content.TextType != "client-markdown" || n.Content.Description == "" || n.Metadata.ThreadID == "" {
		t.Errorf("not a custom notification: %s", body)
	}
	within := func(what, text string, limit int) {
		if n := utf8.RuneCountInString(text); n > limit {
			t.Errorf("a %s of %d characters: %s", what, n, text)
		}
		printable(t, text)
	}
	within("title", n.Content.Title, 250)
	within("description", n.Content.Description, 8000)
	within("summary", n.Metadata.Summary, 250)
	for _, step := range n.Content.NextSteps {
		within("step", step, 350)
	}
	for _, keyword := range n.Content.Keywords {
		within("keyword", keyword, 75)
	}
	if len(body) > 256<<10 {
		t.Errorf("a message of %d bytes", len(body))
	}
	return n
}

var (
	link    = regexp.MustCompile(`(?i)//|www\.[^\s.]`) // "www..." is where a text was cut
	mention = regexp.MustCompile(`(^|[^\pL\pN])@|<[@!#]`)
	markup  = regexp.MustCompile("[*_~\\[\\]<>&|#`]")
	spans   = regexp.MustCompile("`[^`\n]*`")
)

// hostileTexts are what an attacker may write where we only read.
var hostileTexts = []string{
	"plain", `"}`, "\n{\"level\":\"INFO\",\"msg\":\"finding\"}\n", "\r\n", "\x00\x07\x1b[2J\x1b]0;title\a", "\x7f\u0085\u009b31m",
	"\u202egnp.exe\u202c\u2066\u2069\u200f", "\u2028\u2029\ufeff", "\xff\xfe\xc3(", "\xed\xa0\x80", "\ufffd", "\U000e0041", "</script>&", `\u0022\`,
	"@here @channel <!channel> <@U024BE7LH> <#C024BE7LR>", "x`*bold* _it_ ~no~ `@everyone`", "[click](https://evil.example/) <https://evil.example|AWS>",
	"https://evil.example/ www.evil.example WWW.evil.example ///", "backdoor\nDone         Nothing to do.\n\nWHAT TO DO", "\u201d Done \u201c",
	"> quote\n# title\n- item\n1. item", "|a|b|\n|-|-|", "&lt;!here&gt;", ":rotating_light:", "'; rm -rf ~; '", "$(reboot)", "a@b@c.example @",
}

func FuzzMessages(f *testing.F) {
	for _, seed := range hostileTexts {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || len(s) > 1000 {
			return // a function has a name; long texts have a test of their own
		}
		for _, outcome := range []guard.Outcome{guard.Reverted, guard.Failed} {
			checkHostile(t, s, outcome)
		}
	})
}

func TestLongHostileTextsAreCut(t *testing.T) {
	for _, s := range hostileTexts {
		checkHostile(t, strings.Repeat(s, 8000/len(s)), guard.Reverted)
	}
}

func checkHostile(t *testing.T, s string, outcome guard.Outcome) {
	f, plain := hostile(s), hostile("a")
	f.Outcome, plain.Outcome = outcome, outcome
	topic, err := TopicMessage(f)
	if err != nil {
		t.Fatal(err)
	}
	mail := checkMessage(t, topic)["email"]
	if link.MatchString(mail) {
		t.Errorf("a link in %q", mail)
	}
	// No text makes a line of its own, or takes one away.
	if got, want := labels(mail), labels(Text(plain)); !slices.Equal(got, want) {
		t.Errorf("lines begin with %q, want %q", got, want)
	}

	chat, err := ChatMessage(f)
	if err != nil {
		t.Fatal(err)
	}
	n := checkChat(t, chat.Body)
	for _, text := range append(n.Content.NextSteps, n.Content.Title, n.Metadata.Summary, n.Content.Description) {
		if link.MatchString(text) || mention.MatchString(text) {
			t.Errorf("something works in %q", text)
		}
		// Outside of code spans there is no markup, and no span is left open.
		if bare := strings.TrimPrefix(spans.ReplaceAllString(text, ""), "[HIGH]"); markup.MatchString(bare) {
			t.Errorf("markup in %q", bare)
		}
	}
	if got, want := strings.Count(n.Content.Description, "\n"), strings.Count(description(plain), "\n"); got > want {
		t.Errorf("%d lines, want %d: %q", got, want, n.Content.Description)
	}
}

// labels returns how the lines of a mail begin, but the first one, which begins
// with who gets in.
func labels(mail string) []string {
	var all []string
	for line := range strings.Lines(mail) {
		label := strings.TrimRight(line, "\n")
		all = append(all, label[:min(len(label), 4)])
	}
	return all[1:]
}

func TestAMessageThatWouldBeTooLongSaysWhatItLacks(t *testing.T) {
	for name, character := range map[string]string{"quotation marks": `"`, "control characters": "\x7f", "marks of four bytes": "\U000e0001"} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat(character, 20_480)
			f := guard.Finding{ID: "1", Statement: text, PolicyBefore: text, Sid: text, Error: text, Resource: orders, NextSteps: []string{"Look."}}
			m, err := TopicMessage(f)
			if err != nil {
				t.Fatal(err)
			}
			var got guard.Finding
			var members map[string]json.RawMessage
			if err := json.Unmarshal([]byte(checkMessage(t, m)["default"]), &members); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(members["omitted"], &got.Omitted); err != nil || len(got.Omitted) == 0 {
				t.Errorf("omitted %s", members["omitted"])
			}
			for _, name := range got.Omitted {
				if value := string(members[name]); len(value) > 200 {
					t.Errorf("%s is omitted, and has %d bytes", name, len(value))
				}
			}
			for _, name := range []string{"id", "resource", "outcome", "severity"} {
				if members[name] == nil {
					t.Errorf("%s is missing", name)
				}
			}
		})
	}
}

func TestChatSaysWhatThereIsRoomForAndNeverHalfACommand(t *testing.T) {
	for _, tt := range []struct {
		name    string
		restore string
		want    bool
	}{
		{"a command that fits", "aws lambda put-resource-policy --policy=" + strings.Repeat("a", 5000), true},
		{"one that does not", "aws lambda put-resource-policy --policy=" + strings.Repeat("a", 7900), false},
		{"one that would have to be changed", "aws lambda put-resource-policy --policy='`'", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := guardtest.Examples()[0].Finding
			f.Restore = tt.restore
			m, err := ChatMessage(f)
			if err != nil {
				t.Fatal(err)
			}
			text := checkChat(t, m.Body).Content.Description
			if got := strings.Contains(text, tt.restore); got != tt.want || strings.Contains(text, "To put it back") != tt.want {
				t.Errorf("the command is there: %t, want %t: %s", got, tt.want, text)
			}
			if !strings.Contains(text, "alice") {
				t.Errorf("nobody is named in %s", text)
			}
		})
	}
}

func TestNothingOfAnExampleIsCut(t *testing.T) {
	for _, x := range guardtest.Examples() {
		m, err := ChatMessage(x.Finding)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.Body, "...") || strings.Contains(Text(x.Finding), "...") {
			t.Errorf("%s is cut: %s", x.Name, m.Body)
		}
		if line := Subject(x.Finding); !strings.Contains(line, "orders:live") || !strings.Contains(line, "(eu-central-1)") {
			t.Errorf("%s: %s", x.Name, line)
		}
	}
}

func TestInert(t *testing.T) {
	for _, tt := range []struct {
		name   string
		reader reader
		text   string
		limit  int
		want   string
	}{
		{"a name stays as it is", code, "FunctionURLAllowPublicAccess", 100, "FunctionURLAllowPublicAccess"},
		{"an address is no mention", code, "alice@example.com", 100, "alice@example.com"},
		{"a mention is none", code, "@here", 100, `\u0040here`},
		{"a link is none", mail, "https://evil.example", 100, `https:/\u002fevil.example`},
		{"nor without its scheme", mail, "Www.evil.example", 100, `\u0057ww.evil.example`},
		{"a quotation mark does not end the quotation", mail, "\u201d Done", 100, `\u201d Done`},
		{"markup in our own words", prose, "a_b*c", 100, `a\u005fb\u002ac`},
		{"a character beyond the first plane", mail, "\U000e0041", 100, `\udb40\udc41`},
		{"a line stays one", mail, "a\r\nb", 100, `a\u000d\u000ab`},
		{"what is too long ends in dots", mail, "abcdefgh", 6, "abc..."},
		{"what just fits does not", mail, "abcdef", 6, "abcdef"},
		{"no escape is cut in two", mail, "ab\n\n\n", 12, `ab\u000a...`},
		{"no room at all", mail, "abc", 0, ""},
		{"less than none", mail, "abc", -1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.reader.inert(tt.text, tt.limit); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
