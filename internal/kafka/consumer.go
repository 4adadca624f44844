package kafka

import (
	"context"
	"encoding/json"
	"errors"

	"redalert/alerting"
	"redalert/schemas"
	"redalert/signals"
)

// Consumer reads the log of events as the named group, from the start at
// first. All Consumers of one group of one Log are the same member and share
// its batches: they are for one goroutine. Several processes (or Logs) may read
// a group at once; each gets partitions of its own. Lag does not join the group.
func (l *Log) Consumer(group string) signals.Consumer { return l.ConsumerOf(group, 0) }

// ConsumerOf is Consumer for a process that reads a group with several
// goroutines: each nth is a member of its own, with partitions and a buffer of
// its own. Consumer is the one numbered 0.
func (l *Log) ConsumerOf(group string, nth int) signals.Consumer {
	return &consumer{l: l, group: group, nth: nth}
}

type consumer struct {
	l     *Log
	group string
	nth   int
}

// Fetch answers the oldest events that are not committed, taken from the
// partitions in turn. Without a commit it answers them again, as long as the
// partitions are ours. It fails with ingest.ErrUnavailable when the brokers are
// out of reach for a while, and with ErrStalled when only a restart can help.
func (c *consumer) Fetch(ctx context.Context, max int) (signals.Batch, error) {
	events, commit, err := fetch(ctx, c.l, seat{TopicFeedback, c.group, c.nth}, max, decodeEvent)
	return signals.Batch{Events: events, Commit: commit}, err
}

func (c *consumer) Lag(ctx context.Context) (int64, error) {
	return c.l.lag(ctx, TopicFeedback, c.group)
}

// AlertReader reads the alerts log as the named group; see Consumer.
func (l *Log) AlertReader(group string) alerting.AlertReader {
	return &alertReader{l: l, group: group}
}

type alertReader struct {
	l     *Log
	group string
}

func (a *alertReader) FetchAlerts(ctx context.Context, max int) (alerting.NoticeBatch, error) {
	notices, commit, err := fetch(ctx, a.l, seat{TopicAlerts, a.group, 0}, max, decodeNotice)
	return alerting.NoticeBatch{Notices: notices, Commit: commit}, err
}

func (a *alertReader) AlertLag(ctx context.Context) (int64, error) {
	return a.l.lag(ctx, TopicAlerts, a.group)
}

var errNoEvent = errors.New("it holds no event")

func decodeEvent(m *entry) (e schemas.Event, err error) {
	if err = e.Read(m.value); err == nil && e.ID == "" {
		err = errNoEvent
	}
	e.Trace = m.trace
	return e, err
}

func decodeNotice(m *entry) (n schemas.Notice, err error) {
	if err = json.Unmarshal(m.value, &n); err == nil && n.Event.ID == "" {
		err = errNoEvent
	}
	n.Event.Trace = m.trace
	return n, err
}

// fetch answers up to limit values that could be decoded, and what commits
// them. Values that could not go to Broken and are passed over.
func fetch[T any](ctx context.Context, l *Log, at seat, limit int, decode func(*entry) (T, error)) ([]T, func(context.Context) error, error) {
	if limit <= 0 {
		limit = 100
	}
	m, err := l.member(at)
	if err != nil {
		return nil, nil, err
	}
	for {
		b, err := m.wait(ctx, limit)
		if err != nil {
			return nil, nil, err
		}
		var values []T
		for _, r := range b.refs {
			v, err := decode(r.entry)
			if err == nil {
				values = append(values, v)
			} else if err := m.broken(ctx, b.s, r, err); err != nil {
				return nil, nil, err
			}
		}
		if len(values) > 0 {
			return values, b.commit, nil
		}
		if err := b.commit(ctx); err != nil && !errors.Is(err, ErrStale) {
			return nil, nil, err
		}
	}
}
