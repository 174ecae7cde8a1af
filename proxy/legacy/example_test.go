package legacy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/lewistv/xcri-proxy/proxy/legacy"
)

func ExampleClient_Fetch() {
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"asked":%q}`, r.RequestURI)
	}))
	defer old.Close()
	client, err := legacy.New(legacy.Options{URL: old.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	answer, err := client.Fetch(context.Background(), "/teams/?limit=3")
	fmt.Println(answer.Status, string(answer.Body), err)
	_, err = client.Fetch(context.Background(), "/../etc/passwd")
	fmt.Println(errors.Is(err, legacy.ErrTarget))
	// Output:
	// 200 {"asked":"/teams/?limit=3"} <nil>
	// true
}
