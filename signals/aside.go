package signals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"redalert/schemas"
)

// without parts a batch into what history may keep and what it rejects, each
// rejected event once.
func (w *Worker) without(scored []schemas.Scored, rejections []Rejection) (rest []schemas.Scored, bad []schemas.Quarantined, events []schemas.Event) {
	reasons := make(map[string]string, len(rejections))
	for _, r := range rejections {
		reasons[r.EventID] = r.Reason
	}
	at := w.c.Now().UTC().Truncate(time.Millisecond)
	seen := map[string]bool{}
	for _, s := range scored {
		reason, ok := reasons[s.Event.ID]
		switch {
		case !ok:
			rest = append(rest, s)
		case !seen[s.Event.ID]:
			seen[s.Event.ID] = true
			w.c.Log.Error("history cannot keep an event; it is in quarantine", "event", s.Event.ID, "type", s.Event.Type)
			bad = append(bad, quarantined(s.Event, schemas.QHistory, "history cannot keep this event: "+reason, at))
			events = append(events, s.Event)
		}
	}
	return rest, bad, events
}

// setAside puts what could not be scored or kept into quarantine.
func (w *Worker) setAside(ctx context.Context, bad []schemas.Quarantined, events []schemas.Event) error {
	if len(bad) == 0 {
		return nil
	}
	if err := w.keep(ctx, bad, events); err != nil {
		return err
	}
	if err := w.c.Quarantine.Put(ctx, bad); err != nil {
		return err
	}
	if w.c.Hooks.Quarantined != nil {
		w.c.Hooks.Quarantined(len(bad))
	}
	return nil
}

// keep stores the events of rows, so that a replay finds what to publish again.
func (w *Worker) keep(ctx context.Context, rows []schemas.Quarantined, events []schemas.Event) error {
	if w.c.Keep == nil {
		return nil
	}
	byID := make(map[string]schemas.Event, len(events))
	for _, ev := range events {
		byID[ev.ID] = ev
	}
	for i := range rows {
		raw, err := json.Marshal(byID[rows[i].Locator])
		if err != nil {
			return err
		}
		if rows[i].RawSHA256, err = w.c.Keep(ctx, raw); err != nil {
			return err
		}
	}
	return nil
}

// quarantined makes the row of an event that was set aside. Its locator is the
// event id.
func quarantined(ev schemas.Event, code, reason string, at time.Time) schemas.Quarantined {
	sum := sha256.Sum256([]byte(code + "\x00" + ev.Source + "\x00" + ev.ID + "\x00" + ev.RawSHA256))
	return schemas.Quarantined{ID: hex.EncodeToString(sum[:16]), Source: ev.Source, Code: code,
		Reason:  reason + "; it is kept here, and may be replayed after an update",
		Locator: ev.ID, At: at, RawSHA256: ev.RawSHA256, State: schemas.QuarantineOpen, Replay: "event"}
}
