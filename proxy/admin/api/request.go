package api

import "time"

// Request describes an answered request: one of the slowest, a line of GET /cache/tail, or
// a line of the access log in JSON.
type Request struct {
	At time.Time `json:"at"` // when it arrived
	Asked
	Status int `json:"status"`
	// Bytes is the size of the answer's body; -1 if it was not known when it was sent.
	Bytes int64 `json:"bytes"`
	// Outcome is empty for a request that did not use the cache.
	Outcome string `json:"outcome,omitempty"`
	// TookMS is the time from the request to its answer, without the sending.
	TookMS float64 `json:"took_ms"`
	// ID is empty for a request that was answered from the cache.
	ID     string  `json:"request_id,omitempty"`
	Phases *Phases `json:"phases,omitempty"`
	Sender
}

// Asked is the line of a request and its meaning. Bytes that a target may not hold are
// percent-encoded.
type Asked struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Proto  string `json:"proto"`
	Route  string `json:"route,omitempty"` // of the read API
	Key    string `json:"key,omitempty"`   // of the entry in the cache
	Admin  bool   `json:"admin,omitempty"` // for a page of operators
}

// Sender describes the client of a request, as TRUSTED_PROXIES resolves it.
type Sender struct {
	Client  string `json:"client,omitempty"` // empty if it is not known
	Referer string `json:"referer,omitempty"`
	Agent   string `json:"user_agent,omitempty"`
}

// Phases holds the milliseconds that each phase of a request took. All but Write are
// phases of the fill that the request waited for, which may have begun before the request.
type Phases struct {
	Queue      float64 `json:"queue_ms,omitempty"`      // waiting for a turn
	Shared     float64 `json:"shared_ms,omitempty"`     // looking the answer up in the shared level, or waiting for another proxy's fill
	Load       float64 `json:"load_ms,omitempty"`       // the rest of the fill
	Connection float64 `json:"connection_ms,omitempty"` // waiting for a connection to the database
	Query      float64 `json:"query_ms,omitempty"`      // until the first row of each result
	Rows       float64 `json:"rows_ms,omitempty"`       // receiving rows
	Encode     float64 `json:"encode_ms,omitempty"`     // writing them as JSON
	Legacy     float64 `json:"legacy_ms,omitempty"`     // waiting for the old API
	Compress   float64 `json:"compress_ms,omitempty"`   // making the content codings
	Write      float64 `json:"write_ms,omitempty"`      // sending the answer
}

// TailLost is a line of GET /cache/tail that replaces requests for which the reader was too
// slow.
type TailLost struct {
	Lost int64 `json:"lost"` // number of requests
}

// Phase is one phase with its name.
type Phase struct {
	Name string
	MS   float64
}

// All returns the phases that took any time, in their order.
func (p *Phases) All() (all []Phase) {
	if p == nil {
		return nil
	}
	for _, phase := range []Phase{
		{"queue", p.Queue}, {"shared", p.Shared}, {"load", p.Load}, {"connection", p.Connection}, {"query", p.Query}, {"rows", p.Rows},
		{"encode", p.Encode}, {"legacy", p.Legacy}, {"compress", p.Compress}, {"write", p.Write},
	} {
		if phase.MS > 0 {
			all = append(all, phase)
		}
	}
	return all
}
