// Package seen keeps what a sweep remembers, each name as one object in S3,
// encrypted under a key of KMS and bound to its place, so that it can neither be
// read nor made by whoever can write to the bucket alone. It does not know what it
// keeps.
package seen

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// maxObject bounds what is read into memory, in bytes. It has room for four
// million policies.
const maxObject = 64 << 20

// Store is a bucket and a key.
type Store struct {
	s3          *s3.Client
	kms         *kms.Client
	bucket, key string
	place       map[string]string
}

// New returns a Store in a bucket of that name, with a key of that ARN. Both belong
// to the region of cfg and to one account.
func New(cfg aws.Config, bucket, key string) *Store {
	place := map[string]string{"purpose": "lambda-guardrail", "region": cfg.Region, "bucket": bucket}
	if fields := strings.Split(key, ":"); len(fields) > 4 {
		place["account"] = fields[4]
	}
	return &Store{
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.UsePathStyle = o.BaseEndpoint != nil // a stand-in has no subdomains
		}),
		kms:    kms.NewFromConfig(cfg),
		bucket: bucket, key: key, place: place,
	}
}

// An object is magic, the length of the encrypted data key (2 bytes), that key, and
// what AES-256-GCM makes of the data, with its nonce before it. All but the last is
// authenticated by KMS or by the format; the data is, with its place, by the data
// key, which encrypts nothing else.
const magic = "lambda-guardrail sealed 1\n"

// Store replaces what is kept under a name.
func (s *Store) Store(ctx context.Context, name string, data []byte) error {
	if err := s.put(ctx, name, data); err != nil {
		return fmt.Errorf("storing %s in the bucket %s: %w", name, s.bucket, err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, name string, data []byte) error {
	key, err := s.kms.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: &s.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: s.placeOf(name),
	})
	if err != nil {
		return err
	}
	aead, err := newAEAD(key.Plaintext)
	if err != nil {
		return err
	}
	if len(key.CiphertextBlob) > 1<<16-1 {
		return fmt.Errorf("the encrypted data key has %d bytes", len(key.CiphertextBlob))
	}
	object := make([]byte, 0, len(magic)+2+len(key.CiphertextBlob)+len(data)+aead.Overhead())
	object = binary.BigEndian.AppendUint16(append(object, magic...), uint16(len(key.CiphertextBlob)))
	object = append(object, key.CiphertextBlob...)
	object = aead.Seal(object, nil, data, s.authenticated(name))
	_, err = s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &name, Body: bytes.NewReader(object)})
	return err
}

// Load returns what was stored under that name, or an error if that cannot be
// proved: also if there is nothing.
func (s *Store) Load(ctx context.Context, name string) ([]byte, error) {
	data, err := s.get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s from the bucket %s: %w", name, s.bucket, err)
	}
	return data, nil
}

func (s *Store) get(ctx context.Context, name string) ([]byte, error) {
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &name})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	object, err := io.ReadAll(io.LimitReader(out.Body, maxObject+1))
	if err != nil {
		return nil, err
	}
	if len(object) > maxObject {
		return nil, fmt.Errorf("the object is larger than %d bytes", maxObject)
	}
	encryptedKey, sealed, err := cut(object)
	if err != nil {
		return nil, err
	}
	key, err := s.kms.Decrypt(ctx, &kms.DecryptInput{
		KeyId: &s.key, CiphertextBlob: encryptedKey, EncryptionContext: s.placeOf(name),
	})
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key.Plaintext)
	if err != nil {
		return nil, err
	}
	data, err := aead.Open(sealed[:0], nil, sealed, s.authenticated(name)) // in place
	if err != nil {
		return nil, errors.New("the object was not made here, or was changed")
	}
	return data, nil
}

// cut takes an object apart.
func cut(object []byte) (encryptedKey, sealed []byte, err error) {
	rest, ok := bytes.CutPrefix(object, []byte(magic))
	if !ok || len(rest) < 2 {
		return nil, nil, errors.New("the object is not in the format of this version")
	}
	n, rest := int(binary.BigEndian.Uint16(rest)), rest[2:]
	if n == 0 || len(rest) < n {
		return nil, nil, errors.New("the object ends within its key")
	}
	return rest[:n], rest[n:], nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("the data key has %d bytes, want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// placeOf is KMS's encryption context.
func (s *Store) placeOf(name string) map[string]string {
	place := maps.Clone(s.place)
	place["name"] = name
	return place
}

// authenticated is the same for the data.
func (s *Store) authenticated(name string) []byte {
	place := s.placeOf(name)
	var text []byte
	for _, field := range slices.Sorted(maps.Keys(place)) {
		text = fmt.Appendf(text, "%s=%q\n", field, place[field])
	}
	return text
}
