package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"redalert/signals"
)

var _ signals.Fits = (*DB)(nil)

// SaveFit keeps a document; see signals.Fits.
func (d *DB) SaveFit(ctx context.Context, name string, doc []byte, at time.Time) error {
	return unavailable("keep what was learnt of "+name, d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO fits (name, at, doc) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET at = ?2, doc = ?3", name, ms(at), string(doc))
		return err
	}))
}

// LoadFit answers a document, nil if there is none; see signals.Fits.
func (d *DB) LoadFit(ctx context.Context, name string) (doc []byte, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT doc FROM fits WHERE name = ?", name).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return doc, unavailable("read what was learnt of "+name, err)
}
