package ingest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
)

func canonicalOf(t testing.TB, raw []byte) ([]byte, error) {
	t.Helper()
	n, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	w := writer{canonical: true}
	w.node(n)
	return w.b, nil
}

var jsonSeeds = []string{
	`{}`, `[]`, `{"b":1,"a":[true,false,null]}`, `{"a":1.50,"b":1e3,"c":-0,"d":-0.0,"e":1e-7,"f":123456789012345678}`,
	`{"\u00e9":"\ud83d\ude00","z":"\"\\\/\b\f\n\r\t\u0001\u007f"}`, `{"😀":1,"":2,"￿":3,"a":4}`,
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\ud83d"`, `"\ude00\ud83d"`, `1e400`, `01`, `1.`, `-`, `[1,]`, `{"a":}`, `{"a" 1}`,
	"\"a\x01\"", "\"\xff\"", `"\x"`, ` 1 `, `1 2`, `tru`, `nul`, ``, `[[[[[1]]]]]`, `{"a":{"b":{"c":[{"d":1}]}}}`, `9007199254740993`,
	`"\u2028<>&"`, `[0.1,1E+2,333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]`,
}

func TestCanonicalFormAgreesWithTheLibrary(t *testing.T) {
	for _, s := range jsonSeeds {
		sameAsLibrary(t, []byte(s))
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { sameAsLibrary(t, raw) })
}

func sameAsLibrary(t *testing.T, raw []byte) {
	t.Helper()
	got, err := canonicalOf(t, raw)
	want, werr := jcs.Transform(raw)
	if err == nil && werr == nil && !bytes.Equal(got, want) {
		t.Fatalf("%q: canonical %q, the library says %q", raw, got, want)
	}
	if err == nil && !json.Valid(raw) {
		t.Fatalf("%q was read although encoding/json refuses it", raw)
	}
	if err != nil && werr == nil && json.Valid(raw) && !strings.Contains(err.Error(), "deeper") {
		t.Fatalf("%q refused: %v", raw, err)
	}
	if err == nil && werr != nil {
		t.Fatalf("%q was read although the library refuses it: %v", raw, werr)
	}
}

func TestPublishedNumbersKeepTheirDigits(t *testing.T) {
	n, err := parseJSON([]byte(`{"id":12345678901234567890,"x":1.50}`))
	if err != nil {
		t.Fatal(err)
	}
	w := writer{}
	w.node(n)
	if got := string(w.b); got != `{"id":12345678901234567890,"x":1.50}` {
		t.Fatal(got)
	}
}

func TestDepthCap(t *testing.T) {
	nest := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := parseJSON(nest(MaxJSONDepth)); err != nil {
		t.Fatal(err)
	}
	if _, err := parseJSON(nest(MaxJSONDepth + 1)); err == nil {
		t.Fatal("65 levels were read")
	}
}

func TestCompareUTF16(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"a", "b", -1}, {"a", "ab", -1}, {"", "a", -1}, {"\U0001F600", "\uE000", -1}, {"\uD7FF", "\U0001F600", -1}, {"é", "\uFFFF", -1}, {"\U0001F600", "\U0001F601", -1}, {"x", "x", 0}} {
		if got := compareUTF16(c.a, c.b); (got < 0) != (c.want < 0) || (got == 0) != (c.want == 0) {
			t.Errorf("%q against %q: %d", c.a, c.b, got)
		}
		if got := compareUTF16(c.b, c.a); (got > 0) != (c.want < 0) {
			t.Errorf("%q against %q: %d", c.b, c.a, got)
		}
	}
}
