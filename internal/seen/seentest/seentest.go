// Package seentest stands in for as much of S3 and KMS as keeps one small set of
// objects. It knows neither signatures and permissions nor what is in an object.
package seentest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Service is S3, in path style, and KMS at one address. It is an [http.Handler].
type Service struct {
	// Fail, if set, is asked before each call, "PutObject", "GetObject",
	// "GenerateDataKey" or "Decrypt"; true answers it with an error.
	Fail func(operation string) bool

	mu      sync.Mutex
	objects map[string][]byte // by bucket/key
	keys    map[string]dataKey
}

type dataKey struct {
	plain   []byte
	context map[string]string
}

// New returns a Service without objects.
func New() *Service {
	return &Service{objects: map[string][]byte{}, keys: map[string]dataKey{}}
}

// Object returns what is stored, nil if there is nothing. The name is "bucket/key".
func (s *Service) Object(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.objects[name]...)
}

// Put stores an object, or deletes it if it is nil, past all encryption.
func (s *Service) Put(name string, object []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if object == nil {
		delete(s.objects, name)
		return
	}
	s.objects[name] = append([]byte(nil), object...)
}

// Start serves on a free port of the loopback interface until stop is called.
func (s *Service) Start() (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("starting the stand-in for S3 and KMS: %w", err)
	}
	server := &http.Server{Handler: s}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // ends with ErrServerClosed
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}

// ServeHTTP implements [http.Handler].
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if operation == "" {
		operation = map[string]string{"GET": "GetObject", "PUT": "PutObject"}[r.Method]
	}
	if s.Fail != nil && s.Fail(operation) {
		refuse(w, http.StatusForbidden, "AccessDeniedException")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	switch operation {
	case "PutObject":
		s.objects[name] = plain(r, body)
	case "GetObject":
		object, ok := s.objects[name]
		if !ok {
			refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Write(object)
	case "GenerateDataKey":
		var in struct{ EncryptionContext map[string]string }
		json.Unmarshal(body, &in)
		key := dataKey{make([]byte, 32), in.EncryptionContext}
		rand.Read(key.plain)
		blob := fmt.Sprintf("data key %d", len(s.keys))
		s.keys[blob] = key
		answer(w, map[string]any{"CiphertextBlob": []byte(blob), "Plaintext": key.plain, "KeyId": "key"})
	case "Decrypt":
		var in struct {
			CiphertextBlob    []byte
			EncryptionContext map[string]string
		}
		json.Unmarshal(body, &in)
		key, ok := s.keys[string(in.CiphertextBlob)]
		if !ok || !maps.Equal(key.context, in.EncryptionContext) {
			refuse(w, http.StatusBadRequest, "InvalidCiphertextException")
			return
		}
		answer(w, map[string]any{"Plaintext": key.plain, "KeyId": "key"})
	default:
		refuse(w, http.StatusBadRequest, "UnknownOperationException")
	}
}

// plain undoes the chunks in which the SDK sends a checksum behind the body.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func plain(r *http.Request, body []byte) []byte {
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return body
	}
	var object []byte
	for {
		size, rest, _ := strings.Cut(string(body), "\r\n")
		var n int
		if _, err := fmt.Sscanf(size, "%x", &n); err != nil || n == 0 || n > len(rest) {
			return object
		}
		object, body = append(object, rest[:n]...), []byte(strings.TrimPrefix(rest[n:], "\r\n"))
	}
}

func answer(w http.ResponseWriter, out map[string]any) {
	for name, v := range out {
		if b, ok := v.([]byte); ok {
			out[name] = base64.StdEncoding.EncodeToString(b)
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(out)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	if status == http.StatusNotFound {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>The specified key does not exist.</Message></Error>", code)
		return
	}
	fmt.Fprintf(w, `{"__type":%q,"message":"refused"}`, code)
}
