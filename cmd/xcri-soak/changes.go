package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/people"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// changer changes the data at random.
type changer struct {
	*truth
	rand    *rand.Rand
	scopes  []importer.Scope
	version int
	count   *people.Counts
}

// changes are the kinds of changes.
var changes = []struct {
	name string
	make func(*changer, context.Context) error
}{
	{"import", (*changer).importAll},
	{"import, rows first", func(c *changer, ctx context.Context) error { return c.importLoose(ctx, importer.Options{Groups: 2}) }},
	{"import, metadata first", func(c *changer, ctx context.Context) error {
		return c.importLoose(ctx, importer.Options{MetadataFirst: true})
	}},
	{"import that is rolled back", (*changer).importRolledBack},
	{"import that stops half-way", (*changer).importHalf},
	{"mended row", (*changer).mend},
	{"mended row", (*changer).mend},
	{"emptied and filled table", (*changer).refill},
}

// run makes changes until ctx ends.
func (c *changer) run(ctx context.Context, pause time.Duration) error {
	for ctx.Err() == nil {
		for _, i := range c.rand.Perm(len(changes)) {
			kind := changes[i]
			c.note("change: %s", kind.name)
			if err := kind.make(c, ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", kind.name, err)
			}
			c.count.Add("change: " + kind.name)
			if !people.Sleep(ctx, time.Duration(c.rand.Int64N(int64(2*pause)))) {
				return nil
			}
		}
	}
	return nil
}

// next returns the statements of an import of a scope.
func (c *changer) next(opts importer.Options) (name string, statements []string) {
	c.version++
	scope := c.scopes[c.rand.IntN(len(c.scopes))]
	name = fmt.Sprintf("import %d of %d/%d/%s/%s", c.version, scope.Season, scope.Division, scope.Gender, scope.Checkpoint)
	return name, importer.Statements(scope, c.version, opts)
}

func (c *changer) importAll(ctx context.Context) error {
	name, statements := c.next(importer.Options{})
	return c.commit(ctx, name, statements...)
}

// importLoose commits after each statement.
func (c *changer) importLoose(ctx context.Context, opts importer.Options) error {
	name, statements := c.next(opts)
	return c.each(ctx, name, statements)
}

func (c *changer) each(ctx context.Context, name string, statements []string) error {
	for i, s := range statements {
		if err := c.commit(ctx, fmt.Sprintf("%s, statement %d", name, i+1), s); err != nil {
			return err
		}
	}
	return nil
}

// importHalf writes half of the rows, and the rest with the metadata after a while.
func (c *changer) importHalf(ctx context.Context) error {
	name, statements := c.next(importer.Options{Groups: 2})
	half := len(statements) / 2
	if err := c.commit(ctx, name+", first half", statements[:half]...); err != nil {
		return err
	}
	if !people.Sleep(ctx, time.Duration(c.rand.Int64N(int64(10*time.Second)))) {
		return nil
	}
	return c.commit(ctx, name+", second half", statements[half:]...)
}

// importRolledBack writes rows that no reader may ever see.
func (c *changer) importRolledBack(ctx context.Context) error {
	_, statements := c.next(importer.Options{})
	tx, err := c.real.BeginTx(ctx, nil)
	if err != nil {
		return nil // the database is down
	}
	defer tx.Rollback()
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return nil
		}
	}
	people.Sleep(ctx, time.Duration(c.rand.Int64N(int64(2*time.Second))))
	return nil
}

// mend changes rows by hand, without a calculation.
func (c *changer) mend(ctx context.Context) error {
	c.version++
	text := fmt.Sprintf("mended %d", c.version)
	scope := c.scopes[c.rand.IntN(len(c.scopes))]
	where := fmt.Sprintf("WHERE season_year = %d AND division_code = %d AND gender_code = '%s'", scope.Season, scope.Division, scope.Gender)
	statement := []string{
		fmt.Sprintf("UPDATE %s SET season_html = '%s' ORDER BY id LIMIT %d", readapi.ResumeTable, text, 1+c.rand.IntN(20)),
		fmt.Sprintf("UPDATE %s SET team_name = '%s' %s ORDER BY ranking_id LIMIT 3", readapi.TeamTable, text, where),
		fmt.Sprintf("UPDATE %s SET athlete_name_first = '%s' %s ORDER BY ranking_id LIMIT 5", readapi.AthleteTable, text, where),
		fmt.Sprintf("UPDATE %s SET saga_score = %d %s ORDER BY component_id LIMIT 5", readapi.ComponentTable, c.version%1000, where),
		fmt.Sprintf("UPDATE %s SET team_name = '%s' ORDER BY id LIMIT 9", readapi.KnockoutTable, text),
		fmt.Sprintf("UPDATE %s SET meet_name = '%s' ORDER BY matchup_id LIMIT 30", readapi.MatchupTable, text),
	}[c.rand.IntN(6)]
	return c.commit(ctx, text, statement)
}

// refill empties a table and fills it again in two steps, with a pause.
func (c *changer) refill(ctx context.Context) error {
	tables := readapi.Tables()
	table := tables[c.rand.IntN(len(tables))]
	kept := "soak." + table
	for _, s := range []string{"DROP TABLE IF EXISTS " + kept, "CREATE TABLE " + kept + " AS SELECT * FROM " + table} {
		if err := c.both(ctx, s); err != nil {
			return err
		}
	}
	verb := []string{"TRUNCATE TABLE ", "DELETE FROM "}[c.rand.IntN(2)]
	statements := []string{
		verb + table,
		fmt.Sprintf("INSERT INTO %s SELECT * FROM %s WHERE MOD(%s, 2) = 0", table, kept, keyOf(table)),
		fmt.Sprintf("INSERT INTO %s SELECT * FROM %s WHERE MOD(%s, 2) = 1", table, kept, keyOf(table)),
	}
	if c.rand.IntN(4) == 0 {
		statements[0] = "DELETE FROM " + table // TRUNCATE commits
		return c.commit(ctx, statements[0]+" and filled again", statements...)
	}
	for _, s := range statements {
		if err := c.commit(ctx, fmt.Sprintf("%.60s", s), s); err != nil {
			return err
		}
		if !people.Sleep(ctx, time.Duration(c.rand.Int64N(int64(3*time.Second)))) {
			return nil
		}
	}
	return nil
}

// keyOf returns the name of a table's key.
func keyOf(table string) string {
	switch table {
	case readapi.AthleteTable, readapi.TeamTable:
		return "ranking_id"
	case readapi.MetadataTable:
		return "metadata_id"
	case readapi.ComponentTable:
		return "component_id"
	case readapi.MatchupTable:
		return "matchup_id"
	case readapi.SchoolTable:
		return "IDSchool"
	}
	return "id"
}

// both runs a statement that no reader sees on both databases.
func (c *changer) both(ctx context.Context, statement string) error {
	if _, err := c.twin.ExecContext(ctx, statement); err != nil {
		return err
	}
	for {
		_, err := c.real.ExecContext(ctx, statement)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		c.note("repeats %.40s: %v", statement, err)
		people.Sleep(ctx, 200*time.Millisecond)
	}
}
