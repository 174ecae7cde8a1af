package store

import (
	"github.com/lewistv/xcri-proxy/store/readapi"
)

const (
	athleteTable   = readapi.AthleteTable
	teamTable      = readapi.TeamTable
	metadataTable  = readapi.MetadataTable
	componentTable = readapi.ComponentTable
	knockoutTable  = readapi.KnockoutTable
	matchupTable   = readapi.MatchupTable
)

// shallow is the limit of package readapi: how deep in a list a page may end to be
// cut out before the join.
const shallow = 1000
