package main

import "testing"

func BenchmarkWorld(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		seed++
		if problems := newWorld(seed, nil).live(); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
