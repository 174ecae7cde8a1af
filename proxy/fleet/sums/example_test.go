package sums

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/store"
)

// Two members need the sums of a table: it is read once.
func Example() {
	d, level := &database{rows: map[store.Scope]store.Rows{men: {Count: 3, Sum: "a"}}}, shelf{}
	for range 2 {
		rows, _ := Share(d, nil, level).ScopeRows(context.Background(), "a table")
		fmt.Println(rows[men].Count, "rows after reads of the database:", d.reads)
	}
	// Output:
	// 3 rows after reads of the database: 1
	// 3 rows after reads of the database: 1
}
