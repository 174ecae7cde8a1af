package param_test

import (
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

var plainInt = regexp.MustCompile(`^-?[0-9]+$`)

func FuzzCanonical(f *testing.F) {
	var params []*param.Param
	for _, e := range readapi.Endpoints() {
		for i := range e.Params {
			params = append(params, &e.Params[i])
		}
	}
	for i, raw := range []string{"10.0", " 1 ", "+5", "0__1", "-0", "1_0.0", "m", "SAGA", "2025-10-20", "20251020", "", "ñ",
		strings.Repeat("9", 4301), "2025-1-5", "\xff", "-", "٣"} {
		f.Add(uint16(i), []byte(raw))
	}
	f.Fuzz(func(t *testing.T, which uint16, raw []byte) {
		p := params[int(which)%len(params)]
		before := string(raw)
		out, given, problem := p.Canonical([]byte("x"), raw)
		if string(raw) != before || len(out) == 0 || out[0] != 'x' {
			t.Fatalf("%s: %q became %q, output %q", p.Name, before, raw, out)
		}
		text := out[1:]
		if !given && len(text) > 0 {
			t.Fatalf("%s: %q is not given but %q", p.Name, raw, text)
		}
		if problem != param.OK || !given {
			return
		}
		again, given, problem := p.Canonical(nil, text)
		if string(again) != string(text) || !given || problem != param.OK {
			t.Fatalf("%s: %q becomes %q and that %q %v, problem %d", p.Name, raw, text, again, given, problem)
		}
		if p.Kind == param.Int {
			sameInt(t, p, string(raw), string(text))
		}
		p.Bind(string(text)) // must not panic
	})
}

// sameInt demands that other spellings of a number have the same canonical
// form.
func sameInt(t *testing.T, p *param.Param, raw, text string) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.String() != text {
		t.Fatalf("%s: %q becomes %q", p.Name, raw, text)
	}
	if plainInt.MatchString(raw) {
		if want, _ := new(big.Int).SetString(raw, 10); want.Cmp(n) != 0 {
			t.Fatalf("%s: %q becomes %q", p.Name, raw, text)
		}
	}
	sign, digits := "", text
	if n.Sign() < 0 {
		sign, digits = "-", text[1:]
	}
	for _, spelling := range []string{" " + text + "\t", text + ".0", sign + "0" + digits, sign + "0_0" + digits, sign + "00" + digits + ".000 "} {
		out, given, problem := p.Canonical(nil, []byte(spelling))
		if string(out) != text || !given || problem != param.OK {
			t.Fatalf("%s: %q becomes %q %v, problem %d, but %q becomes %q", p.Name, spelling, out, given, problem, raw, text)
		}
	}
}
