package iampolicy_test

import (
	"testing"

	"lambda-guardrail/internal/rapidtest"
)

func TestMain(m *testing.M) { rapidtest.Main(m) }
