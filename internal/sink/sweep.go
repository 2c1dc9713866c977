package sink

import (
	"time"

	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/sweep"
)

// sweepLine says how far a run of the sweep has come. The last line of a run is its
// heartbeat, too: where there is none for longer than the schedule, nothing is swept.
type sweepLine struct {
	Time           time.Time  `json:"time"`
	Severity       string     `json:"level"`
	Message        string     `json:"msg"`
	AWS            *metadata  `json:"_aws,omitempty"`
	SweepHeartbeat int        `json:",omitempty"` // 1 if the run is done, and could look at anything
	Run            sweep.Kind `json:"run"`
	Done           bool       `json:"done"`
	Seconds        float64    `json:"seconds"` // since the run began
	sweep.Summary
	Lapsed int      `json:"lapsedExemptions"` // they exempt no more
	Ending int      `json:"endingExemptions"` // within guard.Notice
	Notes  []string `json:"notes,omitempty"`
}

// heartbeat has no dimensions: an alarm asks whether it is there at all.
var heartbeat = directive{Namespace, [][]string{{}}, []definition{{"SweepHeartbeat", "Count"}}}

// exemptionLine is a reminder, written at the end of a run.
type exemptionLine struct {
	Time      time.Time       `json:"time"`
	Severity  string          `json:"level"`
	Message   string          `json:"msg"`
	State     string          `json:"state"` // lapsed or ending
	Exemption guard.Exemption `json:"exemption"`
}

// Swept writes one line for a part of a run, with what was seen since it began;
// and, when the run is done, one for each exemption that has ended or is about to.
func (l *Log) Swept(run sweep.Kind, r sweep.Result, exemptions []guard.Exemption) error {
	now := l.now()
	line := sweepLine{
		Time: now, Message: "sweep", Run: run, Done: r.Done,
		Seconds: now.Sub(r.Summary.Started).Seconds(), Summary: r.Summary, Notes: r.Notes,
	}
	for _, e := range exemptions {
		reminder := exemptionLine{Time: now, Severity: "WARN", Message: "exemption", Exemption: e}
		switch {
		case e.Ended(now):
			line.Lapsed++
			reminder.State = "lapsed"
		case e.Ends(now):
			line.Ending++
			reminder.State = "ending"
		}
		if r.Done && reminder.State != "" {
			if err := l.write(encode(reminder)); err != nil {
				return err
			}
		}
	}
	line.Severity = line.severity()
	if r.Done && r.Summary.Alive() {
		line.SweepHeartbeat = 1
		line.AWS = &metadata{now.UnixMilli(), []directive{heartbeat}}
	}
	return l.write(encode(line))
}

func (l *sweepLine) severity() string {
	switch {
	case l.Failed+l.Undelivered > 0, l.Done && !l.Alive():
		return "ERROR"
	case l.Public+l.Unreadable+l.Lapsed+l.Ending+len(l.Notes) > 0:
		return "WARN"
	}
	return "INFO"
}
