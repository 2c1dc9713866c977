package exposure_test

import (
	"flag"
	"os"
	"testing"
)

// The same random policies every time, so that a red run stays red. For others:
// go test ./internal/exposure -rapid.seed=N -rapid.checks=10000
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == seed.DefValue {
		seed.Value.Set("1")
	}
	os.Exit(m.Run())
}
