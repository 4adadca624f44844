package postgres

import (
	"context"

	"redalert/ingest"
)

// Cursors is where each source's reading position is kept.
func (d *DB) Cursors() ingest.Cursors { return cursors{d} }

type cursors struct{ d *DB }

func (c cursors) Load(ctx context.Context, source string) (string, error) {
	cursor, err := first(ctx, c.d, ingest.ErrNotFound, value[string], "SELECT cursor FROM cursors WHERE source = $1", indexed(source))
	return cursor, unavailable("cursor of "+source, err)
}

func (c cursors) Save(ctx context.Context, source, cursor string) error {
	_, err := c.d.exec(ctx, "INSERT INTO cursors (source, cursor) VALUES ($1, $2) ON CONFLICT (source) DO UPDATE SET cursor = excluded.cursor",
		indexed(source), cursor)
	return unavailable("save the cursor of "+source, err)
}
