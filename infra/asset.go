package main

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// file is an entry of the function's asset.
type file struct {
	name string
	mode fs.FileMode
	text []byte
}

// build compiles a function of the module into dir. The binary is the same
// wherever the module lies, and whatever system it is built on.
func build(module, function, dir, goos, goarch string) (file, error) {
	out := filepath.Join(dir, function, "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", out, "./functions/"+function)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	if log, err := cmd.CombinedOutput(); err != nil {
		return file{}, fmt.Errorf("building functions/%s: %w\n%s", function, err, log)
	}
	text, err := os.ReadFile(out)
	return file{"bootstrap", 0o755, text}, err
}

// pack writes a zip of the files. CDK would pack a directory itself, but takes
// the modes of its files from the file system, and on Windows none is executable.
func pack(name string, files []file) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	z := zip.NewWriter(out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, f := range files {
		// The same time for all, or else the asset's hash would change with every build.
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)}
		header.SetMode(f.mode)
		entry, err := z.CreateHeader(header)
		if err == nil {
			_, err = entry.Write(f.text)
		}
		if err != nil {
			out.Close()
			return fmt.Errorf("packing %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
