// Package cache is a read-through cache of answers in bounded memory. The owner provides
// the fill, which loads an answer, and publishes generations, which decide whether an answer
// is fresh. Answers and generations are opaque to the cache.
//
// # How it behaves
//
// A key has one slot for as long as it is cached. The slot holds the version of the
// answer that is served and, while a generation is being prepared, the version that
// will be served in that generation. A reader picks between the two by the published
// generation alone, so that Publish switches all of them with one atomic store. Where
// a slot is kept is a label on it: the warm set and the hot shelf keep their entries;
// in the tail and among the absent answers, ristretto decides which entries stay.
//
// A missing key is filled once, however many requests wait for it. A stale entry is
// served while one background fill refreshes it. While the origin is down, entries are
// served as they are.
//
// With Options.Shared, a missing answer is first looked up in a level that several caches
// share: memory, then the flight that all requests for the key join, then the shared level,
// then the origin. The level decides which of the caches fills; the others wait for the
// answer. A version that comes from the level counts as read when its lookup began, so that
// the purges and the order of versions apply to it as to a fill.
//
// With Options.Strict, a client of several caches never gets an older generation than before:
// requests wait for a fill or a publish instead.
//
// # When an entry is fresh
//
// [slot.State.Fresh] decides: an entry is fresh if the published generation holds it, which
// the owner's Generation says, and if no purge has made it stale since. The method outcome
// adds outages: it maps an entry to a hit, a stale hit or a stale error.
//
// # Where things are
//
// Each package below this package has one concern, and imports none of the packages that use
// it: current holds the published state, on which readers can wait; entry an answer, its
// completeness and its cost; slot the versions of a key, and which of them a reader gets;
// shelf the budgets, the promotion and the eviction of slots; admission the policy of the
// tail; reads the purges that apply to an answer which is still being read; fill runs the
// loads, in the order of turns, with the durations of phase; recode makes other forms in the
// background; outage records whether the origin is down; snapshot saves entries in a file;
// memfile keeps bodies outside the heap. This package joins them: which version wins, when a
// request is a hit, and the steps of a publish, a purge and a refresh.
//
// # Invariants
//
// These hold at every moment, for any interleaving of fills, refreshes, purges,
// publishes, outages, promotions, recodings, saves and loads; TestModel and FuzzModel
// check them.
//
//   - Never incomplete: every entry has a status and a body, and was accepted by
//     Options.Check.
//   - Never back: while a key is cached, the version that is served gives way to a version
//     that was read earlier only if the earlier one is fresh in the current generation and
//     the later one is not.
//   - Never older than the last publish: after Publish, a warm key that was prepared
//     without error is answered by the version that was prepared or a later one.
//   - Never from before a hard purge: after a hard purge, no request that begins is
//     answered by anything whose read began before the purge.
//   - Never fresh from before a purge: after a soft purge, such an answer is at most
//     stale.
//   - Eventually fresh: while the origin is up and fills succeed, a key that is
//     requested again and again becomes a hit.
//   - Bytes add up: each shelf counts the cost of the entries that it holds, no shelf
//     exceeds its budget, and all of them together do not exceed Options.Bytes.
package cache
