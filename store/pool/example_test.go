package pool_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool"
)

// A pool opens no connection before the first read, and says why a read failed.
func ExamplePool_Ping() {
	p, err := pool.New(pool.Options{Socket: "/nowhere/mysqld.sock", Name: "web4", User: "reader", DialTimeout: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	err = p.Ping(context.Background())
	fmt.Println(errors.Is(err, dberror.ErrUnavailable), p.Stats().Open)
	// Output: true 0
}
