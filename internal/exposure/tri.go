package exposure

// tri is a truth value of three. Or is max, and is min.
type tri int8

const (
	no tri = iota
	unknown
	yes
)

func (t tri) not() tri { return yes - t }

// work is what may still be spent on one document, in comparisons: whatever is in
// it, judging ends (R20). Past it, what was not decided is Undetermined.
type work int

const maxWork work = 1 << 22 // about a tenth of a second

// spend reports whether there was enough left.
func (w *work) spend(n int) bool {
	*w -= work(n)
	return *w >= 0
}

func truth(b bool) tri {
	if b {
		return yes
	}
	return no
}
