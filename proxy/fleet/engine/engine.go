// Package engine describes the server that the members of a fleet share, such as a Redis.
package engine

import (
	"context"
	"errors"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// GoneFor is the time for which a member that is gone is listed, from its last report on.
const GoneFor = 10 * time.Minute

// Engine is the server that the members share, such as a Redis, with the operations that
// the fleet needs of it. Each operation is atomic. It is safe for concurrent use.
type Engine interface {
	// Listen connects, calls ready once, and then receive for each published message, in any
	// order. It returns an error once the connection is lost, and nil once ctx ends.
	Listen(ctx context.Context, ready func(), receive func(Message)) error
	// Ping returns nil if the server answers and takes commands.
	Ping(ctx context.Context) error

	// Claim returns the value of a name. If there is none, or it is unsure and the caller
	// demands a sure value, Claim takes the lock of the name for the token until the
	// lease ends, or returns for how long another token has it. In the last case, the next
	// value or release of the name is published.
	Claim(ctx context.Context, name, token string, lease time.Duration, sure bool) (Claim, error)
	// Extend renews the lease of a token that has the lock.
	Extend(ctx context.Context, name, token string, lease time.Duration) error
	// Put stores a value for the time ttl, releases the lock if the token has it, and
	// publishes the name as Filled if a caller of Claim waits for that. It releases the
	// lock also if it returns ErrFull.
	Put(ctx context.Context, name, token string, value []byte, ttl time.Duration) error
	// Release releases the lock if the token has it, and publishes the name like Put.
	Release(ctx context.Context, name, token string) error
	// Head returns the first bytes of a value; none if there is no value.
	Head(ctx context.Context, name string, bytes int) ([]byte, error)
	// Drop removes a value.
	Drop(ctx context.Context, name string) error

	// Sync returns the present texts and the last event of the log. Without a series or a
	// log, as at the first start and after a flush, it begins both with the given texts.
	Sync(ctx context.Context, series string, first []byte) (Position, error)
	// Append adds an event to the log, publishes Logged, and returns the ID of the event.
	// It also replaces the texts that are not empty in next. If such a text differs from
	// the text in present, Append changes nothing and returns ErrMoved. Without a log it
	// changes nothing and returns an empty ID.
	Append(ctx context.Context, event []byte, present, next Texts) (id string, err error)
	// Since returns the events of the log after an ID. If the log no longer holds the ID,
	// so that events may be missing, it returns false and the events that are left.
	Since(ctx context.Context, id string) (events []Event, complete bool, err error)

	// Beat notes that a member is alive. If the report demands the list, it returns the
	// members that are alive, by ID, and the members whose last report is older than a
	// report lasts, by name, for GoneFor: unless a member of that name is alive. Without
	// the list it returns nil. The first report of a member removes the other members of
	// its name, because it was started again; another member of that name that lives
	// returns with its next report.
	Beat(ctx context.Context, r members.Report) (map[string]members.Heard, error)

	// Moved returns the number of bytes that have arrived from the server, and of values
	// that it has taken.
	Moved() int64
	// Owed returns for how long the server has owed a reply to an operation, or the
	// connection for it. It returns zero if there is none, and if the server has sent bytes
	// that this process has not read: then the process is late, and not the server.
	Owed() time.Duration

	// Damaged returns the number of values that were removed since the start, because no
	// member can have written them.
	Damaged() int64

	// Leave notes that a member has ended.
	Leave(ctx context.Context, member string) error

	// Vote counts a vote. A member is alive for the time lasts after its heartbeat. If the
	// vote is Ready, and all living members are ready or the vote is forced, the engine
	// decides for its generation and publishes the name as Decided. If the vote is Held,
	// and all living members hold requests, the engine publishes the name as Held.
	Vote(ctx context.Context, v agree.Vote, lasts time.Duration) (agree.Result, error)
	// Decision returns the last decision; the zero Decision before the first.
	Decision(ctx context.Context) (agree.Decision, error)
	// Announce publishes the name of a generation as Seen.
	Announce(ctx context.Context, name string) error

	// Want adds the changes of a report to the counts of the keys that visitors want, and
	// returns the most wanted keys. The counts are forgotten after the time lasts.
	Want(ctx context.Context, r wanted.Report, lasts time.Duration) (wanted.Counts, error)

	// Close ends all connections.
	Close()
}

// ErrFull is the error of a value that finds no room in the server. It does not mean that
// the server is away.
var ErrFull = errors.New("the shared level is full")

// ErrMoved is the error of Append if the caller does not know the present texts.
var ErrMoved = errors.New("the texts have changed meanwhile")

// Claim is the result of Engine.Claim: a value, the lock, or neither.
type Claim struct {
	Value   []byte        // nil means none
	Claimed bool          // the caller has the lock
	Left    time.Duration // otherwise, the rest of the holder's lease
}

// Kind is the kind of a Message.
type Kind string

// The kinds of messages.
const (
	Filled Kind = "filled" // a name has a value, or its lock was released
	Logged Kind = "logged" // the log has another event
	// The messages about generations.
	Seen    Kind = "seen"    // the database has another generation
	Decided Kind = "decided" // the fleet publishes a generation
	Held    Kind = "held"    // all members hold requests for it
)

// Message is a message that all members receive.
type Message struct {
	Kind Kind
	Text string
}

// Texts are the texts beside the log that the members agree on. For the Engine they have no
// meaning.
type Texts struct {
	Series  string
	Lasting string // the actions that last; empty before the first
}

// Position is a position in the log, with the texts that belong to it.
type Position struct {
	Texts
	Last string // ID of the last event; the log is never empty
}

// Event is an event of the log.
type Event struct {
	ID   string
	Text []byte
}
