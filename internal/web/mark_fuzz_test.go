package web

import "testing"

// FuzzReadMark: whatever is sent is yes, no, nothing, or refused.
func FuzzReadMark(f *testing.F) {
	for _, s := range []string{`{"red":true}`, `{"red":null}`, `{"red":1}`, `null`, `[]`, "{\"red\":true,\"red\":false}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if said, err := readMark(raw); err == nil && said != "" && said != "yes" && said != "no" {
			t.Errorf("%q reads as %q", raw, said)
		}
	})
}
