package exposure_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
)

// Comments do not count, nor does the version itself.
func TestTheVersionFollowsTheCode(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "../iampolicy/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		files = append(files, found...)
	}
	sum := sha256.New()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "version.go" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var s scanner.Scanner
		set := token.NewFileSet()
		s.Init(set.AddFile(name, -1, len(text)), text, nil, 0)
		for {
			_, kind, literal := s.Scan()
			if kind == token.EOF {
				break
			}
			fmt.Fprintln(sum, kind, literal)
		}
	}
	if want := hex.EncodeToString(sum.Sum(nil)[:6]); exposure.Version != want {
		t.Errorf("the judgement has changed: set Version to %q, so that what was seen with the old one is looked at again", want)
	}
}

func TestTimeless(t *testing.T) {
	const allow = `{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"`
	tests := []struct {
		name, statement string
		want            bool
	}{
		{"no condition", allow + `}`, true},
		{"a condition on the caller", allow + `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`, true},
		{"a date to begin at", allow + `,"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}}}`, false},
		{"in another case", allow + `,"Condition":{"NumericGreaterThan":{"AWS:EPOCHTIME":"1900000000"}}}`, false},
		{"behind an escape", allow + `,"Condition":{"DateGreaterThan":{"aws:Current\u0054ime":"2030-01-01T00:00:00Z"}}}`, false},
		{"as a variable", allow + `,"Condition":{"StringEquals":{"aws:UserAgent":"${aws:CurrentTime}"}}}`, false},
		{"as a variable of the resource", strings.Replace(allow, `"Resource":"*"`, `"Resource":"${aws:EpochTime}"`, 1) + `}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := iampolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"},` + tt.statement + `]}`)
			if err != nil {
				t.Fatal(err)
			}
			if got := exposure.Timeless(d); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
