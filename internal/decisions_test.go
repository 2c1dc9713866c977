package internal_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// A claim that names the test that holds it is worth as much as that test.
func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("decisions/0031-threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 10 {
		t.Fatalf("the page names only %d tests", len(named))
	}
	cmd := exec.Command("grep", "-rhoE", "--include=*_test.go", "^func (Test|Fuzz)[A-Za-z0-9]+", "functions", "infra", "internal")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	exist := "\n" + string(out)
	for _, name := range named {
		if !strings.Contains(exist, "\nfunc "+name[1]+"\n") {
			t.Errorf("%s is no test", name[1])
		}
	}
}
