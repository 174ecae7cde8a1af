package agree

// Step is a step of a member towards the publish of a generation.
type Step string

// The steps.
const (
	Ready Step = "ready" // the warm set is filled
	Held  Step = "held"  // requests wait, instead of getting an answer that the generation makes stale
)

// Vote is the vote of a member that it has reached a step.
type Vote struct {
	Member string
	Step   Step
	Name   string // of the generation
	Data   []byte // the generation, for members that have not read it
	// After is the last decision that the member knew before it read the generation from the
	// database. If it still is the last, the generation is newer.
	After string
	// Force decides for the generation without the members that have not voted.
	Force bool
}

// Decision is the decision of the members to publish a generation. It is never taken back.
type Decision struct {
	Name string // empty before the first
	Data []byte
}

// Result is the result of a vote.
type Result struct {
	// Decision is the last decision. Its Data is empty if it is for the generation of the
	// vote. If it is for a generation other than the vote's and its After, the vote does not
	// count.
	Decision
	All bool // all living members have reached the step
}
