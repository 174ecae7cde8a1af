package api

// VerifyRequest is the body of a POST to /cache/verify.
type VerifyRequest struct {
	Path      string `json:"path"`       // a request target
	TimeoutMS int64  `json:"timeout_ms"` // longest wait for the answers; zero means 30 s
}

// VerifySubjects is the answer of GET /cache/verify.
type VerifySubjects struct {
	Keys   []string `json:"keys"` // the warm set without the keys that can't be compared
	Sample Verify   `json:"sample"`
}

// Verify holds the figures of sampled comparisons.
type Verify struct {
	Share    float64          `json:"share"` // of the loads
	Verdicts map[string]int64 `json:"verdicts"`
	Dropped  int64            `json:"dropped"` // not compared, because no room or no connection was free
}

// Comparison is the answer to a VerifyRequest: both sources' answers to one
// request, compared.
type Comparison struct {
	Path       string      `json:"path"`
	Key        string      `json:"key"` // empty for a bad parameter
	Route      string      `json:"route"`
	Verdict    string      `json:"verdict"`
	Difference *Difference `json:"difference"` // null if there is none to show
	Store      Answered    `json:"store"`
	Legacy     Answered    `json:"legacy"`
	Error      string      `json:"error"` // why it failed or was skipped
	// Expected names the known fault of the old API that explains the difference.
	Expected string `json:"expected,omitempty"`
}

// Difference is the first place where two answers differ; Path is status, or a
// path into the JSON.
type Difference struct {
	Path   string `json:"path"`
	Store  string `json:"store"`
	Legacy string `json:"legacy"`
}

// Answered summarizes one source's answer; the status is zero without one.
type Answered struct {
	Status int     `json:"status"`
	Bytes  int     `json:"bytes"`
	MS     float64 `json:"ms"`
}
