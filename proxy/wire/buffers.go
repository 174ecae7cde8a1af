package wire

import (
	"bufio"
	"net"
	"sync"

	"github.com/lewistv/xcri-proxy/proxy/budget"
)

// Sizes of buffers, in bytes. A connection keeps its read buffer while it waits for a
// request, so that the buffer has the size of a usual head, not of the largest.
const (
	usualHead   = 4 << 10
	writeBuffer = 4 << 10
)

// buffers holds buffers that connections need for a part of a request only.
type buffers struct {
	wide    sync.Pool // *bufio.Reader of MaxHead bytes
	writers sync.Pool // *bufio.Writer
}

// writer returns a buffered writer to c. The caller gives it back.
func (b *buffers) writer(c *Conn) *bufio.Writer {
	w, ok := b.writers.Get().(*bufio.Writer)
	if !ok {
		return bufio.NewWriterSize(c, writeBuffer)
	}
	w.Reset(c)
	return w
}

func (b *buffers) giveBack(w *bufio.Writer) {
	w.Reset(nil)
	b.writers.Put(w)
}

// input is the buffered reader of a connection. A head that does not fit the small
// buffer gets a wide buffer, which takes room in the budget of the requests' bodies.
type input struct {
	from  *bufio.Reader // the only reader of the connection: small, or a wide reader
	small *bufio.Reader
	conn  net.Conn
	moved []byte      // the bytes of small that the wide reader reads first
	wide  budget.Room // of the wide reader
}

func newInput() input {
	small := bufio.NewReaderSize(nil, usualHead)
	return input{from: small, small: small}
}

// open begins the use for a connection.
func (i *input) open(conn net.Conn) {
	i.conn = conn
	i.small.Reset(conn)
}

// widen replaces the small reader, which is full, by a wide reader. It fails if the
// reader is wide already, or the budget has no room.
func (i *input) widen(with *buffers, limit *budget.Budget) (*bufio.Reader, error) {
	if i.from != i.small {
		return nil, errHeadSize
	}
	i.wide = limit.Room()
	if !i.wide.Grow(MaxHead) {
		return nil, errHeadRoom
	}
	wide, ok := with.wide.Get().(*bufio.Reader)
	if !ok {
		wide = bufio.NewReaderSize(nil, MaxHead)
	}
	wide.Reset(i)
	i.moved, _ = i.small.Peek(i.small.Buffered())
	i.from = wide
	return wide, nil
}

// Read reads for the wide reader: first the bytes of the small reader.
func (i *input) Read(b []byte) (n int, err error) {
	if len(i.moved) > 0 {
		n = copy(b, i.moved)
		i.moved = i.moved[n:]
		return n, nil
	}
	return i.conn.Read(b)
}

// narrow returns to the small reader once the wide reader is empty.
func (i *input) narrow(with *buffers) {
	if i.from != i.small && i.from.Buffered() == 0 {
		i.release(with)
		i.small.Reset(i.conn)
	}
}

// close ends the use for a connection.
func (i *input) close(with *buffers) {
	if i.from != i.small {
		i.release(with)
	}
	i.conn = nil
	i.small.Reset(nil)
}

// release gives the wide reader back.
func (i *input) release(with *buffers) {
	i.from.Reset(nil)
	with.wide.Put(i.from)
	i.from, i.moved = i.small, nil
	i.wide.Close()
}
