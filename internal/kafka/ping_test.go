package kafka

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"redalert/ingest"
)

// unready wants Ping to fail within its bound, in words.
func unready(t *testing.T, l *Log, words string) {
	t.Helper()
	began := time.Now()
	err := l.Ping(t.Context())
	if !errors.Is(err, ingest.ErrUnavailable) || !strings.Contains(err.Error(), words) {
		t.Errorf("Ping: %v, want ErrUnavailable and %q", err, words)
	}
	if took := time.Since(began); took > pingTimeout+2*time.Second {
		t.Errorf("Ping took %v", took)
	}
}

func ready(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Ping(t.Context()); err != nil {
		t.Fatalf("Ping of a broker that is there: %v", err)
	}
}

// TestPing_BrokerDown: a broker that went away since the last Ping shows at the
// next, not when what we remember of it has grown old.
func TestPing_BrokerDown(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l := open(t, config(c.ListenAddrs()[0]))
	ready(t, l)
	c.Close()
	unready(t, l, "kafka")
}

// TestPing_WireCut: so does a network that is.
func TestPing_WireCut(t *testing.T) {
	w := &wire{}
	cfg := config(fake(t).ListenAddrs()[0])
	cfg.dial = w.dial
	l := open(t, cfg)
	ready(t, l)
	w.Cut()
	unready(t, l, "kafka")
}

// TestPing_SilentBroker: one that takes the question and never answers does not
// hold whoever asks.
func TestPing_SilentBroker(t *testing.T) {
	s, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := Open(t.Context(), config(s.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	unready(t, l, "kafka")
}

// TestPing_TopicMissing: both topics are needed, before the first migrate and
// when somebody has deleted one.
func TestPing_TopicMissing(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		l, err := Open(t.Context(), config(addr))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		unready(t, l, `the topic is missing; run "redalert migrate"`)
		if err := l.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		ready(t, l)
		other := second(t, l, nil) // which has cached nothing
		gone := l.cfg.Prefix + TopicAlerts
		res, err := other.conns.client.DeleteTopics(t.Context(), &kafkago.DeleteTopicsRequest{Topics: []string{gone}})
		if err == nil {
			err = res.Errors[gone]
		}
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "a deleted topic shows", 10*time.Second, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), pingTimeout)
			defer cancel()
			return l.Ping(ctx) != nil
		})
	})
}
