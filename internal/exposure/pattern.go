package exposure

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pattern is text with * (any run of characters) and ? (one character). In a
// value that came from a policy, literalStar, literalMark and literalDollar stand
// for the escapes ${*}, ${?} and ${$}.
const (
	literalStar   = '\x01'
	literalMark   = '\x02'
	literalDollar = '\x03'
)

// unescape returns the text that a pattern without wildcards stands for.
var unescape = strings.NewReplacer(string(literalStar), "*", string(literalMark), "?", string(literalDollar), "$")

func escaped(p string) bool {
	return strings.IndexByte(p, literalStar) >= 0 || strings.IndexByte(p, literalMark) >= 0 || strings.IndexByte(p, literalDollar) >= 0
}

func hasWildcard(p string) bool {
	return strings.IndexByte(p, '*') >= 0 || strings.IndexByte(p, '?') >= 0
}

// literalPrefix is the text before the first wildcard.
func literalPrefix(p string) string {
	if i := strings.IndexByte(p, '*'); i >= 0 {
		p = p[:i]
	}
	if i := strings.IndexByte(p, '?'); i >= 0 {
		p = p[:i]
	}
	return p
}

// match reports whether the whole of s matches p. Going back to the last star is
// enough: time is at most len(p)*len(s).
func match(p, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && p[i] == '?':
			_, n := utf8.DecodeRuneInString(s[j:])
			i, j = i+1, j+n
		case i < len(p) && literal(p[i]) == s[j]:
			i, j = i+1, j+1
		case star >= 0:
			_, n := utf8.DecodeRuneInString(s[mark:])
			mark += n
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// matchFields is match where no wildcard matches a colon, but for a star that stands
// before one or at the end. Both are ASCII.
func matchFields(p, s string) bool {
	reached := make([]bool, len(s)+1) // the positions of s that p, so far, can end at
	reached[0] = true
	for i := range len(p) {
		crosses := i+1 == len(p) || p[i+1] == ':'
		before := reached[0] // what the position had before p[i]
		reached[0] = before && p[i] == '*'
		for j := range len(s) {
			here := reached[j+1]
			switch p[i] {
			case '*':
				reached[j+1] = here || reached[j] && (crosses || s[j] != ':')
			case '?':
				reached[j+1] = before && s[j] != ':'
			default:
				reached[j+1] = before && literal(p[i]) == s[j]
			}
			before = here
		}
	}
	return reached[len(s)]
}

func literal[T byte | rune](c T) T {
	switch c {
	case literalStar:
		return '*'
	case literalMark:
		return '?'
	case literalDollar:
		return '$'
	}
	return c
}

func matchFold(p, s string) bool {
	var x, y [64]byte
	return match(string(lower(x[:0], p)), string(lower(y[:0], s)))
}

// matchARN compares field by field: wildcards do not cross the colons before the
// resource field, and a pattern without six fields matches nothing, but for the
// bare star (R7).
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func matchARN(p, s string) bool {
	if p == "*" {
		return true
	}
	for field := 0; field < 5; field++ {
		pf, pRest, ok1 := strings.Cut(p, ":")
		sf, sRest, ok2 := strings.Cut(s, ":")
		if !ok1 || !ok2 || !match(pf, sf) {
			return false
		}
		p, s = pRest, sRest
	}
	return match(p, s)
}

// constraint is a pattern that a text must match, or must not.
type constraint struct {
	pattern string
	arn     bool
	want    bool
}

func (c constraint) met(s string) bool {
	if c.arn {
		return matchARN(c.pattern, s) == c.want
	}
	return match(c.pattern, s) == c.want
}

func allMet(cs []constraint, s string) bool {
	for _, c := range cs {
		if !c.met(s) {
			return false
		}
	}
	return true
}

// solve looks for a text that meets all constraints: the shortest, over the
// characters of the patterns and one that stands in none of them. It walks all
// patterns at once, each as the set of its positions that the text so far can
// have reached. Where that takes more work than there is, the answer is not known.
func solve(cs []constraint, only string, left *work) (text string, found tri) {
	patterns := make([][]rune, len(cs))
	for i, c := range cs {
		patterns[i] = []rune(c.pattern)
	}
	alphabet := []rune(only)
	if only == anyText {
		alphabet = alphabetOf(patterns)
	}
	type node struct {
		sets   []string // per constraint, the reachable positions as bits
		parent int
		by     rune
	}
	start := node{parent: -1}
	cost := len(alphabet) * 4 // of one node
	for _, p := range patterns {
		bits := make([]byte, len(p)/8+1)
		reachPosition(p, bits, 0)
		start.sets = append(start.sets, string(bits))
		cost += len(alphabet) * len(p)
	}
	nodes := []node{start}
	known := map[string]bool{strings.Join(start.sets, "|"): true}
	for n := 0; n < len(nodes); n++ {
		accepted := true
		for i, c := range cs {
			if bit([]byte(nodes[n].sets[i]), len(patterns[i])) != c.want {
				accepted = false
			}
		}
		if accepted {
			var out []rune
			for k := n; nodes[k].parent >= 0; k = nodes[k].parent {
				out = append(out, nodes[k].by)
			}
			slices.Reverse(out)
			return string(out), yes
		}
		if !left.spend(cost) {
			return "", unknown
		}
		for _, by := range alphabet {
			next := node{parent: n, by: by}
			dead := false
			for i, c := range cs {
				bits, some := step(patterns[i], c.arn, nodes[n].sets[i], by)
				dead = dead || c.want && !some
				next.sets = append(next.sets, string(bits))
			}
			if key := strings.Join(next.sets, "|"); !dead && !known[key] {
				known[key] = true
				nodes = append(nodes, next)
			}
		}
	}
	return "", no
}

// What solve may write with: anything, or the digits of an account id.
const (
	anyText = ""
	digits  = "9876543210"
)

// alphabetOf is the characters of the patterns, and one that stands in none: to
// them, all others are like that one.
func alphabetOf(patterns [][]rune) []rune {
	alphabet := []rune{0}
	seen := map[rune]bool{}
	for _, p := range patterns {
		for _, c := range p {
			if r := literal(c); c != '*' && c != '?' && !seen[r] {
				seen[r] = true
				alphabet = append(alphabet, r)
			}
		}
	}
	for _, r := range "0123456789zqxjkvwyZQXJ~^_" {
		if !seen[r] {
			alphabet[0] = r
			return alphabet
		}
	}
	for r := 'a'; ; r++ {
		if !seen[r] && unicode.IsPrint(r) {
			alphabet[0] = r
			return alphabet
		}
	}
}

func bit(bits []byte, i int) bool { return bits[i/8]&(1<<(i%8)) != 0 }

// reachPosition marks position i, and those behind stars that match nothing.
func reachPosition(pattern []rune, bits []byte, i int) {
	for ; ; i++ {
		bits[i/8] |= 1 << (i % 8)
		if i >= len(pattern) || pattern[i] != '*' {
			return
		}
	}
}

func step(pattern []rune, arn bool, from string, by rune) (bits []byte, some bool) {
	bits = make([]byte, len(from))
	colons := 0
	for i, p := range pattern {
		crosses := by != ':' || !arn || colons >= 5 || len(pattern) == 1 // the bare star
		if bit([]byte(from), i) {
			switch {
			case p == '*' && crosses:
				reachPosition(pattern, bits, i)
				some = true
			case p == '?' && crosses, p != '*' && p != '?' && literal(p) == by:
				reachPosition(pattern, bits, i+1)
				some = true
			}
		}
		if p == ':' {
			colons++
		}
	}
	return bits, some
}
