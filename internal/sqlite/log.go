package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

var (
	_ ingest.Publisher       = (*DB)(nil)
	_ signals.EventPublisher = (*DB)(nil)
	_ signals.AlertPublisher = (*DB)(nil)
	_ signals.Consumer       = (*consumer)(nil)
	_ alerting.AlertReader   = (*alertReader)(nil)
)

// Topics of the log.
const (
	topicFeedback = "feedback"
	topicAlerts   = "alerts"
)

// pollEvery is how often a waiting reader looks for what another process (an
// import beside the server) has written; writes of this process wake it at once.
const pollEvery = 150 * time.Millisecond

// maxFetchBytes bounds the JSON of one batch, so that 500 events of the
// largest size do not fill the memory. A batch holds at least one event.
const maxFetchBytes = 16 << 20

// Publish appends events to the log; all are durable when it returns nil, none
// otherwise. Of an event that was reserved the stored form is published: the
// receipt's word stands, and its JSON is not written again.
func (d *DB) Publish(ctx context.Context, events []schemas.Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := d.Write(ctx, func(tx *Tx) error { return publish(tx, events) }); err != nil {
		return unavailable("publish events", err)
	}
	d.wake.Wake()
	return nil
}

func publish(tx *Tx, events []schemas.Event) error {
	ids, err := payloadIDs(tx, events)
	if err != nil {
		return err
	}
	rows := make([][]any, len(events))
	for i := range events {
		rows[i] = logRow(&events[i], ids[i])
	}
	return insertRows(tx, insertFeedback, "", rows)
}

const insertFeedback = "INSERT INTO feedback_log (event_id, key, at, payload)"

func logRow(e *schemas.Event, payload int64) []any {
	return []any{e.ID, e.PartitionKey(), ms(e.CollectedAt), payload}
}

// payloadIDs answers where each event's JSON is stored, in order. What no
// receipt holds is stored now.
func payloadIDs(tx *Tx, events []schemas.Event) ([]int64, error) {
	asked := make([]string, len(events))
	for i, e := range events {
		asked[i] = e.ID
	}
	have := make(map[string]int64, len(events))
	rows, err := tx.Query(`SELECT r.event_id, r.payload FROM receipts r JOIN payloads p ON p.id = r.payload
		WHERE r.event_id IN (SELECT value FROM json_each(?))`, idList(asked))
	if err := each(rows, err, func(r *sql.Rows) error {
		var id string
		var payload int64
		err := r.Scan(&id, &payload)
		have[id] = payload
		return err
	}); err != nil {
		return nil, err
	}
	var missing [][]byte
	var at []string
	for _, e := range events {
		if _, ok := have[e.ID]; ok {
			continue
		}
		b, err := e.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("event %s: %w", e.ID, err)
		}
		missing, at = append(missing, b), append(at, e.ID)
		have[e.ID] = 0
	}
	first, err := insertPayloads(tx, missing)
	if err != nil {
		return nil, err
	}
	for i, id := range at {
		have[id] = first + int64(i)
	}
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = have[e.ID]
	}
	return ids, nil
}

// insertPayloads stores JSON texts under consecutive ids and answers the first.
// The one writer of the transaction makes that safe.
func insertPayloads(tx *Tx, values [][]byte) (first int64, err error) {
	if len(values) == 0 {
		return 0, nil
	}
	err = tx.QueryRow("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'payloads'").Scan(&first)
	if err != nil {
		return 0, err
	}
	rows := make([][]any, len(values))
	for i, v := range values {
		rows[i] = []any{first + int64(i), v}
	}
	return first, insertRows(tx, "INSERT INTO payloads (id, value)", "", rows)
}

// PublishAlerts appends notices to the alerts log; all are durable when it
// returns nil, none otherwise.
func (d *DB) PublishAlerts(ctx context.Context, notices []schemas.Notice) error {
	if len(notices) == 0 {
		return nil
	}
	rows := make([][]any, len(notices))
	for i, n := range notices {
		b, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("publish alerts: notice of event %s: %w", n.Event.ID, err)
		}
		rows[i] = []any{n.Event.ID, n.Event.CaseKey(), ms(n.Event.CollectedAt), b}
	}
	if err := d.Write(ctx, func(tx *Tx) error {
		return insertRows(tx, "INSERT INTO alerts_log (event_id, key, at, value)", "", rows)
	}); err != nil {
		return unavailable("publish alerts", err)
	}
	d.wake.Wake()
	return nil
}

// Consumer reads the log of events as the named group, from the start at
// first. A batch that was not committed comes again with the next Fetch, so
// one group is for one reader at a time, and one Consumer for one goroutine.
func (d *DB) Consumer(group string) signals.Consumer { return &consumer{d: d, group: group} }

type consumer struct {
	d     *DB
	group string

	small bool      // the last batch was less than was asked for
	at    time.Time // when it was fetched
}

// gatherFor is how long after a small batch the next may be fetched: events
// that trickle in many a second are worked off together, whose commits would
// otherwise compete with those of the doors. One event after a pause is
// fetched at once.
const gatherFor = 250 * time.Millisecond

func (c *consumer) gather(ctx context.Context) error {
	left := gatherFor - time.Since(c.at)
	if !c.small || left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.d.quit:
		return unavailable("read the log", ErrClosed)
	}
}

func (c *consumer) Fetch(ctx context.Context, max int) (signals.Batch, error) {
	var b signals.Batch
	if err := c.gather(ctx); err != nil {
		return b, err
	}
	defer func() { c.small, c.at = len(b.Events) < max, time.Now() }()
	last, err := c.d.fetch(ctx, max, topicFeedback, c.group, func(value []byte) error {
		var e schemas.Event
		if err := e.UnmarshalJSON(value); err != nil {
			return err
		}
		b.Events = append(b.Events, e)
		return nil
	})
	b.Commit = func(ctx context.Context) error { return c.d.commitOffset(ctx, topicFeedback, c.group, last) }
	return b, err
}

func (c *consumer) Lag(ctx context.Context) (int64, error) {
	return c.d.lag(ctx, topicFeedback, c.group)
}

// AlertReader reads the alerts log as the named group; see Consumer.
func (d *DB) AlertReader(group string) alerting.AlertReader { return &alertReader{d, group} }

type alertReader struct {
	d     *DB
	group string
}

func (a *alertReader) FetchAlerts(ctx context.Context, max int) (alerting.NoticeBatch, error) {
	var b alerting.NoticeBatch
	last, err := a.d.fetch(ctx, max, topicAlerts, a.group, func(value []byte) error {
		var n schemas.Notice
		if err := json.Unmarshal(value, &n); err != nil {
			return err
		}
		b.Notices = append(b.Notices, n)
		return nil
	})
	b.Commit = func(ctx context.Context) error { return a.d.commitOffset(ctx, topicAlerts, a.group, last) }
	return b, err
}

func (a *alertReader) AlertLag(ctx context.Context) (int64, error) {
	return a.d.lag(ctx, topicAlerts, a.group)
}

const committed = " coalesce((SELECT position FROM log_offsets WHERE topic = ? AND name = ?), 0)"

var fetchQuery = map[string]string{
	topicFeedback: `SELECT l.position, l.event_id, p.value FROM feedback_log l LEFT JOIN payloads p ON p.id = l.payload
		WHERE l.position >` + committed + ` ORDER BY l.position LIMIT ?`,
	topicAlerts: `SELECT l.position, l.event_id, l.value FROM alerts_log l
		WHERE l.position >` + committed + ` ORDER BY l.position LIMIT ?`,
}

// fetch waits until the log goes beyond the group's offset, hands each value
// to take and answers the last position taken.
func (d *DB) fetch(ctx context.Context, max int, topic, group string, take func([]byte) error) (last int64, err error) {
	if max <= 0 {
		max = 100
	}
	for {
		woken := d.wake.Wait()
		size := 0
		rows, err := d.query(ctx, fetchQuery[topic], topic, group, max)
		err = each(rows, err, func(r *sql.Rows) error {
			if size >= maxFetchBytes {
				return nil
			}
			var pos int64
			var id string
			var value sql.RawBytes
			if err := r.Scan(&pos, &id, &value); err != nil {
				return err
			}
			if err := take(value); err != nil {
				return fmt.Errorf("position %d, event %s: %w", pos, id, err)
			}
			last, size = pos, size+len(value)
			return nil
		})
		if err != nil {
			return 0, unavailable("read the log of "+topic, err)
		}
		if last > 0 {
			return last, nil
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, ctx.Err()
		case <-d.quit:
			timer.Stop()
			return 0, unavailable("read the log of "+topic, ErrClosed)
		case <-woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (d *DB) commitOffset(ctx context.Context, topic, group string, position int64) error {
	if position <= 0 {
		return nil
	}
	err := d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO log_offsets (topic, name, position) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET position = max(position, excluded.position)`, topic, group, position)
		return err
	})
	return unavailable("commit the offset of "+group, err)
}

func (d *DB) lag(ctx context.Context, topic, group string) (n int64, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT count(*) FROM "+topic+"_log WHERE position >"+committed, topic, group).Scan(&n)
	return n, unavailable("lag of "+group, err)
}

// Prune removes from both logs what was collected before the given time (the
// log is kept at most 30 days; history is the memory) and what every group has
// committed; a log that no group has ever read is left alone. Event JSON that
// neither history nor a pending receipt needs goes with it. It answers how many
// entries it removed, works in short transactions, and leaves receipts alone.
func (d *DB) Prune(ctx context.Context, before time.Time) (removed int64, err error) {
	for _, topic := range []string{topicFeedback, topicAlerts} {
		for {
			var n int64
			err := d.Write(ctx, func(tx *Tx) (err error) {
				n, err = pruneSome(tx, topic, before)
				return err
			})
			removed += n
			if err != nil {
				return removed, unavailable("prune the log of "+topic, err)
			}
			if n == 0 {
				break
			}
		}
	}
	return removed, nil
}

const pruneChunk = 500

func pruneSome(tx *Tx, topic string, before time.Time) (int64, error) {
	var upto sql.NullInt64
	err := tx.QueryRow("SELECT max(position) FROM (SELECT position FROM "+topic+`_log
		WHERE at < ? AND position <= (SELECT min(position) FROM log_offsets WHERE topic = ?) ORDER BY position LIMIT ?)`,
		ms(before), topic, pruneChunk).Scan(&upto)
	if err != nil || !upto.Valid {
		return 0, err
	}
	if topic == topicFeedback {
		if _, err := tx.Exec(`DELETE FROM payloads WHERE id IN (SELECT l.payload FROM feedback_log l
			WHERE l.position <= ? AND l.at < ?
			AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = l.event_id AND e.payload = l.payload)
			AND NOT EXISTS (SELECT 1 FROM receipts r WHERE r.event_id = l.event_id AND r.published = 0)
			AND NOT EXISTS (SELECT 1 FROM feedback_log o WHERE o.payload = l.payload AND o.event_id = l.event_id AND o.position > ?))`,
			upto.Int64, ms(before), upto.Int64); err != nil {
			return 0, err
		}
	}
	res, err := tx.Exec("DELETE FROM "+topic+"_log WHERE position <= ? AND at < ?", upto.Int64, ms(before))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
