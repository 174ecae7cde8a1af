package readapi

import (
	"database/sql/driver"
	"fmt"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/query"
)

// involves is the condition that a team plays in a game.
const involves = "(r.team_a_id = ? OR r.team_b_id = ?)"

// won counts the games that the bound team won.
const won = "COUNT(CASE WHEN r.winner_team_id = ? THEN 1 END)"

// named joins the ranking of the team in column, for its name.
func named(alias, column string) string {
	return " LEFT JOIN " + KnockoutTable + " " + alias + " ON " + alias + ".team_id = r." + column +
		" AND " + alias + ".season_year = r.season_year AND " + alias + ".rank_group_type = r.rank_group_type" +
		" AND " + alias + ".rank_group_fk = r.rank_group_fk AND " + alias + ".gender_code = r.gender_code" +
		" AND " + alias + ".checkpoint_date <=> r.checkpoint_date"
}

var matchups = query.Selection{
	From:  MatchupTable + " r" + named("ta", "team_a_id") + named("tb", "team_b_id") + named("tw", "winner_team_id"),
	Order: "r.matchup_id",
	Columns: query.Cols(
		query.Fields(integer, "matchup_id", "race_hnd", "meet_id"), query.Fields(date, "race_date"), query.Fields(text, "meet_name"),
		query.Fields(integer, "team_a_id"), []query.Column{query.As("team_a_name", text, "ta.team_name")},
		query.Fields(integer, "team_a_rank", "team_a_score", "team_a_ko_rank"),
		query.Fields(integer, "team_b_id"), []query.Column{query.As("team_b_name", text, "tb.team_name")},
		query.Fields(integer, "team_b_rank", "team_b_score", "team_b_ko_rank"),
		query.Fields(integer, "winner_team_id"), []query.Column{query.As("winner_team_name", text, "tw.team_name")},
		query.Fields(integer, "season_year"), query.Fields(text, "rank_group_type"), query.Fields(integer, "rank_group_fk"),
		query.Fields(text, "gender_code"), query.Fields(date, "checkpoint_date"), query.Fields(datetime, "calculation_date")),
}.Build()

// record is a team's result over all of its games.
type record struct {
	Games   int64        `json:"total_matchups"`
	Wins    int64        `json:"wins"`
	Losses  int64        `json:"losses"`
	Percent jsontext.Raw `json:"win_pct"`
}

// teamMatchups answers with a page of a team's games and its record in all of
// them.
func teamMatchups(r *query.Read) error {
	team := r.Int("team_id")
	condition, args := r.Where()
	var total, wins int64
	_, err := r.One("SELECT COUNT(*), "+won+" FROM "+MatchupTable+" r WHERE "+condition,
		append([]any{team}, args...), func(row []driver.Value) {
			total, wins = jsontext.AsInt(row[0]), jsontext.AsInt(row[1])
		})
	if err != nil {
		return err
	}
	percent := jsontext.Raw("0.0")
	if total > 0 {
		percent = jsontext.AppendPercent(nil, wins, total)
	}
	games, _, err := matchups.Array(r, " WHERE "+condition+
		" ORDER BY CASE WHEN r.team_a_id = ? THEN r.team_b_ko_rank ELSE r.team_a_ko_rank END,"+
		" r.race_date DESC, "+matchups.Order+" LIMIT ? OFFSET ?", append(args, team, r.Int("limit"), r.Int("offset")))
	r.Object(struct {
		query.PageHead
		Stats    record       `json:"stats"`
		Matchups jsontext.Raw `json:"matchups"`
	}{query.PageHead{Total: total, Limit: r.Number("limit"), Offset: r.Number("offset")}, record{total, wins, total - wins, percent}, games})
	return err
}

// rivalry is the answer of /team-knockout/matchups/head-to-head.
type rivalry struct {
	A            int64        `json:"team_a_id"`
	AName        jsontext.Raw `json:"team_a_name"`
	B            int64        `json:"team_b_id"`
	BName        jsontext.Raw `json:"team_b_name"`
	Total        int64        `json:"total_matchups"`
	AWins        int64        `json:"team_a_wins"`
	BWins        int64        `json:"team_b_wins"`
	Latest       jsontext.Raw `json:"latest_matchup_date"`
	LatestWinner int64        `json:"latest_winner_id"`
	Matchups     jsontext.Raw `json:"matchups"`
}

// headToHead answers with all games of two teams.
func headToHead(r *query.Read) error {
	answer := rivalry{A: r.Int("team_a_id"), B: r.Int("team_b_id")}
	condition, args := r.Where()
	condition += " AND " + involves + " AND " + involves
	args = append(args, answer.A, answer.A, answer.B, answer.B)
	_, err := r.One("SELECT COUNT(*), "+won+", "+won+" FROM "+MatchupTable+" r WHERE "+condition,
		append([]any{answer.A, answer.B}, args...), func(row []driver.Value) {
			answer.Total, answer.AWins, answer.BWins = jsontext.AsInt(row[0]), jsontext.AsInt(row[1]), jsontext.AsInt(row[2])
		})
	switch {
	case err != nil:
		return err
	case answer.Total == 0:
		return r.Missing()
	}
	// The newest game comes first. Its names are the teams', and the highest
	// winner of its day is the latest winner.
	var day string
	_, err = r.One("SELECT r.race_date, r.team_a_id, ta.team_name, tb.team_name FROM "+matchups.From+
		" WHERE "+condition+" ORDER BY r.race_date DESC, "+matchups.Order+" LIMIT 1", args, func(row []driver.Value) {
		day, answer.Latest = jsontext.AsText(row[0]), date.Of(row[0])
		answer.AName, answer.BName = nameOrNull(row[2]), nameOrNull(row[3])
		if jsontext.AsInt(row[1]) != answer.A {
			answer.AName, answer.BName = answer.BName, answer.AName
		}
	})
	if err != nil {
		return err
	}
	answer.LatestWinner, err = r.Count("SELECT MAX(r.winner_team_id) FROM "+MatchupTable+" r WHERE "+condition+" AND r.race_date = ?",
		append(args[:len(args):len(args)], day))
	if err != nil {
		return err
	}
	answer.Matchups, _, err = matchups.Array(r, " WHERE "+condition+" ORDER BY r.race_date DESC, "+matchups.Order, args)
	r.Object(answer)
	return err
}

// nameOrNull encodes an empty name as null, as the old API does here.
func nameOrNull(v driver.Value) jsontext.Raw {
	if jsontext.AsText(v) == "" {
		return nil
	}
	return text.Of(v)
}

// meetMatchups answers with all games of one race.
func meetMatchups(r *query.Read) error {
	condition, args := r.Where()
	tail := " WHERE " + condition + " ORDER BY r.team_a_rank, r.team_b_rank, " + matchups.Order
	var answer struct {
		Race     jsontext.Raw `json:"race_hnd"`
		Name     jsontext.Raw `json:"meet_name"`
		Date     jsontext.Raw `json:"race_date"`
		Total    int64        `json:"total_matchups"`
		Matchups jsontext.Raw `json:"matchups"`
	}
	found, err := r.One("SELECT r.meet_name, r.race_date FROM "+MatchupTable+" r"+tail+" LIMIT 1", args,
		func(row []driver.Value) { answer.Name, answer.Date = text.Of(row[0]), date.Of(row[1]) })
	switch {
	case err != nil:
		return err
	case !found:
		return r.Missing()
	}
	answer.Race = r.Number("race_hnd")
	answer.Matchups, answer.Total, err = matchups.Array(r, tail, args)
	r.Object(answer)
	return err
}

// opponent is one opponent that two teams have in common.
type opponent struct {
	ID      int64        `json:"opponent_id"`
	Name    jsontext.Raw `json:"opponent_name"`
	AWins   int64        `json:"team_a_wins"`
	ALosses int64        `json:"team_a_losses"`
	BWins   int64        `json:"team_b_wins"`
	BLosses int64        `json:"team_b_losses"`
}

// opponents is the answer of /team-knockout/matchups/common-opponents. The API
// does not name the two teams there.
type opponents struct {
	A       int64        `json:"team_a_id"`
	AName   jsontext.Raw `json:"team_a_name"`
	B       int64        `json:"team_b_id"`
	BName   jsontext.Raw `json:"team_b_name"`
	Total   int          `json:"total_common_opponents"`
	ARecord string       `json:"team_a_record_vs_common"`
	BRecord string       `json:"team_b_record_vs_common"`
	Common  []opponent   `json:"common_opponents"`
}

// other is the id of the team that the bound team meets in a game.
const other = "CASE WHEN r.team_a_id = ? THEN r.team_b_id ELSE r.team_a_id END"

// commonGames joins each game of the first team with each game of the second
// against the same opponent, and the opponent's name. The counts therefore
// multiply: the API counts so.
const commonGames = MatchupTable + " r JOIN " + MatchupTable + " m" +
	" ON m.season_year = r.season_year AND m.rank_group_type = r.rank_group_type" +
	" AND m.rank_group_fk = r.rank_group_fk AND m.gender_code = r.gender_code" +
	" AND m.checkpoint_date <=> r.checkpoint_date" +
	" AND ((m.team_a_id = ? AND m.team_b_id = " + other + ")" +
	" OR (m.team_b_id = ? AND m.team_a_id = " + other + "))" +
	" LEFT JOIN " + KnockoutTable + " t ON t.team_id = " + other +
	" AND t.season_year = r.season_year AND t.rank_group_type = r.rank_group_type" +
	" AND t.rank_group_fk = r.rank_group_fk AND t.gender_code = r.gender_code" +
	" AND t.checkpoint_date <=> r.checkpoint_date"

// commonOpponents answers with the opponents that both teams met.
func commonOpponents(r *query.Read) error {
	answer := opponents{A: r.Int("team_a_id"), B: r.Int("team_b_id")}
	a, b := answer.A, answer.B
	condition, args := r.Where()
	bound := []any{a, a, b, b, a, b, a, a}
	bound = append(append(bound, args...), a, a, b, b)
	var sum opponent // over all opponents
	err := r.Rows("SELECT o.opponent_id, MAX(o.opponent_name), SUM(o.a_won), SUM(1 - o.a_won), SUM(o.b_won), SUM(1 - o.b_won)"+
		" FROM (SELECT "+other+" AS opponent_id, t.team_name AS opponent_name,"+
		" CASE WHEN r.winner_team_id = ? THEN 1 ELSE 0 END AS a_won, CASE WHEN m.winner_team_id = ? THEN 1 ELSE 0 END AS b_won"+
		" FROM "+commonGames+" WHERE "+condition+" AND "+involves+" AND NOT (r.team_a_id = ? OR r.team_b_id = ?)) o"+
		" GROUP BY o.opponent_id ORDER BY SUM(o.a_won) + SUM(o.b_won) DESC, o.opponent_id", bound,
		func(row []driver.Value) error {
			n := func(i int) int64 { return jsontext.AsInt(row[i]) }
			answer.Common = append(answer.Common, opponent{n(0), text.Of(row[1]), n(2), n(3), n(4), n(5)})
			sum.AWins, sum.ALosses, sum.BWins, sum.BLosses = sum.AWins+n(2), sum.ALosses+n(3), sum.BWins+n(4), sum.BLosses+n(5)
			return nil
		})
	if err != nil {
		return err
	}
	if answer.Total = len(answer.Common); answer.Total == 0 {
		return r.Missing()
	}
	answer.ARecord, answer.BRecord = fmt.Sprintf("%d-%d", sum.AWins, sum.ALosses), fmt.Sprintf("%d-%d", sum.BWins, sum.BLosses)
	r.Object(answer)
	return nil
}

// differentTeams refuses to compare a team with itself.
func differentTeams(q query.Query) *query.Answer {
	if q.Arg("team_a_id") == q.Arg("team_b_id") {
		return query.Refusal(400, "team_a_id and team_b_id must be different")
	}
	return nil
}
