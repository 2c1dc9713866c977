// Package rapidtest lets property tests meet the same random values in every run,
// so that a red run stays red. It knows no test.
package rapidtest

import (
	"flag"
	"os"
	"testing"

	_ "pgregory.net/rapid" // for its flags
)

// Main is the TestMain of a package with property tests. For other values:
//
//	go test ./internal/exposure -rapid.seed=N -rapid.checks=10000
func Main(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == seed.DefValue {
		if err := seed.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
