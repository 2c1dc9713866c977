package main

import (
	"bytes"
	"strings"
	"testing"
)

// That each makes the same calls is checked by starts itself.
func TestEveryHandlerStartsAndAnswersEveryEvent(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the function")
	}
	var out bytes.Buffer
	if err := starts(&out, t.TempDir(), 1); err != nil {
		t.Fatal(err)
	}
	rows := []string{"bare Go handler", "functions/respond, log alone", "functions/respond, every sink"}
	if _, versions, ok := python(); ok {
		rows = append(rows, "the same job in "+versions)
	} else if want := "python3 with boto3 is not installed"; !strings.Contains(out.String(), want) {
		t.Errorf("it does not say that %s: %s", want, out.String())
	}
	for _, e := range events {
		_, table, found := strings.Cut(out.String(), e.title)
		if !found {
			t.Errorf("no table of %s", e.title)
		}
		for _, row := range rows {
			if !strings.Contains(table, row) {
				t.Errorf("%s: no row of %s: %s", e.title, row, table)
			}
		}
	}
}
