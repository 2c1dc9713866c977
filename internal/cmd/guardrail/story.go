package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-guardrail/internal/cloudtrail"
	"lambda-guardrail/internal/config"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/testdata"
)

// step is an event to be played: a scene of the story, or somebody's own event.
type step struct {
	Title string `json:"title"`
	Event string `json:"event"` // name; in the story that of a file, without .json

	// Policy is what PutResourcePolicy wrote, where the event does not hold it.
	Policy jsontext.Value `json:"policy"`
	// Removed says that the statement is removed before the event is delivered.
	Removed bool `json:"removed"`
	// Leaves are the Sids that the policy is left with, each with the setting that
	// takes its statement out if it is enforce, or with "". Only scenes have it.
	Leaves map[string]string `json:"leaves"`

	text []byte // of the event, as from EventBridge
}

// readStory reads the script.
func (r *rehearsal) readStory() ([]step, error) {
	read := func(file string) []byte {
		text, err := testdata.Story.ReadFile("story/" + file + ".json")
		if err != nil {
			panic(err) // it is a part of this program
		}
		return text
	}
	var story struct {
		TrustedOrgs []string `json:"trustedOrgs"`
		Scenes      []step   `json:"scenes"`
	}
	if err := json.Unmarshal(read("story"), &story, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("reading the story: %w", err)
	}
	exemptions, err := config.ParseExemptions(read("exemptions"))
	if err != nil {
		return nil, fmt.Errorf("reading the story: %w", err)
	}
	r.exemptions, r.config.TrustedOrgs = exemptions, story.TrustedOrgs

	for i := range story.Scenes {
		story.Scenes[i].text = read(story.Scenes[i].Event)
	}
	return story.Scenes, nil
}

// happens returns the event of a scene as it happens now: the guard treats a fresh
// event with more care than an old one. What is delivered twice has happened once.
func (r *rehearsal) happens(s step) []byte {
	if r.happened[s.Event].IsZero() {
		r.happened[s.Event] = time.Now()
	}
	return at(r.happened[s.Event], s.text)
}

func at(t time.Time, event []byte) []byte {
	stamp := jsontext.Value(t.UTC().AppendFormat(nil, `"`+time.RFC3339Nano+`"`))
	var outer, detail map[string]jsontext.Value
	mustRead(event, &outer)
	mustRead(outer["detail"], &detail)
	outer["time"], detail["eventTime"] = stamp, stamp
	outer["detail"] = mustWrite(detail)
	return mustWrite(outer)
}

func mustRead(text []byte, to any) {
	if err := json.Unmarshal(text, to); err != nil {
		panic(err)
	}
}

func mustWrite(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// unexpected says where a story did not end as it should.
func (r *rehearsal) unexpected(steps []step) (problems []error) {
	for _, s := range steps {
		if s.Leaves == nil {
			continue
		}
		var want []string
		for sid, setting := range s.Leaves {
			if !r.enforces(setting) {
				want = append(want, sid)
			}
		}
		have, err := r.standing(s)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(want, have) {
			problems = append(problems, fmt.Errorf("%s: the story does not end as it should: the policy holds [%s], want [%s]",
				s.Event, strings.Join(have, ", "), strings.Join(want, ", ")))
		}
	}
	return problems
}

func (r *rehearsal) enforces(setting string) bool {
	switch setting {
	case "mode":
		return r.config.Mode == guard.Enforce
	case "functionUrls":
		return r.config.FunctionURLs == guard.Enforce
	}
	return false
}

// standing returns the Sids of the statements that stand now.
func (r *rehearsal) standing(s step) ([]string, error) {
	c, _, err := cloudtrail.Candidate(s.text)
	if err != nil {
		return nil, err
	}
	on, err := r.standInOf(c.Resource)
	if err != nil {
		return nil, err
	}
	d, err := on.live(c.Resource)
	return sids(d), err
}
