package handover

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"
)

const (
	// readyLine is the successor's report that it serves.
	readyLine = "ready\n"
	// savedLine is the predecessor's report that its files are written.
	savedLine = "saved\n"
)

// Predecessor is the process that started this process and that serves until this
// process is ready.
type Predecessor struct {
	line  *os.File
	saved chan struct{} // closed once the predecessor has written its files
	gone  chan struct{} // closed once the predecessor has ended
}

// newPredecessor returns the process at the other end of line.
func newPredecessor(line *os.File) *Predecessor {
	p := &Predecessor{line, make(chan struct{}), make(chan struct{})}
	go p.listen()
	return p
}

// listen reads the predecessor's reports. An earlier version of the program sends
// none: its end of the line can't be read.
func (p *Predecessor) listen() {
	from := bufio.NewReader(p.line)
	text, err := from.ReadString('\n')
	close(p.saved)
	if text == savedLine {
		_, err = from.ReadByte()
	}
	if errors.Is(err, io.EOF) || isReset(err) {
		close(p.gone)
	}
}

// AwaitSaved waits until the predecessor has written its files, or has ended, or
// patience has passed.
func (p *Predecessor) AwaitSaved(patience time.Duration) {
	select {
	case <-p.saved:
	case <-time.After(patience):
	}
}

// Gone returns a channel that is closed if the predecessor ends before Ready.
func (p *Predecessor) Gone() <-chan struct{} { return p.gone }

// Ready reports to the predecessor that this process serves, so that it ends. Call it
// once. An error means that the predecessor no longer reads reports.
func (p *Predecessor) Ready() error {
	_, err := p.line.WriteString(readyLine)
	return errors.Join(err, p.line.Close())
}
