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
