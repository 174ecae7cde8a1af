package level

import "testing"

func TestParse(t *testing.T) {
	before, err := Parse("# Stats\r\ntotal_net_input_bytes:100\r\ntotal_net_output_bytes:50\r\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := Parse("# Stats\r\ntotal_net_input_bytes:1100\r\ntotal_net_output_bytes:80\r\ntotal_net_repl_input_bytes:7\r\n# Commandstats\r\n" +
		"cmdstat_evalsha:calls=12,usec=345,usec_per_call=3.0,rejected_calls=0,failed_calls=1\r\ncmdstat_getrange:calls=3,usec=4\r\ncmdstat_get:calls=9,usec=4\r\ncmdstat_config|set:calls=1,usec=4\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if d := after.Minus(before); d.In != 1000 || d.Out != 30 || d.Calls["get"] != 9 || d.Requests() != 15 {
		t.Errorf("%+v", d)
	}
	if c, err := Parse("cmdstat_get:calls=x,usec=4"); err == nil {
		t.Errorf("%+v", c)
	}
}
