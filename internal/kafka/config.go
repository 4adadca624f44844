package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"
)

// Config says where Kafka is and how to use it. Brokers is required; zero
// values of everything else have defaults.
type Config struct {
	Brokers []string // host:port, at least one; the others are found through it
	Prefix  string   // of topics and groups, such as "redalert."
	TLS     *tls.Config
	SASL    *SASL // nil = no account

	Partitions  int           // of topics that Migrate creates, 0 = 12
	Replication int           // copies of each partition, 0 = 3
	Retention   time.Duration // how long the log is kept, 0 = 30 days, at most that

	// Broken takes a message whose value cannot be read. When it answers nil
	// the message counts as dealt with and is never handed out; on an error
	// Fetch fails and the message comes again. nil = it is logged and skipped.
	Broken func(ctx context.Context, m BrokenMessage) error

	BufferBytes     int           // read ahead and not yet committed, a topic and group; 0 = 16 MiB
	SessionTimeout  time.Duration // a member silent that long loses its partitions, 0 = 30 s
	ProgressTimeout time.Duration // so does one that works on a batch that long, 0 = 10 min
	StallTimeout    time.Duration // lag without a fetch that long rebuilds the member, 0 = 5 min
	PublishTimeout  time.Duration // for one Publish to be acknowledged, 0 = 30 s

	Now func() time.Time // 0 = time.Now
	Log *slog.Logger     // nil = silent

	dial func(ctx context.Context, network, address string) (net.Conn, error) // tests cut the wire here
}

// SASL is an account of the brokers.
type SASL struct {
	Mechanism string // plain, scram-sha-256 or scram-sha-512
	User      string
	Password  string
}

// Mechanisms of SASL that Config takes.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
)

// BrokenMessage is a message whose value is not what its topic holds.
type BrokenMessage struct {
	Topic     string // full name, prefix included
	Partition int
	Offset    int64
	Value     []byte
	Err       error
}

const maxRetention = 30 * 24 * time.Hour

func (c *Config) fill() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka.brokers is empty; give at least one host:port")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("kafka.brokers: %q is not host:port", b)
		}
	}
	if c.Retention > maxRetention {
		return fmt.Errorf("the log's retention is %v; at most 30 days are allowed, history is the memory", c.Retention)
	}
	if c.SASL != nil && !slices.Contains([]string{Plain, ScramSHA256, ScramSHA512}, c.SASL.Mechanism) {
		return fmt.Errorf("kafka.sasl: mechanism %q is none of %s", c.SASL.Mechanism, strings.Join([]string{Plain, ScramSHA256, ScramSHA512}, ", "))
	}
	c.defaults()
	return nil
}

func (c *Config) defaults() {
	orElse(&c.Partitions, 12)
	orElse(&c.Replication, 3)
	orElse(&c.Retention, maxRetention)
	orElse(&c.BufferBytes, 16<<20)
	orElse(&c.SessionTimeout, 30*time.Second)
	orElse(&c.ProgressTimeout, 10*time.Minute)
	orElse(&c.StallTimeout, 5*time.Minute)
	orElse(&c.PublishTimeout, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.dial == nil {
		c.dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
}

func orElse[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
