package main

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// record is what is read of a CloudTrail record beyond what the guardrail reads.
type record struct {
	ErrorCode         string         `json:"errorCode"`
	EventSource       string         `json:"eventSource"`
	RequestParameters jsontext.Value `json:"requestParameters"`
}

// recordOf reads the record in an event, or on its own. What it cannot read it
// leaves out.
func recordOf(text string) record {
	var r struct {
		record
		Detail record `json:"detail"`
	}
	_ = json.Unmarshal([]byte(text), &r, jsontext.AllowDuplicateNames(true))
	if r.Detail.EventSource != "" {
		return r.Detail
	}
	return r.record
}

// policy is the one that the call wrote, if the record holds it. No record of
// PutResourcePolicy has been published: the policy may be text or an object, or not
// there.
func (r record) policy() string {
	var in map[string]jsontext.Value
	_ = json.Unmarshal(r.RequestParameters, &in, jsontext.AllowDuplicateNames(true))
	return plain(in["policy"])
}

// parameters are those of the call, as the API spells them, less what names the
// resource and a revision that was another Lambda's.
func (r record) parameters() map[string]any {
	in := map[string]any{}
	_ = json.Unmarshal(r.RequestParameters, &in, jsontext.AllowDuplicateNames(true))
	out := map[string]any{}
	for name, value := range in {
		if name != "" {
			out[strings.ToUpper(name[:1])+name[1:]] = value
		}
	}
	for _, name := range []string{"FunctionName", "Qualifier", "ResourceArn", "ResourceARN", "RevisionId"} {
		delete(out, name)
	}
	return out
}

// operationOf takes the date of the API off the name of an event.
func operationOf(call string) string {
	if date := strings.IndexAny(call, "0123456789"); date > 0 {
		return call[:date]
	}
	return call
}

// envelope returns the event that EventBridge makes of a record.
func envelope(text string) []byte {
	var r struct {
		ID      string `json:"eventID"`
		Time    string `json:"eventTime"`
		Source  string `json:"eventSource"`
		Region  string `json:"awsRegion"`
		Account string `json:"recipientAccountId"`
	}
	_ = json.Unmarshal([]byte(text), &r, jsontext.AllowDuplicateNames(true)) // what is of another type stays empty
	service, _, _ := strings.Cut(r.Source, ".")
	event, err := json.Marshal(map[string]any{
		"version": "0", "id": r.ID, "detail-type": "AWS API Call via CloudTrail", "source": "aws." + service,
		"account": r.Account, "time": r.Time, "region": r.Region, "resources": []string{},
		"detail": jsontext.Value(text),
	}, jsontext.AllowDuplicateNames(true))
	if err != nil {
		panic(err) // text and JSON can always be written
	}
	return event
}
