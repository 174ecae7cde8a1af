package dberror_test

import (
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
)

// The server's error number decides how a read goes on; its message is for people.
func ExampleClassOf() {
	for _, number := range []uint16{1045, 1040, 2013, 1317} {
		err := dberror.Wrap("read teams", &mysql.MySQLError{Number: number, Message: "as the server says"})
		fmt.Println(number, dberror.ClassOf(err), errors.Is(err, dberror.ErrSetup), dberror.ClassOf(err).RetryAfter())
	}
	// Output:
	// 1045 set-up true 5s
	// 1040 down false 5s
	// 2013 down false 5s
	// 1317 this read false 5s
}
