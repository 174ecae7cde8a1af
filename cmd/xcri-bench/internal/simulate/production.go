package simulate

import "time"

// Production returns the model of an import of all divisions on production's data. The
// README of fleetsim says which figures are measured.
func Production() Model {
	return Model{
		Changed: 46, Warm: 74, Value: 330_000,
		Fill: 150 * time.Millisecond, Cores: 2, Encode: 80 * time.Millisecond, Recode: 200 * time.Millisecond,
		Generation: 3000, Wanted: 400, Tables: 10,
		Server: Server{
			Request: 11500 * time.Nanosecond, PerKB: 1700 * time.Nanosecond, Message: 2300 * time.Nanosecond,
			Network: 125e6, Latency: 200 * time.Microsecond,
		},
	}
}
