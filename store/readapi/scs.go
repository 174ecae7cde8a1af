package readapi

import (
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

var components = []string{"saga", "sewr", "osma", "xcri"}

var (
	// scsScope holds the parameters of most scs endpoints. They compare and repeat the
	// gender as it was sent.
	scsScope = []param.Param{season("2024"), {Name: "division", Kind: param.Int, Default: "2030", Where: "r.division_code = ?"},
		{Name: "gender", Kind: param.Text, Default: "M", Where: "r.gender_code = ?"}}
	// scsLimit has no lower bound in the API.
	scsLimit = param.Param{Name: "limit", Kind: param.Int, Default: "25", Range: param.Range{Max: new(int64(100))}}
	// component is compared in lower case, and refused with 400 if unknown.
	component = param.Param{Name: "component", Kind: param.Choice, InPath: true, Required: true, Words: param.Words{Choices: components, Fold: param.Lower}}
)

var scsEndpoints = []*query.Endpoint{
	{
		Path: "/scs/athletes/{athlete_hnd}/components",
		Params: []param.Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?"), season("2024"), division.KeepZero(),
			{Name: "gender", Kind: param.Choice, Words: param.Words{Choices: []string{"M", "F"}, Fold: param.Upper}, Where: "r.gender_code = ?"}},
		Reads: []string{ComponentTable}, Lane: query.ByKey,
		Answer:   query.Single(athleteComponents),
		NotFound: "SCS components not found for athlete {athlete_hnd}",
	},
	{
		Path:   "/scs/athletes/{athlete_hnd}/comparison",
		Params: join([]param.Param{handle("athlete_hnd", "")}, scsScope),
		Reads:  []string{ComponentTable}, Lane: query.ByKey,
		Answer:   comparison,
		NotFound: "SCS components not found for athlete {athlete_hnd}",
	},
	{
		Path:   "/scs/athletes/{athlete_hnd}/discrepancy",
		Params: join([]param.Param{handle("athlete_hnd", "")}, scsScope),
		Refuse: comingSoon,
	},
	{
		Path:   "/scs/biggest-discrepancies",
		Params: join(scsScope, []param.Param{scsLimit}),
		Refuse: comingSoon,
	},
	{
		Path:   "/scs/leaderboard/{component}",
		Params: join([]param.Param{component}, scsScope, []param.Param{scsLimit}),
		Reads:  []string{ComponentTable}, Lane: query.WholeList,
		Refuse: knownComponent(". Must be one of {'saga', 'sewr', 'osma', 'xcri'}"),
		Answer: leaderboard,
	},
	{
		Path: "/scs/distribution/{component}",
		Params: join([]param.Param{component}, scsScope,
			[]param.Param{{Name: "bins", Kind: param.Int, Default: "10", Range: param.Range{Min: new(int64(5)), Max: new(int64(20))}}}),
		Reads: []string{ComponentTable}, Lane: query.WholeList,
		Refuse: knownComponent(""),
		Answer: distribution,
	},
}

var componentEndpoints = []*query.Endpoint{
	{
		Path:   "/components/athletes/{athlete_hnd}",
		Params: []param.Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?"), season("2024"), division, gender},
		Reads:  []string{ComponentTable}, Lane: query.ByKey,
		Answer:   query.Single(athleteComponents),
		NotFound: "Component data not found for athlete {athlete_hnd}",
	},
	{
		Path: "/components/leaderboard",
		Params: join([]param.Param{
			{Name: "component", Kind: param.Choice, Required: true, Words: param.Words{Choices: components, Pattern: "^(saga|sewr|osma|xcri)$"}},
			season("2024"), division, gender}, paged),
		Reads: []string{ComponentTable}, Lane: query.WholeList,
		Answer: func(r *query.Read) error { return componentLists[r.Arg("component").Text](r) },
	},
}

func comingSoon(query.Query) *query.Answer {
	return query.Refusal(501, "Endpoint not yet implemented - coming soon")
}

func knownComponent(hint string) func(query.Query) *query.Answer {
	return func(q query.Query) *query.Answer {
		if c := q.Arg("component").Text; !slices.Contains(components, c) {
			return query.Refusal(400, "Invalid component: %s%s", c, hint)
		}
		return nil
	}
}

var athleteOfComponent = query.Cols(
	query.Fields(integer, "anet_athlete_hnd"), query.Fields(text, "athlete_name_first", "athlete_name_last", "team_name"))

var calculatedComponent = query.Cols(
	query.Fields(integer, "component_id", "ranking_id", "season_year", "division_code"), query.Fields(text, "gender_code"),
	athleteOfComponent)

var athleteComponents = query.Selection{
	From: ComponentTable + " r", Order: "r.created_at DESC, r.component_id",
	Columns: query.Cols(
		calculatedComponent, componentScores(float, components...), query.Fields(integer, "races_used"),
		query.Fields(float, "best_ags", "avg_ags", "worst_ags", "best_cpr", "avg_cpr", "worst_cpr",
			"avg_race_quality", "best_race_quality", "avg_opponent_count"),
		query.Fields(integer, "total_opponents"), query.Fields(datetime, "created_at", "updated_at")),
}

func byComponent[T any](build func(component string) T) map[string]T {
	all := map[string]T{}
	for _, c := range components {
		all[c] = build(c)
	}
	return all
}

// componentLists are the answers of /components/leaderboard by component.
var componentLists = byComponent(func(c string) func(*query.Read) error {
	return query.ListWith(query.Selection{
		From: ComponentTable + " r", Fixed: "r." + c + "_score IS NOT NULL", Order: "r." + c + "_rank, r.component_id",
		Columns: query.Cols(calculatedComponent,
			[]query.Column{query.As("score", float, "r."+c+"_score"), query.As("rank", integer, "r."+c+"_rank")},
			componentScores(float, components...), query.Fields(integer, "races_used")),
	}, func(_ query.Query, head query.PageHead) any {
		return struct {
			query.PageHead
			Component string `json:"component"`
		}{head, c}
	})
})

// leaderboards are the rows of /scs/leaderboard by component. Scores are text
// there if their column is a DECIMAL.
var leaderboards = byComponent(func(c string) *query.Selection {
	return query.Selection{
		From: ComponentTable + " r", Fixed: "r." + c + "_rank IS NOT NULL", Order: "r." + c + "_rank, r.component_id",
		Columns: query.Cols(athleteOfComponent,
			[]query.Column{query.As("component_score", decimal, "r."+c+"_score"), query.As("component_rank", integer, "r."+c+"_rank")},
			componentScores(decimal, components...), query.Fields(integer, "races_used")),
	}.Build()
})

// scsContext is the part of an scs answer that repeats its question.
type scsContext struct {
	Season   jsontext.Raw `json:"season_year"`
	Division jsontext.Raw `json:"division_code"`
	Gender   string       `json:"gender_code"`
}

func contextOf(q query.Query) scsContext {
	return scsContext{q.Number("season_year"), q.Number("division"), q.Arg("gender").Text}
}

// leaderboard answers with the best athletes in one component.
func leaderboard(r *query.Read) error {
	c := r.Arg("component").Text
	r.StartList(16 << 10)
	total, err := leaderboards[c].Page(r, r.Int("limit"), 0)
	if err == nil {
		r.EndList(struct {
			Component string `json:"component"`
			scsContext
			Athletes int64        `json:"total_athletes"`
			Limit    jsontext.Raw `json:"limit"`
		}{strings.ToUpper(c), contextOf(r.Query), total, r.Number("limit")}, "results")
	}
	return err
}

// spread is the answer of /scs/distribution.
type spread struct {
	Component  string `json:"component"`
	Statistics struct {
		Min   jsontext.Raw `json:"min"`
		Max   jsontext.Raw `json:"max"`
		Mean  jsontext.Raw `json:"mean"`
		Std   jsontext.Raw `json:"std"`
		Count int          `json:"count"`
	} `json:"statistics"`
	Percentiles struct {
		Lower  jsontext.Raw `json:"25th"`
		Middle jsontext.Raw `json:"50th"`
		Upper  jsontext.Raw `json:"75th"`
	} `json:"percentiles"`
	Context scsContext `json:"context"`
}

// distribution answers with the distribution of one component's scores. The mean
// and the deviation are the server's own: how many digits they have depends on
// the server and on the column's type.
func distribution(r *query.Read) error {
	c := r.Arg("component").Text
	condition, args := r.Where()
	column := "r." + c + "_score"
	from := " FROM " + ComponentTable + " r WHERE " + condition + " AND " + column + " IS NOT NULL"
	var scores []jsontext.Raw
	err := r.Rows("SELECT "+column+from+" ORDER BY "+column, args, func(row []driver.Value) error {
		scores = append(scores, float.Of(row[0]))
		return nil
	})
	if err != nil {
		return err
	}
	n := len(scores)
	score := func(i int) jsontext.Raw {
		if n == 0 {
			return nil
		}
		return scores[i]
	}
	answer := spread{Component: strings.ToUpper(c), Context: contextOf(r.Query)}
	s, p := &answer.Statistics, &answer.Percentiles
	s.Min, s.Max, s.Count = zeroAsNull(score(0)), zeroAsNull(score(n-1)), n
	p.Lower, p.Middle, p.Upper = score(n*25/100), score(n*50/100), score(n*75/100)
	_, err = r.One("SELECT AVG("+column+"), STDDEV("+column+")"+from, args, func(row []driver.Value) {
		s.Mean, s.Std = zeroAsNull(float.Of(row[0])), zeroAsNull(float.Of(row[1]))
	})
	r.Object(answer)
	return err
}

// zeroAsNull encodes a score of zero as null, as the old API does here.
func zeroAsNull(score jsontext.Raw) jsontext.Raw {
	if s := string(score); s == "0.0" || s == "-0.0" {
		return nil
	}
	return score
}

// compared is one component in the answer of /scs/athletes/{}/comparison.
type compared struct {
	Score       jsontext.Raw `json:"score"`
	Rank        jsontext.Raw `json:"rank"`
	Percentile  jsontext.Raw `json:"percentile"`
	Description string       `json:"description"`
}

// metric are the extremes and the average of one metric.
type metric struct {
	Best    jsontext.Raw `json:"best"`
	Average jsontext.Raw `json:"average"`
	Worst   jsontext.Raw `json:"worst"`
}

// athleteComparison is the answer of /scs/athletes/{}/comparison.
type athleteComparison struct {
	Athlete struct {
		Handle    int64        `json:"athlete_hnd"`
		Name      string       `json:"name"`
		Team      jsontext.Raw `json:"team"`
		Races     jsontext.Raw `json:"races_used"`
		Opponents jsontext.Raw `json:"total_opponents"`
	} `json:"athlete_info"`
	Components struct {
		Saga compared `json:"saga"`
		Sewr compared `json:"sewr"`
		Osma compared `json:"osma"`
		Xcri compared `json:"xcri"`
	} `json:"components"`
	Metrics struct {
		Ags metric `json:"ags"`
		Cpr metric `json:"cpr"`
	} `json:"detail_metrics"`
	Context struct {
		Athletes int64 `json:"total_athletes"`
		scsContext
	} `json:"context"`
}

// comparison answers with one athlete's components and the share of the division
// that they beat.
func comparison(r *query.Read) error {
	condition, args := r.Where()
	var row []driver.Value
	found, err := r.One("SELECT r.anet_athlete_hnd, r.athlete_name_first, r.athlete_name_last, r.team_name,"+
		" r.races_used, r.total_opponents, r.saga_score, r.saga_rank, r.sewr_score, r.sewr_rank,"+
		" r.osma_score, r.osma_rank, r.xcri_score, r.xcri_rank,"+
		" r.best_ags, r.avg_ags, r.worst_ags, r.best_cpr, r.avg_cpr, r.worst_cpr"+
		" FROM "+ComponentTable+" r WHERE "+condition+" AND r.anet_athlete_hnd = ? ORDER BY r.component_id LIMIT 1",
		append(args[:len(args):len(args)], r.Int("athlete_hnd")), func(values []driver.Value) { row = query.Keep(values) })
	switch {
	case err != nil:
		return err
	case !found:
		return r.Missing()
	}
	total, err := r.Count("SELECT COUNT(*) FROM "+ComponentTable+" r WHERE "+condition, args)
	if err == nil {
		r.Object(comparisonOf(row, total, contextOf(r.Query)))
	}
	return err
}

func comparisonOf(row []driver.Value, total int64, context scsContext) (a athleteComparison) {
	score := func(i int) jsontext.Raw { return zeroAsNull(float.Of(row[i])) }
	component := func(i int, description string) compared {
		return compared{score(i), integer.Of(row[i+1]), percentile(row[i+1], total), description}
	}
	i := &a.Athlete
	i.Handle, i.Name = jsontext.AsInt(row[0]), orNone(row[1])+" "+orNone(row[2])
	i.Team, i.Races, i.Opponents = text.Of(row[3]), integer.Of(row[4]), integer.Of(row[5])
	a.Components.Saga = component(6, "Season Adjusted Gap Average")
	a.Components.Sewr = component(8, "Season Equal-Weight Rating (own performance)")
	a.Components.Osma = component(10, "Opponent Strength of Schedule")
	a.Components.Xcri = component(12, "Final SCS = (0.6 × SEWR) + (0.4 × OSMA)")
	a.Metrics.Ags = metric{score(14), score(15), score(16)}
	a.Metrics.Cpr = metric{score(17), score(18), score(19)}
	a.Context.Athletes, a.Context.scsContext = total, context
	return a
}

// orNone formats a text as Python does; NULL becomes None.
func orNone(v driver.Value) string {
	if v == nil {
		return "None"
	}
	return jsontext.AsText(v)
}

// percentile is the share of total that rank beats, in percent with one decimal,
// as Python computes and rounds it.
func percentile(rank driver.Value, total int64) jsontext.Raw {
	if rank == nil || total == 0 {
		return nil
	}
	return jsontext.AppendRounded(nil, (1-float64(jsontext.AsInt(rank))/float64(total))*100, 1)
}
