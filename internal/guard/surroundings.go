package guard

import (
	"context"
	"errors"
	"slices"

	"lambda-guardrail/internal/exposure"
)

// Surroundings tell what a finding is about beyond its policy. They are asked
// when all writing is done; a finding goes out without their answers too.
type Surroundings interface {
	// Role returns the ARN of the execution role of r.
	Role(ctx context.Context, r Resource) (string, error)
	// URL returns the auth type (NONE or AWS_IAM) and the address of the function
	// URL of r. It must return ErrNotFound if r has none. Both methods are
	// expected to give up soon.
	URL(ctx context.Context, r Resource) (authType, address string, err error)
}

// URLState says whether a statement about a function URL lets anybody in today.
// The zero value is Unknown, and counts as live.
type URLState int

const (
	Unknown URLState = iota
	Live             // there is a URL that the strangers of the statement can use
	Latent           // there is none, or it asks for something else; one call makes it live
)

var urlStateNames = [...]string{"unknown", "live", "latent"}

// String returns the state as it is written in findings.
func (s URLState) String() string {
	if s < 0 || int(s) >= len(urlStateNames) {
		return urlStateNames[Unknown]
	}
	return urlStateNames[s]
}

// MarshalText implements [encoding.TextMarshaler] with [URLState.String].
func (s URLState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// FunctionURL is the URL of the resource of a finding.
type FunctionURL struct {
	State    URLState `json:"state"`
	AuthType string   `json:"authType,omitempty"` // "" if there is no URL, or it is not known
	Address  string   `json:"address,omitempty"`
}

// strangersOfURL are who can use a URL, by its auth type.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
var strangersOfURL = map[string]exposure.Kind{"NONE": exposure.Anonymous, "AWS_IAM": exposure.AnyPrincipalURL}

// surroundings are what was learned of the resource, once for all its findings.
type surroundings struct {
	role string
	url  FunctionURL // State is that of no statement: Latent means that there is no URL
}

// lookAround asks for what the findings need. Errors leave it unknown.
func (r *response) lookAround(ctx context.Context) {
	if r.around == nil || len(r.found) == 0 {
		return
	}
	if role, err := r.around.Role(ctx, r.Resource); err == nil {
		r.surroundings.role = role
	}
	r.lookups++
	if slices.ContainsFunc(r.found, (*entry).aboutURL) {
		r.askURL(ctx)
	}
}

func (r *response) askURL(ctx context.Context) {
	if only(r.Resource.Qualifier, digits) {
		r.surroundings.url.State = Latent // a version cannot have one
		return
	}
	r.lookups++
	authType, address, err := r.around.URL(ctx, r.Resource)
	switch {
	case err == nil:
		r.surroundings.url = FunctionURL{AuthType: authType, Address: address}
	case errors.Is(err, ErrNotFound):
		r.surroundings.url.State = Latent
	}
}

// aboutURL reports whether the statement lets in nobody but URL callers.
func (e *entry) aboutURL() bool {
	return e.verdict.Level == exposure.Public && e.verdict.FunctionURLOnly()
}

// functionURL returns the URL as far as it concerns e, nil if it does not. A
// statement that names other resources beside its own may be about a URL of
// theirs, which was not asked for.
func (r *response) functionURL(e *entry) *FunctionURL {
	if !e.aboutURL() {
		return nil
	}
	url := r.surroundings.url
	if url.AuthType != "" {
		url.State = Latent
		for _, w := range e.verdict.Strangers {
			if kind, known := strangersOfURL[url.AuthType]; !known || w.Kind == kind {
				url.State = Live
			}
		}
	}
	named := e.statement.Resource
	if url.State == Latent && (named.Not || len(named.List) != 1 || named.List[0] != r.Resource.ARN()) {
		url.State = Unknown
	}
	return &url
}
