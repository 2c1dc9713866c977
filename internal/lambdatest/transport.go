package lambdatest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Start serves the account on a free port of the loopback interface, without
// TLS, until stop is called.
func (a *Account) Start() (url string, stop func(), err error) { return Serve("127.0.0.1:0", a) }

// Serve serves a handler, for example one that other services stand in beside
// Lambda, at host:port without TLS, until stop is called.
func Serve(address string, handler http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("starting the stand-in for Lambda: %w", err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // ends with ErrServerClosed
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}

var errDropped = errors.New("lambdatest: the connection was dropped")

// RoundTrip implements [http.RoundTripper] without a connection: the call is
// carried out before it returns, on the goroutine of the caller.
func (a *Account) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	out := &recorder{header: http.Header{}}
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler && r.Context().Err() != nil:
			resp, err = nil, r.Context().Err()
		case p == http.ErrAbortHandler:
			resp, err = nil, errDropped
		default:
			panic(p)
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a.ServeHTTP(out, in)
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", out.status, http.StatusText(out.status)),
		StatusCode: out.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.header, Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r,
	}, nil
}

// recorder keeps an answer. (net/http/httptest would add a flag to every command
// that uses this package.)
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
func (r *recorder) WriteHeader(status int)      { r.status = status }
