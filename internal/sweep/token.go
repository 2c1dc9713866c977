package sweep

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"lambda-guardrail/internal/guard"
)

// Kind is a kind of run.
type Kind string

const (
	Full        Kind = "full"        // reads every policy
	Incremental Kind = "incremental" // reads what is not known to be restricted at the revision that is listed
)

// ParseKind reads a kind as it is written in events.
func ParseKind(text string) (Kind, error) {
	if k := Kind(text); k == Full || k == Incremental {
		return k, nil
	}
	return "", fmt.Errorf("the run is %q: want %s or %s", text, Full, Incremental)
}

// progress is how far a run has come: what a token carries.
type progress struct {
	Version int     `json:"version"`
	Kind    Kind    `json:"kind"`
	Place   Place   `json:"place"`
	Summary Summary `json:"summary"`
}

// tokenVersion changes with everything that a token of the version before would
// be misread by.
const tokenVersion = 1

// run names the run among others of its kind.
func (p *progress) run() string { return p.Summary.Started.Format(time.RFC3339Nano) }

// token is opaque to everybody else.
func (p *progress) token() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts, numbers and dates can always be written
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readToken reads the token of a run of that kind. It refuses what [progress.token]
// cannot have written; it does not authenticate: whoever can call the function with
// a token of his own can also leave it uncalled.
func readToken(token string, kind Kind, now time.Time) (*progress, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	p := &progress{}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	switch {
	case p.Version != tokenVersion:
		return nil, fmt.Errorf("it is of version %d, and this is %d", p.Version, tokenVersion)
	case p.Kind != kind:
		return nil, fmt.Errorf("it is of a run of the kind %q, and this one is %s", p.Kind, kind)
	case p.Summary.Started.IsZero() || p.Summary.Started.After(now):
		return nil, errors.New("the run has not begun")
	case p.Summary.Reverted < 0 || p.Summary.Writes < 0 || p.Place.Restarts < 0:
		return nil, errors.New("it counts less than nothing")
	}
	if p.Place.After != "" {
		if _, err := guard.ParseResource(p.Place.After); err != nil {
			return nil, err
		}
	}
	if p.token() != token {
		return nil, errors.New("it is not in the form that it was given")
	}
	return p, nil
}
