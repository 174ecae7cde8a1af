package client

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// TestCheckLater holds that every body passed to Put is checked before Work returns,
// and that the caller of Put may reuse the bytes.
func TestCheckLater(t *testing.T) {
	c := NewChecker()
	b := make([]byte, 2)
	for i := range 100 {
		if copy(b, "{}"); i%2 == 0 {
			copy(b, "<>")
		}
		if !c.Put(Body{Target: fmt.Sprint(i), Bytes: b}) {
			t.Fatal("no room")
		}
	}
	copy(b, "??")
	ended := make(chan struct{})
	close(ended)
	var failed []string
	c.Work(ended, func(target string, err error) {
		if !errors.Is(err, errBody) {
			t.Error(err)
		}
		failed = append(failed, target)
	})
	if len(failed) != 50 || failed[49] != "98" || c.bytes.Load() != 0 {
		t.Errorf("failed %v, %d bytes left", failed, c.bytes.Load())
	}
}

// TestCheckHasNoRoom holds that Put refuses a body that does not fit.
func TestCheckHasNoRoom(t *testing.T) {
	half := []byte(strings.Repeat(" ", maxLater/2))
	c := NewChecker()
	for i, want := range []bool{true, true, false, false} {
		if got := c.Put(Body{Bytes: half}); got != want {
			t.Errorf("body %d: %t", i, got)
		}
	}
	if !c.Put(Body{}) {
		t.Error("no room for an empty one")
	}
	c = NewChecker()
	for range maxBodies {
		c.Put(Body{})
	}
	if c.Put(Body{}) {
		t.Errorf("room for more than %d", maxBodies)
	}
}

func TestDecode(t *testing.T) {
	const plain = `{"detail":"x"}`
	packed := map[string]string{"": plain}
	for coding, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"br":   func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser { e, _ := zstd.NewWriter(w); return e },
	} {
		var b bytes.Buffer
		w := pack(&b)
		io.WriteString(w, plain)
		w.Close()
		packed[coding] = b.String()
	}
	for coding, body := range packed {
		if got, err := decode(coding, []byte(body)); err != nil || string(got) != plain {
			t.Errorf("%s: %q, %v", coding, got, err)
		}
		if err := (Body{Coding: coding, Bytes: []byte(body[:len(body)-1])}).Check(); !errors.Is(err, errBody) {
			t.Errorf("%s cut short: %v", coding, err)
		}
	}
}
