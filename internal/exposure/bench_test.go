package exposure_test

import (
	"testing"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
)

// typical are the statements that make up most policies.
var typical = []string{
	`{"Sid":"events","Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + functionARN + `","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:events:us-east-1:111122223333:rule/nightly"}}}`,
	`{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + functionARN + `","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::amzn-s3-demo-bucket"},"StringEquals":{"AWS:SourceAccount":"111122223333"}}}`,
	`{"Sid":"open","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + functionARN + `"}`,
	`{"Sid":"FunctionURLInvokeAllowPublicAccess","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + functionARN + `","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`,
	`{"Sid":"account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"lambda:InvokeFunction","Resource":"` + functionARN + `"}`,
	`{"Sid":"org","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + functionARN + `","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`,
}

func typicalDocuments() (texts []string) {
	for _, s := range typical {
		texts = append(texts, `{"Version":"2012-10-17","Id":"default","Statement":[`+s+`]}`)
	}
	return texts
}

var sink []exposure.Verdict

func BenchmarkJudgeTypical(b *testing.B) {
	var documents []iampolicy.Document
	for _, text := range typicalDocuments() {
		documents = append(documents, parse(b, text))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		sink = exposure.Judge(documents[n%len(documents)], target, exposure.Trust{}, now)
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "statements/s")
}

func BenchmarkParseAndJudgeTypical(b *testing.B) {
	texts := typicalDocuments()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		d, err := iampolicy.Parse(texts[n%len(texts)])
		if err != nil {
			b.Fatal(err)
		}
		sink = exposure.Judge(d, target, exposure.Trust{}, now)
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "docs/s")
}

// What the benchmarks measure is what they say.
func TestTypicalStatements(t *testing.T) {
	want := []exposure.Level{exposure.Restricted, exposure.Restricted, exposure.Public, exposure.Public, exposure.Restricted, exposure.External}
	for i, text := range typicalDocuments() {
		if level := exposure.Worst(exposure.Judge(parse(t, text), target, exposure.Trust{}, now)); level != want[i] {
			t.Errorf("%v, want %v: %s", level, want[i], text)
		}
	}
}
