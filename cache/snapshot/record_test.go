package snapshot

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

func sampleRecord(t testing.TB) (cache.Saved, []byte) {
	t.Helper()
	s := cache.Saved{
		Key: "/teams/?limit=100", Filled: time.Unix(0, 1_700_000_000_123_456_789), Took: 3 * time.Second, Asked: 7,
		Content: cache.Content{
			Status: 200, Size: 5000, Scope: "2025/2030/*/live", Generation: "3-9",
			Variants: []cache.Variant{{ETag: []byte(`"h"`)}, {Coding: "gzip", ETag: []byte(`"h-gzip"`), Body: []byte("zip")}, {Coding: "br", ETag: []byte(`"h-br"`), Body: []byte{0, 1, 2}}},
		},
	}
	record, err := Record(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s, record
}

// TestRecord: a record holds an entry with all forms of its body.
func TestRecord(t *testing.T) {
	want, record := sampleRecord(t)
	got, err := ParseRecord(record)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v, want\n%+v", err, got, want)
	}
}

// TestRecordDamage: a record that is cut short, or in which any byte differs, is refused.
func TestRecordDamage(t *testing.T) {
	_, record := sampleRecord(t)
	for i := range record {
		if _, err := ParseRecord(record[:i]); err == nil {
			t.Errorf("%d bytes of %d are accepted", i, len(record))
		}
		wrong := bytes.Clone(record)
		wrong[i] ^= 0x20
		if _, err := ParseRecord(wrong); err == nil {
			t.Errorf("another byte %d is accepted", i)
		}
	}
	signed := func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		return append([]byte(text), sum[:]...)
	}
	for text, want := range map[string]error{
		"":                              ErrForeign,
		"SQLite format 3":               ErrForeign,
		kind + "record 1\n":             ErrVersion,
		recordHeader:                    ErrDamaged,
		string(record[:len(record)-32]): nil,
	} {
		if _, err := ParseRecord(signed(text)); !errors.Is(err, want) {
			t.Errorf("%.30q: %v, want %v", text, err, want)
		}
	}
	if _, err := ParseRecord(signed(string(record[:len(record)-32]) + "x")); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
}

func FuzzParseRecord(f *testing.F) {
	_, record := sampleRecord(f)
	f.Add(record[:len(record)-32])
	f.Add([]byte(recordHeader))
	f.Fuzz(func(t *testing.T, text []byte) {
		sum := sha256.Sum256(text)
		s, err := ParseRecord(append(bytes.Clone(text), sum[:]...))
		if err != nil {
			return
		}
		again, err := Record(&s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseRecord(again); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%v\n%+v, not\n%+v", err, back, s)
		}
	})
}
