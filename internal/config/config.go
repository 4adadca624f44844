// Package config reads redalert.yaml: listen address, stores, mail servers,
// sources and secrets. What owners change in the page (users, locations,
// hours, holidays, digests) lives in the database instead; never both.
//
// Decoding is strict: an unknown key is an error that names its line and the
// nearest known key. Every secret may be given in place, as ${NAME} from the
// environment, or by a *_file key; it is never printed.
package config

import (
	"net/netip"
	"time"

	"redalert/schemas"
)

// Config is the whole file, defaults filled in and checked.
type Config struct {
	DataDir  string   `yaml:"data_dir"`
	Server   Server   `yaml:"server"`
	Business Business `yaml:"business"`
	Alerting Alerting `yaml:"alerting"`
	IMAP     []IMAP   `yaml:"imap"`
	SMTP     *SMTP    `yaml:"smtp"`
	Reviews  []Review `yaml:"reviews"`
	Sources  []Source `yaml:"sources"`
	Network  Network  `yaml:"network"`
	Log      Log      `yaml:"log"`
	Tracing  Tracing  `yaml:"tracing"`

	// The three servers of the scaled deployment: all of them or none. Without
	// them everything lives in the one file.
	Kafka      *Kafka      `yaml:"kafka"`
	ClickHouse *ClickHouse `yaml:"clickhouse"`
	Postgres   *Postgres   `yaml:"postgres"`

	// Path is where the file was read from; "" when there is none.
	Path string `yaml:"-"`
}

// Server is where the program listens and how it is reached.
type Server struct {
	Listen         string         `yaml:"listen"`          // host:port; port 0 picks a free one
	PublicURL      string         `yaml:"public_url"`      // as people reach it; links in mails start with it
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"` // whose X-Forwarded-For counts
	MetricsListen  string         `yaml:"metrics_listen"`  // an address of its own for /metrics; "" = the same
}

// Business is the one business served.
type Business struct {
	Name     string            `yaml:"name"`
	Timezone string            `yaml:"timezone"` // IANA
	Currency string            `yaml:"currency"` // ISO 4217
	Rates    map[string]string `yaml:"rates"`    // value of one unit of a currency in Currency
}

// Alerting tunes cases.
type Alerting struct {
	OpenCasesFor Duration `yaml:"open_cases_for"` // older red events open no case
	Unanswered   bool     `yaml:"unanswered"`     // mail that nobody answered in time is a red alert
}

// IMAP is one mailbox to collect.
type IMAP struct {
	Name         string `yaml:"name"`
	Host         string `yaml:"host"`
	Port         int    `yaml:"port"`
	TLS          string `yaml:"tls"` // none | starttls | tls
	User         string `yaml:"user"`
	Password     Secret `yaml:"password"`
	PasswordFile string `yaml:"password_file"`
	Mailbox      string `yaml:"mailbox"`
	SentMailbox  string `yaml:"sent_mailbox"` // "" = found by its special use
}

// SMTP is how mail leaves.
type SMTP struct {
	Host         string `yaml:"host"`
	Port         int    `yaml:"port"`
	TLS          string `yaml:"tls"`
	User         string `yaml:"user"`
	Password     Secret `yaml:"password"`
	PasswordFile string `yaml:"password_file"`
	From         string `yaml:"from"`
}

// Review is one review page or feed to watch.
type Review struct {
	Name  string   `yaml:"name"`
	URL   string   `yaml:"url"`
	Kind  string   `yaml:"kind"` // jsonld | feed
	Every Duration `yaml:"every"`
}

// Source is one signed webhook.
type Source struct {
	Name              string `yaml:"name"`
	Kind              string `yaml:"kind"` // webhook
	WebhookSecretFile string `yaml:"webhook_secret_file"`
}

// Network says which private addresses outgoing requests may reach.
type Network struct {
	AllowPrivate []netip.Prefix `yaml:"allow_private"`
}

// Kafka is the log of the scaled deployment.
type Kafka struct {
	Brokers     []string `yaml:"brokers"`     // host:port each; one reachable is enough to find the others
	Prefix      string   `yaml:"prefix"`      // of the topics: <prefix>feedback, <prefix>alerts
	TLS         string   `yaml:"tls"`         // none | tls
	CAFile      string   `yaml:"ca_file"`     // PEM; "" = the system's
	SASL        *SASL    `yaml:"sasl"`        // nil = no sign-in
	Partitions  int      `yaml:"partitions"`  // of topics that migrate creates
	Replication int      `yaml:"replication"` // of topics that migrate creates
	Retention   Duration `yaml:"retention"`   // how long the log is kept, at most 30d
}

// SASL is how the brokers know us.
type SASL struct {
	Mechanism    string `yaml:"mechanism"` // plain | scram-sha-256 | scram-sha-512
	User         string `yaml:"user"`
	Password     Secret `yaml:"password"`
	PasswordFile string `yaml:"password_file"`
}

// ClickHouse is the history of the scaled deployment.
type ClickHouse struct {
	Addr         string   `yaml:"addr"` // host:port of the native protocol
	Database     string   `yaml:"database"`
	User         string   `yaml:"user"`
	Password     Secret   `yaml:"password"`
	PasswordFile string   `yaml:"password_file"`
	TLS          string   `yaml:"tls"`     // none | tls
	CAFile       string   `yaml:"ca_file"` // PEM; "" = the system's
	TTL          Duration `yaml:"ttl"`     // how long events and orders are kept; 0 = for ever
}

// Postgres keeps cases, customers, users and everything else that changes.
type Postgres struct {
	URL     Secret `yaml:"url"` // postgres://user:password@host:5432/database?sslmode=verify-full
	URLFile string `yaml:"url_file"`
}

// Scaled reports whether the three servers are configured.
func (c Config) Scaled() bool { return c.Kafka != nil && c.ClickHouse != nil && c.Postgres != nil }

// Tracing sends OpenTelemetry traces; off without an endpoint.
type Tracing struct {
	Endpoint string  `yaml:"endpoint"` // OTLP over HTTP, such as http://collector:4318
	Sample   float64 `yaml:"sample"`   // share of traces kept, 0 to 1
}

// Log is what is written to stderr.
type Log struct {
	Level  string `yaml:"level"`  // debug | info | warn | error
	Format string `yaml:"format"` // text | json
}

// Defaults is the configuration of an empty file.
func Defaults() Config {
	return Config{
		Server:   Server{Listen: "127.0.0.1:8787"},
		Business: Business{Name: "My business", Timezone: "UTC", Currency: "EUR"},
		Alerting: Alerting{OpenCasesFor: Duration(14 * 24 * time.Hour), Unanswered: true},
		Log:      Log{Level: "info", Format: "text"},
		Tracing:  Tracing{Sample: 1},
	}
}

// Vocabulary answers the business in the program's own words. The time zone
// has been checked by Load.
func (b Business) Vocabulary() schemas.Business {
	loc, err := time.LoadLocation(b.Timezone)
	if err != nil {
		loc = time.UTC
	}
	return schemas.Business{Name: b.Name, Timezone: loc, Currency: b.Currency, Rates: b.Rates}
}
