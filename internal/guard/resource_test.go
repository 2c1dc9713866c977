package guard

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseResource(t *testing.T) {
	tests := []struct {
		name, arn string
		want      Resource
		canonical string // "" is arn itself
	}{
		{name: "a function", arn: "arn:aws:lambda:eu-central-1:111122223333:function:orders",
			want: Resource{"aws", "eu-central-1", "111122223333", "orders", ""}},
		{name: "an alias", arn: "arn:aws:lambda:eu-central-1:111122223333:function:orders:live",
			want: Resource{"aws", "eu-central-1", "111122223333", "orders", "live"}},
		{name: "a version", arn: "arn:aws:lambda:eu-central-1:111122223333:function:orders:7",
			want: Resource{"aws", "eu-central-1", "111122223333", "orders", "7"}},
		{name: "$LATEST is the function", arn: "arn:aws:lambda:eu-central-1:111122223333:function:orders:$LATEST",
			want: Resource{"aws", "eu-central-1", "111122223333", "orders", ""}, canonical: "arn:aws:lambda:eu-central-1:111122223333:function:orders"},
		{name: "partitions and regions that nobody has heard of yet", arn: "arn:aws-eusc:lambda:eusc-de-east-1:111122223333:function:orders",
			want: Resource{"aws-eusc", "eusc-de-east-1", "111122223333", "orders", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseResource(tt.arn)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			canonical := tt.canonical
			if canonical == "" {
				canonical = tt.arn
			}
			if got.ARN() != canonical {
				t.Errorf("ARN() = %q, want %q", got.ARN(), canonical)
			}
		})
	}
}

func TestParseResourceRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":                      "",
		"a bare name":                  "orders",
		"another service":              "arn:aws:s3:eu-central-1:111122223333:function:orders",
		"a layer":                      "arn:aws:lambda:eu-central-1:111122223333:layer:orders",
		"an empty name":                "arn:aws:lambda:eu-central-1:111122223333:function:",
		"an empty qualifier":           "arn:aws:lambda:eu-central-1:111122223333:function:orders:",
		"too many fields":              "arn:aws:lambda:eu-central-1:111122223333:function:orders:live:x",
		"an account of eleven digits":  "arn:aws:lambda:eu-central-1:11112222333:function:orders",
		"an account that is no number": "arn:aws:lambda:eu-central-1:11112222333x:function:orders",
		"no region":                    "arn:aws:lambda::111122223333:function:orders",
		"a wildcard":                   "arn:aws:lambda:eu-central-1:111122223333:function:*",
		"a newline":                    "arn:aws:lambda:eu-central-1:111122223333:function:or\nders",
		"a letter from elsewhere":      "arn:aws:lambda:eu-central-1:111122223333:function:ordërs",
		"an endless name":              "arn:aws:lambda:eu-central-1:111122223333:function:" + strings.Repeat("a", 141),
	}
	for name, arn := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseResource(arn); err == nil {
				t.Errorf("ParseResource(%q) = %+v, want an error", arn, got)
			}
		})
	}
}

func TestResourceInFindings(t *testing.T) {
	tests := map[string]struct {
		resource     Resource
		text, string string
	}{
		"a function": {Resource{"aws", "eu-central-1", "111122223333", "orders", ""},
			`{"arn":"arn:aws:lambda:eu-central-1:111122223333:function:orders","partition":"aws","region":"eu-central-1","account":"111122223333","function":"orders"}`, "orders"},
		"an alias": {Resource{"aws", "eu-central-1", "111122223333", "orders", "live"},
			`{"arn":"arn:aws:lambda:eu-central-1:111122223333:function:orders:live","partition":"aws","region":"eu-central-1","account":"111122223333","function":"orders","qualifier":"live"}`, "orders:live"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(tt.resource)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.text {
				t.Errorf("got  %s\nwant %s", got, tt.text)
			}
			if tt.resource.String() != tt.string {
				t.Errorf("String() = %q, want %q", tt.resource.String(), tt.string)
			}
		})
	}
}
