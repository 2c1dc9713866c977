package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// bus is EventBridge, with CloudTrail before it: best effort, at least once, and
// in no order.
type bus struct {
	*schedule
	chance  *rand.Rand
	odds    float64 // of a fault
	deliver func(*event)
	count   func(string)
	note    func(string, ...any)
	events  int
	latest  int // of those that have arrived
}

// dated are the names of calls that CloudTrail writes with the date of their API.
var dated = map[string]string{
	"AddPermission":               "AddPermission20150331v2",
	"RemovePermission":            "RemovePermission20150331v2",
	"UpdateFunctionConfiguration": "UpdateFunctionConfiguration20150331v2",
}

// caller is who made a call, and with what.
type caller struct {
	identity  map[string]any
	userAgent string
}

func user(name string) caller {
	return caller{map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::" + accountID + ":user/" + name, "accountId": accountID, "accessKeyId": "AKIAIOSFODNN7EXAMPLE"}, "aws-cli/2.32.3"}
}

func guardrail(userAgent string) caller {
	return caller{map[string]any{
		"type": "AssumedRole", "arn": "arn:aws:sts::" + accountID + ":assumed-role/lambda-guardrail/lambda-guardrail", "accountId": accountID,
		"sessionContext": map[string]any{"sessionIssuer": map[string]any{"type": "Role", "arn": ownRole}},
	}, userAgent}
}

// publish lets an event of a call find its way to the function, or not.
func (b *bus) publish(c *call, by caller) {
	text, number := b.record(c, by), b.events
	copies := 1
	switch {
	case b.chance.Float64() < b.odds:
		b.count("bus: lost")
		c.lost, copies = true, 0
	case b.chance.Float64() < b.odds:
		b.count("bus: delivered more than once")
		copies += 1 + b.chance.IntN(2)
	}
	for range copies {
		b.count("bus: delivered")
		delay := 500*time.Millisecond + time.Duration(b.chance.ExpFloat64()*float64(3*time.Second))
		if b.chance.Float64() < b.odds {
			b.count("bus: delayed by minutes")
			delay += time.Duration(b.chance.Int64N(int64(10 * time.Minute)))
		}
		b.after(delay, func() {
			b.note("event of %s on %s arrives", c.operation, short(c.arn))
			if number < b.latest {
				b.count("bus: overtaken by a later one")
			}
			b.latest = max(b.latest, number)
			b.deliver(&event{text: text, call: c})
		})
	}
}

// record is the event of a call.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func (b *bus) record(c *call, by caller) []byte {
	b.events++
	name := dated[c.operation]
	if name == "" {
		name = c.operation
	}
	request := map[string]any{}
	switch {
	case c.operation == "PutResourcePolicy" || c.operation == "DeleteResourcePolicy":
		request["resourceArn"] = c.arn
	case c.named != "":
		request["functionName"] = c.named
	default:
		request["functionName"] = c.arn
	}
	if c.sid != "" {
		request["statementId"] = c.sid
	}
	var response any
	if c.recorded != "" {
		response = map[string]any{"statement": c.recorded}
	}
	at := b.now.UTC().Format(time.RFC3339)
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": fmt.Sprintf("envelope-%d", b.events), "detail-type": "AWS API Call via CloudTrail", "source": "aws.lambda",
		"account": accountID, "time": at, "region": region, "resources": []string{},
		"detail": map[string]any{
			"eventVersion": "1.11", "userIdentity": by.identity, "eventTime": at, "eventSource": "lambda.amazonaws.com", "eventName": name,
			"awsRegion": region, "sourceIPAddress": "203.0.113.24", "userAgent": by.userAgent,
			"requestParameters": request, "responseElements": response, "eventID": fmt.Sprintf("event-%d", b.events),
			"readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": accountID, "eventCategory": "Management",
		},
	})
	if err != nil {
		panic(err) // maps of text
	}
	return text
}
