// Package note is the state of the database from which cached entries were read, as a text
// that is saved with them for the next run.
package note

import (
	"encoding/json"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// Note is the state of the database from which the cached entries were read. In the zero Note
// everything is unknown.
type Note struct {
	Published *store.Generation      // nil means unknown
	Stamps    map[string]store.Stamp // whose changes are accounted for, by table
	Quiet     map[string]time.Time   // when a table was last seen at its stamp
	Tables    map[string][]Scope     // the rows at these stamps, by table; none if unknown
}

// Scope is the state of a scope of a table.
type Scope struct {
	Scope string
	store.Rows
	Of string // the calculations of the scope
}

// String writes the note as a text for Parse.
func (n Note) String() string {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // maps and lists of texts and numbers can always be encoded
	}
	return string(text)
}

// Parse reads the text that String wrote. It returns the zero Note for any other text.
func Parse(text string) (n Note) {
	if json.Unmarshal([]byte(text), &n) != nil {
		return Note{}
	}
	return n
}
