package accesslog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/queue"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// queueBytes limits the lines that wait for a slow disk: some seconds of a busy site.
	queueBytes = 4 << 20
	// patience limits the wait of Close for the waiting lines.
	patience = time.Second
)

// Stdout is the path of a log that goes to the process's standard output.
const Stdout = "stdout"

// Options configure a Log.
type Options struct {
	// Path is the file to write, or Stdout. A regular file is rotated; anything else, such
	// as a FIFO, gets the lines and nothing more.
	Path   string
	Format Format
	// Size is the size in bytes at which the file is rotated, and Files is the number of
	// rotated files that are kept, compressed with gzip.
	Size  int64
	Files int
	// Stdout is the standard output.
	Stdout io.Writer
}

// Log writes an access log. It never waits for the disk or for a reader: lines wait in
// memory, and are dropped and counted if there are too many. It is safe for concurrent
// use.
type Log struct {
	format Format
	queue  *queue.Queue
	file   *file // nil for a log that is not rotated
	pool   sync.Pool
}

// Open returns a Log. The error means that no file can be at the path.
func Open(opts Options) (*Log, error) {
	l := &Log{format: opts.Format}
	l.pool.New = func() any { return new([]byte) }
	to := opts.Stdout
	if opts.Path != Stdout {
		info, err := os.Stat(opts.Path)
		switch {
		case err == nil && info.IsDir():
			return nil, fmt.Errorf("%s: it is a folder", opts.Path)
		case err == nil && !info.Mode().IsRegular():
			to = &device{path: opts.Path}
		default:
			if _, err := os.Stat(filepath.Dir(opts.Path)); err != nil {
				return nil, err
			}
			l.file = newFile(opts)
			to = l.file
		}
	}
	l.queue = queue.New(to, queue.Options{Bytes: queueBytes})
	return l, nil
}

// Add adds the line of a request.
func (l *Log) Add(r *api.Request) {
	buffer := l.pool.Get().(*[]byte)
	*buffer = l.format.appendLine((*buffer)[:0], r)
	_, _ = l.queue.Write(*buffer) // it never fails
	l.pool.Put(buffer)
}

// Dropped returns the number of lines that were dropped.
func (l *Log) Dropped() int64 { return l.queue.Dropped() }

// Share(true) leaves the rotation of the file to another process that also writes to it, and
// Share(false) takes the rotation back.
func (l *Log) Share(shared bool) {
	if l.file != nil {
		l.file.share(shared)
	}
}

// Close waits at most a second until the waiting lines are written.
func (l *Log) Close() {
	l.queue.Close(patience)
	l.Share(true)
}
