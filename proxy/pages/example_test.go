package pages_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/store"
)

func ExampleLists() {
	for _, target := range pages.Lists(store.Scope{Season: "2025", Division: "2030", Gender: "M"}) {
		fmt.Println(target)
	}
	// Output:
	// /athletes/?season_year=2025&division=2030&gender=M&limit=50000
	// /teams/?season_year=2025&division=2030&gender=M&limit=50000
	// /team-knockout/?season_year=2025&rank_group_fk=2030&gender_code=M&limit=500
}
