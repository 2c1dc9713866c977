// Command chaos tries to break the guardrail: it runs it in an account on a
// stand-in, on a virtual clock, with actors that open functions and with every
// fault that AWS is known for, and compares what it did with what happened. It
// does not know how the guardrail judges or works.
//
//	go run ./internal/cmd/chaos [-seeds 100] [-seed 1] [-tail 60]
//	go run ./internal/cmd/chaos -load [-to 5]
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

func main() {
	seeds := flag.Uint64("seeds", 100, "worlds to run")
	first := flag.Uint64("seed", 1, "the first seed")
	flag.IntVar(&tail, "tail", 60, "lines of history to show of a world that fails")
	loaded := flag.Bool("load", false, "measure floods instead")
	to := flag.Int("to", 5, "with -load, the largest number in the table of growth, as a power of ten")
	flag.Parse()
	if *loaded {
		load(*to)
		return
	}
	debug.SetGCPercent(400) // worlds are short-lived
	if !chaos(*first, *seeds) {
		os.Exit(1)
	}
}

// tail is how many lines of history are shown of a world that fails, up to where
// it first does.
var tail int

// chaos runs worlds, and reports whether all is well.
func chaos(first, seeds uint64) bool {
	began := time.Now()
	var (
		mu     sync.Mutex
		counts = map[string]int{}
		failed []uint64
		next   atomic.Uint64
		wait   sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= seeds {
					return
				}
				w := newWorld(first+n, nil)
				problems := w.live()
				mu.Lock()
				for what, times := range w.counts {
					counts[what] += times
				}
				if len(problems) > 0 {
					failed = append(failed, first+n)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	took := time.Since(began)

	show(counts)
	fmt.Printf("\n%d worlds of %d functions, %d actors and at least %d of their calls, in %s: %.1f ms each\n",
		seeds, numFunctions, numActors, numCalls, took.Round(time.Millisecond), took.Seconds()*1000/float64(seeds))
	slices.Sort(failed)
	for i, seed := range failed {
		if i == 5 {
			fmt.Printf("\n... and %d more: %d\n", len(failed)-i, failed[i:])
			break
		}
		replay(seed)
	}
	if len(failed) == 0 {
		fmt.Println("nothing happened that may not")
	}
	return len(failed) == 0
}

// replay runs a world that has failed again, and tells how it came to that.
func replay(seed uint64) {
	var history bytes.Buffer
	w := newWorld(seed, &history)
	problems := w.live()
	lines := strings.Split(strings.TrimSpace(history.String()), "\n")
	end := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "WRONG: ") }) + 1
	fmt.Printf("\nseed %d has failed: go run ./internal/cmd/chaos -seed %d -seeds 1\n", seed, seed)
	for _, line := range lines[max(0, end-tail):end] {
		fmt.Println("  " + line)
	}
	for _, p := range problems {
		fmt.Println("  WRONG: " + p)
	}
}

// show prints how often what happened.
func show(counts map[string]int) {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, name := range names {
		fmt.Fprintf(w, "%d\t  %s\t\n", counts[name], name)
	}
	w.Flush()
}
