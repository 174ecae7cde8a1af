package content

import "io"

// Pace limits how many bodies are inflated at one moment, so that clients that accept no
// coding leave processors to the others. It is safe for concurrent use.
type Pace struct{ turns chan struct{} }

// NewPace returns a Pace of n concurrent reads, at least one.
func NewPace(n int) *Pace { return &Pace{make(chan struct{}, max(1, n))} }

// Reader returns a reader of body, each of whose reads waits for a turn. Close closes the
// body.
func (p *Pace) Reader(body io.ReadCloser) io.ReadCloser { return &paced{body, p} }

// paced has no WriteTo, which would inflate the whole body in one turn.
type paced struct {
	body io.ReadCloser
	pace *Pace
}

func (r *paced) Read(b []byte) (int, error) {
	r.pace.turns <- struct{}{}
	defer func() { <-r.pace.turns }()
	return r.body.Read(b)
}

func (r *paced) Close() error { return r.body.Close() }
