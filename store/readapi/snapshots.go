package readapi

import (
	"cmp"
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

// snapshot is the date in the path.
var snapshot = param.Param{Name: "snapshot_date", Kind: param.Date, InPath: true, Required: true, Where: "r.checkpoint_date = ?"}

// snapshotScope are the parameters of a snapshot's lists.
var snapshotScope = []param.Param{snapshot, division.KeepZero().Needed(), gender.Needed()}

var snapshotEndpoints = []*query.Endpoint{
	{
		Path:  "/snapshots/",
		Reads: []string{AthleteTable, MetadataTable}, Lane: query.WholeList, Span: query.SpanDated,
		Answer: snapshotDates,
	},
	{
		Path:   "/snapshots/{snapshot_date}/athletes",
		Params: join(snapshotScope, paged, []param.Param{searchPeople, region, conference}),
		Reads:  []string{AthleteTable}, Lane: query.WholeList,
		Answer: query.List(query.Selection{
			From: AthleteTable + " r", Fixed: lightDivision, Order: "r.athlete_rank, r.ranking_id",
			Columns: query.Cols(
				[]query.Column{query.As("rank", integer, "r.athlete_rank"),
					query.As("athlete_name", text, "CONCAT(r.athlete_name_first, ' ', r.athlete_name_last)")},
				query.Fields(text, "team_name"),
				[]query.Column{query.As("division", integer, "r.division_code")}, query.Fields(float, "xcri_score"),
				[]query.Column{query.As("num_races", integer, "r.races_count"), query.As("season_avg", float, "r.season_average")},
				query.Fields(integer, "h2h_wins", "h2h_losses"),
				[]query.Column{query.As("quality_of_wins", float, "r.min_opponent_quality")},
				query.Fields(integer, "anet_athlete_hnd"), query.Fields(float, "saga_score", "sewr_score", "osma_score", "scs_score"),
				query.Fields(text, "regl_group_name", "conf_group_name")),
		}),
	},
	{
		Path:   "/snapshots/{snapshot_date}/teams",
		Params: join(snapshotScope, paged, []param.Param{searchTeam, region, conference}),
		Reads:  []string{TeamTable}, Lane: query.WholeList,
		Answer: query.List(query.Selection{
			From: TeamTable + " r", Fixed: lightDivision, Order: "r.team_rank, r.ranking_id",
			Columns: query.Cols(
				[]query.Column{query.As("rank", integer, "r.team_rank")}, query.Fields(text, "team_name"), query.Fields(integer, "anet_team_hnd"),
				[]query.Column{query.As("division", integer, "r.division_code")}, query.Fields(text, "gender_code"),
				[]query.Column{query.As("team_score", float, "r.team_xcri_score"), query.As("squad_size", integer, "r.athletes_count"),
					query.As("top5_avg", float, "r.top5_average"), query.As("top7_avg", float, "r.top7_average")},
				query.Fields(text, "regl_group_name", "conf_group_name")),
		}),
	},
	{
		// The answer repeats the date as it came.
		Path:   "/snapshots/{snapshot_date}/metadata",
		Params: []param.Param{snapshot.Echoed()},
		Reads:  []string{AthleteTable}, Lane: query.WholeList,
		Answer:   snapshotScopes,
		NotFound: "Snapshot {snapshot_date} not found",
	},
}

// snapshotDate is one snapshot in the answer of /snapshots/.
type snapshotDate struct {
	Date      string `json:"date"`
	Season    int64  `json:"season"`
	Divisions int    `json:"divisions"`
	Genders   int    `json:"genders"`
	Athletes  int64  `json:"total_athletes"`
	Name      string `json:"display_name"`
}

// snapshotDates answers with all snapshots, newest first.
func snapshotDates(r *query.Read) error {
	groups, err := datedGroups(r)
	if err != nil {
		return err
	}
	slices.SortFunc(groups, func(a, b datedGroup) int {
		return cmp.Or(cmp.Compare(b.Checkpoint, a.Checkpoint), cmp.Compare(param.ClampInt(a.Season), param.ClampInt(b.Season)))
	})
	var answer struct {
		Total     int            `json:"total"`
		Snapshots []snapshotDate `json:"snapshots"`
	}
	for len(groups) > 0 {
		first, n := groups[0], 0
		divisions, genders := map[string]bool{}, map[string]bool{}
		day := snapshotDate{Date: first.Checkpoint, Season: param.ClampInt(first.Season), Name: longDate(first.Checkpoint)}
		for n < len(groups) && groups[n].Checkpoint == first.Checkpoint && groups[n].Season == first.Season {
			divisions[groups[n].Division], genders[groups[n].Gender] = true, true
			day.Athletes += groups[n].athletes
			n++
		}
		day.Divisions, day.Genders = len(divisions), len(genders)
		answer.Snapshots = append(answer.Snapshots, day)
		groups = groups[n:]
	}
	answer.Total = len(answer.Snapshots)
	r.Object(answer)
	return nil
}

// longDate writes 2025-10-05 as October 05, 2025. Other text stays as it is.
func longDate(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("January 02, 2006")
}

// snapshotGroup is one division and gender of a snapshot.
type snapshotGroup struct {
	Division int64  `json:"division_code"`
	Gender   string `json:"gender"`
	Athletes int64  `json:"athlete_count"`
}

// snapshotScopes answers with the divisions and genders of one snapshot.
func snapshotScopes(r *query.Read) error {
	condition, args := r.Where()
	var groups []snapshotGroup
	err := r.Rows("SELECT r.division_code, r.gender_code, COUNT(*) FROM "+AthleteTable+" r WHERE "+
		condition+" AND "+lightDivision+" GROUP BY r.division_code, r.gender_code"+
		" ORDER BY r.division_code, r.gender_code", args, func(row []driver.Value) error {
		groups = append(groups, snapshotGroup{jsontext.AsInt(row[0]), jsontext.AsText(row[1]), jsontext.AsInt(row[2])})
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(groups) == 0:
		return r.Missing()
	}
	season, _, _ := strings.Cut(r.Day("snapshot_date"), "-")
	r.Object(struct {
		Date         string          `json:"date"`
		Season       int64           `json:"season"`
		Groups       []snapshotGroup `json:"divisions_available"`
		Combinations int             `json:"total_combinations"`
		Status       string          `json:"status"`
	}{r.Arg("snapshot_date").Text, param.ClampInt(season), groups, len(groups), "available"})
	return nil
}
