package config

import (
	"cmp"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// longestLog is how long the log may be kept: history is the memory.
const longestLog = Duration(30 * 24 * time.Hour)

// topicPrefix is what Kafka takes in a topic's name.
var topicPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]{0,100}$`)

// databaseName stands in SQL unquoted.
var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// checkServers fills in the defaults of the three servers and checks them.
func (c *Config) checkServers(k *checker) {
	have := map[string]bool{"kafka": c.Kafka != nil, "clickhouse": c.ClickHouse != nil, "postgres": c.Postgres != nil}
	var given, missing []string
	for _, name := range []string{"kafka", "clickhouse", "postgres"} {
		if have[name] {
			given = append(given, name)
		} else {
			missing = append(missing, name)
		}
	}
	if len(given) > 0 && len(missing) > 0 {
		k.bad(given[0], "the three servers come together or not at all; %s missing. Without all three everything lives in one file", strings.Join(missing, " and "))
	}
	if c.Kafka != nil {
		c.Kafka.check(k)
	}
	if c.ClickHouse != nil {
		c.ClickHouse.check(k)
	}
	if c.Postgres != nil {
		c.Postgres.check(k)
	}
}

func (s *Kafka) check(k *checker) {
	if len(s.Brokers) == 0 {
		k.bad("kafka.brokers", "name at least one, such as [kafka:9092]")
	}
	for _, b := range s.Brokers {
		checkAddr(k, "kafka.brokers", b, "kafka:9092")
	}
	if !topicPrefix.MatchString(s.Prefix) {
		k.bad("kafka.prefix", "%q; letters, digits, dots, dashes and underscores", s.Prefix)
	}
	checkServerTLS(k, "kafka", &s.TLS, s.CAFile)
	s.Partitions, s.Replication = cmp.Or(s.Partitions, 6), cmp.Or(s.Replication, 1)
	if s.Partitions < 1 || s.Partitions > 1000 {
		k.bad("kafka.partitions", "%d; from 1 to 1000", s.Partitions)
	}
	if s.Replication < 1 || s.Replication > 7 {
		k.bad("kafka.replication", "%d; from 1 to 7, at most the number of brokers", s.Replication)
	}
	if s.Retention = cmp.Or(s.Retention, longestLog); s.Retention > longestLog {
		k.bad("kafka.retention", "%s; at most 30d, history is the memory", s.Retention)
	}
	if s.SASL == nil {
		return
	}
	s.SASL.Mechanism = strings.ToLower(s.SASL.Mechanism)
	if !slices.Contains([]string{"plain", "scram-sha-256", "scram-sha-512"}, s.SASL.Mechanism) {
		k.bad("kafka.sasl.mechanism", "%q; plain, scram-sha-256 or scram-sha-512", s.SASL.Mechanism)
	}
	if s.SASL.User == "" || s.SASL.Password == "" {
		k.bad("kafka.sasl", "user and password (or password_file) are missing")
	}
}

func (s *ClickHouse) check(k *checker) {
	checkAddr(k, "clickhouse.addr", s.Addr, "clickhouse:9000")
	s.Database, s.User = cmp.Or(s.Database, "redalert"), cmp.Or(s.User, "default")
	if !databaseName.MatchString(s.Database) {
		k.bad("clickhouse.database", "%q; letters, digits and underscores", s.Database)
	}
	checkServerTLS(k, "clickhouse", &s.TLS, s.CAFile)
}

// check never shows the URL: it holds a password.
func (s *Postgres) check(k *checker) {
	if s.URL == "" {
		k.bad("postgres", "url_file (or url) is missing: postgres://user:password@host:5432/database")
		return
	}
	u, err := url.Parse(s.URL.Reveal())
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		k.bad("postgres.url", "it is not of the form postgres://user:password@host:5432/database")
	}
}

func checkAddr(k *checker, path, addr, example string) {
	if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
		k.bad(path, "%q is not host:port, such as %s", addr, example)
	}
}

func checkServerTLS(k *checker, path string, tls *string, ca string) {
	*tls = cmp.Or(*tls, "none")
	if *tls != "none" && *tls != "tls" {
		k.bad(path+".tls", "%q; none or tls", *tls)
	}
	if ca != "" && *tls == "none" {
		k.bad(path+".ca_file", "it has no use while %s.tls is none", path)
	}
}
