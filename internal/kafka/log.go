package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/semaphore"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

var (
	_ ingest.Publisher       = (*Log)(nil)
	_ signals.EventPublisher = (*Log)(nil)
	_ signals.AlertPublisher = (*Log)(nil)
	_ signals.Consumer       = (*consumer)(nil)
	_ alerting.AlertReader   = (*alertReader)(nil)
)

// Topics of the log; on the brokers they carry the prefix.
const (
	TopicFeedback = "feedback"
	TopicAlerts   = "alerts"
)

const (
	// maxValue is the largest value: an event of schemas.MaxEventBytes, and a
	// notice with its verdict.
	maxValue = 1 << 20
	// batchBytes is the most that goes to a partition in one request.
	batchBytes = maxValue + 16<<10
	// maxMessageBytes is what the topics take: a batch with its frame.
	maxMessageBytes = 2 << 20
	// pendingBytes bounds what waits for an acknowledgement, also when nobody
	// waits for it any more.
	pendingBytes = 32 << 20
)

// Log is both logs on Kafka. Its methods may be called at once.
type Log struct {
	cfg     Config
	conns   *connections
	writer  *kafkago.Writer
	alerts  *kafkago.Writer // of notices: somebody waits for each
	pending *semaphore.Weighted
	writes  sync.WaitGroup

	quit    chan struct{}
	mu      sync.Mutex
	closed  bool
	members map[seat]*member
}

// Open checks the configuration and answers the log. It connects to nothing:
// brokers that are down make the calls fail, not the start; Check says what is
// wrong. Members of groups are started by the first Fetch.
func Open(_ context.Context, c Config) (*Log, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	l := &Log{cfg: c, pending: semaphore.NewWeighted(pendingBytes), quit: make(chan struct{}), members: map[seat]*member{}}
	var err error
	if l.conns, err = connect(&l.cfg); err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	l.writer, l.alerts = newWriter(l.conns, eventLinger), newWriter(l.conns, alertLinger)
	return l, nil
}

// How long a writer waits for more to go with what it has. Events come one by
// one from many senders; notices come by the batch.
const (
	eventLinger = 5 * time.Millisecond
	alertLinger = time.Millisecond
)

// newWriter is the one place where a writer is made. The library's zero value
// asks for no acknowledgement and waits a second for a batch to fill.
func newWriter(n *connections, linger time.Duration) *kafkago.Writer {
	return &kafkago.Writer{
		Addr: n.client.Addr, Transport: n.transport,
		RequiredAcks: kafkago.RequireAll, Async: false, AllowAutoTopicCreation: false,
		Balancer:  &kafkago.Hash{},
		BatchSize: 1000, BatchBytes: batchBytes, BatchTimeout: linger,
		MaxAttempts: 5, WriteBackoffMin: 100 * time.Millisecond, WriteBackoffMax: time.Second,
		ReadTimeout: callTimeout, WriteTimeout: callTimeout,
	}
}

// closeWithin bounds how long Close waits for members to leave their groups
// and for messages on their way.
const closeWithin = 15 * time.Second

// Close leaves the groups, so that others take over at once, and waits for
// messages on their way, at most 15 s. What was fetched and not committed comes again.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.quit)
	members := l.members
	l.mu.Unlock()

	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, m := range members {
			m.cancel()
		}
		for _, m := range members {
			m.finish()
		}
		l.writes.Wait()
		l.writer.Close()
		l.alerts.Close()
		l.conns.close()
	}()
	timer := time.NewTimer(closeWithin)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("closing the log: the brokers did not answer within %v; groups notice that we are gone when the session ends", closeWithin)
	}
}

// Publish appends events; all are durable on every replica in sync when it
// answers nil. On an error none, some or all may be: publish them again.
// Errors wrap ingest.ErrUnavailable, but for events that no topic takes.
func (l *Log) Publish(ctx context.Context, events []schemas.Event) error {
	msgs := make([]kafkago.Message, len(events))
	for i, e := range events {
		value, err := e.MarshalJSON()
		if err != nil {
			return fmt.Errorf("publish events: event %s: %w", e.ID, err)
		}
		if msgs[i], err = l.message(TopicFeedback, e.PartitionKey(), value, e.Trace); err != nil {
			return fmt.Errorf("publish events: event %s: %w", e.ID, err)
		}
	}
	return l.write(ctx, "publish events", msgs)
}

// PublishAlerts appends notices; see Publish.
func (l *Log) PublishAlerts(ctx context.Context, notices []schemas.Notice) error {
	msgs := make([]kafkago.Message, len(notices))
	for i, n := range notices {
		value, err := n.AppendJSON(nil)
		if err != nil {
			return fmt.Errorf("publish alerts: notice of event %s: %w", n.Event.ID, err)
		}
		if msgs[i], err = l.message(TopicAlerts, n.Event.CaseKey(), value, n.Event.Trace); err != nil {
			return fmt.Errorf("publish alerts: notice of event %s: %w", n.Event.ID, err)
		}
	}
	return l.write(ctx, "publish alerts", msgs)
}

// traceHeader carries the W3C trace context beside the value.
const traceHeader = "traceparent"

func (l *Log) message(topic, key string, value []byte, trace string) (kafkago.Message, error) {
	if len(value) > maxValue {
		return kafkago.Message{}, fmt.Errorf("%d bytes: %w", len(value), ErrTooLarge)
	}
	m := kafkago.Message{Topic: l.cfg.Prefix + topic, Key: []byte(key), Value: value}
	if trace != "" {
		m.Headers = []kafkago.Header{{Key: traceHeader, Value: []byte(trace)}}
	}
	return m, nil
}

// write hands messages of one topic to its writer and waits until all are acknowledged. When
// ctx ends first the messages may still arrive; their bytes count as pending
// until the writer has given them up.
func (l *Log) write(ctx context.Context, what string, msgs []kafkago.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.PublishTimeout, fmt.Errorf("not acknowledged within %v", l.cfg.PublishTimeout))
	defer cancel()
	to, size := l.writer, bytesOf(msgs)
	if msgs[0].Topic == l.cfg.Prefix+TopicAlerts {
		to = l.alerts
	}
	if err := l.pending.Acquire(ctx, size); err != nil {
		return unavailable(what, context.Cause(ctx))
	}
	done := make(chan error, 1)
	if !l.begin(func() {
		defer l.pending.Release(size)
		done <- to.WriteMessages(context.WithoutCancel(ctx), msgs...)
	}) {
		l.pending.Release(size)
		return unavailable(what, ErrClosed)
	}
	select {
	case err := <-done:
		return unavailable(what, err)
	case <-ctx.Done():
		return unavailable(what, context.Cause(ctx))
	}
}

// begin runs fn beside us, unless the log is closed.
func (l *Log) begin(fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.writes.Go(fn)
	return true
}

// bytesOf answers how many bytes messages count against what is pending.
func bytesOf(msgs []kafkago.Message) (size int64) {
	for i := range msgs {
		size += int64(len(msgs[i].Key) + len(msgs[i].Value) + entryOverhead)
	}
	return min(size, pendingBytes)
}
