// Package api declares the JSON of the pages below /cache, for the server and for
// its clients alike. Times are in RFC 3339; a time or figure that may be unknown
// is a pointer, and null in JSON.
package api

import "time"

// MaintenanceRequest is the body of a POST to /cache/maintenance.
type MaintenanceRequest struct {
	On *bool `json:"on"` // required
	// Until is announced to visitors, in RFC 3339: nothing ends by itself.
	Until   string `json:"until,omitempty"`
	Message string `json:"message,omitempty"`
	// Local limits the action to this member of a fleet.
	Local bool `json:"local,omitempty"`
}

// Maintenance describes a period of maintenance.
type Maintenance struct {
	Since   *time.Time `json:"since"`
	Until   *time.Time `json:"until"` // null if it was not announced
	Message string     `json:"message"`
}

// MaintenanceState is the answer of /cache/maintenance.
type MaintenanceState struct {
	On bool `json:"on"`
	Maintenance
	// Warning reports why a change will not survive a restart, or has not reached the other
	// members of a fleet yet.
	Warning string `json:"warning,omitempty"`
}

// PurgeRequest is the body of a POST to /cache/purge. Exactly one of Path, Route,
// Scope and All selects the entries.
type PurgeRequest struct {
	Path  *string `json:"path,omitempty"`  // a request target
	Route *string `json:"route,omitempty"` // an endpoint's path
	Scope *string `json:"scope,omitempty"` // season/division/gender/checkpoint, * for any
	All   bool    `json:"all,omitempty"`
	// Hard removes entries instead of making them stale.
	Hard bool `json:"hard,omitempty"`
	// Local limits the action to this member of a fleet.
	Local bool `json:"local,omitempty"`
}

// Purged is the answer of /cache/purge: the number of entries that were purged.
type Purged struct {
	Purged int `json:"purged"`
	// Warning reports why the purge has not reached the other members of a fleet yet.
	Warning string `json:"warning,omitempty"`
}

// Entry is the answer of /cache/entry: the outcome that a request would have.
type Entry struct {
	Path    string `json:"path"`
	Route   string `json:"route"`
	Key     string `json:"key"`
	Scope   string `json:"scope"`
	Outcome string `json:"outcome"`
	// Current is the published generation of the scope; an entry is fresh while
	// its own is the same.
	Current string `json:"current_generation"`
	Stored
}

// Stored describes an entry of the cache. All fields are null if the cache has none.
type Stored struct {
	Where      *string    `json:"where"` // warm, or the name of a shelf
	Generation *string    `json:"generation"`
	Age        *float64   `json:"age_seconds"` // as in the Age header
	Filled     *time.Time `json:"filled_at"`
	TookMS     *float64   `json:"took_ms"` // of its fill
	Status     *int       `json:"status"`
	Size       *int       `json:"size"` // bytes without a coding
	Variants   []Variant  `json:"variants"`
	Asked      *uint32    `json:"asked"` // requests, halved with each refresh and publish
	Cost       *int64     `json:"cost"`  // bytes in the cache
}

// Variant is an entry's body in one content coding.
type Variant struct {
	Coding string `json:"coding"`
	Bytes  *int   `json:"bytes"` // null if the body is made while it is sent
	ETag   string `json:"etag"`
}
