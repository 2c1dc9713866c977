package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"lambda-guardrail/testdata"
)

func TestBadDocuments(t *testing.T) {
	for name, tt := range map[string]struct{ input, want string }{
		"too long":             {`{"Statement":"` + strings.Repeat("a", maxDocument) + `"}`, "a document of more than 10 MiB; want a policy"},
		"too long, unfinished": {`"` + strings.Repeat("a", 2*maxDocument), "a document of more than 10 MiB; want a policy"},
		"too deep":             {strings.Repeat(`{"Statement":`, 20_000), "at byte 130000: it is not JSON: exceeded max depth; want a policy"},
		"not UTF-8":            {"{\"Statement\":\"\xff\"}", "at byte 14: it is not JSON: invalid UTF-8; want a policy"},
		"UTF-16":               {"\xff\xfe{\x00", `at byte 0: it is not JSON: invalid character '\xff' at start of value; want a policy`},
		"cut off":              {`{"Statement":[`, "at byte 14: it is not JSON: unexpected EOF; want a policy"},
		"white space":          {" \n", "it is empty; want a policy"},
		"second one cut off":   {`{"Statement":[]} {`, "standard input, document 1: at byte 18: it is not JSON: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := guardrail(t, tt.input, "explain")
			if code != int(exitBadInput) || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit code %d: %.300q, want %q in it", code, stderr, tt.want)
			}
		})
	}
}

// The limit is for one document, not for all of them.
func TestManyDocumentsMayBeLong(t *testing.T) {
	half := `{"Statement":[],"Id":"` + strings.Repeat("a", maxDocument/2) + `"}`
	n := 0
	err := readDocuments("-", strings.NewReader(strings.Repeat(half, 5)), func(document) error { n++; return nil })
	if err != nil || n != 5 {
		t.Errorf("%d documents, %v", n, err)
	}
}

// Documents are judged as they arrive, not when the input ends.
func TestDocumentsAreReadAsTheyCome(t *testing.T) {
	from, to := io.Pipe()
	come, done := make(chan document), make(chan error)
	go func() {
		done <- readDocuments("-", from, func(d document) error { come <- d; return nil })
	}()
	for range 3 {
		io.WriteString(to, `{"Statement":[]}`+"\n")
		if d := <-come; d.kind != policyKind {
			t.Errorf("got %+v", d)
		}
	}
	to.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Whatever is read: no panic, an exit code that fits what is printed, and nothing
// printed but printable lines.
func FuzzExplain(f *testing.F) {
	fs.WalkDir(testdata.Files, ".", func(path string, entry fs.DirEntry, _ error) error {
		if text, err := testdata.Files.ReadFile(path); err == nil {
			f.Add(string(text))
		}
		return nil
	})
	for _, text := range []string{
		"", `"{}"`, `{"Records":[{},1]}`, `{"Policy":{"Statement":[]}}`, `{"Statement":"{}"}`, "{\"Sid\":\"\x1b\xff", `{"Statement":[]}{"Effect":"Deny"}`,
		`{"eventSource":"lambda.amazonaws.com","eventName":"PutResourcePolicy","requestParameters":{"policy":1}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, input string) {
		code, text, complaints := guardrail(t, input, "explain")
		if !slices.Contains([]int{0, 1, 2}, code) || (code == 2) != (complaints != "") {
			t.Errorf("exit code %d with %q", code, complaints)
		}
		for line := range strings.Lines(text + complaints) {
			if !printable(strings.TrimSuffix(line, "\n")) {
				t.Errorf("%q", line)
			}
		}
		again, lines, _ := guardrail(t, input, "explain", "--format", "json")
		if again != code {
			t.Errorf("exit code %d in text, %d in JSON", code, again)
		}
		public := false
		for line := range strings.Lines(lines) {
			var x struct{ Kind, Level string }
			if err := json.Unmarshal([]byte(line), &x); err != nil || x.Kind == "" || x.Level == "" {
				t.Errorf("%v: %q", err, line)
			}
			public = public || x.Level == "public"
		}
		if code != 2 && public != (code == 1) {
			t.Errorf("exit code %d of %s", code, lines)
		}
	})
}
