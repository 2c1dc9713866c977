package cloudtrail

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// envelope is an EventBridge event, or a record on its own. Their members share
// no name.
type envelope struct {
	Source     string  `json:"source"`
	DetailType string  `json:"detail-type"`
	Account    string  `json:"account"`
	Detail     *record `json:"detail"`
	record
}

// record is what is read of a CloudTrail record. Any member may be missing:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type record struct {
	EventVersion string `json:"eventVersion"`
	EventID      string `json:"eventID"`
	EventTime    string `json:"eventTime"`
	EventSource  string `json:"eventSource"`
	EventName    string `json:"eventName"`
	ErrorCode    string `json:"errorCode"`
	Region       string `json:"awsRegion"`
	Recipient    string `json:"recipientAccountId"`
	SourceIP     string `json:"sourceIPAddress"`
	UserAgent    string `json:"userAgent"`

	UserIdentity struct {
		Type           string `json:"type"`
		ARN            string `json:"arn"`
		Account        string `json:"accountId"`
		AccessKeyID    string `json:"accessKeyId"`
		InvokedBy      string `json:"invokedBy"`
		SessionContext struct {
			SessionIssuer struct {
				ARN string `json:"arn"`
			} `json:"sessionIssuer"`
			Attributes struct {
				MFA string `json:"mfaAuthenticated"`
			} `json:"attributes"`
		} `json:"sessionContext"`
	} `json:"userIdentity"`

	Request struct {
		FunctionName string `json:"functionName"`
		Qualifier    string `json:"qualifier"`
		// No record of PutResourcePolicy has been published: the spelling is open.
		ResourceARN string `json:"resourceArn,case:ignore"`
		FullARN     struct {
			Prefix struct {
				Partition string `json:"partition"`
				Region    string `json:"region"`
				Account   string `json:"account"`
			} `json:"arnPrefix"`
			RelativeID struct {
				FunctionName string `json:"functionName"`
			} `json:"relativeId"`
		} `json:"fullyQualifiedArn"`
		Omitted string `json:"omitted"` // "true" where CloudTrail left the rest out for its size
	} `json:"requestParameters"`

	Response struct {
		Statement string `json:"statement"`
	} `json:"responseElements"`
}

// lenient reads a number or a boolean as its text, and any other value of the
// wrong kind as if it were missing: CloudTrail writes null for an object, an
// object for a string and a string for a boolean.
var lenient = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, to any) error {
	kind := dec.PeekKind()
	text, isText := to.(*string)
	switch {
	case isText && kind == '"', !isText && kind == '{':
		return errors.ErrUnsupported // as it should be: decode it as usual
	case isText && (kind == '0' || kind == 't' || kind == 'f'):
		token, err := dec.ReadToken()
		*text = token.String()
		return err
	default:
		return dec.SkipValue()
	}
}))
