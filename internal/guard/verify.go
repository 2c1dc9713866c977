package guard

import (
	"slices"
	"strconv"
	"strings"
)

// snapshot is one reading of a policy.
type snapshot struct {
	policy   Policy
	rulings  []ruling
	count    map[string]int // statements by fingerprint
	readable bool
}

// write is a removal that is to be verified.
type write struct {
	sure    bool           // we were told that it happened
	removed []string       // fingerprints
	kept    []ruling       // what has to be there afterwards
	left    map[string]int // kept, by fingerprint
}

// toRemove returns the indices of the statements that are to go.
func (s *snapshot) toRemove() []int {
	var which []int
	for i := range s.rulings {
		if s.rulings[i].remove {
			which = append(which, i)
		}
	}
	return which
}

// undone reports whether s still has what w removed: it is stale, or w has not
// happened, or somebody put it back.
func (w *write) undone(s *snapshot) bool {
	return slices.ContainsFunc(w.removed, func(fingerprint string) bool {
		return s.count[fingerprint] > w.left[fingerprint]
	})
}

// lost returns what w was to leave, and s has not. It compares content: a
// statement that Lambda prints in another way is not lost.
func (w *write) lost(s *snapshot) []ruling {
	if w == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.kept), func(kept ruling) bool {
		return s.count[kept.fingerprint] >= w.left[kept.fingerprint]
	})
}

// names lists statements by Sid.
func names(rulings []ruling) string {
	all := make([]string, len(rulings))
	for i, r := range rulings {
		all[i] = "one without a Sid"
		if r.statement.Sid != "" {
			all[i] = strconv.Quote(r.statement.Sid)
		}
	}
	return strings.Join(all, ", ")
}

func count(rulings []ruling) map[string]int {
	n := make(map[string]int, len(rulings))
	for i := range rulings {
		n[rulings[i].fingerprint]++
	}
	return n
}
