package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/lambdaadmin"
)

// drillReport is what came of a drill.
type drillReport struct {
	Region       string      `json:"region"`
	Guardrail    string      `json:"guardrail"` // its function
	Mode         string      `json:"mode"`
	FunctionURLs string      `json:"functionUrls"`
	Function     string      `json:"function"` // of the drill
	Ways         []wayReport `json:"ways"`
	Deleted      bool        `json:"deleted"`
	OK           bool        `json:"ok"`
}

type wayReport struct {
	Way      string   `json:"way"`
	Resource string   `json:"resource"`
	Harmless bool     `json:"harmless"`
	Want     string   `json:"want"`             // outcome of each finding; "" if there must be none
	Blocked  bool     `json:"blocked"`          // Lambda itself refused to open it
	Detected bool     `json:"detected"`         // each statement has a finding
	Reverted bool     `json:"reverted"`         // no open statement stands
	Seconds  float64  `json:"seconds,omitzero"` // from the opening until it was seen closed; in audit, found
	Findings []string `json:"findings"`         // their IDs
	OK       bool     `json:"ok"`
	Problem  string   `json:"problem,omitempty"` // if it is not
}

// add enters the attempts. Nothing is proven by a drill in which nothing was opened.
func (r *drillReport) add(attempts []*attempt) {
	r.OK = true
	proven := false
	for _, a := range attempts {
		w := a.report()
		r.Ways = append(r.Ways, w)
		r.OK = r.OK && w.OK
		proven = proven || w.OK && !w.Harmless && !w.Blocked
	}
	r.OK = r.OK && proven
}

func (a *attempt) report() wayReport {
	w := wayReport{Way: a.name, Resource: a.on.ARN(), Harmless: a.harmless, Findings: []string{}}
	if !a.harmless {
		w.Want = a.want.String()
	}
	if a.refused != nil {
		w.Blocked = errors.Is(a.refused, lambdaadmin.ErrBlocked)
		w.OK = w.Blocked
		w.Problem = "it could not be opened: " + a.refused.Error()
		return w
	}
	w.Detected, w.Reverted, w.OK = !a.harmless, !a.harmless, true
	for _, d := range a.doors {
		if d.outcome != "" {
			w.Findings = append(w.Findings, d.id)
		}
		if !d.harmless {
			w.Detected = w.Detected && d.outcome != ""
			w.Reverted = w.Reverted && !d.stands
		}
		if !a.right(d) {
			w.OK = false
			w.Problem = cmp.Or(w.Problem, a.wrong(d))
		}
	}
	if a.err != nil {
		w.OK = false
		w.Problem = cmp.Or(w.Problem, a.err.Error())
	}
	if w.OK {
		w.Seconds = a.seconds()
	}
	return w
}

// wrong says what is not as it should be.
func (a *attempt) wrong(d *door) string {
	switch {
	case d.harmless && !d.stands:
		return "a grant that harms nobody was taken out"
	case d.harmless:
		return "a grant that harms nobody was reported: " + d.outcome
	case d.outcome == "" && d.stands:
		return "there is no finding, and the statement stands"
	case d.outcome == "":
		return "there is no finding; but the statement is gone: somebody else took it out"
	case d.outcome != a.want.String():
		return strings.TrimSuffix("the outcome is "+d.outcome+": "+d.problem, ": ")
	case a.want == guard.Reverted:
		return "the finding says that it was taken out, and it stands"
	}
	return "it was taken out, and was to be reported only"
}

func (r *drillReport) print(p *page) {
	if len(r.Ways) > 0 {
		p.printf("\n%-12s  %-8s  %-8s  %7s  finding\n", "way", "detected", "reverted", "seconds")
	}
	for _, w := range r.Ways {
		detected, reverted, seconds, found := yes(w.Detected), yes(w.Reverted), "-", strings.Join(w.Findings, " ")
		if w.Seconds > 0 {
			seconds = fmt.Sprintf("%.1f", w.Seconds)
		}
		switch {
		case !w.OK:
			found = strings.TrimPrefix(found+": "+w.Problem, ": ")
		case w.Blocked:
			detected, reverted, found = "-", "-", "Lambda itself refused to open it"
		case w.Harmless:
			detected, reverted, found = "-", "-", "left alone, as it should be"
		case w.Want != guard.Reverted.String():
			reverted = "in audit"
		}
		p.printf("%-12s  %-8s  %-8s  %7s  %s\n", w.Way, detected, reverted, seconds, found)
	}
	if r.Deleted {
		p.printf("\nDeleted %s and what belonged to it.\n", r.Function)
	}
	if r.OK {
		p.printf("The guardrail did as it should.\n")
	} else {
		p.printf("The guardrail is not proven.\n")
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
