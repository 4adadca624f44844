package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/internal/clickhouse"
	"redalert/internal/config"
	"redalert/internal/kafka"
	"redalert/internal/postgres"
	"redalert/schemas"
)

// What an insert and a look-up cost ClickHouse grows less than the batch:
// batches are large, and while one is stored another scorer works on its own.
// What is read ahead bounds the memory. The numbers are choices, see
// docs/performance.md.
const (
	scorersEach = 2
	scaledBatch = 4000
	scaledAhead = 8 << 20 // bytes each reads ahead: more than a batch, as a rule
)

// openScaled opens the three servers. PostgreSQL must answer, and say that the
// servers are in use; brokers and ClickHouse may be down: what needs them fails
// until they are back.
func openScaled(ctx context.Context, cfg config.Config, opt Options) (Stores, error) {
	s, err := openServers(ctx, cfg, opt)
	if err != nil {
		return s.Stores, err
	}
	if err := usable(ctx, s.pg.Moving(), theServers(cfg)); err != nil {
		return Stores{}, errors.Join(err, closeAll(s.closers))
	}
	return s.Stores, nil
}

// servers are the three, with what a move needs of them beyond the ports.
type servers struct {
	Stores
	pg *postgres.DB
	ch *clickhouse.DB
}

// openServers opens the three servers, whether or not they are in use.
func openServers(ctx context.Context, cfg config.Config, opt Options) (s servers, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(s.closers))
		}
	}()
	pg, err := postgres.Open(ctx, postgresConfig(cfg, opt))
	if err != nil {
		return s, err
	}
	s.onClose("postgres", pg.Close)
	s.pg = pg
	ch, err := openClickHouse(ctx, cfg, opt, pg)
	if err != nil {
		return s, err
	}
	s.onClose("clickhouse", ch.Close)
	s.ch = ch
	s.use(pg)
	s.History, s.Records, s.Context, s.Rounds = ch, ch, ch, ch
	kc, err := kafkaConfig(cfg, opt)
	if err != nil {
		return s, err
	}
	kc.Broken = setAside(&s.Stores, opt)
	kc.BufferBytes = scaledAhead
	log, err := kafka.Open(ctx, kc)
	if err != nil {
		return s, err
	}
	s.onClose("kafka", log.Close)
	s.Publisher, s.Signals, s.Alerts, s.Consumer, s.AlertReader = log, log, log, log.Consumer, log.AlertReader
	for nth := range scorersEach {
		s.Scorers = append(s.Scorers, log.ConsumerOf(scoreGroup, nth))
	}
	s.ScoreBatch = scaledBatch
	s.log = log
	s.Apart = true
	s.Unpublished = pg.Unpublished
	s.Where = "on " + strings.Join(cfg.Kafka.Brokers, ", ") + ", " + cfg.ClickHouse.Addr + " and " + pg.Where()
	s.Prune = func(ctx context.Context, before time.Time) error {
		_, err := pg.Prune(ctx, before)
		return err
	}
	s.Exclusive = pg.Exclusive
	s.Servers = []Server{postgresServer(pg), clickHouseServer(cfg, ch), kafkaServer(cfg, log)}
	return s, nil
}

// What to do when one of the servers fails.
const (
	advicePostgres   = "check postgres.url and that the server runs; redalert migrate creates what is missing"
	adviceClickHouse = "check clickhouse.addr, user and password; redalert migrate creates what is missing"
	adviceKafka      = "check kafka.brokers, tls and sasl; redalert migrate creates what is missing"
)

func postgresServer(pg *postgres.DB) Server {
	return Server{Name: "postgres", Advice: advicePostgres, Ping: pg.Ping, Check: func(ctx context.Context) (string, error) {
		return pg.Where() + " answers, is durable and at this version's schema", pg.Check(ctx)
	}}
}

func clickHouseServer(cfg config.Config, ch *clickhouse.DB) Server {
	return Server{Name: "clickhouse", Advice: adviceClickHouse, Ping: ch.Ping, Check: func(ctx context.Context) (string, error) {
		version, err := ch.Check(ctx)
		return cfg.ClickHouse.Addr + " answers (version " + version + ") and is at this version's schema", err
	}}
}

func kafkaServer(cfg config.Config, log *kafka.Log) Server {
	return Server{Name: "kafka", Advice: adviceKafka, Ping: log.Ping, Check: func(ctx context.Context) (string, error) {
		return strings.Join(cfg.Kafka.Brokers, ", ") + " answers, the topics are as configured", log.Check(ctx)
	}}
}

func (s *Stores) onClose(name string, f func() error) {
	s.closers = append(s.closers, closer{name, f})
}

// use puts PostgreSQL behind every port of what changes.
func (s *Stores) use(pg *postgres.DB) {
	s.Receipts, s.Cursors, s.Quarantine, s.Blobs, s.Customers = pg, pg.Cursors(), pg.Quarantine(), pg.Blobs(), pg
	s.Threads, s.Answers, s.Statuses = pg, pg, pg
	s.Cases, s.Lists, s.Identities, s.Outbox, s.Schedule = pg.Cases(), pg.Lists(), pg, pg.Outbox(), pg.Schedule()
	s.Settings, s.People, s.Lessons, s.Fits = pg.Settings(), pg.People(), pg.Lessons(), pg
	s.Users, s.Sessions, s.Tokens = pg.Users(), pg.Sessions(), pg.Tokens()
}

// pendingAge keeps one collector from publishing what another has just
// reserved and is about to publish itself.
const pendingAge = time.Minute

func postgresConfig(cfg config.Config, opt Options) postgres.Config {
	return postgres.Config{URL: cfg.Postgres.URL.Reveal(), Now: opt.Now, Log: opt.Log, PendingAge: pendingAge}
}

// openClickHouse refuses a schema that is not this program's, unless the server
// is out of reach just now: collecting and the pages go on without history.
func openClickHouse(ctx context.Context, cfg config.Config, opt Options, aliases clickhouse.Aliases) (*clickhouse.DB, error) {
	cc, err := clickhouseConfig(cfg, opt)
	if err != nil {
		return nil, err
	}
	cc.Aliases = aliases
	ch, err := clickhouse.Open(ctx, cc)
	if err != nil {
		return nil, err
	}
	switch _, err := ch.Check(ctx); {
	case errors.Is(err, ingest.ErrUnavailable):
		opt.Log.Warn("clickhouse is out of reach; history waits for it", "error", err)
	case err != nil:
		return nil, errors.Join(err, ch.Close())
	}
	return ch, nil
}

func clickhouseConfig(cfg config.Config, opt Options) (clickhouse.Config, error) {
	h := cfg.ClickHouse
	t, err := serverTLS(h.TLS, h.CAFile, h.Addr)
	if err != nil {
		return clickhouse.Config{}, fmt.Errorf("clickhouse.ca_file: %w", err)
	}
	return clickhouse.Config{
		Addr: h.Addr, Database: h.Database, User: h.User, Password: h.Password.Reveal(), TLS: t,
		TTL: time.Duration(h.TTL), Now: opt.Now, Log: opt.Log,
	}, nil
}

func kafkaConfig(cfg config.Config, opt Options) (kafka.Config, error) {
	k := cfg.Kafka
	t, err := serverTLS(k.TLS, k.CAFile, "")
	if err != nil {
		return kafka.Config{}, fmt.Errorf("kafka.ca_file: %w", err)
	}
	c := kafka.Config{
		Brokers: k.Brokers, Prefix: k.Prefix, TLS: t, Partitions: k.Partitions, Replication: k.Replication,
		Retention: time.Duration(k.Retention), Now: opt.Now, Log: opt.Log,
	}
	if k.SASL != nil {
		c.SASL = &kafka.SASL{Mechanism: k.SASL.Mechanism, User: k.SASL.User, Password: k.SASL.Password.Reveal()}
	}
	return c, nil
}

// serverTLS is nil for "none". The client checks the server's certificate,
// against the file's authorities where one is given, for the host of addr
// (host:port, of IPv6 [host]:port); "" = for whatever is dialled.
func serverTLS(mode, caFile, addr string) (*tls.Config, error) {
	if mode != "tls" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		c.ServerName = host
	}
	if caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", caFile)
	}
	return c, nil
}

// setAside puts a message of the log that cannot be read into quarantine.
func setAside(s *Stores, opt Options) func(context.Context, kafka.BrokenMessage) error {
	return func(ctx context.Context, m kafka.BrokenMessage) error {
		sums, err := s.Blobs.Put(ctx, [][]byte{m.Value})
		if err != nil {
			return err
		}
		where := fmt.Sprintf("%s/%d/%d", m.Topic, m.Partition, m.Offset)
		id := sha256.Sum256([]byte(schemas.QUnreadable + "\x00kafka\x00" + where + "\x00" + sums[0]))
		return s.Quarantine.Put(ctx, []schemas.Quarantined{{
			ID: hex.EncodeToString(id[:16]), Source: "kafka", Code: schemas.QUnreadable,
			Reason:  "this message of the log is no event of ours; something else writes to the topic",
			Locator: where, At: opt.Now().UTC().Truncate(time.Millisecond), RawSHA256: sums[0],
			State: schemas.QuarantineOpen, Replay: ingest.ReplayEvent,
		}})
	}
}

// migrateScaled creates or upgrades tables and topics, PostgreSQL first.
func migrateScaled(ctx context.Context, cfg config.Config, opt Options) (done []string, err error) {
	steps, err := postgres.Migrate(ctx, postgresConfig(cfg, opt))
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	done = append(done, fmt.Sprintf("postgres: %d steps to this version's schema.", steps))
	cc, err := clickhouseConfig(cfg, opt)
	if err != nil {
		return done, err
	}
	ch, err := clickhouse.Open(ctx, cc)
	if err != nil {
		return done, fmt.Errorf("clickhouse: %w", err)
	}
	if err := errors.Join(ch.Migrate(ctx), ch.Close()); err != nil {
		return done, fmt.Errorf("clickhouse: %w", err)
	}
	done = append(done, "clickhouse: at this version's schema.")
	kc, err := kafkaConfig(cfg, opt)
	if err != nil {
		return done, err
	}
	log, err := kafka.Open(ctx, kc)
	if err != nil {
		return done, fmt.Errorf("kafka: %w", err)
	}
	if err := errors.Join(log.Migrate(ctx), log.Close()); err != nil {
		return done, fmt.Errorf("kafka: %w", err)
	}
	return append(done, "kafka: the topics are as configured."), nil
}
