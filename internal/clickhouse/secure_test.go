package clickhouse

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"redalert/internal/memstore"
	"redalert/internal/servertest"
	"redalert/internal/storetest"
)

func trust(t *testing.T, pem []byte) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1"}
}

// TestHistory_OverTLSWithAnAccount: all that history must do, over TLS and as a
// user with a password.
func TestHistory_OverTLSWithAnAccount(t *testing.T) {
	server, addr, ca := servertest.GuardedClickHouse(t)
	storetest.History(t, func(t *testing.T) storetest.Pipeline {
		s := memstore.New()
		c := databaseAs(t, server, servertest.ClickHouseUser, servertest.ClickHousePassword)
		c.Addr, c.TLS, c.Aliases = addr, trust(t, ca), s
		return pipelineOf(connect(t, c), s)
	})
}

// TestCheckSaysWhatIsWrong: doctor's words, and no password in any of them.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	server, addr, ca := servertest.GuardedClickHouse(t)
	good := databaseAs(t, server, servertest.ClickHouseUser, servertest.ClickHousePassword)
	connect(t, good)
	good.Addr, good.TLS = addr, trust(t, ca)
	other, _, stranger := servertest.GuardedClickHouse(t)
	bare := databaseAs(t, other, servertest.ClickHouseUser, servertest.ClickHousePassword)
	created(t, bare)
	for name, k := range map[string]struct {
		change func(*Config)
		want   string // "" = all is well
	}{
		"TLS and account":     {func(*Config) {}, ""},
		"account, no TLS":     {func(c *Config) { c.Addr, c.TLS = server.Addr, nil }, ""},
		"wrong password":      {func(c *Config) { c.Password = "wrong-secret" }, "the user name or password is wrong"},
		"no account":          {func(c *Config) { c.User, c.Password = "", "" }, "the user name or password is wrong"},
		"unknown authority":   {func(c *Config) { c.TLS = trust(t, stranger) }, "signed by an authority unknown here"},
		"other name":          {func(c *Config) { c.TLS.ServerName = "clickhouse.example" }, "is for another host name"},
		"no TLS":              {func(c *Config) { c.TLS = nil }, "does it want TLS?"},
		"TLS on a plain port": {func(c *Config) { c.Addr = server.Addr }, "port for native TLS"},
		"nobody there":        {func(c *Config) { c.Addr = "127.0.0.1:1" }, "is the server running?"},
		"no such host":        {func(c *Config) { c.Addr = "clickhouse.invalid:9440" }, "host name is not known"},
		"no such database":    {func(c *Config) { c.Database = "nowhere" }, "there is no database nowhere; run redalert migrate"},
		"no history":          {func(c *Config) { *c = bare }, "has no history yet; run redalert migrate"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			c.TLS = good.TLS.Clone()
			k.change(&c)
			d, err := Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			_, err = d.Check(t.Context())
			switch {
			case k.want == "" && err != nil:
				t.Errorf("%v; nothing is wrong", err)
			case k.want != "" && (err == nil || !strings.Contains(err.Error(), k.want)):
				t.Errorf("%v, want %q", err, k.want)
			case err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), servertest.ClickHousePassword)):
				t.Errorf("the password is in %q", err)
			}
		})
	}
}
