package visitors

import "strings"

// Kind is the kind of a request's target, by which the report groups latencies.
type Kind uint8

// The kinds, in the order of the report.
const (
	Metadata Kind = iota
	List
	Filtered
	Search
	Profile
	Roster
	Resume
	Matchups
	Scores
	Snapshot
	Other
	// Kinds is the number of kinds.
	Kinds
)

var kindNames = [Kinds]string{"metadata", "list", "filtered", "search", "profile", "roster", "resume", "matchups", "scores", "snapshot", "other"}

func (k Kind) String() string { return kindNames[k] }

// KindOf returns the kind of a target below the API's root, such as
// /teams/?gender=M.
func KindOf(target string) Kind {
	path, query, _ := strings.Cut(target, "?")
	first, rest, _ := strings.Cut(strings.Trim(path, "/"), "/")
	switch first {
	case "", "metadata", "health":
		return Metadata
	case "snapshots":
		if rest == "" || strings.HasSuffix(rest, "/metadata") {
			return Metadata
		}
		return Snapshot
	case "scs", "components":
		return Scores
	case "athletes", "teams", "team-five", "team-knockout":
		return kindOfRanking(rest, query)
	}
	return Other
}

func kindOfRanking(rest, query string) Kind {
	switch {
	case strings.HasPrefix(rest, "matchups"):
		return Matchups
	case strings.HasSuffix(rest, "/roster"):
		return Roster
	case strings.HasSuffix(rest, "/resume"):
		return Resume
	case rest != "":
		return Profile
	case strings.Contains(query, "search="):
		return Search
	case strings.Contains(query, "region=") || strings.Contains(query, "conference="):
		return Filtered
	}
	return List
}
