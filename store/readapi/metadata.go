package readapi

import (
	"database/sql/driver"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
)

var metadataEndpoints = []*Endpoint{
	{
		// A zero or an empty text is a value of its own here.
		Path: "/metadata/",
		Params: []param.Param{season("2024"), division.KeepZero(), gender, scoringGroup.Or(""),
			checkpoint.KeepZero(), algorithm.Or("")},
		Reads: []string{MetadataTable}, Lane: ByKey,
		Answer: whole(metadata),
	},
	{
		Path:  "/metadata/latest",
		Reads: []string{MetadataTable}, Lane: ByKey,
		Answer: whole(selection{
			from: MetadataTable + " r JOIN (SELECT r.division_code, r.gender_code, MAX(r.calculated_at) AS newest FROM " +
				MetadataTable + " r WHERE " + liveDivision + " GROUP BY r.division_code, r.gender_code) l" +
				" ON l.division_code = r.division_code AND l.gender_code = r.gender_code AND l.newest = r.calculated_at",
			fixed: liveDivision, order: "r.division_code, r.gender_code, r.metadata_id",
			columns: metadata.columns,
		}),
	},
	{
		Path:  "/metadata/latest/date",
		Reads: []string{MetadataTable}, Lane: ByKey,
		Answer:   latestDate,
		NotFound: "No calculation metadata found",
	},
	{
		Path:  "/metadata/summary/processing",
		Reads: []string{MetadataTable}, Lane: ByKey,
		Answer: summary,
	},
	{
		Path:   "/metadata/{metadata_id}",
		Params: []param.Param{handle("metadata_id", "r.metadata_id = ?")},
		Reads:  []string{MetadataTable}, Lane: ByKey,
		Answer:   single(metadata),
		NotFound: "Metadata record {metadata_id} not found",
	},
}

var metadata = selection{
	from: MetadataTable + " r", order: "r.calculated_at DESC, r.metadata_id",
	columns: cols(
		fields(integer, "metadata_id"), calculation, fields(datetime, "calculated_at"), fields(text, "algorithm_version"),
		fields(integer, "total_performances", "total_athletes", "total_teams", "total_races"),
		fields(float, "processing_time_seconds"), fields(boolean, "cache_used"), fields(float, "cache_hit_rate"),
		fields(integer, "athletes_with_h2h", "athletes_no_h2h", "heavy_fallback_count"),
		fields(text, "calculation_status", "error_message")),
}

// latestDate answers with the time of the newest calculation.
func latestDate(r *Read) error {
	found, err := r.one("SELECT r.calculated_at FROM "+MetadataTable+" r WHERE "+liveDivision+
		" ORDER BY r.calculated_at DESC LIMIT 1", nil, func(row []driver.Value) {
		r.object(struct {
			CalculatedAt jsontext.Raw `json:"calculated_at"`
		}{datetime.Of(row[0])})
	})
	if err == nil && !found {
		return r.missing()
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
func summary(r *Read) error {
	_, err := r.one("SELECT COUNT(*), SUM(r.total_athletes), SUM(r.total_teams),"+
		" AVG(r.processing_time_seconds), AVG(r.cache_hit_rate), MIN(r.calculated_at), MAX(r.calculated_at)"+
		" FROM "+MetadataTable+" r WHERE "+liveDivision, nil, func(row []driver.Value) {
		r.object(processing{
			Calculations: jsontext.AsInt(row[0]), Athletes: integer.Of(row[1]), Teams: integer.Of(row[2]),
			AverageTime: float.Of(row[3]), HitRate: float.Of(row[4]),
			First: datetime.Of(row[5]), Latest: datetime.Of(row[6]),
		})
	})
	return err
}
