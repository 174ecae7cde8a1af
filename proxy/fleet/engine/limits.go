package engine

// The longest texts of the level, in bytes, and the most elements of its lists. Members write
// less. An Engine removes anything larger, and leaves out larger messages: another program has
// written them, and a member that read them would be as slow as a member without the level.
const (
	MostValue    = 16<<20 + 2 // an answer with its first two bytes, or another text that members share
	MostSeries   = 2 << 10
	MostEvent    = 512 << 10 // six times the body of an operator's request, which JSON may escape; also of the lasting actions
	MostDecision = 1 << 20   // a generation
	MostReport   = 4 << 10   // of a member
	MostMessage  = 4 << 10
	MostKey      = 4 << 10 // a key that visitors want
	MostName     = 256     // of a generation

	MostEvents  = 10_000 // of the log, which keeps a thousand
	MostMembers = 5_000  // alive, and gone
)
