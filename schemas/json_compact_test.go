package schemas

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzCompactJSON: what is called compact is JSON that encoding/json writes
// unchanged.
func FuzzCompactJSON(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a":[1,-0.5e+7,true,false,null,"é\u00e9\n"]}`, `{"a":1,}`, `[1,]`, `01`, `-`, `1.`, `1e`, `"\u12"`, `"\x"`,
		`{"a" :1}`, `"<"`, `" "`, "\"\u2028\"", "\"\xe2\x80\"", "\"\xff\"", "\"\n\"", `tru`, `nulll`, `{"a":1}{}`, `"`, `"\`, ``, `{1:2}`, `[[[[]]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, err := json.Marshal(json.RawMessage(data))
		same := err == nil && bytes.Equal(want, data)
		if got := compactJSON(data); got && !same {
			t.Fatalf("%q is called compact", data)
		} else if same && !got && bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) < maxNesting {
			t.Fatalf("%q is not called compact", data)
		}
	})
}
