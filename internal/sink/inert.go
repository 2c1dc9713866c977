package sink

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// reader says what a text from outside could do to whoever reads it.
type reader struct {
	special string // characters that mean something there
	ascii   bool   // other characters do not arrive
}

var (
	mail    = reader{special: "\u201c\u201d"} // the quotation marks that we put around it
	subject = reader{ascii: true}
	// In a code span of Slack's or of Teams' markdown only these still mean
	// something: https://docs.slack.dev/messaging/formatting-message-text
	code = reader{special: "`<>&"}
	// Beside what starts markup: our own words have none of these.
	prose = reader{special: "`<>&*_~[]|#\\"}
)

// inert returns text on one line of at most limit characters in which nothing
// works: no control character, mark of direction, markup, mention or link. What
// could is written as an escape of JSON, so that JSON text still means the same
// where nothing in its grammar is special. What is cut ends in dots.
func (r reader) inert(text string, limit int) string {
	const dots = "..."
	var (
		b      strings.Builder
		length int
		kept   int // bytes of b that leave room for the dots
		before rune
	)
	for i, char := range text {
		piece := string(char)
		if !r.harmless(char, before, text[i:]) {
			piece = escape(char)
		}
		length += utf8.RuneCountInString(piece)
		if length > limit {
			return b.String()[:kept] + dots[:max(0, min(limit, len(dots)))]
		}
		b.WriteString(piece)
		if length <= limit-len(dots) {
			kept = b.Len()
		}
		before = char
	}
	return b.String()
}

func (r reader) harmless(char, before rune, rest string) bool {
	switch {
	case char == utf8.RuneError, !unicode.IsPrint(char), r.ascii && char > unicode.MaxASCII, strings.ContainsRune(r.special, char):
		return false
	case char == '@': // of a mention, not of an address
		return unicode.IsLetter(before) || unicode.IsDigit(before)
	case char == '/': // the second one makes a link
		return before != '/'
	case char == 'w', char == 'W': // so does this
		return len(rest) < 4 || !strings.EqualFold(rest[:4], "www.")
	}
	return true
}

func escape(char rune) string {
	const hexits = "0123456789abcdef"
	var b []byte
	for _, unit := range utf16.AppendRune(nil, char) {
		b = append(b, '\\', 'u', hexits[unit>>12], hexits[unit>>8&0xf], hexits[unit>>4&0xf], hexits[unit&0xf])
	}
	return string(b)
}
