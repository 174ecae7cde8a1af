// Package storetest loads the contract of the read API (schema, sample data,
// recorded answers) into a database. Tests, the demo and the benchmark use it;
// the proxy does not.
package storetest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// contract opens the folder testdata/contract of the checkout that this package
// was built from. A binary built with -trimpath does not contain the path of the checkout;
// the search then starts in the working directory.
var contract = sync.OnceValues(func() (fs.FS, error) {
	_, source, _, _ := runtime.Caller(0)
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{filepath.Dir(source), wd} {
		for filepath.IsAbs(dir) {
			folder := filepath.Join(dir, "testdata", "contract")
			if _, err := os.Stat(filepath.Join(folder, "schema.sql")); err == nil {
				return os.DirFS(folder), nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	return nil, errors.New("testdata/contract not found: run this program inside a checkout of xcri-proxy")
})

// read returns the content of a file of the contract.
func read(name string) ([]byte, error) {
	files, err := contract()
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(files, name)
}

// rowsPerInsert keeps one INSERT below 1 MB, far under max_allowed_packet.
const rowsPerInsert = 200

// Recorded is one request to the old API and its answer, or the right answer where the
// old API's is wrong (see testdata/contract/check.py for the meaning of the fields).
type Recorded struct {
	Request     string `json:"request"`
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
	Ties        bool   `json:"ties"`
	StatusOnly  bool   `json:"status_only"`
	OldStatus   int    `json:"old_status"` // of the old API, where its answer is wrong
}

// Answers returns the recorded answers in the order of the file.
func Answers() ([]Recorded, error) {
	file, err := read("golden.jsonl.gz")
	if err != nil {
		return nil, err
	}
	text, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	var answers []Recorded
	for dec := json.NewDecoder(text); dec.More(); {
		var r Recorded
		if err := dec.Decode(&r); err != nil {
			return nil, fmt.Errorf("recorded answer %d: %w", len(answers)+1, err)
		}
		answers = append(answers, r)
	}
	return answers, nil
}

// Schema returns the statements that create the tables.
func Schema() ([]string, error) {
	text, err := read("schema.sql")
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		code, _, _ := strings.Cut(line, "--")
		lines = append(lines, strings.TrimSpace(code))
	}
	var statements []string
	for s := range strings.SplitSeq(strings.Join(lines, "\n"), ";") {
		if s = strings.TrimSpace(s); s != "" {
			statements = append(statements, s)
		}
	}
	return statements, nil
}

// Load creates the tables in db and fills them with the sample data. It uses
// plain INSERTs, which every MySQL-compatible server takes.
func Load(ctx context.Context, db *sql.DB) error {
	return LoadEach(ctx, db, func(string) {})
}

// LoadEach is like Load, and calls begin with the name of each table before its rows are
// loaded.
func LoadEach(ctx context.Context, db *sql.DB, begin func(table string)) error {
	statements, err := Schema()
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("create tables: %w", err)
		}
	}
	folder, err := contract()
	if err != nil {
		return err
	}
	files, err := fs.Glob(folder, "sample/*.tsv")
	if err != nil {
		return err
	}
	for _, name := range files {
		table := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".tsv")
		text, err := read(name)
		if err != nil {
			return err
		}
		begin(table)
		if err := insert(ctx, db, table, text); err != nil {
			return fmt.Errorf("load %s: %w", table, err)
		}
	}
	return nil
}

// insert adds the rows of a tab-separated file (\N is NULL) to a table.
func insert(ctx context.Context, db *sql.DB, table string, text []byte) error {
	var rows []string
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		_, err := db.ExecContext(ctx, "INSERT INTO "+table+" VALUES "+strings.Join(rows, ","))
		rows = rows[:0]
		return err
	}
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		fields := strings.Split(scan.Text(), "\t")
		for i, f := range fields {
			fields[i] = literal(f)
		}
		rows = append(rows, "("+strings.Join(fields, ",")+")")
		if len(rows) == rowsPerInsert {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := scan.Err(); err != nil {
		return err
	}
	return flush()
}

// literal turns a field of LOAD DATA's format into an SQL literal. The escapes
// of the two (\\, \t, \n) are the same, so only quotes need one.
func literal(field string) string {
	if field == `\N` {
		return "NULL"
	}
	return "'" + strings.ReplaceAll(field, "'", "''") + "'"
}
