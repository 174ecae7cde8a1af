package param_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/store/param"
)

func ExampleParam_Canonical() {
	limit := param.Param{Name: "limit", Kind: param.Int, Default: "100", Range: param.Range{Min: new(int64(1)), Max: new(int64(500))}}
	for _, text := range []string{"25", " 025.0", "1_00", "501", "ten"} {
		value, given, problem := limit.Canonical(nil, []byte(text))
		fmt.Printf("%q is %q, given %t, in range %t\n", text, value, given, problem == param.OK)
	}
	// Output:
	// "25" is "25", given true, in range true
	// " 025.0" is "25", given true, in range true
	// "1_00" is "100", given true, in range true
	// "501" is "501", given true, in range false
	// "ten" is "", given true, in range false
}

func ExampleDay() {
	for _, text := range []string{"2025-10-20", "20251020", "2025-02-30", "25-10-20"} {
		day, known := param.Day(text)
		fmt.Printf("%s is %q, known %t\n", text, day, known)
	}
	// Output:
	// 2025-10-20 is "2025-10-20", known true
	// 20251020 is "2025-10-20", known true
	// 2025-02-30 is "-", known true
	// 25-10-20 is "", known false
}
