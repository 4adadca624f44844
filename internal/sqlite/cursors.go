package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"redalert/ingest"
)

// Cursors is where each source's reading position is kept.
func (d *DB) Cursors() ingest.Cursors { return cursors{d} }

type cursors struct{ d *DB }

func (c cursors) Load(ctx context.Context, source string) (cursor string, err error) {
	err = c.d.read.QueryRowContext(ctx, "SELECT cursor FROM cursors WHERE source = ?", source).Scan(&cursor)
	if errors.Is(err, sql.ErrNoRows) {
		err = ingest.ErrNotFound
	}
	return cursor, unavailable("cursor of "+source, err)
}

func (c cursors) Save(ctx context.Context, source, cursor string) error {
	return unavailable("save the cursor of "+source, c.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO cursors (source, cursor) VALUES (?, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor", source, cursor)
		return err
	}))
}
