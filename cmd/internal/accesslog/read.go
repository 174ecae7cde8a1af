package accesslog

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// MaxTarget is the longest target that is used, in bytes.
	MaxTarget = 1 << 10
	// maxLine is the longest line that is parsed, in bytes.
	maxLine = 64 << 10
)

// ReadFile calls each for every line of a file, see Read. A file whose name ends
// in .gz is decompressed; the name - stands for stdin. The error names the file.
func ReadFile(name string, stdin io.Reader, each func(e Entry, ok bool)) error {
	if name == "-" {
		return Read(stdin, each)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := Read(from, each); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Read calls each for every line in order. For a malformed or overlong line ok is
// false.
func Read(from io.Reader, each func(e Entry, ok bool)) error {
	lines := bufio.NewReaderSize(from, maxLine)
	for {
		line, tooLong, err := lines.ReadLine()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		whole := !tooLong
		entry, ok := Parse(line)
		for tooLong && err == nil {
			_, tooLong, err = lines.ReadLine()
		}
		each(entry, ok && whole)
	}
}
