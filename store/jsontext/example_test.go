package jsontext_test

import (
	"database/sql/driver"
	"fmt"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

func ExampleEncoder() {
	athletes := jsontext.NewEncoder([]jsontext.Field{
		{Name: "athlete_rank", Kind: jsontext.Integer},
		{Name: "athlete_name_last", Kind: jsontext.Text},
		{Name: "xcri_score", Kind: jsontext.Float},
		{Name: "calculated_at", Kind: jsontext.DateTime},
		{Name: "regl_group_name", Kind: jsontext.Null}, // takes no value of the row
	})
	row := []driver.Value{int64(1), []byte(`O"Brien & Söhne`), []byte("999.0000"), []byte("2025-10-26 22:25:00")}
	text, err := athletes.AppendRow(nil, row)
	fmt.Println(string(text), err)
	// Output: {"athlete_rank":1,"athlete_name_last":"O\"Brien & Söhne","xcri_score":999.0,"calculated_at":"2025-10-26T22:25:00","regl_group_name":null} <nil>
}

func ExampleAppendFloat() {
	for _, f := range []float64{999, 544.518, 0.0001, 0.00005, 1e16} {
		fmt.Println(string(jsontext.AppendFloat(nil, f)))
	}
	// Output:
	// 999.0
	// 544.518
	// 0.0001
	// 5e-05
	// 1e+16
}
