package fill_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// Two requests for one key share a load.
func Example() {
	fills := fill.New(fill.Options{
		Timeout: 20 * time.Second, Slots: 4, Outage: outage.New(nil), Logger: slog.New(slog.DiscardHandler),
		Lane:           func(string) (turns.Lane, string) { return turns.Quick, "" },
		IsDown:         func(err error) bool { return errors.Is(err, outage.ErrDown) },
		FillsWhileDown: func(string) bool { return false },
	})
	defer fills.Close()
	both := make(chan struct{})
	load := func(parent context.Context) (answer any, err error) {
		_, err = fills.Run(parent, fill.Beginner{}, "/teams", func(context.Context) error {
			<-both
			answer = "the teams"
			return nil
		})
		return answer, err
	}
	first, leave := fills.Join("/teams", "/teams of today", load)
	defer leave()
	second, leave := fills.Join("/teams", "/teams of today", load)
	defer leave()
	close(both)
	fmt.Println((<-first).Val, (<-second).Val, fills.Stats().Fills)
	// Output: the teams the teams 1
}
