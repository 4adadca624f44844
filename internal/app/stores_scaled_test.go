package app

import "testing"

// TestServerTLS_Name: the certificate is checked for the host of the address,
// however that is written.
func TestServerTLS_Name(t *testing.T) {
	for addr, want := range map[string]string{
		"clickhouse:9440":     "clickhouse",
		"ch.example.com:9440": "ch.example.com",
		"127.0.0.1:9440":      "127.0.0.1",
		"[::1]:9440":          "::1",
		"[2001:db8::7]:9440":  "2001:db8::7",
		"":                    "",
	} {
		c, err := serverTLS("tls", "", addr)
		if err != nil || c.ServerName != want {
			t.Errorf("%q: name %q, %v; want %q", addr, c.ServerName, err, want)
		}
	}
	if c, err := serverTLS("none", "", "clickhouse:9000"); c != nil || err != nil {
		t.Errorf("none: %v, %v", c, err)
	}
}
