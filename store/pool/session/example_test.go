package session_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/pool/session"
)

// A MariaDB server refuses the variable of MySQL; its own variable is set.
func Example() {
	s := session.New(10 * time.Second)
	exec := func(_ context.Context, statement string) error {
		if strings.Contains(statement, session.MaxExecutionTime) {
			return &mysql.MySQLError{Number: 1193, Message: "Unknown system variable"}
		}
		if strings.HasPrefix(statement, "SET SESSION "+session.MaxStatementTime) {
			fmt.Println(statement)
		}
		return nil
	}
	fmt.Println(s.SetUp(context.Background(), exec), s.Missing())
	fmt.Println(s.Limit(context.Background(), exec, time.Second))
	// Output:
	// SET SESSION max_statement_time = 10.000000
	// <nil> <nil>
	// SET SESSION max_statement_time = 1.000000
	// <nil>
}
