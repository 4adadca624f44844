package kafka

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

const (
	clientID     = "redalert"
	dialTimeout  = 5 * time.Second
	callTimeout  = 10 * time.Second // one exchange with a broker
	metadataTTL  = 2 * time.Second
	longestQuiet = 90 * time.Second // nothing we wait for on a connection takes longer
)

// connections is what all traffic of one Log, or of one member, goes through.
type connections struct {
	cfg       *Config
	mechanism sasl.Mechanism
	transport *kafkago.Transport
	client    *kafkago.Client

	mu    sync.Mutex
	group map[net.Conn]struct{} // open connections of dialer
}

// connect prepares connections; none is opened yet.
func connect(c *Config) (*connections, error) {
	mechanism, err := mechanismOf(c.SASL)
	if err != nil {
		return nil, err
	}
	n := &connections{cfg: c, mechanism: mechanism, group: map[net.Conn]struct{}{}}
	n.transport = &kafkago.Transport{
		Dial: n.dial, DialTimeout: dialTimeout, MetadataTTL: metadataTTL, ClientID: clientID,
		MetadataTopics: []string{c.Prefix + TopicFeedback, c.Prefix + TopicAlerts},
		TLS:            c.TLS, SASL: mechanism,
	}
	n.client = &kafkago.Client{Addr: kafkago.TCP(c.Brokers...), Transport: n.transport, Timeout: callTimeout}
	return n, nil
}

func (n *connections) close() { n.transport.CloseIdleConnections() }

// dialer opens the connections of a consumer group.
func (n *connections) dialer() *kafkago.Dialer {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := n.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.group[conn] = struct{}{}
		conn.(*guarded).closed = func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			delete(n.group, conn)
		}
		return conn, nil
	}
	return &kafkago.Dialer{ClientID: clientID, Timeout: dialTimeout, DialFunc: dial, TLS: n.cfg.TLS, SASLMechanism: n.mechanism}
}

// hangUp closes the open connections of dialer; later ones are not touched.
func (n *connections) hangUp() {
	n.mu.Lock()
	conns := slices.Collect(maps.Keys(n.group))
	n.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

func (n *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := n.cfg.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	g := &guarded{Conn: conn}
	return g, g.SetDeadline(time.Time{})
}

func mechanismOf(s *SASL) (sasl.Mechanism, error) {
	switch {
	case s == nil:
		return nil, nil
	case s.Mechanism == Plain:
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case s.Mechanism == ScramSHA256:
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	}
	return scram.Mechanism(scram.SHA512, s.User, s.Password)
}

// guarded bounds every read, also where the library sets no deadline (its
// dialer waits for ever for the answer to a login).
type guarded struct {
	net.Conn
	closed func() // nil = nothing
}

func (g *guarded) Close() error {
	if g.closed != nil {
		g.closed()
	}
	return g.Conn.Close()
}

func (g *guarded) SetReadDeadline(t time.Time) error { return g.Conn.SetReadDeadline(bound(t)) }
func (g *guarded) SetDeadline(t time.Time) error     { return g.Conn.SetDeadline(bound(t)) }

func bound(t time.Time) time.Time {
	limit := time.Now().Add(longestQuiet)
	if t.IsZero() || t.After(limit) {
		return limit
	}
	return t
}
