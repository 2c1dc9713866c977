package main

import (
	_ "embed"
	"html/template"
	"slices"
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

//go:embed scan.html
var scanHTML string

// scanPage escapes by context. Text from outside goes through visible before,
// which takes away what turns the direction of writing.
var scanPage = template.Must(template.New("scan").Funcs(template.FuncMap{
	"visible": visible, "who": who, "can": can, "state": state, "dash": dash,
	"path": exposure.Reason.Path, "text": exposure.Reason.Text, "parts": parts, "closed": closed,
	"arn":  func(f guard.Finding) string { return f.Resource.ARN() },
	"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
}).Parse(scanHTML))

// scanView is what the page shows.
type scanView struct {
	Started  time.Time
	Complete bool
	Open     int // statements that are public, neither exempt nor taken out
	Exempt   int // those that are exempt
	Charts   []chart
	Regions  scanReport
}

// chart is a row of bars.
type chart struct {
	Title string
	Bars  []bar
}

type bar struct {
	Name  string
	Count int
	Width int // percent of the longest
	Y     int // pixels
}

// Height is that of the chart, in pixels.
func (c chart) Height() int { return len(c.Bars) * barHeight }

const barHeight = 26

// bars counts names, in their order.
func bars(title string, names []string, counts map[string]int) chart {
	c := chart{Title: title}
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	for i, name := range names {
		c.Bars = append(c.Bars, bar{name, counts[name], 100 * counts[name] / most, i * barHeight})
	}
	return c
}

func newScanView(report scanReport) scanView {
	v := scanView{Complete: true, Regions: report}
	severities, byLevel, accesses := map[string]int{}, map[string]int{}, map[string]int{}
	for _, x := range report {
		if v.Started.IsZero() || x.Summary.Started.Before(v.Started) {
			v.Started = x.Summary.Started
		}
		v.Complete = v.Complete && x.Complete && len(x.Unreadable) == 0
		for _, f := range x.Findings {
			if closed(f) {
				continue
			}
			if f.Outcome == guard.Exempt && f.Verdict.Level == exposure.Public {
				v.Exempt++
			}
			severities[f.Severity.String()]++
			byLevel[f.Verdict.Level.String()]++
			if !stillOpen(f) {
				continue
			}
			v.Open++
			for _, a := range f.Verdict.Access {
				accesses[a.String()]++
			}
		}
	}
	var names []string
	for _, s := range guard.Severities() {
		names = append(names, s.String())
	}
	access := []string{exposure.Control.String(), exposure.Code.String(), exposure.Invoke.String(), exposure.URL.String(), exposure.Read.String()}
	reported := []string{exposure.Public.String(), exposure.Undetermined.String(), exposure.ConfusedDeputy.String(), exposure.External.String()}
	v.Charts = []chart{
		bars("Findings that stand, by severity", names, severities),
		bars("Findings that stand, by level", reported, byLevel),
		bars("What strangers can do, by public statement", access, accesses),
	}
	return v
}

// part is a piece of a text that is a command, or is not.
type part struct {
	Text    string
	Command bool
}

// parts splits a text at its backticks.
func parts(text string) (all []part) {
	for i, piece := range strings.Split(text, "`") {
		if piece != "" {
			all = append(all, part{visible(piece), i%2 == 1})
		}
	}
	return slices.Clip(all)
}

func writeHTML(p *page, report scanReport) {
	if err := scanPage.Execute(p, newScanView(report)); err != nil && p.err == nil {
		p.err = err
	}
}
