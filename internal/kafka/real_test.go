package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"redalert/ingest"
	"redalert/internal/lane"
	"redalert/internal/servertest"
	"redalert/schemas"
)

// TestTwoConsumersShare: several partitions, two processes; each customer's
// events come in order, each event once, while one of the two goes and the
// other takes over.
func TestTwoConsumersShare(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		cfg := config(addr)
		cfg.Partitions = 6
		a := open(t, cfg)
		b := second(t, a, nil)
		const customers, n = 40, 2000
		want := events("e", n, customers)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		var mu sync.Mutex
		seen := map[string]int{}
		last := map[string]string{}
		work := func(l *Log, stopAfter int) {
			c := l.Consumer("g")
			for done := 0; done < stopAfter; {
				batch, err := c.Fetch(ctx, 50)
				if err != nil {
					return
				}
				if err := batch.Commit(ctx); err != nil {
					continue // stale: it comes again
				}
				mu.Lock()
				for _, e := range batch.Events {
					seen[e.ID]++
					if before := last[e.CustomerID]; before >= e.ID {
						t.Errorf("%s of %s came after %s", e.ID, e.CustomerID, before)
					}
					last[e.CustomerID] = e.ID
				}
				mu.Unlock()
				done += len(batch.Events)
			}
			l.Close()
		}
		var wg sync.WaitGroup
		wg.Go(func() { work(a, n/4) })
		wg.Go(func() { work(b, n) })
		eventually(t, "both have partitions", 20*time.Second, func() bool {
			return statsOf(t, a, "g").Assigned == 3 && statsOf(t, b, "g").Assigned == 3
		})
		publisher := second(t, a, nil)
		for i := 0; i < n; i += 100 {
			publish(t, publisher, want[i:i+100])
		}
		eventually(t, "all events are read", 30*time.Second, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == n
		})
		cancel()
		wg.Wait()
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was committed %d times", id, times)
			}
		}
	})
}

// TestMembersOfOneLogShare: a process may read a group with several goroutines;
// each is a member of its own, each event is handed out once, in order.
func TestMembersOfOneLogShare(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		cfg := config(addr)
		cfg.Partitions = 6
		l := open(t, cfg)
		const n = 1200
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		seen, last := map[string]int{}, map[string]string{}
		var wg sync.WaitGroup
		for nth := range 2 {
			wg.Go(func() {
				for c := l.ConsumerOf("g", nth); ; {
					batch, err := c.Fetch(ctx, 40)
					if err != nil {
						return
					}
					if batch.Commit(ctx) != nil {
						continue // stale: it comes again
					}
					mu.Lock()
					for _, e := range batch.Events {
						seen[e.ID]++
						if before := last[e.CustomerID]; before >= e.ID {
							t.Errorf("%s of %s came after %s", e.ID, e.CustomerID, before)
						}
						last[e.CustomerID] = e.ID
					}
					mu.Unlock()
				}
			})
		}
		eventually(t, "both have partitions", 20*time.Second, func() bool {
			assigned := 0
			for _, s := range l.Stats() {
				if s.Assigned == 3 {
					assigned++
				}
			}
			return assigned == 2
		})
		for part := range slices.Chunk(events("e", n, 40), 100) {
			publish(t, l, part)
		}
		eventually(t, "all events are read", 30*time.Second, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == n
		})
		cancel()
		wg.Wait()
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was committed %d times", id, times)
			}
		}
	})
}

// TestBrokerKilledUnderLoad: what was acknowledged is there after a SIGKILL of
// the broker, and a consumer that was reading meanwhile goes on.
func TestBrokerKilledUnderLoad(t *testing.T) {
	real(t)
	broker := servertest.SharedKafka(t)
	cfg := config(broker.Addr)
	cfg.Partitions = 3
	l := open(t, cfg)

	var acknowledged, failed sync.Map
	var count atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				batch := events(fmt.Sprintf("w%d-%d-", w, i), 20, 7)
				if err := l.Publish(context.WithoutCancel(ctx), batch); err != nil {
					failed.Store(batch[0].ID, err)
					continue
				}
				for _, e := range batch {
					acknowledged.Store(e.ID, true)
				}
				count.Add(int64(len(batch)))
			}
		})
	}
	var live sync.Map
	reading, endReading := context.WithCancel(t.Context())
	defer endReading()
	go func() {
		c := l.Consumer("live")
		for reading.Err() == nil {
			b, err := c.Fetch(reading, 500)
			if err != nil {
				continue
			}
			for _, e := range b.Events {
				live.Store(e.ID, true)
			}
			b.Commit(reading) // it may be made although its answer was lost
		}
	}()
	eventually(t, "2,000 events are acknowledged", 20*time.Second, func() bool { return count.Load() >= 2000 })
	broker.Kill(t)
	broker.Start(t)
	before := count.Load()
	eventually(t, "publishing goes on", 30*time.Second, func() bool { return count.Load() >= before+1000 })
	stop()
	writers.Wait()

	var want []string
	acknowledged.Range(func(id, _ any) bool { want = append(want, id.(string)); return true })
	missing := func(seen *sync.Map) (n int) {
		for _, id := range want {
			if _, ok := seen.Load(id); !ok {
				n++
			}
		}
		return n
	}
	eventually(t, "the consumer that was reading has all", 30*time.Second, func() bool { return missing(&live) == 0 })
	eventually(t, "its lag is 0", 10*time.Second, func() bool { return lagOf(t, l, "live") == 0 })
	failures := 0
	failed.Range(func(_, err any) bool {
		failures++
		if !errors.Is(err.(error), ingest.ErrUnavailable) {
			t.Errorf("Publish while the broker was down: %v", err)
		}
		return true
	})
	t.Logf("%d acknowledged, %d calls refused while the broker was down", len(want), failures)
}

func secure(t *testing.T) *servertest.Broker {
	t.Helper()
	real(t)
	b := servertest.SharedKafka(t)
	if b.TLSAddr == "" {
		lane.Missing(t, "the broker of REDALERT_TEST_KAFKA has no TLS listener that we know of")
	}
	return b
}

func trust(t *testing.T, pem []byte) *tls.Config {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func TestAccounts(t *testing.T) {
	b := secure(t)
	cases := map[string]func(*Config){
		"TLS":         func(c *Config) { c.Brokers = []string{b.TLSAddr} },
		"PLAIN":       func(c *Config) { c.SASL.Mechanism = Plain },
		"SCRAM 256":   func(c *Config) { c.SASL.Mechanism = ScramSHA256 },
		"SCRAM 512":   func(c *Config) { c.SASL.Mechanism = ScramSHA512 },
		"two brokers": func(c *Config) { c.Brokers = []string{"127.0.0.1:1", b.SASLAddr} },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			c := config(b.SASLAddr)
			c.TLS = trust(t, b.CA)
			c.SASL = &SASL{Mechanism: ScramSHA512, User: servertest.KafkaUser, Password: servertest.KafkaPassword}
			change(&c)
			if c.Brokers[0] == b.TLSAddr {
				c.SASL = nil
			}
			l := open(t, c)
			publish(t, l, events("e", 10, 3))
			if seen := drain(t, l.Consumer("g"), 10); len(seen) != 10 {
				t.Fatalf("%d events", len(seen))
			}
			if err := l.Check(t.Context()); err != nil && len(c.Brokers) == 1 {
				t.Fatalf("Check: %v", err)
			}
		})
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	b := secure(t)
	other := x509PEM(t)
	cases := map[string]struct {
		change func(*Config)
		want   string
	}{
		"wrong password":      {func(c *Config) { c.SASL.Password = "wrong-secret" }, "the user name or password is wrong"},
		"wrong password 2":    {func(c *Config) { c.SASL.Mechanism, c.SASL.Password = Plain, "wrong-secret" }, "the user name or password is wrong"},
		"unknown authority":   {func(c *Config) { c.TLS = trust(t, other) }, "signed by an authority unknown here"},
		"other name":          {func(c *Config) { c.TLS.ServerName = "kafka.example" }, "is for another host name"},
		"no TLS":              {func(c *Config) { c.TLS = nil }, "does this port want TLS"},
		"no TLS, no account":  {func(c *Config) { c.TLS, c.SASL = nil, nil }, "does this port want TLS"},
		"no account":          {func(c *Config) { c.SASL = nil }, "does this port"},
		"TLS on a plain port": {func(c *Config) { c.Brokers, c.SASL = []string{b.Addr}, nil }, "TLS"},
		"nobody there":        {func(c *Config) { c.Brokers = []string{"127.0.0.1:1"} }, "is the broker running?"},
		"no such host":        {func(c *Config) { c.Brokers = []string{"kafka.invalid:9092"} }, "host name is not known"},
		"topics missing":      {func(*Config) {}, `it is missing; run "redalert migrate"`},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			c := config(b.SASLAddr)
			c.TLS = trust(t, b.CA)
			c.SASL = &SASL{Mechanism: ScramSHA256, User: servertest.KafkaUser, Password: servertest.KafkaPassword}
			k.change(&c)
			l, err := Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			err = l.Check(t.Context())
			if err == nil || !strings.Contains(err.Error(), k.want) || strings.Contains(err.Error(), "secret") {
				t.Fatalf("Check says %v, want %q", err, k.want)
			}
		})
	}
}

func TestTopicSettings(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		cfg := config(addr)
		cfg.Retention = 7 * 24 * time.Hour
		l := open(t, cfg)
		if err := l.Check(t.Context()); err != nil {
			t.Fatalf("Check after Migrate: %v", err)
		}
		if err := l.Migrate(t.Context()); err != nil {
			t.Fatalf("Migrate again: %v", err)
		}
		says := func(err error, words ...string) {
			t.Helper()
			for _, w := range words {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Fatalf("%v does not say %q", err, w)
				}
			}
		}
		longer := second(t, l, func(c *Config) { c.Retention = 14 * 24 * time.Hour })
		says(longer.Check(t.Context()), "kept for 168h0m0s and 336h0m0s is configured", "redalert migrate")
		if err := longer.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := longer.Check(t.Context()); err != nil {
			t.Fatalf("Check after retention was set: %v", err)
		}
		more := second(t, longer, func(c *Config) { c.Partitions, c.Replication = 4, 2 })
		says(more.Migrate(t.Context()), "has 1 partitions and 4 are configured", "would break the order")
		says(more.Check(t.Context()), "has 1 partitions", "has 1 copies and 2 are configured")

		compacted := second(t, l, func(c *Config) { c.Prefix = newPrefix() })
		res, err := compacted.conns.client.CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{
			Topic: compacted.cfg.Prefix + TopicFeedback, NumPartitions: 1, ReplicationFactor: 1,
			ConfigEntries: []kafkago.ConfigEntry{{ConfigName: "cleanup.policy", ConfigValue: "compact"}},
		}}})
		if err == nil {
			err = res.Errors[compacted.cfg.Prefix+TopicFeedback]
		}
		if err != nil {
			t.Fatal(err)
		}
		says(compacted.Migrate(t.Context()), "cleanup.policy holds compact", "set cleanup.policy=delete")
		says(compacted.Check(t.Context()), "cleanup.policy holds compact", "messages of")
	})
}

func TestConfigRefused(t *testing.T) {
	for want, c := range map[string]Config{
		"kafka.brokers is empty": {},
		"is not host:port":       {Brokers: []string{"kafka"}},
		"at most 30 days":        {Brokers: []string{"k:1"}, Retention: 31 * 24 * time.Hour},
		"is none of plain":       {Brokers: []string{"k:1"}, SASL: &SASL{Mechanism: "gssapi"}},
	} {
		if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v, want %q", err, want)
		}
	}
}

// TestTraceTravelsBesideTheValue: the trace context is a header, reaches the
// reader, and is no part of what is stored.
func TestTraceTravelsBesideTheValue(t *testing.T) {
	l := open(t, config(fake(t).ListenAddrs()[0]))
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traced, plain := event("e", "c"), event("f", "c")
	traced.Trace = trace
	if err := l.Publish(t.Context(), []schemas.Event{traced, plain}); err != nil {
		t.Fatal(err)
	}
	if err := l.PublishAlerts(t.Context(), []schemas.Notice{{Kind: schemas.NoticeRed, Event: traced}}); err != nil {
		t.Fatal(err)
	}
	r := naiveReader(l, kafkago.ReaderConfig{})
	defer r.Close()
	m, err := r.FetchMessage(t.Context())
	if err != nil || len(m.Headers) != 1 || m.Headers[0].Key != "traceparent" || string(m.Headers[0].Value) != trace || strings.Contains(string(m.Value), trace) {
		t.Fatalf("message %+v, %v", m, err)
	}
	events, err := l.Consumer("trace").Fetch(t.Context(), 10)
	if err != nil || len(events.Events) != 2 || events.Events[0].Trace != trace || events.Events[1].Trace != "" {
		t.Fatalf("events %+v, %v", events.Events, err)
	}
	notices, err := l.AlertReader("trace").FetchAlerts(t.Context(), 10)
	if err != nil || len(notices.Notices) != 1 || notices.Notices[0].Event.Trace != trace {
		t.Fatalf("notices %+v, %v", notices.Notices, err)
	}
}
