package sweep

import (
	"errors"
	"strings"
	"time"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// Summary says what was seen, since the run began. What is seen again, since a
// marker was refused or the run was killed, counts again.
type Summary struct {
	Started time.Time `json:"started"`

	Functions  int      `json:"functions"`                    // listed, without their versions and aliases
	Resources  int      `json:"resources"`                    // functions, aliases and versions: each can have a policy
	Read       int      `json:"read"`                         // policies, or that there is none
	Skipped    int      `json:"skipped"`                      // known to be restricted at the revision that was listed
	Unreadable int      `json:"unreadable"`                   // policies, and functions whose aliases could not be listed
	Examples   []string `json:"unreadableExamples,omitempty"` // of what is unreadable: ARN and error

	// Policies that had another revision than the listing showed: they changed
	// meanwhile, or decision 20 rests on nothing.
	RevisionsDiffer int `json:"revisionsDiffer"`

	Public         int `json:"public"` // statements, whatever was done about them
	Undetermined   int `json:"undetermined"`
	ConfusedDeputy int `json:"confusedDeputy"`
	External       int `json:"external"`

	Audited     int `json:"audited"`
	Exempt      int `json:"exempt"`
	NeedsReview int `json:"needsReview"`
	Reverted    int `json:"reverted"`
	AlreadyGone int `json:"alreadyGone"`
	Failed      int `json:"failed"` // Held among them
	Held        int `json:"held"`   // not taken out, since the run had taken out as many as it may

	LatentURLs   int `json:"latentUrls"`   // statements about a function URL that asks for something else
	OrphanedURLs int `json:"orphanedUrls"` // statements about a function URL that does not exist

	Undelivered         int      `json:"undelivered"`                   // policies whose findings did not reach every sink
	UndeliveredExamples []string `json:"undeliveredExamples,omitempty"` // of these: ARN and error

	Writes int `json:"writes"` // removals that were sent
	Calls  int `json:"calls"`  // to the API, repeated ones among them
}

// maxExamples bounds what a token carries along, of each kind.
const maxExamples = 20

// Add counts one visit: the item, what [guard.Guard.Inspect] returned for it.
func (s *Summary) Add(item Item, seen guard.Inspected, err error) {
	s.count(item)
	if item.Unlisted != nil {
		s.unreadable(item.Resource.ARN()+" (aliases)", item.Unlisted)
	}
	unread := err != nil && seen.Revision == "" && seen.Level == exposure.Undetermined
	if unread {
		s.unreadable(item.Resource.ARN(), err)
	} else {
		s.Read++
	}
	if seen.Revision != "" && seen.Revision != item.Revision && seen.Writes == 0 {
		s.RevisionsDiffer++
	}
	s.Writes += seen.Writes
	failed := 0
	for i := range seen.Findings {
		failed += s.finding(&seen.Findings[i])
	}
	switch {
	case errors.Is(err, guard.ErrHeld):
		s.Held += failed
	case err != nil && !unread && failed == 0:
		s.Undelivered++
		example(&s.UndeliveredExamples, item.Resource.ARN(), err)
	}
}

func (s *Summary) count(item Item) {
	s.Resources++
	if item.Resource.Qualifier == "" {
		s.Functions++
	}
}

func (s *Summary) unreadable(what string, err error) {
	s.Unreadable++
	example(&s.Examples, what, err)
}

func example(list *[]string, what string, err error) {
	if len(*list) < maxExamples {
		text := what + ": " + err.Error()
		*list = append(*list, strings.ToValidUTF8(text[:min(len(text), 500)], ""))
	}
}

// finding returns 1 if what was to be done failed.
func (s *Summary) finding(f *guard.Finding) (failed int) {
	switch f.Verdict.Level {
	case exposure.Public:
		s.Public++
	case exposure.ConfusedDeputy:
		s.ConfusedDeputy++
	case exposure.External:
		s.External++
	default:
		s.Undetermined++
	}
	switch f.Outcome {
	case guard.Audited:
		s.Audited++
	case guard.Exempt:
		s.Exempt++
	case guard.NeedsReview:
		s.NeedsReview++
	case guard.Reverted:
		s.Reverted++
	case guard.AlreadyGone:
		s.AlreadyGone++
	default:
		s.Failed++
		failed = 1
	}
	if url := f.FunctionURL; url != nil && url.State == guard.Latent {
		if url.AuthType == "" {
			s.OrphanedURLs++
		} else {
			s.LatentURLs++
		}
	}
	return failed
}

// removed is how many statements were taken out, or may have been.
func (s *Summary) removed() int { return max(s.Reverted, s.Writes) }

// Alive reports whether anything at all could be looked at.
func (s *Summary) Alive() bool { return s.Read+s.Skipped > 0 || s.Unreadable == 0 }
