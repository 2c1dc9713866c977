package sweep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
)

// Seen keeps what a sweep remembers from one invocation to the next. Whoever can
// write there could make the sweep pass a policy over: what Load returns must be
// what Store was given under that name, in the same account and region, and
// nothing else. If that cannot be proved, Load must fail.
type Seen interface {
	Load(ctx context.Context, name string) ([]byte, error)
	Store(ctx context.Context, name string, data []byte) error
}

// mark stands for one resource at one revision. Two that share one cannot be made:
// Lambda chooses the revision.
type mark [16]byte

func markOf(arn, revision string) mark {
	sum := sha256.Sum256([]byte(arn + "\n" + revision))
	return mark(sum[:16])
}

// set holds the marks of policies that were judged Restricted. Marks that were
// added are found after sort only.
type set struct {
	sorted []mark
	added  []mark
}

func (s *set) add(m mark) { s.added = append(s.added, m) }

func (s *set) has(m mark) bool {
	_, found := slices.BinarySearchFunc(s.sorted, m, compare)
	return found
}

func (s *set) sort() {
	all := append(s.sorted, s.added...)
	slices.SortFunc(all, compare)
	s.sorted, s.added = slices.Compact(all), s.added[:0]
}

func compare(a, b mark) int { return bytes.Compare(a[:], b[:]) }

// digest is of all that a verdict follows from, beside the policy.
type digest [sha256.Size]byte

func digestOf(settings guard.Settings) digest {
	text, err := json.Marshal(struct {
		Judge    string
		Settings guard.Settings
	}{exposure.Version, settings})
	if err != nil {
		panic(err) // texts, numbers and dates can always be written
	}
	return sha256.Sum256(text)
}

// magic begins a set that is stored, and names its format: magic, digest, the name
// of the run that has not finished (its length in a byte before it; none if it
// has), the number of marks (4 bytes), the marks in order.
const magic = "lambda-guardrail seen 1\n"

// encode sorts s.
func (s *set) encode(d digest, run string) []byte {
	s.sort()
	text := make([]byte, 0, len(magic)+len(d)+1+len(run)+4+len(s.sorted)*len(mark{}))
	text = append(append(text, magic...), d[:]...)
	text = append(append(text, byte(len(run))), run...)
	text = binary.BigEndian.AppendUint32(text, uint32(len(s.sorted)))
	for i := range s.sorted {
		text = append(text, s.sorted[i][:]...)
	}
	return text
}

// decode reads a set of the same digest and run.
func decode(text []byte, d digest, run string) (set, error) {
	rest, ok := bytes.CutPrefix(text, []byte(magic))
	if !ok {
		return set{}, errors.New("it is not in the format of this version")
	}
	if rest, ok = bytes.CutPrefix(rest, d[:]); !ok {
		return set{}, errors.New("it was made with other settings, exemptions or another judge")
	}
	if rest, ok = bytes.CutPrefix(rest, append([]byte{byte(len(run))}, run...)); !ok {
		return set{}, errors.New("it is of another run")
	}
	if len(rest) < 4 {
		return set{}, errors.New("it ends too soon")
	}
	n, rest := uint64(binary.BigEndian.Uint32(rest)), rest[4:]
	if uint64(len(rest)) != n*uint64(len(mark{})) {
		return set{}, fmt.Errorf("it holds %d bytes of marks, and should hold %d marks", len(rest), n)
	}
	s := set{sorted: make([]mark, n)}
	for i := range s.sorted {
		copy(s.sorted[i][:], rest[i*len(mark{}):])
		if i > 0 && compare(s.sorted[i-1], s.sorted[i]) >= 0 {
			return set{}, errors.New("its marks are not in order")
		}
	}
	return s, nil
}
