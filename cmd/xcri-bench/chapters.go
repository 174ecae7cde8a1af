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
var chapters = []chapter{
	{"hits", measures{beside.Hits}, seconds},
	{"304", measures{beside.NotModified}, seconds},
	{"cold", measures{alone.Cold, alone.Encoding}, seconds},
	{"pages", measures{alone.Pages, answers.Snapshots}, seconds},
	{"bytes", measures{answers.Bytes}, seconds},
	{"warm", measures{alone.Warm}, seconds},
	{"memory", measures{alone.StandardMemory, alone.RoomyMemory}, minutes},
	{"day", measures{alone.Day}, minutes},
	{"herd", measures{alone.Herd}, seconds},
	{"flat", measures{beside.FlatInEntries, beside.FlatInConnections, alone.LinearInRows}, minutes},
	{"imports", measures{alone.Imports}, seconds},
	{"season", measures{ahead.Season}, minutes},
	{"visitors", measures{ahead.Visitors}, minutes},
	{"attack", measures{alone.Attack, alone.Plain, alone.Recoding, alone.Bombs}, minutes},
	{"held", measures{alone.Held}, minutes},
	{"fleet", measures{fleet.Herd, fleet.Join, fleet.Cost, fleet.Spread, fleet.Hits}, minutes},
	{"calibrate", measures{fleet.Calibrate}, minutes},
}

// chapter is a group of measurements.
type chapter struct {
	name  string
	rows  measures
	takes length
}

// length is the time that a chapter takes with -short, roughly.
type length string

// Without -only, -short leaves chapters of minutes to the long run.
const (
	seconds length = "seconds"
	minutes length = "minutes"
)

// measures are functions that measure rows and add them to the report of a lab.
type measures = []func(context.Context, *lab.Lab) error
