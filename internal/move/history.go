package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"redalert/schemas"
	"redalert/signals"
)

var errDiffers = errors.New("differs")

// saveEvery is after how many pages of history it is noted how far it has got.
const saveEvery = 5

// history makes the target's history equal to the source's: events with their
// verdicts through the port, and with them the orders, which are folded from
// events. Storing an event again changes nothing, so a run that was cut off goes
// on from what it noted last; if in the end the two differ all the same (the
// source was in use between two runs), it is cleared and copied whole.
func (m *mover) history(ctx context.Context) ([]Line, error) {
	total, err := m.from.History.CountEvents(ctx)
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	if err := m.to.History.ForgetAliases(ctx); err != nil {
		return nil, fmt.Errorf("history's aliases: %w", err)
	}
	lines, err := m.compareHistory(ctx, total, 0, "compare events")
	if err != nil || equal(lines) {
		return lines, err
	}
	copied, err := m.copyHistory(ctx, m.mark.Cursor, m.mark.Events, total)
	if err != nil {
		return nil, err
	}
	if lines, err = m.compareHistory(ctx, total, copied, "verify events"); err != nil || equal(lines) {
		return lines, err
	}
	if err := m.note(ctx, "", 0); err != nil {
		return nil, err
	}
	if err := m.to.History.ClearHistory(ctx); err != nil {
		return nil, fmt.Errorf("clear the target's history: %w", err)
	}
	if copied, err = m.copyHistory(ctx, "", 0, total); err != nil {
		return nil, err
	}
	return m.compareHistory(ctx, total, copied, "verify events")
}

func equal(lines []Line) bool {
	for _, l := range lines {
		if !l.Equal {
			return false
		}
	}
	return true
}

func (m *mover) copyHistory(ctx context.Context, cursor string, done, total int64) (copied int64, err error) {
	for pages := 1; ; pages++ {
		p, scored, err := scoredPage(ctx, m.from.History, cursor)
		if err != nil {
			return copied, err
		}
		if _, err := m.to.History.Store(ctx, scored); err != nil {
			return copied, inWords(err)
		}
		copied, done = copied+int64(len(scored)), done+int64(len(scored))
		m.progress.Step("events", done, total)
		if cursor = p.Next; cursor == "" {
			return copied, nil
		}
		if pages%saveEvery == 0 {
			if err := m.note(ctx, cursor, done); err != nil {
				return copied, err
			}
		}
	}
}

// note remembers on the target how far history has been received.
func (m *mover) note(ctx context.Context, cursor string, events int64) error {
	if m.mark.Condition != Receiving {
		return nil
	}
	m.mark.Cursor, m.mark.Events = cursor, events
	return m.to.State.SetMark(ctx, m.mark)
}

// inWords names an event that the target can never hold.
func inWords(err error) error {
	var rejected *signals.RejectedError
	if errors.As(err, &rejected) {
		r := rejected.Events[0]
		return fmt.Errorf("%d events cannot be kept on the other side, among them %s: %s", len(rejected.Events), r.EventID, r.Reason)
	}
	return fmt.Errorf("store events: %w", err)
}

// scoredPage reads a page of events with their verdicts.
func scoredPage(ctx context.Context, h History, cursor string) (schemas.Page[schemas.Event], []schemas.Scored, error) {
	p, err := h.Events(ctx, schemas.ListQuery{Cursor: cursor, Limit: schemas.MaxPage})
	if err != nil {
		return p, nil, err
	}
	ids := make([]string, len(p.Items))
	for i, e := range p.Items {
		ids[i] = e.ID
	}
	scored, err := h.Scored(ctx, ids)
	if err == nil && len(scored) != len(ids) {
		err = fmt.Errorf("history lists %d events and knows %d of them with a verdict", len(ids), len(scored))
	}
	return p, scored, err
}

// compareHistory sums both sides up.
func (m *mover) compareHistory(ctx context.Context, total, copied int64, what string) ([]Line, error) {
	there, err := m.to.History.CountEvents(ctx)
	if err != nil {
		return nil, fmt.Errorf("count the target's events: %w", err)
	}
	if there != total {
		return []Line{{Name: "events", Rows: total, Copied: copied}}, nil
	}
	var sums [2][2]Sum
	for i, h := range []History{m.from.History, m.to.History} {
		if sums[i][0], err = m.sumEvents(ctx, h, what, int64(i)*total, 2*total); err != nil {
			return nil, err
		}
		if sums[i][1], err = sumOrders(ctx, h); err != nil {
			return nil, err
		}
	}
	var lines []Line
	for k, name := range []string{"events", "orders"} {
		lines = append(lines, Line{Name: name, Rows: sums[0][k].Rows, Checksum: sums[0][k].String(), Equal: sums[0][k] == sums[1][k]})
	}
	lines[0].Copied = copied
	return lines, nil
}

func (m *mover) sumEvents(ctx context.Context, h History, what string, before, total int64) (sum Sum, err error) {
	for cursor := ""; ; {
		p, scored, err := scoredPage(ctx, h, cursor)
		if err != nil {
			return sum, err
		}
		for _, s := range scored {
			event, err1 := s.Event.MarshalJSON()
			verdict, err2 := json.Marshal(s.Verdict)
			if err := errors.Join(err1, err2); err != nil {
				return sum, fmt.Errorf("event %s: %w", s.Event.ID, err)
			}
			sum.Add(Row{event, verdict})
		}
		m.progress.Step(what, before+sum.Rows, total)
		if cursor = p.Next; cursor == "" {
			return sum, nil
		}
	}
}

func sumOrders(ctx context.Context, h History) (sum Sum, err error) {
	for q := (schemas.ListQuery{Limit: schemas.MaxPage}); ; {
		p, err := h.Orders(ctx, q)
		if err != nil {
			return sum, err
		}
		for _, o := range p.Items {
			b, err := json.Marshal(o)
			if err != nil {
				return sum, fmt.Errorf("order %s: %w", o.OrderRef, err)
			}
			sum.Add(Row{b})
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			return sum, nil
		}
	}
}
