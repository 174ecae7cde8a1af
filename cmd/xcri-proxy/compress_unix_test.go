//go:build unix

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
)

// TestCompressToATerminal holds that compress writes no binary data to a terminal.
func TestCompressToATerminal(t *testing.T) {
	keyboard, screen, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keyboard.Close()
	defer screen.Close()
	var stderr bytes.Buffer
	if status := run([]string{compress}, nil, screen, &stderr); status != exit.Usage || !strings.Contains(stderr.String(), "redirect its output to a file") {
		t.Errorf("status %d, %s", status, &stderr)
	}
}
