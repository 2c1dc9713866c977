package guard

import (
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
)

// ruling says what is to be done about one statement, or about a document that
// cannot be read.
type ruling struct {
	statement   iampolicy.Statement
	fingerprint string
	verdict     exposure.Verdict
	problem     string // with the document
	exemption   *Exemption
	outcome     Outcome // "" if there is nothing to report
	remove      bool    // then outcome is Failed, until the removal is seen
}

// low reports whether the statement is one that the event path does not report:
// no stranger gets in.
func (r *ruling) low() bool {
	return r.verdict.Level == exposure.External || r.verdict.Level == exposure.ConfusedDeputy
}

// read rules on every statement of a live document. One that cannot be read gets
// a single ruling, and readable is false.
func (s *Settings) read(document string, r Resource, now time.Time) (rulings []ruling, readable bool) {
	d, err := iampolicy.Parse(document)
	if err == nil {
		return s.decide(d, r, now), true
	}
	whole := iampolicy.Statement{Raw: document, Problem: err.Error()}
	nobody := exposure.Verdict{Access: []exposure.Access{}, Strangers: []exposure.Witness{}, Reasons: []exposure.Reason{}}
	ruling := s.rule(r.ARN(), whole, nobody, now)
	ruling.statement.Raw, ruling.problem = "", err.Error()
	return append(rulings, ruling), false
}

// decide judges every statement of the document in the light of all of them.
func (s *Settings) decide(d iampolicy.Document, r Resource, now time.Time) []ruling {
	arn := r.ARN()
	rulings := make([]ruling, len(d.Statements))
	for i, verdict := range exposure.Judge(d, exposure.Target(r), s.Trust, now) {
		rulings[i] = s.rule(arn, d.Statements[i], verdict, now)
	}
	return rulings
}

func (s *Settings) rule(arn string, statement iampolicy.Statement, verdict exposure.Verdict, now time.Time) ruling {
	r := ruling{statement: statement, fingerprint: iampolicy.Fingerprint(statement.Raw), verdict: verdict}
	if verdict.Level == exposure.Restricted {
		return r
	}
	r.exemption = s.exemption(arn, statement.Sid, r.fingerprint, now)
	switch {
	case r.exemption != nil:
		r.outcome = Exempt
	case r.low():
		r.outcome = Audited
	case verdict.Level != exposure.Public, statement.Problem != "", statement.Effect != iampolicy.Allow:
		r.outcome = NeedsReview
	case s.Mode != Enforce, s.FunctionURLs != Enforce && verdict.FunctionURLOnly():
		r.outcome = Audited
	default:
		r.outcome, r.remove = Failed, true
	}
	return r
}
