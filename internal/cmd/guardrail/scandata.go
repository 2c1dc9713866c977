package main

import (
	"encoding/csv"
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// writeJSON writes a finding on each line, and last what the scan came to.
func writeJSON(p *page, report scanReport) {
	complete := true
	for _, x := range report {
		complete = complete && x.Complete && len(x.Unreadable) == 0
		for _, f := range x.Findings {
			p.json(f)
		}
	}
	p.json(struct {
		Complete bool       `json:"complete"` // all was visited and read
		Regions  scanReport `json:"regions"`
	}{complete, report})
}

var csvColumns = []struct {
	title string
	text  func(guard.Finding) string
}{
	{"id", func(f guard.Finding) string { return f.ID }},
	{"severity", func(f guard.Finding) string { return f.Severity.String() }},
	{"level", func(f guard.Finding) string { return f.Verdict.Level.String() }},
	{"outcome", func(f guard.Finding) string { return f.Outcome.String() }},
	{"account", func(f guard.Finding) string { return f.Resource.Account }},
	{"region", func(f guard.Finding) string { return f.Resource.Region }},
	{"function", func(f guard.Finding) string { return f.Resource.Function }},
	{"qualifier", func(f guard.Finding) string { return f.Resource.Qualifier }},
	{"sid", func(f guard.Finding) string { return f.Sid }},
	{"who", who},
	{"can", can},
	{"since", func(f guard.Finding) string {
		if f.OpenedAt.IsZero() {
			return ""
		}
		return f.OpenedAt.UTC().Format(time.RFC3339)
	}},
	{"witness", func(f guard.Finding) string {
		return sentences(f.Verdict.Strangers, "; ", exposure.Witness.Sentence)
	}},
	{"error", func(f guard.Finding) string { return f.Error }},
	{"next", nextStep},
	{"statement", func(f guard.Finding) string { return f.Statement }},
	{"arn", func(f guard.Finding) string { return f.Resource.ARN() }},
}

func sentences[T any](all []T, between string, text func(T) string) string {
	texts := make([]string, len(all))
	for i, x := range all {
		texts[i] = text(x)
	}
	return strings.Join(texts, between)
}

// writeCSV writes a row for each finding, and one with the level unreadable for
// whatever could not be read.
func writeCSV(p *page, report scanReport) {
	w := csv.NewWriter(p)
	row := func(text func(i int) string) {
		cells := make([]string, len(csvColumns))
		for i := range cells {
			cells[i] = inert(text(i))
		}
		w.Write(cells) // Flush tells
	}
	row(func(i int) string { return csvColumns[i].title })
	note := func(region, arn, level, problem string) {
		of := map[string]string{"region": region, "arn": arn, "level": level, "error": problem}
		row(func(i int) string { return of[csvColumns[i].title] })
	}
	for _, x := range report {
		for _, f := range x.Findings {
			row(func(i int) string { return csvColumns[i].text(f) })
		}
		for _, u := range x.Unreadable {
			note(x.Region, u.Resource, "unreadable", u.Error)
		}
		if !x.Complete {
			note(x.Region, "", "incomplete", x.Error)
		}
	}
	w.Flush()
}

// inert makes a cell that a spreadsheet takes for text. It takes one that begins so
// for a formula, which can fetch and run: https://owasp.org/www-community/attacks/CSV_Injection
func inert(cell string) string {
	if begins := strings.TrimLeft(cell, " \t\r\n"); begins != cell || begins != "" && strings.ContainsRune("=+-@", rune(begins[0])) {
		cell = "'" + cell // some programs pass white space over
	}
	return visible(cell)
}

// Write implements [io.Writer].
func (p *page) Write(text []byte) (n int, err error) {
	if p.err == nil {
		n, p.err = p.w.Write(text)
	}
	return n, p.err
}
