package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"redalert/internal/lane"
	"redalert/internal/servertest"
	"redalert/internal/storetest"
	"redalert/schemas"
	"redalert/signals"
)

func TestMain(m *testing.M) {
	if os.Getenv(zombieEnv) != "" {
		os.Exit(zombie())
	}
	code := m.Run()
	servertest.StopShared()
	os.Exit(code)
}

// fake starts an in-process stand-in of a broker.
func fake(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// brokers runs a test against the fake and against a real broker.
func brokers(t *testing.T, run func(t *testing.T, addr string)) {
	t.Run("fake", func(t *testing.T) { run(t, fake(t).ListenAddrs()[0]) })
	t.Run("real", func(t *testing.T) { run(t, real(t)) })
}

// real answers the shared broker's address.
func real(t testing.TB) string {
	t.Helper()
	lane.Long(t, "the real broker")
	return servertest.SharedKafka(t).Addr
}

// wire is the network between one Log and its brokers.
type wire struct {
	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

var errCut = errors.New("the wire is cut")

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, errCut
	}
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if w.conns == nil {
		w.conns = map[net.Conn]struct{}{}
	}
	w.conns[conn] = struct{}{}
	return conn, nil
}

// Cut is what a crash looks like to the brokers: nobody says goodbye.
func (w *wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for c := range w.conns {
		c.Close()
	}
}

var prefixes atomic.Int64

// newPrefix answers one that no other test uses, nor an earlier run.
func newPrefix() string {
	return fmt.Sprintf("t%d-%d.", time.Now().UnixNano(), prefixes.Add(1))
}

// config answers one for tests: quick, and of one partition.
func config(addr string) Config {
	return Config{
		Brokers: []string{addr}, Prefix: newPrefix(), Partitions: 1, Replication: 1,
		SessionTimeout: time.Second, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// open opens a log with its topics; it is closed with the test.
func open(t testing.TB, c Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// second opens another process's view of the same log.
func second(t testing.TB, l *Log, change func(*Config)) *Log {
	t.Helper()
	c := l.cfg
	c.dial = nil
	if change != nil {
		change(&c)
	}
	o, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

func pipelineOf(l *Log, w *wire) storetest.Pipeline {
	return storetest.Pipeline{
		Publisher: l, Consumer: l.Consumer, Alerts: l, AlertReader: l.AlertReader,
		Reopen: func(t *testing.T) storetest.Pipeline {
			w.Cut()
			go l.Close()
			again := &wire{}
			return pipelineOf(second(t, l, func(c *Config) { c.dial = again.dial }), again)
		},
	}
}

func conformance(addr string) func(t *testing.T) storetest.Pipeline {
	return func(t *testing.T) storetest.Pipeline {
		w := &wire{}
		c := config(addr)
		c.dial = w.dial
		return pipelineOf(open(t, c), w)
	}
}

func TestLog(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) { storetest.Log(t, conformance(addr)) })
}

func TestAlertLog(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) { storetest.AlertLog(t, conformance(addr)) })
}

// event makes one of a customer; data is any JSON.
func event(id, customer string) schemas.Event {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	return schemas.Event{
		ID: id, Source: "test", Type: schemas.ReplySent, NativeID: id, OccurredAt: at, CollectedAt: at,
		LocalDate: "2026-03-01", CustomerID: customer, Data: json.RawMessage(`{"text":"hello"}`),
	}
}

// events makes n events of a few customers, numbered.
func events(prefix string, n, customers int) []schemas.Event {
	out := make([]schemas.Event, n)
	for i := range out {
		out[i] = event(fmt.Sprintf("%s%06d", prefix, i), fmt.Sprintf("customer-%d", i%customers))
	}
	return out
}

func publish(t testing.TB, l *Log, events []schemas.Event) {
	t.Helper()
	if err := l.Publish(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

// fetchSome is Fetch with a deadline.
func fetchSome(t testing.TB, c signals.Consumer, limit int) signals.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := c.Fetch(ctx, limit)
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	return b
}

// drain fetches and commits until want different events were seen, and counts
// how often each was.
func drain(t testing.TB, c signals.Consumer, want int) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for len(seen) < want {
		b := fetchSome(t, c, 500)
		for _, e := range b.Events {
			seen[e.ID]++
		}
		if err := b.Commit(t.Context()); err != nil && !errors.Is(err, ErrStale) {
			t.Fatalf("Commit: %v", err)
		}
	}
	return seen
}

// eventually polls until ok answers true.
func eventually(t testing.TB, what string, within time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

func statsOf(t testing.TB, l *Log, group string) Stats {
	t.Helper()
	for _, s := range l.Stats() {
		if s.Group == group {
			return s
		}
	}
	return Stats{}
}

func lagOf(t testing.TB, l *Log, group string) int64 {
	t.Helper()
	n, err := l.Consumer(group).Lag(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// captured is a log whose text can be looked at.
type captured struct {
	mu sync.Mutex
	b  strings.Builder
}

func (c *captured) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(p)
}

func (c *captured) has(words ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range words {
		if !strings.Contains(c.b.String(), w) {
			return false
		}
	}
	return true
}

func (c *captured) log() *slog.Logger { return slog.New(slog.NewTextHandler(c, nil)) }
