// Package mototest runs moto, a stand-in for AWS written by others: a second
// opinion on what we send to SNS, Security Hub and EventBridge. It knows none of
// our formats, and no Lambda: there moto is wrong in what matters to us.
package mototest

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

const command = "moto_server" // of pip install 'moto[server]==5.2.1'

// Start returns the URL of a server that runs until the end of t. Without moto on
// the PATH t is skipped; or failed, where CI is true and GUARDRAIL_WANT_MOTO is 1.
func Start(t *testing.T) (url string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Python process")
	}
	path, err := exec.LookPath(command)
	if err != nil {
		if os.Getenv("CI") == "true" && os.Getenv("GUARDRAIL_WANT_MOTO") == "1" {
			t.Fatalf("%s is not on the PATH, and GUARDRAIL_WANT_MOTO is 1: want pip install 'moto[server]==5.2.1'", command)
		}
		t.Skipf("%s is not on the PATH: pip install 'moto[server]==5.2.1' has it", command)
	}
	address := free(t)
	server := exec.Command(path, "-H", "127.0.0.1", "-p", port(t, address))
	if err := server.Start(); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	exited := make(chan error, 1)
	go func() { exited <- server.Wait() }()
	t.Cleanup(func() { server.Process.Kill() })

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		if answer, err := http.Get("http://" + address + "/moto-api/data.json"); err == nil {
			answer.Body.Close()
			return "http://" + address
		}
		select {
		case err := <-exited:
			t.Fatalf("%s has ended: %v", path, err)
		case <-ctx.Done():
			t.Fatalf("%s does not answer", path)
		case <-poll.C:
		}
	}
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
