package main

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The settings themselves are tested in config. Here they come through CDK, with
// all that cdk.json says beside them.
func TestAWrongContextIsAnErrorThatNamesKeyAndLegalValues(t *testing.T) {
	for _, test := range []struct {
		name    string
		context object
		want    string
	}{
		{"a mode that is none", object{"mode": "enforced"}, `mode is "enforced": want audit or enforce`},
		{"a mode that is no text", object{"mode": true}, `mode is true: want a text in quotation marks, or a list of them`},
		{"URLs alone", object{"functionUrls": "enforce"}, `functionUrls is enforce and mode is audit: want enforce for both, since in audit the function may not write at all`},
		{"an account that is none", object{"trustedAccounts": []any{"1"}}, `trustedAccounts is "1": want account ids of twelve digits, with commas between`},
		{"an organization that is none", object{"trustedOrgs": "r-1"}, `trustedOrgs is "r-1": want organization ids like o-a1b2c3d4e5, with commas between`},
		{"exemptions in another format", object{"exemptions": "exemptions.yaml"}, `exemptions is "exemptions.yaml": want the name of a .json file`},
		{"a region that is none", object{"regions": "europe"}, `regions is "europe": want regions like eu-central-1, each once, with commas between; eu-central-1:enforce has a mode of its own`},
		{"an address that is none", object{"email": "oncall"}, `email is "oncall": want an e-mail address`},
		{"a trail that is neither", object{"trail": "maybe"}, `trail is "maybe": want existing or create`},
		{"a reservation that is none", object{"reservedConcurrency": "many"}, `reservedConcurrency is "many": want 0, which reserves none, or a whole number from 2 to 1000`},
		{"a retention that there is not", object{"logRetentionDays": "2"}, `logRetentionDays is "2": want a number of days that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653`},
		{"a name that is none", object{"name": "My Guardrail"}, `name is "My Guardrail": want at most 32 lower-case letters, digits and hyphens, a letter first`},
		{"a key that there is not", object{"moed": "enforce"}, `moed is "enforce": there is no such setting; want one of mode, functionUrls, trustedAccounts, trustedOrgs, exemptions, securityHub, eventBus, maxReverts, quotaShare, sweepSchedule, fullSweepSchedule, chat, regions, email, trail, reservedConcurrency, logRetentionDays, name`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := settings(newApp(t, test.context))
			if err == nil {
				t.Fatalf("accepted as %+v", c)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExemptionsAreCheckedAtSynth(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	entry := func(function, owner, until string) string {
		return `{"exemptions": [{"function": "` + function + `", "owner": "` + owner + `", "reason": "a webhook", "until": "` + until + `"}]}`
	}
	const site = "arn:aws:lambda:*:111122223333:function:site"
	for _, test := range []struct {
		name, file, text string
		warning, wrong   string
	}{
		{name: "good", file: "exemptions.json", text: entry(site, "web", "2027-01-31")},
		{name: "in a folder", file: "conf/exemptions.json", text: entry(site, "web", "2027-01-31")},
		{name: "ends in two weeks and a second", file: "exemptions.json", text: entry(site, "web", "2026-12-07T12:00:01Z")},
		{name: "ends in two weeks", file: "exemptions.json", text: entry(site, "web", "2026-12-07T12:00:00Z"),
			warning: "exemptions.json: exemptions[0] of " + site + ", owner web, ends at 2026-12-07T12:00:00Z: then its statements are public ones like any other"},
		{name: "ends today", file: "exemptions.json", text: entry(site, "web", "2026-11-23"),
			warning: "exemptions.json: exemptions[0] of " + site + ", owner web, ends at 2026-11-24T00:00:00Z: then its statements are public ones like any other"},
		{name: "has ended", file: "exemptions.json", text: entry(site, "web", "2026-11-22"),
			wrong: "exemptions.json: exemptions[0] of " + site + ", owner web, ended at 2026-11-23T00:00:00Z: remove it, or ask the owner for a later date"},
		{name: "ends now", file: "exemptions.json", text: entry(site, "web", "2026-11-23T12:00:00Z"), wrong: "ended at 2026-11-23T12:00:00Z"},
		{name: "exempts everything", file: "exemptions.json", text: entry("arn:aws:lambda:*:111122223333:function:*", "web", "2027-01-31"), wrong: "exemptions.json: exemptions[0]: function is"},
		{name: "nobody's", file: "exemptions.json", text: entry(site, "", "2027-01-31"), wrong: "exemptions[0]: owner is missing"},
		{name: "not JSON", file: "exemptions.json", text: "exemptions:", wrong: "exemptions.json: reading the exemptions"},
		{name: "not there", file: "other.json", text: "{}", wrong: "reading the exemptions: open other.json"},
		{name: "somewhere else", file: "../exemptions.json", text: "{}", wrong: `exemptions is "../exemptions.json": want a file beside cdk.json or below it`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if test.file != "other.json" && filepath.IsLocal(test.file) {
				if err := os.MkdirAll(filepath.Dir(test.file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(test.file, []byte(test.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			files, warnings, err := exemptions(test.file, now)
			if (err != nil) != (test.wrong != "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Fatalf("error %v, want %q", err, test.wrong)
			}
			if got := strings.Join(warnings, "\n"); got != test.warning {
				t.Errorf("warnings %q, want %q", got, test.warning)
			}
			if err == nil && (len(files) != 1 || files[0].name != test.file || string(files[0].text) != test.text) {
				t.Errorf("into the asset go %v", files)
			}
		})
	}
	if files, warnings, err := exemptions("", now); files != nil || warnings != nil || err != nil {
		t.Error("no file of exemptions is something:", files, warnings, err)
	}
}

func TestThePackedAssetIsTheSameEverywhere(t *testing.T) {
	files := []file{{"bootstrap", 0o755, []byte("binary")}, {"conf/exemptions.json", 0o644, []byte("{}")}}
	var packed [2][]byte
	for i := range packed {
		name := filepath.Join(t.TempDir(), "respond.zip")
		if err := pack(name, files); err != nil {
			t.Fatal(err)
		}
		packed[i] = read(t, name)
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("two zips of the same files differ")
	}
	z, err := zip.NewReader(bytes.NewReader(packed[0]), int64(len(packed[0])))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range z.File {
		if text := unzip(t, f); f.Name != files[i].name || f.Mode() != files[i].mode || f.Modified.Year() != 1980 || text != string(files[i].text) {
			t.Errorf("%s %v %v %q, want %v of 1980", f.Name, f.Mode(), f.Modified, text, files[i])
		}
	}
}

// Two directories, one asset: otherwise each clone would deploy anew.
func TestTheBinaryDoesNotDependOnItsDirectory(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the function twice")
	}
	clone := t.TempDir()
	for _, dir := range []string{"functions", "internal"} {
		if err := os.CopyFS(filepath.Join(clone, dir), os.DirFS(filepath.Join("..", dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := os.WriteFile(filepath.Join(clone, name), read(t, filepath.Join("..", name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	here, err := build("..", "respond", t.TempDir(), "linux", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	there, err := build(clone, "respond", t.TempDir(), "linux", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(here.text, there.text) {
		t.Error("the same sources in two directories make two binaries")
	}
	isARM64(t, here.text)
}

func isARM64(t *testing.T, binary []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("the binary is for %v", f.Machine)
	}
}

// The real command line, with validation on and the context of cdk.json, which
// makes its warnings errors. There are no credentials.
func TestSynth(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the CDK CLI")
	}
	needNode(t)
	out := t.TempDir()
	cdk := exec.Command("npx", "--yes", "aws-cdk@2.1148.1", "synth", "--quiet", "--output", out)
	cdk.Dir = ".."
	cdk.Env = []string{"CDK_VALIDATION=true", "CDK_DISABLE_CLI_TELEMETRY=true", "AWS_EC2_METADATA_DISABLED=true"}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") && !strings.HasPrefix(variable, "CDK_") {
			cdk.Env = append(cdk.Env, variable)
		}
	}
	began := time.Now()
	if log, err := cdk.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, log)
	}
	t.Logf("synth took %.1f s", time.Since(began).Seconds())

	assets, err := filepath.Glob(filepath.Join(out, "asset.*.zip"))
	if err != nil || len(assets) != 2 {
		t.Fatalf("assets %q, want a zip for each function", assets)
	}
	for _, name := range assets {
		asset := read(t, name)
		if mb := float64(len(asset)) / 1e6; mb > 6 {
			t.Errorf("the asset has %.1f MB, want at most 6", mb)
		}
		z, err := zip.NewReader(bytes.NewReader(asset), int64(len(asset)))
		if err != nil {
			t.Fatal(err)
		}
		if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode() != 0o755 {
			t.Fatalf("the asset holds %v, want an executable bootstrap", z.File)
		}
		isARM64(t, []byte(unzip(t, z.File[0])))
	}
}

func unzip(t *testing.T, f *zip.File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
