// Command coldstart measures how soon the deployed function is ready and has
// answered, beside a handler that does nothing and beside the same job in Python,
// all under the same Runtime API and on the same machine; and how large it is. It
// does not know what AWS adds: a sandbox, a download, and a slower processor.
//
//	go run ./internal/cmd/coldstart [-runs 20]
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	runs := flag.Int("runs", 20, "cold starts of each handler, for each event")
	flag.Parse()
	if err := run(os.Stdout, max(*runs, 1)); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, runs int) error {
	dir, err := os.MkdirTemp("", "coldstart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := starts(w, dir, runs); err != nil {
		return err
	}
	return sizes(w, dir)
}
