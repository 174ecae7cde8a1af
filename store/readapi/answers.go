package readapi

import (
	"database/sql/driver"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
)

// selection is a SELECT as data: which columns of which tables in which order.
// r names the main table throughout.
type selection struct {
	columns []column
	from    string
	fixed   string // a condition that holds for every question
	order   string // ends with the primary key, so that no two rows tie
	late    *lateJoin

	encoder jsontext.Encoder
	fields  string // the SELECT's expressions
}

// build prepares what the columns imply.
func (s selection) build() *selection {
	var fields []string
	for _, c := range s.columns {
		switch {
		case c.kind == null:
		case c.expr != "":
			fields = append(fields, c.expr+" AS `"+c.name+"`")
		default:
			fields = append(fields, "r."+c.name)
		}
	}
	s.fields = strings.Join(fields, ", ")
	s.encoder = jsontext.NewEncoder(fieldsOf(s.columns))
	return &s
}

// where returns the conditions of the selection and the query together.
func (s *selection) where(q Query) (string, []any) {
	condition, args := q.where()
	switch {
	case condition == "":
		condition = s.fixed
	case s.fixed != "":
		condition += " AND " + s.fixed
	}
	if condition != "" {
		condition = " WHERE " + condition
	}
	return condition, args
}

// appendRows adds the rows to the answer as JSON objects with commas between
// them and returns how many they are.
func (s *selection) appendRows(r *Read, tail string, args []any) (n int64, err error) {
	return s.appendFrom(r, s.from+tail, args)
}

// appendFrom is appendRows for another way to name the same tables.
func (s *selection) appendFrom(r *Read, from string, args []any) (n int64, err error) {
	err = r.Rows("SELECT "+s.fields+" FROM "+from, args, func(row []driver.Value) error {
		if n++; n > 1 {
			r.Body = append(r.Body, ',')
		}
		var err error
		r.Body, err = s.encoder.AppendRow(r.Body, row)
		return err
	})
	return n, err
}

// all adds every row that the query matches.
func (s *selection) all(r *Read) (int64, error) {
	where, args := s.where(r.Query)
	return s.appendRows(r, where+" ORDER BY "+s.order, args)
}

// page adds the rows from offset on, at most limit, and returns how many rows
// match in all. Only a page that does not show the end is counted apart.
func (s *selection) page(r *Read, limit, offset int64) (total int64, err error) {
	shown := int64(0)
	if limit > 0 {
		from, args := s.paged(r.Query, limit, offset)
		if shown, err = s.appendFrom(r, from, args); err != nil {
			return 0, err
		}
	}
	if shown < limit && (shown > 0 || offset == 0) {
		return offset + shown, nil
	}
	count, args := s.counted(r.Query)
	return r.count(count, args)
}

// listHead has room for the longest head that list writes before the rows, but
// for an offset beyond all sense, for which the rows are moved.
const listHead = 128

// list answers with a page of rows: {total, limit, offset, results}.
func list(s selection) func(*Read) error {
	sel := s.build()
	return func(r *Read) error {
		// A roster has no offset.
		offset, offsetText := int64(0), "0"
		if r.has("offset") {
			offset, offsetText = r.Int("offset"), r.Arg("offset").Text
		}
		r.Body = make([]byte, listHead, 64<<10)
		total, err := sel.page(r, r.Int("limit"), offset)
		if err != nil {
			return err
		}
		extra := ""
		if r.has("component") {
			extra = `,"component":"` + r.Arg("component").Text + `"`
		}
		head := &Read{}
		head.print(`{"total":`, total, `,"limit":`, r.Arg("limit").Text, `,"offset":`, offsetText, extra, `,"results":[`)
		r.prepend(head.Body, listHead)
		r.print("]}")
		return nil
	}
}

// prepend puts head before the rows, in the room left free for it where that
// is enough.
func (r *Read) prepend(head []byte, room int) {
	if len(head) > room {
		r.Body = append(head, r.Body[room:]...)
		return
	}
	r.Body = r.Body[room-len(head):]
	copy(r.Body, head)
}

// single answers with the first row, or the endpoint's 404.
func single(s selection) func(*Read) error {
	sel := s.build()
	return func(r *Read) error {
		where, args := sel.where(r.Query)
		n, err := sel.appendRows(r, where+" ORDER BY "+sel.order+" LIMIT 1", args)
		if err == nil && n == 0 {
			return r.missing()
		}
		return err
	}
}

// whole answers with all rows: {total, <name>}.
func whole(name string, s selection) func(*Read) error {
	sel := s.build()
	return func(r *Read) error {
		r.Body = make([]byte, listHead, 4<<10)
		total, err := sel.all(r)
		if err != nil {
			return err
		}
		head := &Read{}
		head.print(`{"total":`, total, `,"`, name, `":[`)
		r.prepend(head.Body, listHead)
		r.print("]}")
		return nil
	}
}

// counts answers with the number of rows of four tables by their names.
func counts(r *Read) error {
	open := "{"
	for _, table := range []string{AthleteTable, TeamTable, ComponentTable, MetadataTable} {
		n, err := r.count("SELECT COUNT(*) FROM "+table, nil)
		if err != nil {
			return err
		}
		r.print(open, `"`, table, `":`, n)
		open = ","
	}
	r.print("}")
	return nil
}

// latestDate answers with when the newest calculation was made.
func latestDate(r *Read) error {
	found, err := r.one("SELECT r.calculated_at FROM "+MetadataTable+" r WHERE "+liveDivision+
		" ORDER BY r.calculated_at DESC LIMIT 1", nil, func(row []driver.Value) (err error) {
		r.print(`{"calculated_at":`)
		r.Body, err = jsontext.AppendValue(r.Body, datetime, row[0])
		r.print("}")
		return err
	})
	if err == nil && !found {
		return r.missing()
	}
	return err
}

// summary answers with totals and averages over the live calculations. The
// averages are divided here: servers differ in the digits they keep.
func summary(r *Read) error {
	return r.Rows("SELECT COUNT(*), SUM(r.total_athletes), SUM(r.total_teams),"+
		" SUM(r.processing_time_seconds), COUNT(r.processing_time_seconds),"+
		" SUM(r.cache_hit_rate), COUNT(r.cache_hit_rate), MIN(r.calculated_at), MAX(r.calculated_at)"+
		" FROM "+MetadataTable+" r WHERE "+liveDivision, nil, func(row []driver.Value) error {
		r.print(`{"total_calculations":`, jsontext.AsInt(row[0]))
		for i, name := range []string{"total_athletes_all", "total_teams_all"} {
			r.print(`,"`, name, `":`)
			if row[1+i] == nil {
				r.print("null")
			} else {
				r.print(jsontext.AsInt(row[1+i]))
			}
		}
		r.print(`,"avg_processing_time":`)
		r.Body = jsontext.AppendMean(r.Body, jsontext.ParseNumber([]byte(jsontext.AsText(row[3]))), jsontext.AsInt(row[4]), 2)
		r.print(`,"avg_cache_hit_rate":`)
		r.Body = jsontext.AppendMean(r.Body, jsontext.ParseNumber([]byte(jsontext.AsText(row[5]))), jsontext.AsInt(row[6]), 4)
		var err error
		for i, name := range []string{"first_calculation", "latest_calculation"} {
			r.print(`,"`, name, `":`)
			if r.Body, err = jsontext.AppendValue(r.Body, datetime, row[7+i]); err != nil {
				return err
			}
		}
		r.print("}")
		return nil
	})
}

// snapshotDates answers with the snapshots there are, newest first.
func snapshotDates(r *Read) error {
	n := 0
	rows := &Read{}
	err := r.Rows("SELECT r.checkpoint_date, r.season_year, COUNT(DISTINCT r.division_code),"+
		" COUNT(DISTINCT r.gender_code), COUNT(*) FROM "+AthleteTable+" r"+
		" WHERE r.checkpoint_date IS NOT NULL AND "+lightDivision+
		" GROUP BY r.checkpoint_date, r.season_year ORDER BY r.checkpoint_date DESC, r.season_year", nil,
		func(row []driver.Value) error {
			if n++; n > 1 {
				rows.print(",")
			}
			day := jsontext.AsText(row[0])
			rows.print(`{"date":"`, day, `","season":`, jsontext.AsInt(row[1]), `,"divisions":`, jsontext.AsInt(row[2]),
				`,"genders":`, jsontext.AsInt(row[3]), `,"total_athletes":`, jsontext.AsInt(row[4]), `,"display_name":"`, longDate(day), `"}`)
			return nil
		})
	r.print(`{"total":`, n, `,"snapshots":[`, string(rows.Body), "]}")
	return err
}

// snapshotScopes answers with the divisions and genders of one snapshot.
func snapshotScopes(r *Read) error {
	condition, args := r.where()
	n := 0
	rows := &Read{}
	err := r.Rows("SELECT r.division_code, r.gender_code, COUNT(*) FROM "+AthleteTable+" r WHERE "+
		condition+" AND "+lightDivision+" GROUP BY r.division_code, r.gender_code"+
		" ORDER BY r.division_code, r.gender_code", args, func(row []driver.Value) error {
		if n++; n > 1 {
			rows.print(",")
		}
		rows.print(`{"division_code":`, jsontext.AsInt(row[0]), `,"gender":`)
		rows.Body = jsontext.AppendString(rows.Body, jsontext.AsText(row[1]))
		rows.print(`,"athlete_count":`, jsontext.AsInt(row[2]), "}")
		return nil
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return r.missing()
	}
	day := r.Arg("snapshot_date").Text
	r.print(`{"date":`)
	r.Body = jsontext.AppendString(r.Body, day)
	r.print(`,"season":`, param.ClampInt(strings.TrimSpace(day)[:4]), `,"divisions_available":[`, string(rows.Body),
		`],"total_combinations":`, n, `,"status":"available"}`)
	return nil
}

// leaderboard answers with the athletes that are best in one component.
func leaderboard(r *Read) error {
	c := r.Arg("component").Text
	sel := leaderboards[c]
	total, err := sel.page(r, r.Int("limit"), 0)
	if err != nil {
		return err
	}
	head := &Read{}
	head.print(`{"component":"`, strings.ToUpper(c), `",`)
	head.context(r.Query)
	head.print(`,"total_athletes":`, total, `,"limit":`, r.Arg("limit").Text, `,"results":[`)
	r.prepend(head.Body, 0)
	r.print("]}")
	return nil
}

// context writes the three fields that the scs answers repeat.
func (r *Read) context(q Query) {
	r.print(`"season_year":`, q.Arg("season_year").Text, `,"division_code":`, q.Arg("division").Text, `,"gender_code":`)
	r.Body = jsontext.AppendString(r.Body, q.Arg("gender").Text)
}

// distribution answers with how one component's scores spread. The figures are
// computed here: servers differ in the digits of AVG and STDDEV.
func distribution(r *Read) error {
	c := r.Arg("component").Text
	condition, args := r.where()
	var scores []jsontext.Number
	err := r.Rows("SELECT r."+c+"_score FROM "+ComponentTable+" r WHERE "+condition+" AND r."+c+"_score IS NOT NULL"+
		" ORDER BY r."+c+"_score", args, func(row []driver.Value) error {
		scores = append(scores, jsontext.ParseNumber([]byte(jsontext.AsText(row[0]))))
		return nil
	})
	if err != nil {
		return err
	}
	n := int64(len(scores))
	score := func(i int64) []byte {
		if n == 0 {
			return []byte("null")
		}
		return jsontext.AppendDecimal(nil, scores[i].Text())
	}
	// The old API takes a figure that is zero for one that is missing.
	orNull := func(f []byte) string {
		if string(f) == "0.0" {
			return "null"
		}
		return string(f)
	}
	r.print(`{"component":"`, strings.ToUpper(c), `","statistics":{"min":`, orNull(score(0)), `,"max":`, orNull(score(n-1)),
		`,"mean":`, orNull(jsontext.AppendMean(nil, jsontext.Sum(scores), n, 4)), `,"std":`, orNull(jsontext.AppendDeviation(nil, scores)),
		`,"count":`, n, `},"percentiles":{"25th":`, string(score(n*25/100)), `,"50th":`, string(score(n*50/100)),
		`,"75th":`, string(score(n*75/100)), `},"context":{`)
	r.context(r.Query)
	r.print("}}")
	return nil
}

// comparison answers with one athlete's components and how many of the
// division they beat.
func comparison(r *Read) error {
	condition, args := r.where()
	var row []driver.Value
	_, err := r.one("SELECT r.anet_athlete_hnd, r.athlete_name_first, r.athlete_name_last, r.team_name,"+
		" r.races_used, r.total_opponents, r.saga_score, r.saga_rank, r.sewr_score, r.sewr_rank,"+
		" r.osma_score, r.osma_rank, r.xcri_score, r.xcri_rank,"+
		" r.best_ags, r.avg_ags, r.worst_ags, r.best_cpr, r.avg_cpr, r.worst_cpr"+
		" FROM "+ComponentTable+" r WHERE "+condition+" AND r.anet_athlete_hnd = ? ORDER BY r.component_id LIMIT 1",
		append(args[:len(args):len(args)], r.Int("athlete_hnd")), func(values []driver.Value) error {
			row = keep(values)
			return nil
		})
	if err != nil {
		return err
	}
	if row == nil {
		return r.missing()
	}
	total, err := r.count("SELECT COUNT(*) FROM "+ComponentTable+" r WHERE "+condition, args)
	if err != nil {
		return err
	}
	r.print(`{"athlete_info":{"athlete_hnd":`, jsontext.AsInt(row[0]), `,"name":`)
	r.Body = jsontext.AppendString(r.Body, orNone(row[1])+" "+orNone(row[2]))
	r.print(`,"team":`)
	r.value(text, row[3])
	r.print(`,"races_used":`)
	r.value(integer, row[4])
	r.print(`,"total_opponents":`)
	r.value(integer, row[5])
	r.print(`},"components":{`)
	for i, c := range componentTexts {
		score, rank := row[6+2*i], row[7+2*i]
		r.print(c.open)
		r.value(float, zeroIsNull(score))
		r.print(`,"rank":`)
		r.value(integer, rank)
		r.print(`,"percentile":`)
		r.Body = appendPercentile(r.Body, rank, total)
		r.print(`,"description":"`, c.description, `"}`)
	}
	r.print(`},"detail_metrics":{`)
	for i, open := range []string{`"ags":{"best":`, `,"average":`, `,"worst":`, `},"cpr":{"best":`, `,"average":`, `,"worst":`} {
		r.print(open)
		r.value(float, zeroIsNull(row[14+i]))
	}
	r.print(`}},"context":{"total_athletes":`, total, ",")
	r.context(r.Query)
	r.print("}}")
	return nil
}

var componentTexts = [4]struct{ open, description string }{
	{`"saga":{"score":`, "Season Adjusted Gap Average"},
	{`,"sewr":{"score":`, "Season Equal-Weight Rating (own performance)"},
	{`,"osma":{"score":`, "Opponent Strength of Schedule"},
	{`,"xcri":{"score":`, "Final SCS = (0.6 × SEWR) + (0.4 × OSMA)"},
}

// value appends one value of a row that the read has kept.
func (r *Read) value(kind jsontext.Kind, v driver.Value) {
	body, err := jsontext.AppendValue(r.Body, kind, v)
	if err == nil {
		r.Body = body
	}
}

// keep copies a row's values so that they outlive the call.
func keep(values []driver.Value) []driver.Value {
	kept := make([]driver.Value, len(values))
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			v = append([]byte(nil), b...)
		}
		kept[i] = v
	}
	return kept
}

// orNone is a text as Python formats it.
func orNone(v driver.Value) string {
	if v == nil {
		return "None"
	}
	return jsontext.AsText(v)
}

// zeroIsNull makes a score of zero a missing one, as the old API does here.
func zeroIsNull(v driver.Value) driver.Value {
	if v != nil && jsontext.ParseNumber([]byte(jsontext.AsText(v))).IsZero() {
		return nil
	}
	return v
}

// appendPercentile appends the share of total that rank beats, in percent with
// one decimal, as Python computes and rounds it.
func appendPercentile(dst []byte, rank driver.Value, total int64) []byte {
	if rank == nil || total == 0 {
		return append(dst, "null"...)
	}
	return jsontext.AppendRounded(dst, (1-float64(jsontext.AsInt(rank))/float64(total))*100, 1)
}

// longDate writes 2025-10-05 as October 05, 2025. Other text stays as it is.
func longDate(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("January 02, 2006")
}
