package exposure

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// texts lists all texts over the pieces, of at most n pieces.
func texts(pieces []string, n int) []string {
	all := []string{""}
	for from, length := 0, 0; length < n; length++ {
		to := len(all)
		for _, t := range all[from:to] {
			for _, p := range pieces {
				all = append(all, t+p)
			}
		}
		from = to
	}
	return all
}

// What solve finds meets the constraints, and where it finds nothing there is
// nothing: all short texts are tried.
func TestSolveFindsWhatThereIs(t *testing.T) {
	flat := texts([]string{"a", "b", "é", "-"}, 5)
	var arns []string
	for _, account := range []string{"", "a", "b", "ab", "é"} {
		for _, resource := range []string{"", "a", "b", ":", "a:b", "ab:é", "é"} {
			arns = append(arns, "arn:aws:x:y:"+account+":"+resource, "arn:aws:x::"+account+":"+resource)
		}
	}
	piece := rapid.SampledFrom([]string{"a", "b", "é", "*", "?", "*", "?", string(literalStar)})
	drawFlat := rapid.Custom(func(t *rapid.T) constraint {
		return constraint{pattern: strings.Join(rapid.SliceOfN(piece, 0, 5).Draw(t, "pattern"), ""), want: rapid.Bool().Draw(t, "want")}
	})
	field := rapid.SampledFrom([]string{"*", "?", "a", "b", "a*", "*b", "??", "*é", "é?"})
	drawARN := rapid.Custom(func(t *rapid.T) constraint {
		return constraint{
			pattern: "arn:aws:*:" + rapid.SampledFrom([]string{"*", "y", "?", ""}).Draw(t, "region") + ":" + field.Draw(t, "account") + ":" + field.Draw(t, "resource") + rapid.SampledFrom([]string{"", ":*", "*"}).Draw(t, "rest"),
			arn:     true, want: rapid.Bool().Draw(t, "want"),
		}
	})
	check := func(t *rapid.T, cs []constraint, all []string) {
		left := maxWork
		text, found := solve(cs, anyText, &left)
		if found == yes && !allMet(cs, text) {
			t.Fatalf("%q does not meet %+v", text, cs)
		}
		if found != yes {
			for _, text := range all {
				if allMet(cs, text) {
					t.Fatalf("%v, but %q meets %+v", found, text, cs)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.SliceOfN(drawFlat, 1, 4).Draw(t, "constraints"), flat) })
	rapid.Check(t, func(t *rapid.T) {
		check(t, append(rapid.SliceOfN(drawARN, 1, 3).Draw(t, "constraints"), constraint{pattern: "arn:aws:*", want: true}), arns)
	})
}

// Whatever the patterns hold, a character is tried that stands in none.
func TestOneCharacterIsAlwaysFresh(t *testing.T) {
	var b strings.Builder
	for r := rune(' '); r < 0x3000; r++ {
		pattern := []rune(b.String())
		if fresh := alphabetOf([][]rune{pattern})[0]; strings.ContainsRune(b.String(), fresh) || strings.ContainsRune("*?", fresh) {
			t.Fatalf("%q stands in a pattern of %d characters", fresh, len(pattern))
		}
		if b.WriteRune(r); r > 0x80 {
			r += 0x3f
		}
	}
}
