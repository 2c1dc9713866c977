package runtimetest

import (
	"slices"
	"strings"
)

// secrets are credentials of the function's own that no encoding hides, by the
// variable in which Lambda hands them over.
var secrets = map[string]string{
	"AWS_ACCESS_KEY_ID":     "ASIAOWNKEYNOTTOBESEEN",
	"AWS_SECRET_ACCESS_KEY": "ownsecretaccesskeythatnobodymaysee",
	"AWS_SESSION_TOKEN":     "ownsessiontokenthatnobodymaysee",
}

// signed are parts of a signed request, and of the header that holds the signature.
var signed = []string{"AWS4-HMAC-SHA256", "Signature=", "aws4_request"}

// Secrets returns variables for an environment, for the end of it, that [Leaks]
// recognises.
func Secrets() []string {
	var variables []string
	for name, value := range secrets {
		variables = append(variables, name+"="+value)
	}
	return variables
}

// Leaks returns what a text shows of the credentials of Secrets, of a signature,
// or of other texts that are nobody's business.
func Leaks(text string, others ...string) []string {
	var found []string
	for name, value := range secrets {
		if strings.Contains(text, value) {
			found = append(found, name)
		}
	}
	for _, part := range slices.Concat(signed, others) {
		if strings.Contains(text, part) {
			found = append(found, part)
		}
	}
	return found
}
