package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// SaveFit keeps a document; see signals.Fits.
func (d *DB) SaveFit(ctx context.Context, name string, doc []byte, at time.Time) error {
	_, err := d.exec(ctx, "INSERT INTO fits (name, at, doc) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET at = excluded.at, doc = excluded.doc",
		name, at.UnixMilli(), string(doc))
	return unavailable("keep what was learnt of "+name, err)
}

// LoadFit answers a document, nil if there is none; see signals.Fits.
func (d *DB) LoadFit(ctx context.Context, name string) ([]byte, error) {
	doc, err := first(ctx, d, pgx.ErrNoRows, value[string], "SELECT doc FROM fits WHERE name = $1", name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return []byte(doc), unavailable("read what was learnt of "+name, err)
}
