package main

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// deployedFor is what the functions are compiled for.
var deployedFor = []string{"GOOS=linux", "GOARCH=arm64", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT="}

// sizes writes how large the functions are as they are deployed.
func sizes(w io.Writer, dir string) error {
	fmt.Fprint(w, "\nwhat is deployed, for arm64\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "function\tbinary\tzip")
	for _, name := range []string{"respond", "sweep"} {
		binary := filepath.Join(dir, name+"-arm64")
		if err := build(binary, "lambda-guardrail/functions/"+name, deployedFor...); err != nil {
			return err
		}
		text, err := os.ReadFile(binary)
		if err != nil {
			return err
		}
		packed, err := zipped(text)
		if err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		fmt.Fprintf(t, "functions/%s\t%.2f MiB\t%.2f MiB\n", name, mebibytes(int64(len(text))), mebibytes(packed))
	}
	return t.Flush()
}

// zipped returns how long a zip of the binary is, packed as infra packs it.
func zipped(text []byte) (int64, error) {
	var n counter
	z := zip.NewWriter(&n)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	entry, err := z.Create("bootstrap")
	if err == nil {
		_, err = entry.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	return int64(n), err
}

type counter int64

func (n *counter) Write(p []byte) (int, error) {
	*n += counter(len(p))
	return len(p), nil
}
