package internal_test

import (
	"bytes"
	"debug/buildinfo"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// deployment is how .ci/run builds a function, less where from and where to.
const deployment = "CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags '-s -w -buildid='"

// patterns are what a binary must not hold, each with an example that it finds.
var patterns = []struct {
	what, example string
	is            *regexp.Regexp
}{
	{"an access key", "AKIAIOSFODNN7EXAMPLE", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`)},
	{"a secret", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", regexp.MustCompile(`(?i)(secret|token|passw)[a-z_]*["' ]*[:=]["' ]*[A-Za-z0-9/+]{40}`)},
	{"a token of a code host", "ghp_" + strings.Repeat("a", 36), regexp.MustCompile(`\b(gh[opsu]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20})`)},
	{"a private key", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/]`)},
	{"an e-mail address", "oncall@example.com", regexp.MustCompile(`[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[a-z]{2,}\b`)},
}

func TestWhatIsDeployedSaysNothingOfTheMachineThatBuiltIt(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the functions")
	}
	script, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if oneLine := strings.Join(strings.Fields(strings.ReplaceAll(string(script), "\\\n", " ")), " "); !strings.Contains(oneLine, deployment) {
		t.Errorf(".ci/run does not build with %s", deployment)
	}
	here := ofThisMachine(t)
	for _, name := range []string{"respond", "sweep"} {
		binary := filepath.Join(t.TempDir(), "bootstrap")
		cmd := exec.Command("sh", "-c", deployment+` -o "$0" ./functions/`+name, binary)
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("lambda-guardrail/internal/guard")) {
			t.Fatalf("the binary of %s does not even hold the names of its packages", name)
		}
		for what, part := range here {
			if bytes.Contains(text, []byte(part)) {
				t.Errorf("%s holds %s: %s", name, what, part)
			}
		}
		for _, p := range patterns {
			for _, found := range p.is.FindAll(text, 3) {
				t.Errorf("%s holds %s: %q", name, p.what, found)
			}
		}
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range info.Settings {
			if strings.HasPrefix(s.Key, "vcs") {
				t.Errorf("%s says %s=%s", name, s.Key, s.Value)
			}
		}
	}
	for _, p := range patterns {
		if !p.is.MatchString("x " + p.example) {
			t.Errorf("the pattern of %s does not find %s", p.what, p.example)
		}
	}
}

// ofThisMachine returns texts that only this machine can have put into a binary:
// where things lie, who works here, and where modules come from.
func ofThisMachine(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	add := func(what, part string) {
		if len(part) > 3 {
			found[what] = part
		}
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	add("the module's directory", root)
	add("a temporary directory", filepath.Join(os.TempDir(), "go-build"))
	if home, err := os.UserHomeDir(); err == nil {
		add("the home directory", home+string(filepath.Separator))
	}
	if name, err := os.Hostname(); err == nil && len(name) > 8 { // a short one may be a word
		add("the host's name", name)
	}
	for _, name := range []string{"GOROOT", "GOPATH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		value := strings.TrimSpace(string(out))
		if name != "GOPROXY" && name != "GOSUMDB" {
			add(name, value)
			continue
		}
		for _, address := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",| ", r) }) {
			if u, err := url.Parse(address); err == nil && u.Host != "" {
				address = u.Host
			}
			if strings.Contains(address, ".") {
				add(name+" "+address, address)
			}
		}
	}
	return found
}
