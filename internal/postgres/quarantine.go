package postgres

import (
	"context"
	"fmt"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// Quarantine is where items that could not be taken in, or scored, are kept.
func (d *DB) Quarantine() ingest.Quarantine { return quarantine{d} }

type quarantine struct{ d *DB }

const quarantineColumns = "id, source, code, reason, locator, at, raw_sha256, state, replay"

// putQuarantined takes one row for each id; see Put.
const putQuarantined = `INSERT INTO quarantine (` + quarantineColumns + `, state_at)
	SELECT id, source, code, reason, locator, at, raw_sha256, state, replay, at
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[])
		AS g(` + quarantineColumns + `) ORDER BY id COLLATE "C"
	ON CONFLICT (id) DO UPDATE SET state = excluded.state, at = excluded.at, state_at = excluded.at, reason = excluded.reason
	WHERE quarantine.state <> 'open'`

// Put stores items as they are; see ingest.Quarantine. An item that is open
// again takes its new time and reason.
func (q quarantine) Put(ctx context.Context, items []schemas.Quarantined) error {
	if len(items) == 0 {
		return nil
	}
	var columns [8][]string
	var at []int64
	for _, it := range onceEach(items) {
		for i, v := range []string{it.ID, it.Source, it.Code, it.Reason, it.Locator, it.RawSHA256, string(it.State), it.Replay} {
			columns[i] = append(columns[i], v)
		}
		at = append(at, ms(it.At))
	}
	c := columns
	_, err := q.d.exec(ctx, putQuarantined, c[0], c[1], c[2], c[3], c[4], at, c[5], c[6], c[7])
	return unavailable("quarantine", err)
}

// onceEach joins items of equal ids as Put would one after the other: the first
// open one counts.
func onceEach(items []schemas.Quarantined) []schemas.Quarantined {
	var out []schemas.Quarantined
	place := map[string]int{}
	for _, it := range items {
		if it.State == "" {
			it.State = schemas.QuarantineOpen
		}
		i, ok := place[it.ID]
		switch {
		case !ok:
			place[it.ID] = len(out)
			out = append(out, it)
		case out[i].State != schemas.QuarantineOpen:
			out[i].State, out[i].At, out[i].Reason = it.State, it.At, it.Reason
		}
	}
	return out
}

func scanQuarantined(r row) (it schemas.Quarantined, err error) {
	var at int64
	err = r.Scan(&it.ID, &it.Source, &it.Code, &it.Reason, &it.Locator, &at, &it.RawSHA256, &it.State, &it.Replay)
	it.At = fromMS(at)
	return it, err
}

func (q quarantine) Get(ctx context.Context, id string) (schemas.Quarantined, error) {
	it, err := first(ctx, q.d, ingest.ErrNotFound, scanQuarantined, "SELECT "+quarantineColumns+" FROM quarantine WHERE id = $1", id)
	return it, unavailable("quarantined item "+id, err)
}

// List answers a page; a viewer restricted to locations sees none, because
// what could not be read belongs to no location.
func (q quarantine) List(ctx context.Context, state schemas.QuarantineState, lq schemas.ListQuery) (schemas.Page[schemas.Quarantined], error) {
	w, err := windowOf(lq)
	if err != nil {
		return schemas.Page[schemas.Quarantined]{}, fmt.Errorf("list quarantine: %w", err)
	}
	if len(lq.Locations) > 0 {
		return schemas.Page[schemas.Quarantined]{}, nil
	}
	items, err := query(ctx, q.d, scanQuarantined, "SELECT "+quarantineColumns+` FROM quarantine
		WHERE at >= $1 AND at < $2 AND (at, id) > ($3, $4) AND ($5 = '' OR state = $5) ORDER BY at, id LIMIT $6`,
		w.from, w.to, w.afterAt, w.afterID, state, w.limit+1)
	if err != nil {
		return schemas.Page[schemas.Quarantined]{}, unavailable("list quarantine", err)
	}
	return paged(items, w.limit, func(it schemas.Quarantined) (time.Time, string) { return it.At, it.ID }), nil
}

// SetState changes an item's state; ErrNotFound.
func (q quarantine) SetState(ctx context.Context, id string, state schemas.QuarantineState, at time.Time) error {
	n, err := q.d.exec(ctx, "UPDATE quarantine SET state = $1, state_at = $2 WHERE id = $3", state, ms(at), id)
	if err == nil && n == 0 {
		err = ingest.ErrNotFound
	}
	return unavailable("quarantined item "+id, err)
}
