package sink

import (
	"strings"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// omissions are made in this order where a finding does not fit. The evidence of
// a removal has them all; of what still stands, the policy has them.
var omissions = [...]struct {
	member string
	clear  func(*guard.Finding)
}{
	{"restore", func(f *guard.Finding) { f.Restore = "" }},
	{"policyBefore", func(f *guard.Finding) { f.PolicyBefore = "" }},
	{"verdict", func(f *guard.Finding) {
		f.Verdict = exposure.Verdict{Level: f.Verdict.Level, Access: f.Verdict.Access, Strangers: []exposure.Witness{}, Reasons: []exposure.Reason{}}
	}},
	{"statement", func(f *guard.Finding) { f.Statement = "" }},
	{"sid", func(f *guard.Finding) { f.Sid = "" }},
	{"error", func(f *guard.Finding) { f.Error = "" }},
	{"beside", func(f *guard.Finding) { f.Beside = nil }},
	{"exemption", func(f *guard.Finding) { f.Exemption = nil }},
	{"actor", func(f *guard.Finding) {
		f.Actor = guard.Actor{ARN: cut(f.Actor.ARN), AccessKeyID: cut(f.Actor.AccessKeyID)}
	}},
}

// cut keeps what AWS's own names fit into.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 2048)], "") }

// Fit returns encode(f) within limit bytes. What has to be left out for that is
// named in the finding's Omitted; what decides and identifies never is.
func Fit(f guard.Finding, limit int, encode func(guard.Finding) ([]byte, error)) ([]byte, error) {
	text, err := encode(f)
	for _, o := range omissions {
		if err != nil || len(text) <= limit {
			break
		}
		o.clear(&f)
		f.Omitted = append(f.Omitted[:len(f.Omitted):len(f.Omitted)], o.member)
		text, err = encode(f)
	}
	return text, err
}
