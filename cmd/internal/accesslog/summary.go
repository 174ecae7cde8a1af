package accesslog

import (
	"io"
)

// Summary is the part of a command's report about access logs.
type Summary struct {
	*Count
	Keys    int `json:"keys"`    // targets taken from the logs; for warm, answers that the proxy loads for them
	Ignored int `json:"ignored"` // targets that the proxy rejected or that are not below the API
}

// ReadFiles counts the requests for the API, below base + "/api", in the logs.
func ReadFiles(names []string, base string, stdin io.Reader) (*Summary, error) {
	count := NewCount(base + "/api/")
	for _, name := range names {
		if err := count.ReadFile(name, stdin); err != nil {
			return nil, err
		}
	}
	return &Summary{Count: count}, nil
}
