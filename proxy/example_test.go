package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/store"
)

// database stands for MySQL, which the proxy reads through package store.
type database struct{}

func (database) Run(context.Context, store.Query) (store.Answer, error) {
	return store.Answer{Status: 200, Body: []byte(`{"total":0,"results":[]}`)}, nil
}
func (database) Generation(context.Context) (*store.Generation, error) {
	return store.NewGeneration(), nil
}
func (database) ScopeRows(context.Context, string) (map[store.Scope]store.Rows, error) {
	return nil, nil
}
func (database) Ping(context.Context) error { return nil }
func (database) Stats() store.Stats         { return store.Stats{} }

func Example() {
	p, err := proxy.New(proxy.Options{Origin: database{}, BasePath: "/iz/xcri"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go p.Run(ctx)  // polls the database and fills the warm set
	go p.Serve(ln) // ends with Shutdown
	<-p.Polled()
	for range 2 {
		resp, err := http.Get("http://" + ln.Addr().String() + "/iz/xcri/api/teams/?limit=3")
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.Status, string(body), resp.Header.Get("Cache-Status"))
	}
	fmt.Println(p.Shutdown(ctx))
	// Output:
	// 200 OK {"total":0,"results":[]} xcri-proxy; fwd=miss; stored; detail=miss
	// 200 OK {"total":0,"results":[]} xcri-proxy; hit; detail=hit
	// <nil>
}
