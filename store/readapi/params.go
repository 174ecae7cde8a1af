package readapi

import (
	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

// The kinds of columns, by short names for the entries.
const (
	integer  = jsontext.Integer
	text     = jsontext.Text
	float    = jsontext.Float
	decimal  = jsontext.Exact
	date     = jsontext.Date
	datetime = jsontext.DateTime
	boolean  = jsontext.Boolean
	null     = jsontext.Null
)

// Conditions on the algorithm and scoring group that most pages show.
const (
	lightDivision = "r.algorithm_type = 'light' AND r.scoring_group = 'division'"
	liveDivision  = "r.checkpoint_date IS NULL AND " + lightDivision
)

// Parameters that several endpoints share. Their order within an endpoint is
// the API's: errors are reported in it.
var (
	division     = param.Param{Name: "division", Kind: param.Int, Zero: true, Where: "r.division_code = ?"}
	gender       = param.Param{Name: "gender", Kind: param.Choice, Words: param.Words{Choices: []string{"M", "F"}, Fold: param.Upper, Pattern: "^[MFmf]$"}, Where: "r.gender_code = ?"}
	checkpoint   = param.Param{Name: "checkpoint_date", Kind: param.Date, Zero: true, Where: "r.checkpoint_date = ?", Absent: "r.checkpoint_date IS NULL"}
	scoringGroup = param.Param{Name: "scoring_group", Kind: param.Text, Default: "division", Where: "r.scoring_group = ?"}
	algorithm    = param.Param{Name: "algorithm_type", Kind: param.Text, Default: "light", Where: "r.algorithm_type = ?"}
	offset       = param.Param{Name: "offset", Kind: param.Int, Default: "0", Range: param.Range{Min: new(int64(0))}}
	region       = param.Param{Name: "region", Kind: param.Text, Zero: true, Where: "r.regl_group_name = ?"}
	conference   = param.Param{Name: "conference", Kind: param.Text, Zero: true, Where: "r.conf_group_name = ?"}
	searchTeam   = search("r.team_name LIKE ?")
	searchPeople = search("(r.athlete_name_first LIKE ? OR r.athlete_name_last LIKE ? OR r.team_name LIKE ?)")

	groupType  = param.Param{Name: "rank_group_type", Kind: param.Choice, Default: "D", Words: param.Words{Choices: []string{"D", "R", "C"}, Pattern: "^[DRC]$"}, Where: "r.rank_group_type = ?"}
	group      = param.Param{Name: "rank_group_fk", Kind: param.Int, Where: "r.rank_group_fk = ?"}
	genderCode = gender.Named("gender_code")
)

func season(year string) param.Param {
	return param.Param{Name: "season_year", Kind: param.Int, Default: year, Where: "r.season_year = ?"}
}

func limit(standard string, most int64) param.Param {
	return param.Param{Name: "limit", Kind: param.Int, Default: standard, Range: param.Range{Min: new(int64(1)), Max: new(most)}}
}

func search(where string) param.Param {
	return param.Param{Name: "search", Kind: param.Text, Range: param.Range{MinLen: 2}, Like: true, Where: where}
}

// handle is a required integer in the path.
func handle(name, where string) param.Param {
	return param.Param{Name: name, Kind: param.Int, InPath: true, Required: true, Where: where}
}

// team is a required integer in the query.
func team(name, where string) param.Param {
	return param.Param{Name: name, Kind: param.Int, Required: true, Where: where}
}

var (
	// oneCalculation is the set of parameters that names one calculation.
	oneCalculation = []param.Param{season("2024"), division, gender, scoringGroup, checkpoint, algorithm}
	paged          = []param.Param{limit("100", 50000), offset}
)

func join(lists ...[]param.Param) (all []param.Param) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// calculation are the columns that name the scope of a ranking.
var calculation = query.Cols(
	query.Fields(integer, "season_year", "division_code"), query.Fields(text, "gender_code"), query.Fields(date, "checkpoint_date"),
	query.Fields(text, "algorithm_type", "scoring_group"))

// componentScores are the score and the rank in each of the named components.
func componentScores(kind jsontext.Kind, names ...string) (columns []query.Column) {
	for _, n := range names {
		columns = append(columns, query.Column{Name: n + "_score", Kind: kind}, query.Column{Name: n + "_rank", Kind: integer})
	}
	return columns
}
