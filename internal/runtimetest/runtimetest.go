// Package runtimetest runs a compiled Lambda function under a stand-in for the
// Runtime API, as Lambda runs it in a sandbox. It knows nothing of what the
// function does.
package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
const (
	next      = "GET /2018-06-01/runtime/invocation/next"
	response  = "POST /2018-06-01/runtime/invocation/{id}/response"
	failure   = "POST /2018-06-01/runtime/invocation/{id}/error"
	initError = "POST /2018-06-01/runtime/init/error"
)

// Build compiles the function in the directory source into binary: as it is
// deployed, but for this machine, or for that of environ.
func Build(binary, source string, environ ...string) error {
	command := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", binary, source)
	command.Env = append(append(os.Environ(), "CGO_ENABLED=0"), environ...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w: %s", source, err, out)
	}
	return nil
}

// Function is a running process.
type Function struct {
	command *exec.Cmd
	server  *http.Server
	started time.Time
	ready   time.Duration // from start to the first next

	events  chan event
	first   chan struct{} // closed at the first next
	exited  chan struct{} // closed after exit is set
	exit    error
	mu      sync.Mutex
	asked   bool
	initial string // what the function says of its failed initialisation
	replies map[string]chan Reply
	count   int
	log     *os.File // a file, and no pipe: what was printed before an answer is there with it
}

type event struct {
	id       string
	payload  []byte
	deadline time.Time
}

// Reply is how an invocation ended.
type Reply struct {
	Payload []byte
	Failed  bool // Payload is then {"errorMessage": ..., "errorType": ...}
}

// Environ returns what Lambda provides to a function of that name, as far as one
// reads it: example credentials among them.
func Environ(name, region, root string) []string {
	return []string{
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SESSION_TOKEN=EXAMPLETOKEN",
		"AWS_LAMBDA_FUNCTION_NAME=" + name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + name, "AWS_LAMBDA_LOG_STREAM_NAME=2026/11/23/[$LATEST]0", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"LAMBDA_TASK_ROOT=" + root, "_HANDLER=bootstrap", "TZ=:UTC",
	}
}

// Start runs the binary, with arguments if it is an interpreter, with that
// environment and nothing else in it but the address of the Runtime API. The
// caller must call Stop.
func Start(binary string, environ []string, args ...string) (*Function, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "runtimetest")
	if err != nil {
		listener.Close()
		return nil, err
	}
	f := &Function{
		log: log, command: exec.Command(binary, args...), events: make(chan event),
		first: make(chan struct{}), exited: make(chan struct{}), replies: map[string]chan Reply{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc(next, f.serveNext)
	mux.HandleFunc(response, func(w http.ResponseWriter, r *http.Request) { f.serveReply(w, r, false) })
	mux.HandleFunc(failure, func(w http.ResponseWriter, r *http.Request) { f.serveReply(w, r, true) })
	mux.HandleFunc(initError, f.serveInitError)
	f.server = &http.Server{Handler: mux}

	f.command.Env = append(append([]string(nil), environ...), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	f.command.Stdout, f.command.Stderr = f.log, f.log
	f.started = time.Now()
	go f.server.Serve(listener) // what it reads is written by now
	if err := f.command.Start(); err != nil {
		f.close()
		return nil, err
	}
	go func() {
		f.exit = f.command.Wait()
		close(f.exited)
	}()
	return f, nil
}

// Ready waits until the function asks for its first event, and returns how long
// that took from the start of the process. It is an error if the process ends
// before.
func (f *Function) Ready(ctx context.Context) (time.Duration, error) {
	select {
	case <-f.first:
		return f.ready, nil
	case <-f.exited:
		f.mu.Lock()
		defer f.mu.Unlock()
		return 0, fmt.Errorf("initialising the function: %w: %s%s", errors.Join(errExited, f.exit), f.initial, f.Log())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

var errExited = errors.New("the process has ended")

// Invoke gives the function an event, and that long to answer it.
func (f *Function) Invoke(ctx context.Context, payload []byte, within time.Duration) (Reply, error) {
	f.mu.Lock()
	f.count++
	id := "invocation-" + strconv.Itoa(f.count)
	reply := make(chan Reply, 1)
	f.replies[id] = reply
	f.mu.Unlock()

	select {
	case f.events <- event{id, payload, time.Now().Add(within)}:
	case <-f.exited:
		return Reply{}, fmt.Errorf("invoking the function: %w: %s", errors.Join(errExited, f.exit), f.Log())
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
	select {
	case r := <-reply:
		return r, nil
	case <-f.exited:
		return Reply{}, fmt.Errorf("invoking the function: %w: %s", errors.Join(errExited, f.exit), f.Log())
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
}

// Log returns what the function has printed so far; nothing after Stop.
func (f *Function) Log() string {
	text, _ := os.ReadFile(f.log.Name())
	return string(text)
}

// PeakMemory returns the most memory, in bytes, that the process has had
// resident so far. It reads /proc.
func (f *Function) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("no VmHWM in /proc")
}

// Crash ends the process as a panic would that nobody recovers: the Go runtime
// prints the stack of every goroutine. It returns when all of it is in the log.
func (f *Function) Crash() {
	f.command.Process.Signal(syscall.SIGQUIT)
	<-f.exited
}

// Stop ends the process.
func (f *Function) Stop() {
	f.command.Process.Kill()
	<-f.exited
	f.close()
}

func (f *Function) close() {
	f.server.Close()
	f.log.Close()
	os.Remove(f.log.Name())
}

func (f *Function) serveNext(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if !f.asked {
		f.asked, f.ready = true, time.Since(f.started)
		close(f.first)
	}
	f.mu.Unlock()
	select {
	case e := <-f.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", e.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:111122223333:function:runtimetest")
		w.Write(e.payload)
	case <-r.Context().Done():
	}
}

func (f *Function) serveReply(w http.ResponseWriter, r *http.Request, failed bool) {
	payload, err := io.ReadAll(r.Body)
	f.mu.Lock()
	reply := f.replies[r.PathValue("id")]
	delete(f.replies, r.PathValue("id"))
	f.mu.Unlock()
	if err != nil || reply == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	reply <- Reply{payload, failed}
}

func (f *Function) serveInitError(w http.ResponseWriter, r *http.Request) {
	payload, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.initial = string(payload)
	f.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}
