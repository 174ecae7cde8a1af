package scope_test

import (
	"os"
	"testing"

	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

var (
	options, open  = stores.Options, stores.Open
	emptyTables    = stores.Tables
	sampleDatabase = stores.Changeable
)
