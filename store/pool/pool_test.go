package pool

import (
	"testing"
	"time"
)

func TestOptionsDefaults(t *testing.T) {
	o := Options{}.withDefaults()
	if o.MaxConns != 8 || o.StatementTimeout != 10*time.Second {
		t.Errorf("got %d connections, %v", o.MaxConns, o.StatementTimeout)
	}
	o = Options{MaxConns: 3, StatementTimeout: time.Second}.withDefaults()
	if o.MaxConns != 3 || o.StatementTimeout != time.Second {
		t.Errorf("the default replaces a set value: %d connections, %v", o.MaxConns, o.StatementTimeout)
	}
	p, err := New(Options{Host: "127.0.0.1", Port: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if limit := p.Stats().Limit; limit != 8 {
		t.Errorf("the pool holds %d", limit)
	}
}
