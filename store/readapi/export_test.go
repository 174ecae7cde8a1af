package readapi

import "github.com/lewistv/xcri-proxy/store/query"

// Identifiers of the internal tests for the external tests.
var (
	InBraces = inBraces
	ValueFor = valueFor
)

// Shallow is shallow for the external tests.
const Shallow = query.Shallow
