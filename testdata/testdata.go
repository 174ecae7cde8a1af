// Package testdata holds the contract of the read API as files (schema, sample
// data, recorded answers) and loads them into a database. Tests and the demo
// use it; the proxy itself does not.
package testdata

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed contract/schema.sql contract/sample contract/golden.jsonl.gz
var contract embed.FS

// rowsPerInsert keeps one INSERT below 1 MB, far under max_allowed_packet.
const rowsPerInsert = 200

// Recorded is one request to the old API and the answer it gave, or should
// have given (see contract/check.py for the meaning of the fields).
type Recorded struct {
	Request     string `json:"request"`
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
	Ties        bool   `json:"ties"`
	StatusOnly  bool   `json:"status_only"`
}

// Answers returns the recorded answers in the order of the file.
func Answers() ([]Recorded, error) {
	file, err := contract.ReadFile("contract/golden.jsonl.gz")
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
func Schema() []string {
	text, err := contract.ReadFile("contract/schema.sql")
	if err != nil {
		panic(err) // embedded, so always there
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
	return statements
}

// Load creates the tables in db and fills them with the sample data. It uses
// plain INSERTs, which every MySQL-compatible server takes.
func Load(ctx context.Context, db *sql.DB) error {
	for _, s := range Schema() {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("create tables: %w", err)
		}
	}
	files, err := fs.Glob(contract, "contract/sample/*.tsv")
	if err != nil {
		return err
	}
	for _, name := range files {
		table := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".tsv")
		text, err := contract.ReadFile(name)
		if err != nil {
			return err
		}
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
