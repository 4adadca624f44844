package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn"
)

var _ signals.History = (*DB)(nil)

// Store keeps events and verdicts and folds the orders they touch; see
// signals.History. Event JSON that a receipt holds is not written again.
func (d *DB) Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error) {
	if len(scored) == 0 {
		return nil, nil
	}
	b, err := prepareBatch(scored)
	if err != nil {
		return nil, fmt.Errorf("store history: %w", err)
	}
	if err := d.Write(ctx, b.store); err != nil {
		return nil, unavailable("store history", err)
	}
	out := make([]schemas.Verdict, len(scored))
	for i, s := range scored {
		out[i] = b.standing[s.Event.ID]
	}
	return out, nil
}

// historyBatch is what one Store writes, encoded before the transaction.
type historyBatch struct {
	scored   []schemas.Scored // first of each event id
	verdicts [][]byte
	orders   map[string]churn.OrderEvent // by event id
	standing map[string]schemas.Verdict
}

// prepareBatch encodes a batch. Events that cannot be encoded are a
// *signals.RejectedError.
func prepareBatch(scored []schemas.Scored) (*historyBatch, error) {
	b := &historyBatch{standing: make(map[string]schemas.Verdict, len(scored)), orders: map[string]churn.OrderEvent{}}
	var rejected signals.RejectedError
	for _, s := range scored {
		id := s.Event.ID
		if _, ok := b.standing[id]; ok {
			continue
		}
		s.Verdict.EventID = id
		b.standing[id] = s.Verdict
		if err := b.add(s); err != nil {
			rejected.Events = append(rejected.Events, signals.Rejection{EventID: id, Reason: err.Error()})
		}
	}
	if len(rejected.Events) > 0 {
		return nil, &rejected
	}
	return b, nil
}

func (b *historyBatch) add(s schemas.Scored) error {
	v, err := json.Marshal(s.Verdict)
	if err != nil {
		return fmt.Errorf("its verdict: %w", err)
	}
	if len(s.Event.Data) > 0 && !json.Valid(s.Event.Data) {
		return errors.New("its data is no JSON")
	}
	if s.Event.Type.IsOrder() {
		x, err := churn.ReadOrderEvent(s.Event)
		if err != nil {
			return err
		}
		b.orders[s.Event.ID] = x
	}
	b.scored, b.verdicts = append(b.scored, s), append(b.verdicts, v)
	return nil
}

func (b *historyBatch) store(tx *Tx) error {
	known, err := b.loadStanding(tx)
	if err != nil {
		return err
	}
	var fresh []int
	var events []schemas.Event
	for i, s := range b.scored {
		if !known[s.Event.ID] {
			fresh, events = append(fresh, i), append(events, s.Event)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	payloads, err := payloadIDs(tx, events)
	if err != nil {
		return err
	}
	var id int64
	if err := tx.QueryRow("SELECT coalesce(max(id), 0) FROM events").Scan(&id); err != nil {
		return err
	}
	var eventRows, verdictRows [][]any
	var orders []churn.OrderEvent
	for k, i := range fresh {
		id++
		e, v := b.scored[i].Event, b.scored[i].Verdict
		categories, err := json.Marshal(append([]schemas.Category{}, v.Categories...))
		if err != nil {
			return err
		}
		eventRows = append(eventRows, []any{id, e.ID, payloads[k], e.Source, string(e.Type), ms(e.OccurredAt), ms(e.CollectedAt), e.LocalDate, e.CustomerID, e.Location})
		verdictRows = append(verdictRows, []any{id, e.ID, v.Red, ms(v.ScoredAt), string(categories), b.verdicts[i]})
		if x, ok := b.orders[e.ID]; ok {
			orders = append(orders, x)
		}
	}
	if err := insertRows(tx, "INSERT INTO events (id, event_id, payload, source, type, occurred_at, collected_at, local_date, customer_id, location)", "", eventRows); err != nil {
		return err
	}
	if err := insertRows(tx, "INSERT INTO verdicts (id, event_id, red, scored_at, categories, value)", "", verdictRows); err != nil {
		return err
	}
	return foldOrders(tx, orders)
}

// loadStanding puts verdicts that stand already in place of the batch's own.
func (b *historyBatch) loadStanding(tx *Tx) (map[string]bool, error) {
	ids := make([]string, len(b.scored))
	for i, s := range b.scored {
		ids[i] = s.Event.ID
	}
	known := map[string]bool{}
	rows, err := tx.Query(`SELECT v.value FROM events e JOIN verdicts v ON v.id = e.id
		WHERE e.event_id IN (SELECT value FROM json_each(?))`, idList(ids))
	return known, each(rows, err, func(r *sql.Rows) error {
		v, err := scanVerdict(r)
		known[v.EventID], b.standing[v.EventID] = true, v
		return err
	})
}

// scanVerdict reads a row of one column, a verdict's JSON.
func scanVerdict(r *sql.Rows) (v schemas.Verdict, err error) {
	var b sql.RawBytes
	if err := r.Scan(&b); err != nil {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}

const orderEventColumns = "event_id, order_ref, type, source, occurred_at, local_date, placed_at, total, previous_total, currency, caused_by, customer_id, location, tip"

func orderEventRow(x churn.OrderEvent) []any {
	return []any{x.EventID, x.OrderRef, string(x.Type), x.Source, ms(x.OccurredAt), x.LocalDate, nullMS(x.PlacedAt), nullInt(x.Total), nullInt(x.PreviousTotal),
		x.Currency, string(x.CausedBy), x.CustomerID, x.Location, nullInt(x.Tip)}
}

func nullInt(v *int64) any {
	if v == nil {
		return nil
	}
	return *v
}

// scanOrderEvent reads orderEventColumns, after the given columns.
func scanOrderEvent(r *sql.Rows, before ...any) (x churn.OrderEvent, err error) {
	var occurred int64
	var placed sql.NullInt64
	err = r.Scan(append(before, &x.EventID, &x.OrderRef, &x.Type, &x.Source, &occurred, &x.LocalDate, &placed, &x.Total, &x.PreviousTotal,
		&x.Currency, &x.CausedBy, &x.CustomerID, &x.Location, &x.Tip)...)
	x.OccurredAt, x.PlacedAt = fromMS(occurred), fromNullMS(placed)
	return x, err
}

// foldOrders stores new order events and computes the orders they belong to
// anew from all events of each, so that it does not matter in which order
// events come.
func foldOrders(tx *Tx, fresh []churn.OrderEvent) error {
	if len(fresh) == 0 {
		return nil
	}
	rows := make([][]any, len(fresh))
	byRef := map[string][]churn.OrderEvent{}
	var refs []string
	for i, x := range fresh {
		rows[i] = orderEventRow(x)
		if byRef[x.OrderRef] == nil {
			refs = append(refs, x.OrderRef)
			byRef[x.OrderRef] = []churn.OrderEvent{}
		}
	}
	if err := insertRows(tx, "INSERT INTO order_events ("+orderEventColumns+")", "", rows); err != nil {
		return err
	}
	found, err := tx.Query("SELECT "+orderEventColumns+" FROM order_events WHERE order_ref IN (SELECT value FROM json_each(?))", idList(refs))
	if err := each(found, err, func(r *sql.Rows) error {
		x, err := scanOrderEvent(r)
		byRef[x.OrderRef] = append(byRef[x.OrderRef], x)
		return err
	}); err != nil {
		return err
	}
	states := make([][]any, 0, len(refs))
	for _, ref := range refs {
		if len(byRef[ref]) > 0 {
			states = append(states, orderRow(churn.Fold(byRef[ref])))
		}
	}
	return insertRows(tx, `INSERT INTO orders (order_ref, customer_id, source, state, known, placed_at, local_date, changed_at, total, previous_total, currency, net, location)`,
		`ON CONFLICT (order_ref) DO UPDATE SET customer_id = excluded.customer_id, source = excluded.source, state = excluded.state, known = excluded.known,
		placed_at = excluded.placed_at, local_date = excluded.local_date, changed_at = excluded.changed_at, total = excluded.total,
		previous_total = excluded.previous_total, currency = excluded.currency, net = excluded.net, location = excluded.location`, states)
}

func orderRow(f churn.Folded) []any {
	var previous any
	if f.PreviousTotal != nil {
		previous = f.PreviousTotal.Amount
	}
	return []any{f.OrderRef, f.CustomerID, f.Source, string(f.State), f.Known, ms(f.PlacedAt), f.LocalDate, ms(f.ChangedAt), f.Total.Amount, previous, f.Total.Currency, f.Net, f.Location}
}
