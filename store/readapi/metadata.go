package readapi

import (
	"database/sql/driver"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

var metadataEndpoints = []*query.Endpoint{
	{
		// A zero or an empty text is a value of its own here.
		Path: "/metadata/",
		Params: []param.Param{season("2024"), division.KeepZero(), gender, scoringGroup.Or(""),
			checkpoint.KeepZero(), algorithm.Or("")},
		Reads: []string{MetadataTable}, Lane: query.ByKey,
		Answer: query.Whole(metadata),
	},
	{
		Path:  "/metadata/latest",
		Reads: []string{MetadataTable}, Lane: query.ByKey,
		Answer: query.Whole(query.Selection{
			From: MetadataTable + " r JOIN (SELECT r.division_code, r.gender_code, MAX(r.calculated_at) AS newest FROM " +
				MetadataTable + " r WHERE " + liveDivision + " GROUP BY r.division_code, r.gender_code) l" +
				" ON l.division_code = r.division_code AND l.gender_code = r.gender_code AND l.newest = r.calculated_at",
			Fixed: liveDivision, Order: "r.division_code, r.gender_code, r.metadata_id",
			Columns: metadata.Columns,
		}),
	},
	{
		Path:  "/metadata/latest/date",
		Reads: []string{MetadataTable}, Lane: query.ByKey,
		Answer:   latestDate,
		NotFound: "No calculation metadata found",
	},
	{
		Path:  "/metadata/summary/processing",
		Reads: []string{MetadataTable}, Lane: query.ByKey,
		Answer: summary,
	},
	{
		Path:   "/metadata/{metadata_id}",
		Params: []param.Param{handle("metadata_id", "r.metadata_id = ?")},
		Reads:  []string{MetadataTable}, Lane: query.ByKey,
		Answer:   query.Single(metadata),
		NotFound: "Metadata record {metadata_id} not found",
	},
}

var metadata = query.Selection{
	From: MetadataTable + " r", Order: "r.calculated_at DESC, r.metadata_id",
	Columns: query.Cols(
		query.Fields(integer, "metadata_id"), calculation, query.Fields(datetime, "calculated_at"), query.Fields(text, "algorithm_version"),
		query.Fields(integer, "total_performances", "total_athletes", "total_teams", "total_races"),
		query.Fields(float, "processing_time_seconds"), query.Fields(boolean, "cache_used"), query.Fields(float, "cache_hit_rate"),
		query.Fields(integer, "athletes_with_h2h", "athletes_no_h2h", "heavy_fallback_count"),
		query.Fields(text, "calculation_status", "error_message")),
}

// latestDate answers with the time of the newest calculation.
func latestDate(r *query.Read) error {
	found, err := r.One("SELECT r.calculated_at FROM "+MetadataTable+" r WHERE "+liveDivision+
		" ORDER BY r.calculated_at DESC LIMIT 1", nil, func(row []driver.Value) {
		r.Object(struct {
			CalculatedAt jsontext.Raw `json:"calculated_at"`
		}{datetime.Of(row[0])})
	})
	if err == nil && !found {
		return r.Missing()
	}
	return err
}

// processing is the answer of /metadata/summary/processing.
type processing struct {
	Calculations int64        `json:"total_calculations"`
	Athletes     jsontext.Raw `json:"total_athletes_all"`
	Teams        jsontext.Raw `json:"total_teams_all"`
	AverageTime  jsontext.Raw `json:"avg_processing_time"`
	HitRate      jsontext.Raw `json:"avg_cache_hit_rate"`
	First        jsontext.Raw `json:"first_calculation"`
	Latest       jsontext.Raw `json:"latest_calculation"`
}

// summary answers with totals and averages over the live calculations.
func summary(r *query.Read) error {
	_, err := r.One("SELECT COUNT(*), SUM(r.total_athletes), SUM(r.total_teams),"+
		" AVG(r.processing_time_seconds), AVG(r.cache_hit_rate), MIN(r.calculated_at), MAX(r.calculated_at)"+
		" FROM "+MetadataTable+" r WHERE "+liveDivision, nil, func(row []driver.Value) {
		r.Object(processing{
			Calculations: jsontext.AsInt(row[0]), Athletes: integer.Of(row[1]), Teams: integer.Of(row[2]),
			AverageTime: float.Of(row[3]), HitRate: float.Of(row[4]),
			First: datetime.Of(row[5]), Latest: datetime.Of(row[6]),
		})
	})
	return err
}
