package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/guard"
)

// ParseExemptions reads the file of exemptions:
//
//	{"exemptions": [{
//	  "function": "arn:aws:lambda:*:111122223333:function:public-site",
//	  "sid": "FunctionURLAllowPublicAccess",
//	  "owner": "web team",
//	  "reason": "public by design, see the ADR",
//	  "until": "2027-01-31"
//	}]}
//
// A date exempts through the end of that day in UTC; an instant (RFC 3339) up to
// it. "sid" and "fingerprint" may be left out. All entries that are wrong are
// reported at once.
func ParseExemptions(text []byte) ([]guard.Exemption, error) {
	var file struct {
		Exemptions *[]jsontext.Value `json:"exemptions"`
	}
	if err := json.Unmarshal(text, &file, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("reading the exemptions: %w", err)
	}
	if file.Exemptions == nil {
		return nil, errors.New(`reading the exemptions: want {"exemptions": [...]}`)
	}
	var exemptions []guard.Exemption
	var problems []error
	for i, text := range *file.Exemptions {
		e, err := parseExemption(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("exemptions[%d]: %w", i, err))
		}
		exemptions = append(exemptions, e)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return exemptions, nil
}

// exemption is one as it stands in the file.
type exemption struct {
	Function    string `json:"function"`
	Sid         string `json:"sid,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Owner       string `json:"owner"`
	Reason      string `json:"reason"`
	Until       string `json:"until"`
}

func parseExemption(text jsontext.Value) (guard.Exemption, error) {
	var entry exemption
	if err := json.Unmarshal(text, &entry, json.RejectUnknownMembers(true)); err != nil {
		return guard.Exemption{}, err
	}
	var problems []error
	for _, member := range []struct{ name, value, want string }{
		{"owner", entry.Owner, "who answers for it"},
		{"reason", entry.Reason, "why the statement may stand"},
	} {
		if strings.TrimSpace(member.value) == "" {
			problems = append(problems, fmt.Errorf("%s is missing: want %s", member.name, member.want))
		}
	}
	if !namesFunctions(entry.Function) {
		problems = append(problems, fmt.Errorf("function is %q: want arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME or ...:NAME:QUALIFIER; "+
			"* and ? may stand for characters, but not for the whole NAME", entry.Function))
	}
	until, err := ParseUntil(entry.Until)
	if err != nil {
		problems = append(problems, err)
	}
	return guard.Exemption{
		Function: entry.Function, Sid: entry.Sid, Fingerprint: entry.Fingerprint,
		Owner: entry.Owner, Reason: entry.Reason, Until: until,
	}, errors.Join(problems...)
}

// namesFunctions refuses a pattern that would exempt everything, and one that
// could never match.
func namesFunctions(pattern string) bool {
	fields := strings.Split(pattern, ":")
	if len(fields) != 7 && len(fields) != 8 {
		return false
	}
	partition, region, account, name := fields[1], fields[3], fields[4], fields[6]
	return fields[0] == "arn" && partition != "" && fields[2] == "lambda" && region != "" &&
		(isAccount(account) || strings.ContainsAny(account, "*?")) &&
		fields[5] == "function" && !only(name, "*?") && fields[len(fields)-1] != "" &&
		only(pattern, letters+strings.ToUpper(letters)+digits+"-_.$:*?")
}

// ParseUntil returns the first instant that is no longer exempt.
func ParseUntil(until string) (time.Time, error) {
	instant, err := time.Parse(time.DateOnly, until)
	if err == nil {
		instant = instant.AddDate(0, 0, 1)
	} else {
		instant, err = time.Parse(time.RFC3339, until)
	}
	if err != nil || instant.Year() > 9999 { // what JSON can hold
		return time.Time{}, fmt.Errorf("until is %q: want a day like 2027-01-31, or an instant like 2027-01-31T12:00:00Z", until)
	}
	return instant, nil
}

// AddExemption returns the file of exemptions with one more at its end; "" is a file
// that is not there yet. All that stands in it keeps its bytes. It fails unless file
// and entry are what ParseExemptions reads.
func AddExemption(text []byte, e guard.Exemption) ([]byte, error) {
	if len(text) == 0 {
		text = []byte(`{"exemptions": []}` + "\n")
	}
	if _, err := ParseExemptions(text); err != nil {
		return nil, err
	}
	before, indent, at := lastExemption(text)
	entry, err := json.Marshal(exemption{e.Function, e.Sid, e.Fingerprint, e.Owner, e.Reason, until(e.Until)},
		jsontext.WithIndentPrefix(indent), jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("writing the exemption: %w", err)
	}
	text = slices.Concat(text[:at], []byte(before), entry, text[at:])
	if _, err := ParseExemptions(text); err != nil {
		return nil, fmt.Errorf("writing the exemption: %w", err)
	}
	return text, nil
}

// lastExemption returns where in a file that can be read an entry may be added, what
// goes before it, and how it is indented.
func lastExemption(text []byte) (before, indent string, at int) {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	for range 3 { // { "exemptions" [
		dec.ReadToken()
	}
	at = int(dec.InputOffset())
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			break // ParseExemptions has read it
		}
		at = int(dec.InputOffset())
		start := at - len(value)
		line := text[bytes.LastIndexByte(text[:start], '\n')+1 : start]
		before, indent = ", ", ""
		if len(bytes.Trim(line, " \t")) == 0 {
			before, indent = ",\n"+string(line), string(line)
		}
	}
	return before, indent, at
}

// until writes an end as people do: a whole day by its date.
func until(end time.Time) string {
	end = end.UTC()
	if end.Equal(end.Truncate(24 * time.Hour)) {
		return end.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return end.Format(time.RFC3339Nano)
}
