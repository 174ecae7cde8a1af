package port

import "net"

// Held listens on a port of 127.0.0.1 that no other program gets before the test ends, so that
// clients that go on asking after the server has stopped are refused instead of answered by
// another server.
func Held(t HeldTB) net.Listener {
	t.Helper()
	ln, release, err := held()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return ln
}

// HeldTB is the part of testing.TB that Held needs.
type HeldTB interface {
	TB
	Cleanup(func())
}
