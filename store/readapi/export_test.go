package readapi

// Identifiers of the internal tests for the external ones.
var (
	InBraces = inBraces
	ValueFor = valueFor
)

// Shallow is shallow for the external tests.
const Shallow = shallow
