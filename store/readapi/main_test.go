package readapi_test

import (
	"database/sql/driver"
	"errors"
	"os"
	"testing"

	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

type (
	texts  = scratch.Texts
	object = map[string]any
)

var (
	options, open  = stores.Options, stores.Open
	emptyDatabase  = stores.Empty
	emptyTables    = stores.Tables
	sampleDatabase = stores.Changeable
)

var errFails = errors.New("the statement fails")

// failing is a database whose statements fail.
type failing struct{}

func (failing) Rows(string, []any, func([]driver.Value) error) error { return errFails }
