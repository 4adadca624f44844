package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"redalert/ingest"
)

// member is this process's part in one group of one topic.
type member struct {
	cfg          *Config
	topic, group string // topic with its prefix; group as asked for
	id           string // of the group on the brokers

	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // run and watch have returned

	mu        sync.Mutex
	wake      wake // something below has changed
	session   *session
	leave     context.CancelFunc // ends the present membership; nil between two
	paused    bool               // out of the group until the next call
	fatal     error
	handed    bool      // a batch is out, and no call has come since
	at        time.Time // when it was handed out, or the last call came
	downSince time.Time // of a member without a session; zero while things go well
	stalls    int       // rebuilds in a row that did not help
	stats     Stats
}

// wake is a condition to wait for together with a context. Its user's mutex
// guards it.
type wake struct{ c chan struct{} }

func (w *wake) wait() <-chan struct{} {
	if w.c == nil {
		w.c = make(chan struct{})
	}
	return w.c
}

func (w *wake) all() {
	if w.c != nil {
		close(w.c)
		w.c = nil
	}
}

// groupID is one per topic: members of a group that read different topics would
// shift each other's partitions at every start.
func (l *Log) groupID(topic, group string) string { return l.cfg.Prefix + topic + "." + group }

// seat is which of a Log's members: the nth of a group on a topic (without the
// prefix).
type seat struct {
	topic, group string
	nth          int
}

// member answers the group's member and starts it at first.
func (l *Log) member(at seat) (*member, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	topic, group := at.topic, at.group
	id := l.groupID(topic, group)
	if l.closed {
		return nil, unavailable("read "+id, ErrClosed)
	}
	if m := l.members[at]; m != nil {
		return m, nil
	}
	m := &member{cfg: &l.cfg, topic: l.cfg.Prefix + topic, group: group, id: id, at: l.cfg.Now(), ended: make(chan struct{})}
	m.stats = Stats{Topic: topic, Group: group, Member: at.nth}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	l.members[at] = m
	var wg sync.WaitGroup
	wg.Go(m.run)
	wg.Go(m.watch)
	go func() {
		wg.Wait()
		close(m.ended)
	}()
	return m, nil
}

func (m *member) finish() { <-m.ended }

// downPatience is how long Fetch waits for brokers that do not answer before it
// says so.
const downPatience = 15 * time.Second

// wait answers what can be handed out, as soon as there is something.
func (m *member) wait(ctx context.Context, limit int) (*batch, error) {
	m.touch(false)
	for {
		m.mu.Lock()
		if m.session != nil && ctx.Err() == nil {
			if b := m.session.take(limit); !b.empty() {
				m.mu.Unlock()
				m.touch(true)
				return b, nil
			}
		}
		err := m.hopeless()
		woken := m.wake.wait()
		m.mu.Unlock()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-m.ctx.Done():
			return nil, unavailable("read "+m.id, ErrClosed)
		case <-woken:
		}
	}
}

// hopeless answers why waiting longer makes no sense; the caller holds mu.
func (m *member) hopeless() error {
	if m.fatal != nil {
		return m.fatal
	}
	if m.session == nil && !m.downSince.IsZero() && m.cfg.Now().Sub(m.downSince) > downPatience {
		return fmt.Errorf("read %s: %w: %s", m.id, ingest.ErrUnavailable, m.stats.Trouble)
	}
	return nil
}

// touch notes that the caller is alive: it has called, or gets a batch now. A
// member that had left the group comes back.
func (m *member) touch(handed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handed, m.at = handed, m.cfg.Now()
	if m.paused {
		m.paused = false
		m.wake.all()
	}
}

// run keeps the member in its group until it is closed.
func (m *member) run() {
	for m.ctx.Err() == nil {
		if !m.resumed() {
			return
		}
		if err := m.join(); err != nil {
			m.down("join group "+m.id, err)
			ingest.Sleep(m.ctx, time.Second)
		}
	}
}

// resumed waits while the member is paused; false when it is closed.
func (m *member) resumed() bool {
	for {
		m.mu.Lock()
		paused, woken := m.paused || m.fatal != nil, m.wake.wait()
		m.mu.Unlock()
		if !paused {
			return true
		}
		select {
		case <-m.ctx.Done():
			return false
		case <-woken:
		}
	}
}

// join is one membership, over as many generations as it lasts. Each has its
// own connections, so that a rebuild starts from nothing.
func (m *member) join() error {
	n, err := connect(m.cfg)
	if err != nil {
		return err
	}
	defer n.close()
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	m.mu.Lock()
	m.leave = cancel
	m.mu.Unlock()
	// Joined to a topic that does not exist, the library has the broker create it.
	if _, err := n.partitions(ctx, m.topic); err != nil {
		return err
	}
	group, err := kafkago.NewConsumerGroup(m.groupConfig(n))
	if err != nil {
		return err
	}
	defer group.Close()
	defer n.hangUp() // else Close waits for answers that may take half a minute
	for {
		gen, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, kafkago.ErrGroupClosed):
			return nil
		case err != nil: // "[15] Group Coordinator Not Available", for instance; the library tries again
			m.down("join group "+m.id, err)
		default:
			m.begin(gen, n)
		}
	}
}

func (m *member) groupConfig(n *connections) kafkago.ConsumerGroupConfig {
	return kafkago.ConsumerGroupConfig{
		ID: m.id, Brokers: m.cfg.Brokers, Topics: []string{m.topic}, Dialer: n.dialer(),
		StartOffset:       kafkago.FirstOffset,
		SessionTimeout:    m.cfg.SessionTimeout,
		RebalanceTimeout:  m.cfg.SessionTimeout,
		HeartbeatInterval: min(max(m.cfg.SessionTimeout/10, 100*time.Millisecond), 3*time.Second),
		JoinGroupBackoff:  500 * time.Millisecond,
		Timeout:           callTimeout / 2,
		// Migrate adds no partitions, but an operator may.
		WatchPartitionChanges: true, PartitionWatchInterval: 30 * time.Second,
	}
}

// begin makes a generation's partitions ours.
func (m *member) begin(gen *kafkago.Generation, n *connections) {
	s := newSession(m, gen)
	m.mu.Lock()
	m.session, m.downSince = s, time.Time{}
	m.stats.Generations++
	m.wake.all()
	m.mu.Unlock()
	m.cfg.Log.Info("partitions assigned", "topic", m.topic, "group", m.group, "generation", gen.ID, "partitions", len(s.parts))
	gen.Start(func(ctx context.Context) { s.run(ctx, n) })
}

// down notes that the member has no session, and why.
func (m *member) down(what string, err error) {
	m.mu.Lock()
	if m.downSince.IsZero() {
		m.downSince = m.cfg.Now()
	}
	m.mu.Unlock()
	m.troubled(what, err)
}

// troubled notes and logs a failure that is tried again.
func (m *member) troubled(what string, err error) {
	if m.ctx.Err() != nil {
		return
	}
	text := what + ": " + err.Error()
	if advice := advise(err); advice != "" {
		text = what + ": " + advice + ": " + err.Error()
	}
	m.mu.Lock()
	repeated := m.stats.Trouble == text && m.cfg.Now().Sub(m.stats.TroubleAt) < time.Minute
	if !repeated {
		m.stats.Trouble, m.stats.TroubleAt = text, m.cfg.Now()
	}
	m.wake.all()
	m.mu.Unlock()
	if !repeated {
		m.cfg.Log.Warn("reading the log fails; it is tried again", "topic", m.topic, "group", m.group, "error", text)
	}
}

// gap raises the alarm that messages were lost to this group.
func (m *member) gap(partition int, from, to int64) {
	m.mu.Lock()
	m.stats.Gaps++
	m.stats.Lost += to - from
	m.mu.Unlock()
	m.cfg.Log.Error("ALARM: the log's retention has passed this group; events are lost to it",
		"topic", m.topic, "group", m.group, "partition", partition, "lost", to-from, "from_offset", from, "to_offset", to)
}

// broken gives a message that cannot be read to its taker, once.
func (m *member) broken(ctx context.Context, s *session, r ref, cause error) error {
	msg := BrokenMessage{Topic: m.topic, Partition: r.part.id, Offset: r.entry.offset, Value: r.entry.value, Err: cause}
	m.cfg.Log.Error("a message of the log cannot be read and is passed over",
		"topic", msg.Topic, "partition", msg.Partition, "offset", msg.Offset, "bytes", len(msg.Value))
	if m.cfg.Broken != nil {
		if err := m.cfg.Broken(ctx, msg); err != nil {
			return fmt.Errorf("read %s: partition %d, offset %d cannot be read, nor put aside: %w", m.id, msg.Partition, msg.Offset, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r.entry.broken = true
	m.stats.Broken++
	return nil
}

func (m *member) snapshot() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.stats
	if m.session != nil {
		st.Assigned = len(m.session.parts)
		for _, p := range m.session.parts {
			st.Buffered += int64(p.bytes)
		}
	}
	return st
}
