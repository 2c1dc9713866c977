package seen_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lambda-guardrail/internal/awstest"
	"lambda-guardrail/internal/seen"
	"lambda-guardrail/internal/seen/seentest"
)

const (
	bucket = "guardrail-seen"
	key    = "arn:aws:kms:eu-west-1:111122223333:key/1"
)

func serve(t *testing.T) (*seentest.Service, aws.Config) {
	t.Helper()
	s := seentest.New()
	url, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	cfg := awstest.Config("eu-west-1", http.DefaultTransport)
	cfg.BaseEndpoint, cfg.RetryMaxAttempts = &url, 1
	return s, cfg
}

func TestWhatIsStoredComesBack(t *testing.T) {
	for _, data := range [][]byte{{}, []byte("one"), bytes.Repeat([]byte("0123456789abcdef"), 100_000)} {
		service, cfg := serve(t)
		store := seen.New(cfg, bucket, key)
		if err := store.Store(t.Context(), "seen", data); err != nil {
			t.Fatal(err)
		}
		got, err := store.Load(t.Context(), "seen")
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back as %d: %v", len(data), len(got), err)
		}
		object := service.Object(bucket + "/seen")
		if len(data) > 16 && bytes.Contains(object, data[:16]) {
			t.Error("the object is not encrypted")
		}
		if len(object) > len(data)+200 {
			t.Errorf("%d bytes take %d", len(data), len(object))
		}
	}
}

func TestNothingElseIsLoaded(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *seentest.Service, cfg *aws.Config, bucket, key *string)
		want   string
	}{
		{"an object that does not exist", func(s *seentest.Service, _ *aws.Config, _, _ *string) { s.Put(bucket+"/seen", nil) }, "NoSuchKey"},
		{"an empty object", func(s *seentest.Service, _ *aws.Config, _, _ *string) { s.Put(bucket+"/seen", []byte{}) }, "format"},
		{"text", func(s *seentest.Service, _ *aws.Config, _, _ *string) { s.Put(bucket+"/seen", []byte("all is well")) }, "format"},
		{"an object under another name", func(s *seentest.Service, _ *aws.Config, _, _ *string) {
			s.Put(bucket+"/seen", s.Object(bucket+"/other"))
		}, "InvalidCiphertext"},
		{"an object of another bucket", func(s *seentest.Service, _ *aws.Config, b, _ *string) {
			s.Put("another/seen", s.Object(bucket+"/seen"))
			*b = "another"
		}, "InvalidCiphertext"},
		{"an object of another region", func(_ *seentest.Service, cfg *aws.Config, _, _ *string) { cfg.Region = "eu-central-1" }, "InvalidCiphertext"},
		{"an object of another account", func(_ *seentest.Service, _ *aws.Config, _, k *string) {
			*k = strings.Replace(key, "111122223333", "444455556666", 1)
		}, "InvalidCiphertext"},
		{"a refusal of S3", func(s *seentest.Service, _ *aws.Config, _, _ *string) {
			s.Fail = func(operation string) bool { return operation == "GetObject" }
		}, "Forbidden"},
		{"a refusal of KMS", func(s *seentest.Service, _ *aws.Config, _, _ *string) {
			s.Fail = func(operation string) bool { return operation == "Decrypt" }
		}, "AccessDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, cfg := serve(t)
			for _, name := range []string{"seen", "other"} {
				if err := seen.New(cfg, bucket, key).Store(t.Context(), name, []byte("of "+name)); err != nil {
					t.Fatal(err)
				}
			}
			b, k := bucket, key
			tt.change(service, &cfg, &b, &k)
			data, err := seen.New(cfg, b, k).Load(t.Context(), "seen")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, error %v, want %q in it", data, err, tt.want)
			}
		})
	}
}

// Every byte counts: whatever is changed or cut off, nothing is loaded.
func TestADamagedObjectIsNotLoaded(t *testing.T) {
	service, cfg := serve(t)
	store := seen.New(cfg, bucket, key)
	if err := store.Store(t.Context(), "seen", []byte("sixteen bytes ok")); err != nil {
		t.Fatal(err)
	}
	object := service.Object(bucket + "/seen")
	for i := range object {
		flipped := slices.Clone(object)
		flipped[i] ^= 1
		for what, damaged := range map[string][]byte{"with its bit flipped": flipped, "cut off there": object[:i]} {
			service.Put(bucket+"/seen", damaged)
			if data, err := store.Load(t.Context(), "seen"); err == nil {
				t.Errorf("byte %d, %s: loaded %q", i, what, data)
			}
		}
	}
	service.Put(bucket+"/seen", append(slices.Clone(object), 0))
	if data, err := store.Load(t.Context(), "seen"); err == nil {
		t.Errorf("with a byte too many: loaded %q", data)
	}
}
