package readapi

import (
	"database/sql/driver"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// involves is the condition that a game is the team's own.
const involves = "(r.team_a_id = ? OR r.team_b_id = ?)"

// won counts the games that the bound team won.
const won = "COUNT(CASE WHEN r.winner_team_id = ? THEN 1 END)"

// teamMatchups answers with a page of a team's games and how it fared in all
// of them.
func teamMatchups(r *Read) error {
	team := r.Int("team_id")
	condition, args := r.where()
	var total, wins int64
	err := r.Rows("SELECT COUNT(*), "+won+" FROM "+MatchupTable+" r WHERE "+condition,
		append([]any{team}, args...), func(row []driver.Value) error {
			total, wins = jsontext.AsInt(row[0]), jsontext.AsInt(row[1])
			return nil
		})
	if err != nil {
		return err
	}
	percent := "0.0"
	if total > 0 {
		percent = string(jsontext.AppendPercent(nil, wins, total))
	}
	r.print(`{"total":`, total, `,"limit":`, r.Arg("limit").Text, `,"offset":`, r.Arg("offset").Text,
		`,"stats":{"total_matchups":`, total, `,"wins":`, wins, `,"losses":`, total-wins, `,"win_pct":`, percent, `},"matchups":[`)
	tail := " WHERE " + condition + " ORDER BY CASE WHEN r.team_a_id = ? THEN r.team_b_ko_rank ELSE r.team_a_ko_rank END," +
		" r.race_date DESC, " + matchups.order + " LIMIT ? OFFSET ?"
	args = append(args, team, r.Int("limit"), r.Int("offset"))
	_, err = matchups.appendRows(r, tail, args)
	r.print("]}")
	return err
}

// headToHead answers with all games of two teams.
func headToHead(r *Read) error {
	a, b := r.Int("team_a_id"), r.Int("team_b_id")
	condition, args := r.where()
	condition += " AND " + involves + " AND " + involves
	args = append(args, a, a, b, b)
	var total, aWins, bWins int64
	err := r.Rows("SELECT COUNT(*), "+won+", "+won+" FROM "+MatchupTable+" r WHERE "+condition,
		append([]any{a, b}, args...), func(row []driver.Value) error {
			total, aWins, bWins = jsontext.AsInt(row[0]), jsontext.AsInt(row[1]), jsontext.AsInt(row[2])
			return nil
		})
	if err != nil {
		return err
	}
	if total == 0 {
		return r.missing()
	}
	// The newest game comes first. Its names are the teams', and the highest
	// winner of that day is the latest winner.
	var names [2]driver.Value
	var latest driver.Value
	var winner int64
	_, err = r.one("SELECT r.race_date, r.team_a_id, ta.team_name, tb.team_name FROM "+matchups.from+
		" WHERE "+condition+" ORDER BY r.race_date DESC, "+matchups.order+" LIMIT 1", args, func(row []driver.Value) error {
		row = keep(row)
		latest, names = row[0], [2]driver.Value{row[2], row[3]}
		if jsontext.AsInt(row[1]) != a {
			names[0], names[1] = names[1], names[0]
		}
		return nil
	})
	if err != nil {
		return err
	}
	winner, err = r.count("SELECT MAX(r.winner_team_id) FROM "+MatchupTable+" r WHERE "+condition+" AND r.race_date = ?",
		append(args[:len(args):len(args)], jsontext.AsText(latest)))
	if err != nil {
		return err
	}
	for i, team := range [2]int64{a, b} {
		r.print([]string{`{"team_a_id":`, `,"team_b_id":`}[i], team, []string{`,"team_a_name":`, `,"team_b_name":`}[i])
		if jsontext.AsText(names[i]) == "" {
			names[i] = nil
		}
		r.value(text, names[i])
	}
	r.print(`,"total_matchups":`, total, `,"team_a_wins":`, aWins, `,"team_b_wins":`, bWins, `,"latest_matchup_date":`)
	r.value(date, latest)
	r.print(`,"latest_winner_id":`, winner, `,"matchups":[`)
	_, err = matchups.appendRows(r, " WHERE "+condition+" ORDER BY r.race_date DESC, "+matchups.order, args)
	r.print("]}")
	return err
}

// meetMatchups answers with all games of one race.
func meetMatchups(r *Read) error {
	condition, args := r.where()
	order := " ORDER BY r.team_a_rank, r.team_b_rank, " + matchups.order
	var meet []driver.Value
	_, err := r.one("SELECT r.meet_name, r.race_date FROM "+MatchupTable+" r WHERE "+condition+order+" LIMIT 1", args,
		func(row []driver.Value) error {
			meet = keep(row)
			return nil
		})
	if err != nil {
		return err
	}
	if meet == nil {
		return r.missing()
	}
	rows := &Read{Query: r.Query, Database: r.Database}
	n, err := matchups.appendRows(rows, " WHERE "+condition+order, args)
	if err != nil {
		return err
	}
	r.print(`{"race_hnd":`, r.Arg("race_hnd").Text, `,"meet_name":`)
	r.value(text, meet[0])
	r.print(`,"race_date":`)
	r.value(date, meet[1])
	r.print(`,"total_matchups":`, n, `,"matchups":[`, string(rows.Body), "]}")
	return nil
}

// commonOpponents answers with the opponents that both teams met. Each game of
// A against one is joined with each game of B against it, so the counts
// multiply: that is what the API counts.
func commonOpponents(r *Read) error {
	a, b := r.Int("team_a_id"), r.Int("team_b_id")
	condition, args := r.where()
	const opponent = "CASE WHEN r.team_a_id = ? THEN r.team_b_id ELSE r.team_a_id END"
	const games = MatchupTable + " r JOIN " + MatchupTable + " m" +
		" ON m.season_year = r.season_year AND m.rank_group_type = r.rank_group_type" +
		" AND m.rank_group_fk = r.rank_group_fk AND m.gender_code = r.gender_code" +
		" AND m.checkpoint_date <=> r.checkpoint_date" +
		" AND ((m.team_a_id = ? AND m.team_b_id = " + opponent + ")" +
		" OR (m.team_b_id = ? AND m.team_a_id = " + opponent + "))" +
		" LEFT JOIN " + KnockoutTable + " t ON t.team_id = " + opponent +
		" AND t.season_year = r.season_year AND t.rank_group_type = r.rank_group_type" +
		" AND t.rank_group_fk = r.rank_group_fk AND t.gender_code = r.gender_code" +
		" AND t.checkpoint_date <=> r.checkpoint_date"
	bound := []any{a, a, b, b, a, b, a, a}
	bound = append(append(bound, args...), a, a, b, b)
	n := 0
	var record [4]int64
	rows := &Read{}
	err := r.Rows("SELECT o.opponent_id, MAX(o.opponent_name), SUM(o.a_won), SUM(1 - o.a_won), SUM(o.b_won), SUM(1 - o.b_won)"+
		" FROM (SELECT "+opponent+" AS opponent_id, t.team_name AS opponent_name,"+
		" CASE WHEN r.winner_team_id = ? THEN 1 ELSE 0 END AS a_won, CASE WHEN m.winner_team_id = ? THEN 1 ELSE 0 END AS b_won"+
		" FROM "+games+" WHERE "+condition+" AND "+involves+" AND NOT (r.team_a_id = ? OR r.team_b_id = ?)) o"+
		" GROUP BY o.opponent_id ORDER BY SUM(o.a_won) + SUM(o.b_won) DESC, o.opponent_id", bound,
		func(row []driver.Value) error {
			if n++; n > 1 {
				rows.print(",")
			}
			rows.print(`{"opponent_id":`, jsontext.AsInt(row[0]), `,"opponent_name":`)
			rows.value(text, row[1])
			for i, name := range []string{"team_a_wins", "team_a_losses", "team_b_wins", "team_b_losses"} {
				record[i] += jsontext.AsInt(row[2+i])
				rows.print(`,"`, name, `":`, jsontext.AsInt(row[2+i]))
			}
			rows.print("}")
			return nil
		})
	if err != nil {
		return err
	}
	if n == 0 {
		return r.missing()
	}
	r.print(`{"team_a_id":`, a, `,"team_a_name":null,"team_b_id":`, b, `,"team_b_name":null,"total_common_opponents":`, n,
		`,"team_a_record_vs_common":"`, record[0], "-", record[1], `","team_b_record_vs_common":"`, record[2], "-", record[3],
		`","common_opponents":[`, string(rows.Body), "]}")
	return nil
}

// differentTeams refuses to compare a team with itself.
func differentTeams(q Query) *Answer {
	if q.Arg("team_a_id") == q.Arg("team_b_id") {
		return refusal(400, "team_a_id and team_b_id must be different")
	}
	return nil
}
