package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/health"
)

func ExampleHealth_Serve() {
	h := health.New(health.Options{
		Ping:   func(context.Context) error { return errors.New("no route to host") },
		Down:   func() bool { return true },
		Paused: func() bool { return false },
		Ready:  func() bool { return false },
		Tables: func() ([]byte, error) { return []byte(`{"teams":12}`), nil },
	})
	var ctx fasthttp.RequestCtx
	h.Serve(&ctx, health.Page)
	var answer struct{ Status string }
	_ = json.Unmarshal(ctx.Response.Body(), &answer)
	fmt.Println(ctx.Response.StatusCode(), answer.Status)
	// Output:
	// 200 unhealthy
}
