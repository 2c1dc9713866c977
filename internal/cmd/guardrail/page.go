package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"golang.org/x/term"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// page is what a person or a machine reads. It keeps the first error of writing.
type page struct {
	w      io.Writer
	colour bool
	err    error
}

// newPage returns a page that is coloured if people look at it and want it so:
// https://no-color.org
func newPage(w io.Writer) *page {
	return &page{w: w, colour: isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printf is fmt.Fprintf, but that text among the arguments is made visible: it may
// have been written by an attacker.
func (p *page) printf(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = visible(s)
		}
	}
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// json prints v on one line.
func (p *page) json(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		p.err = errors.Join(p.err, err)
		return
	}
	if p.err == nil {
		_, p.err = io.WriteString(p.w, guard.PrintableJSON(string(text))+"\n")
	}
}

// close returns err, or what went wrong with writing: an answer that did not
// arrive must not pass for one.
func (p *page) close(err error) error {
	if p.err != nil {
		return fmt.Errorf("writing the answer: %w", p.err)
	}
	return err
}

// painted is text of ours, with its colour.
type painted string

// colours are of levels, outcomes, severities and the states of exemptions: red is
// open, yellow wants a person, green is shut.
var colours = map[string]string{
	exposure.Public.String():         "1;31",
	exposure.Undetermined.String():   "1;33",
	exposure.ConfusedDeputy.String(): "33",
	exposure.External.String():       "33",
	exposure.Restricted.String():     "32",

	guard.Failed.String():      "1;31",
	guard.NeedsReview.String(): "1;33",
	guard.Audited.String():     "33",
	guard.Exempt.String():      "33",
	guard.Reverted.String():    "1;32",
	guard.AlreadyGone.String(): "32",

	lapsed:     "1;31",
	lapsesSoon: "1;33",
	inForce:    "32",

	guard.Critical.String(): "1;31",
	guard.High.String():     "1;31",
	guard.Medium.String():   "1;33",
	guard.Low.String():      "33",
}

// paint fills a level or an outcome up to width, and colours it.
func (p *page) paint(word string, width int) painted {
	text := fmt.Sprintf("%-*s", width, visible(word))
	if code := colours[word]; p.colour && code != "" {
		text = "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	return painted(text)
}

// visible shows what is not printable ASCII as escapes of a Go string. That stops
// control characters and terminal escapes, and marks and letters that turn the
// direction of writing or look like others, too.
func visible(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		return s
	}
	var b strings.Builder
	for size := 0; s != ""; s = s[size:] {
		var r rune
		if r, size = utf8.DecodeRuneInString(s); ' ' <= r && r <= '~' {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteToASCII(s[:size])
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// complain prints an error, and each of several on a line of its own.
func complain(w io.Writer, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			complain(w, one)
		}
		return
	}
	fmt.Fprintf(w, "guardrail: %s\n", visible(err.Error()))
}
