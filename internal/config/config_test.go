package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseGood(t *testing.T) {
	t.Setenv("MAIL_PASSWORD", "s3cret")
	c, err := Parse("redalert.yaml", []byte(`
server: {listen: "127.0.0.1:0", public_url: https://alerts.example.com, trusted_proxies: [10.0.0.0/8]}
business: {name: Riverside, timezone: Europe/Berlin, currency: EUR, rates: {USD: "0.92"}}
alerting: {open_cases_for: 7d}
imap:
  - {name: care, host: imap.example.com, user: care@example.com, password: "${MAIL_PASSWORD}"}
reviews:
  - {name: reviews, url: https://example.com/reviews}
network: {allow_private: [127.0.0.0/8]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.IMAP[0]; got.Port != 993 || got.TLS != "tls" || got.Mailbox != "INBOX" || got.Password.Reveal() != "s3cret" {
		t.Errorf("imap defaults: %+v", got)
	}
	if time.Duration(c.Alerting.OpenCasesFor) != 7*24*time.Hour || c.Reviews[0].Kind != "jsonld" {
		t.Errorf("durations and kinds: %+v", c)
	}
	if s := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(s, "s3cret") {
		t.Error("a printed config shows the password")
	}
}

func TestParseBad(t *testing.T) {
	for _, tc := range []struct{ name, yaml, want string }{
		{"unknown key", "server:\n  lissten: x\n", `c.yaml:2: unknown key "lissten"; did you mean "listen"?`},
		{"unknown top key", "bussiness: {}\n", `c.yaml:1: unknown key "bussiness"; did you mean "business"?`},
		{"far key", "zzzzzzzzzzzz: 1\n", `c.yaml:1: unknown key "zzzzzzzzzzzz"`},
		{"syntax", "server: [\n", "c.yaml:1:"},
		{"type", "imap: 3\n", "c.yaml:1:"},
		{"zone", "\nbusiness:\n  timezone: Europe/Nowhere\n", `c.yaml:3: business.timezone: "Europe/Nowhere" is not an IANA time zone`},
		{"currency", "business: {currency: euro}\n", "business.currency"},
		{"rate", "business: {rates: {USD: \"x\"}}\n", "business.rates"},
		{"duration", "alerting: {open_cases_for: soon}\n", `"soon" is not a duration such as 14d`},
		{"tls", "imap:\n  - {name: a, host: h, user: u, password: p, tls: yes please}\n", "c.yaml:2: imap[0].tls"},
		{"env", "imap: [{name: a, host: h, user: u, password: \"${NOT_SET_ANYWHERE}\"}]\n", "NOT_SET_ANYWHERE is not set"},
		{"twice", "reviews: [{name: a, url: https://x.example}, {name: a, url: https://y.example}]\n", `the name "a" is used by reviews[0].name already`},
		{"source", "sources: [{name: shop, kind: webhook}]\n", "webhook_secret_file is missing"},
		{"public url", "server: {public_url: alerts.example.com}\n", "server.public_url"},
		{"tracing", "tracing: {endpoint: \"collector:4318\"}\n", "c.yaml:1: tracing.endpoint"},
		{"sample", "tracing: {sample: 7}\n", "tracing.sample"},
		{"one server of three", "kafka: {brokers: [\"a:9092\"]}\n", "c.yaml:1: kafka: the three servers come together or not at all; clickhouse and postgres missing"},
		{"broker", "kafka: {brokers: [a]}\n", `kafka.brokers: "a" is not host:port`},
		{"no broker", "kafka: {prefix: x}\n", "kafka.brokers: name at least one"},
		{"sasl", "kafka: {brokers: [\"a:1\"], sasl: {mechanism: gssapi, user: u, password: p}}\n", "kafka.sasl.mechanism"},
		{"sasl without password", "kafka: {brokers: [\"a:1\"], sasl: {mechanism: plain, user: u}}\n", "user and password"},
		{"starttls to a broker", "kafka: {brokers: [\"a:1\"], tls: starttls}\n", "kafka.tls"},
		{"retention", "kafka: {brokers: [\"a:1\"], retention: 90d}\n", "at most 30d"},
		{"clickhouse", "clickhouse: {addr: ch}\n", "clickhouse.addr"},
		{"database", "clickhouse: {addr: \"ch:9000\", database: \"a; DROP\"}\n", "clickhouse.database"},
		{"ca without tls", "clickhouse: {addr: \"ch:9000\", ca_file: x}\n", "clickhouse.ca_file"},
		{"postgres", "postgres: {url: \"mysql://u:hunter2@h/d\"}\n", "postgres.url: it is not of the form"},
		{"postgres empty", "postgres: {}\n", "url_file (or url) is missing"},
		{"smtp", "smtp: {host: h, from: nobody}\n", "smtp.from"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("c.yaml", []byte(tc.yaml))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want …%s…", err, tc.want)
			}
		})
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	body := "smtp: {host: h, from: a@example.com, user: u, password_file: pw}\n"
	c, err := Parse(filepath.Join(dir, "c.yaml"), []byte(body))
	if err != nil || c.SMTP.Password.Reveal() != "from-file" {
		t.Fatalf("password %q, err %v", c.SMTP.Password.Reveal(), err)
	}
	if _, err := Parse(filepath.Join(dir, "c.yaml"), []byte(strings.Replace(body, "pw", "gone", 1))); err == nil || !strings.Contains(err.Error(), "smtp.password_file") {
		t.Errorf("a missing secret file: %v", err)
	}
}

func TestServersTogether(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pg"), []byte("postgres://u:hunter2@pg:5432/redalert\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	body := "kafka: {brokers: [\"k:9092\"], tls: tls, ca_file: ca.pem, sasl: {mechanism: SCRAM-SHA-512, user: u, password: hunter2}}\n" +
		"clickhouse: {addr: \"ch:9000\", password: hunter2}\npostgres: {url_file: pg}\n"
	c, err := Parse(filepath.Join(dir, "c.yaml"), []byte(body))
	if err != nil || !c.Scaled() {
		t.Fatalf("scaled %v, %v", c.Scaled(), err)
	}
	if c.Kafka.Partitions != 6 || c.Kafka.Replication != 1 || c.Kafka.Retention.String() != "30d" || c.Kafka.SASL.Mechanism != "scram-sha-512" || c.Kafka.CAFile != filepath.Join(dir, "ca.pem") {
		t.Errorf("kafka: %+v", c.Kafka)
	}
	if c.ClickHouse.Database != "redalert" || c.ClickHouse.User != "default" || c.ClickHouse.TLS != "none" {
		t.Errorf("clickhouse: %+v", c.ClickHouse)
	}
	if c.Postgres.URL.Reveal() != "postgres://u:hunter2@pg:5432/redalert" {
		t.Error("url_file was not read")
	}
	for _, bad := range []string{strings.Replace(body, "postgres: {url_file: pg}", "postgres: {url_file: pg, url: \"mysql://hunter2\"}", 1),
		strings.Replace(body, "url_file: pg", "url: \"mysql://u:hunter2@h/d\"", 1)} {
		if _, err := Parse(filepath.Join(dir, "c.yaml"), []byte(bad)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a wrong postgres section: %v", err)
		}
	}
}

func TestDurationText(t *testing.T) {
	for in, want := range map[string]time.Duration{"14d": 336 * time.Hour, "1d12h": 36 * time.Hour, "90s": 90 * time.Second, "1h": time.Hour} {
		if d, err := ParseDuration(in); err != nil || time.Duration(d) != want {
			t.Errorf("%s = %v, %v", in, d, err)
		}
	}
	for _, in := range []string{"", "d", "-1d", "3", "1x", "-4h"} {
		if d, err := ParseDuration(in); err == nil {
			t.Errorf("%q read as %v", in, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("server: {listen: a}")
	f.Add("imap: [{name: a}]")
	f.Fuzz(func(t *testing.T, s string) { _, _ = Parse("c.yaml", []byte(s)) })
}

func TestExampleFileIsValid(t *testing.T) {
	if _, err := Load(filepath.Join("..", "..", "redalert.example.yaml")); err != nil {
		t.Fatal(err)
	}
}

func TestRateWithoutQuotes(t *testing.T) {
	c, err := Parse("c.yaml", []byte("business: {rates: {USD: 0.92}}\n"))
	if err != nil || c.Business.Rates["USD"] != "0.92" {
		t.Fatalf("%v, %v", c.Business.Rates, err)
	}
}
