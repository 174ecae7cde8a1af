package main

import (
	"context"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rows/ahead"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rows/alone"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rows/answers"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rows/beside"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rows/fleet"
)

// chapters are the measurements in the order of the table. A new row is a function in
// a package below internal/rows, and a line here.
var chapters = []struct {
	name string
	rows measures
}{
	{"hits", measures{beside.Hits}},
	{"304", measures{beside.NotModified}},
	{"cold", measures{alone.Cold, alone.Encoding}},
	{"pages", measures{alone.Pages, answers.Snapshots}},
	{"bytes", measures{answers.Bytes}},
	{"warm", measures{alone.Warm}},
	{"memory", measures{alone.StandardMemory, alone.RoomyMemory}},
	{"day", measures{alone.Day}},
	{"herd", measures{alone.Herd}},
	{"flat", measures{beside.FlatInEntries, beside.FlatInConnections, alone.LinearInRows}},
	{"imports", measures{alone.Imports}},
	{"season", measures{ahead.Season}},
	{"visitors", measures{ahead.Visitors}},
	{"attack", measures{alone.Attack, alone.Plain, alone.Recoding, alone.Bombs}},
	{"held", measures{alone.Held}},
	{"fleet", measures{fleet.Herd, fleet.Join, fleet.Cost, fleet.Spread, fleet.Hits}},
	{"calibrate", measures{fleet.Calibrate}},
}

// measures are functions that measure rows and add them to the report of a lab.
type measures = []func(context.Context, *lab.Lab) error
