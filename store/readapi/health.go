package readapi

import "github.com/lewistv/xcri-proxy/store/query"

var healthEndpoints = []*query.Endpoint{
	{
		// The proxy adds the other members of its answer.
		Path: "/health", Own: true,
		Reads: []string{AthleteTable, TeamTable, ComponentTable, MetadataTable}, Lane: query.WholeList,
		Answer: func(r *query.Read) error {
			var counts struct {
				Athletes   int64 `json:"iz_rankings_xcri_athlete_rankings"`
				Teams      int64 `json:"iz_rankings_xcri_team_rankings"`
				Components int64 `json:"iz_rankings_xcri_scs_components"`
				Metadata   int64 `json:"iz_rankings_xcri_calculation_metadata"`
			}
			for table, n := range map[string]*int64{
				AthleteTable: &counts.Athletes, TeamTable: &counts.Teams, ComponentTable: &counts.Components, MetadataTable: &counts.Metadata,
			} {
				var err error
				if *n, err = r.RowsOf(table); err != nil {
					return err
				}
			}
			r.Object(counts)
			return nil
		},
	},
}
