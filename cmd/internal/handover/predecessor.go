package handover

import (
	"errors"
	"os"
)

// readyLine is the successor's report that it serves.
const readyLine = "ready\n"

// Predecessor is the process that started this one and that serves until this
// one is ready.
type Predecessor struct{ pipe *os.File }

// Ready tells the predecessor that this process serves, so that it ends. Call it
// once. The error means that the predecessor does not listen any more.
func (p *Predecessor) Ready() error {
	_, err := p.pipe.WriteString(readyLine)
	return errors.Join(err, p.pipe.Close())
}
