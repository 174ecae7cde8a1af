package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"time"
)

// limiter is a connector whose connections carry a time limit on the server's
// side: a client that gives up does not stop a query there.
// Source: go-sql-driver/mysql, which closes the socket of a cancelled query.
type limiter struct {
	driver.Connector
	limit time.Duration
}

// Connect opens a connection and sets up its session. MariaDB and MySQL name
// the limit differently, and each refuses the other's name, so the server is
// asked what it is.
func (l *limiter) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := l.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.setUp(ctx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (l *limiter) setUp(ctx context.Context, conn driver.Conn) error {
	version, err := version(ctx, conn)
	if err != nil {
		return err
	}
	limit := fmt.Sprintf("SET SESSION max_execution_time = %d", l.limit.Milliseconds())
	if strings.Contains(version, "MariaDB") {
		limit = fmt.Sprintf("SET SESSION max_statement_time = %f", l.limit.Seconds())
	}
	for _, q := range []string{limit, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"} {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, q, nil); err != nil {
			return err
		}
	}
	return nil
}

func version(ctx context.Context, conn driver.Conn) (string, error) {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, "SELECT VERSION()", nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil && err != io.EOF {
		return "", err
	}
	return fmt.Sprintf("%s", row[0]), nil
}
