package survey_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/store/survey"
)

func ExampleSurvey_Beyond() {
	s := survey.Survey{Version: "10.11.14-MariaDB", Rights: map[string][]string{"`web4`.*": {"SELECT", "INSERT"}}}
	fmt.Println(s.IsMariaDB(), s.Beyond())
	// Output:
	// true [INSERT]
}
