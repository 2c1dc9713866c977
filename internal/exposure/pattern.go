package exposure

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A pattern is text with * (any run of characters) and ? (one character). In a
// value that came from a policy, literalStar and literalMark stand for the
// escapes ${*} and ${?}.
const (
	literalStar = '\x01'
	literalMark = '\x02'
)

// unescape returns the text that a pattern without wildcards stands for.
var unescape = strings.NewReplacer(string(literalStar), "*", string(literalMark), "?")

func escaped(p string) bool {
	return strings.IndexByte(p, literalStar) >= 0 || strings.IndexByte(p, literalMark) >= 0
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

func literal(c byte) byte {
	switch c {
	case literalStar:
		return '*'
	case literalMark:
		return '?'
	}
	return c
}

func matchFold(p, s string) bool { return match(strings.ToLower(p), strings.ToLower(s)) }

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
	alphabet := []byte(only)
	if only == anyText {
		alphabet = alphabetOf(cs)
	}
	type node struct {
		sets   []string // per constraint, the reachable positions as bits
		parent int
		by     byte
	}
	start := node{parent: -1}
	for _, c := range cs {
		bits := make([]byte, len(c.pattern)/8+1)
		reachPosition(c, bits, 0)
		start.sets = append(start.sets, string(bits))
	}
	nodes := []node{start}
	cost := len(alphabet) * 4 // of one node
	for _, c := range cs {
		cost += len(alphabet) * len(c.pattern)
	}
	known := map[string]bool{strings.Join(start.sets, "|"): true}
	for n := 0; n < len(nodes); n++ {
		accepted := true
		for i, c := range cs {
			if bit([]byte(nodes[n].sets[i]), len(c.pattern)) != c.want {
				accepted = false
			}
		}
		if accepted {
			var out []byte
			for k := n; nodes[k].parent >= 0; k = nodes[k].parent {
				out = append(out, nodes[k].by)
			}
			slices.Reverse(out)
			if text = string(out); !utf8.ValidString(text) || !allMet(cs, text) {
				return "", unknown // a ? took part of a character
			}
			return text, yes
		}
		if !left.spend(cost) {
			return "", unknown
		}
		for _, by := range alphabet {
			next := node{parent: n, by: by}
			dead := false
			for i, c := range cs {
				bits, some := step(c, nodes[n].sets[i], by)
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

// alphabetOf is the characters of the patterns, and one that stands in none.
func alphabetOf(cs []constraint) []byte {
	alphabet := []byte{freshByte(cs)}
	seen := [256]bool{}
	for _, c := range cs {
		for i := 0; i < len(c.pattern); i++ {
			if b := literal(c.pattern[i]); c.pattern[i] != '*' && c.pattern[i] != '?' && !seen[b] {
				seen[b] = true
				alphabet = append(alphabet, b)
			}
		}
	}
	return alphabet
}

func freshByte(cs []constraint) byte {
	for _, b := range []byte("0123456789zqxjkvwyZQXJ~^_") {
		free := true
		for _, c := range cs {
			free = free && strings.IndexByte(c.pattern, b) < 0
		}
		if free {
			return b
		}
	}
	return '!'
}

func bit(bits []byte, i int) bool { return bits[i/8]&(1<<(i%8)) != 0 }

// reachPosition marks position i, and those behind stars that match nothing.
func reachPosition(c constraint, bits []byte, i int) {
	for ; ; i++ {
		bits[i/8] |= 1 << (i % 8)
		if i >= len(c.pattern) || c.pattern[i] != '*' {
			return
		}
	}
}

func step(c constraint, from string, by byte) (bits []byte, some bool) {
	bits = make([]byte, len(from))
	colons := 0
	for i := 0; i < len(c.pattern); i++ {
		p := c.pattern[i]
		crosses := by != ':' || !c.arn || colons >= 5 || c.pattern == "*"
		if bit([]byte(from), i) {
			switch {
			case p == '*' && crosses:
				reachPosition(c, bits, i)
				some = true
			case p == '?' && crosses, p != '*' && p != '?' && literal(p) == by:
				reachPosition(c, bits, i+1)
				some = true
			}
		}
		if p == ':' {
			colons++
		}
	}
	return bits, some
}
