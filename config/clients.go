package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ClientLimits limits the requests of one client address that wait for loads at a time,
// and the different answers that they wait for, by the cost of an answer. Zero means no
// limit.
type ClientLimits struct {
	Requests int
	Quick    int // rows found by an index
	Heavy    int // whole lists
	Costly   int // searches, and pages deep down a list
}

// defaultClientLimits let 200 visitors behind one address open different pages.
var defaultClientLimits = ClientLimits{Requests: 2000, Quick: 512, Heavy: 64, Costly: 16}

var errClientLimits = errors.New("must be off, or pairs like costly=16, with requests, quick, heavy or costly, comma separated")

// mostOfAClient is the largest limit.
const mostOfAClient = 1_000_000

// names returns the limits with their names, in the order in which they are written.
func (l *ClientLimits) names() []struct {
	name  string
	limit *int
} {
	return []struct {
		name  string
		limit *int
	}{{"requests", &l.Requests}, {"quick", &l.Quick}, {"heavy", &l.Heavy}, {"costly", &l.Costly}}
}

// String writes the limits in the form that the setting has.
func (l ClientLimits) String() string {
	if l == (ClientLimits{}) {
		return "off"
	}
	var pairs []string
	for _, n := range l.names() {
		pairs = append(pairs, n.name+"="+strconv.Itoa(*n.limit))
	}
	return strings.Join(pairs, ",")
}

// parseClientLimits reads name=number pairs, or off. A limit that is not named keeps its
// default.
func parseClientLimits(text string) (ClientLimits, error) {
	if strings.EqualFold(text, "off") {
		return ClientLimits{}, nil
	}
	limits, named := defaultClientLimits, map[string]bool{}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		name, number, _ := strings.Cut(item, "=")
		known := false
		for _, n := range limits.names() {
			if n.name != name {
				continue
			}
			most, err := intBetween(0, mostOfAClient)(number)
			if err != nil {
				return limits, fmt.Errorf("must have a whole number from 0 to %d for %s", mostOfAClient, name)
			}
			*n.limit, known = most, true
		}
		switch {
		case !known:
			return limits, fmt.Errorf("%w; %s is not valid", errClientLimits, shown(item))
		case named[name]:
			return limits, fmt.Errorf("names %s twice", shown(name))
		}
		named[name] = true
	}
	if len(named) == 0 {
		return limits, errClientLimits
	}
	return limits, nil
}
