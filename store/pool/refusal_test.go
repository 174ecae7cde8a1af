package pool

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// An account that has used up its statements of the hour can read nothing: the polls
// report that the database is unavailable, although it answers each of them, by an error.
func TestStatementsUsedUp(t *testing.T) {
	p := open(t, account(t, shared(t), "WITH MAX_QUERIES_PER_HOUR 40"))
	var err error
	for range 50 {
		if _, err = pollOnce(t.Context(), p, "SELECT 1"); err != nil {
			break
		}
	}
	if dberror.NumberOf(err) != 1226 && !errors.Is(err, dberror.ErrInterrupted) {
		t.Fatalf("the statements are not used up: %v", err)
	}
	p.good.Set(time.Now().Add(-2 * recently)) // the last read that succeeded
	for range 2 {
		if _, err := pollOnce(t.Context(), p, "SELECT 1"); !errors.Is(err, dberror.ErrUnavailable) {
			t.Errorf("a poll: %v", err)
		}
		if _, err := read(t.Context(), p, "SELECT 1"); !errors.Is(err, dberror.ErrUnavailable) {
			t.Errorf("a read: %v", err)
		}
	}
}

// A server that can't write its temporary files fails the reads that need them, and no
// others.
func TestNoRoomForTemporaryFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tmp")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	srv, err := mariadb.Start(mariadb.Options{Empty: true, Args: []string{"--tmpdir=" + dir, "--loose-tmp-memory-table-size=0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if db := root(t, srv); !mariadb.Accepts(db, "SELECT @@tmp_memory_table_size") {
		t.Skip("this server keeps temporary tables elsewhere")
	}
	p := open(t, optionsOf(srv))
	mustRead(t, p, "SELECT 1")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, err = read(t.Context(), p, "SELECT COUNT(*) FROM information_schema.columns")
	if !errors.Is(err, dberror.ErrExhausted) || dberror.ClassOf(err) != dberror.ThisRead {
		t.Errorf("a read that needs a file: %v", err)
	}
	mustRead(t, p, "SELECT 1")
}
