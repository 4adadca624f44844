package sqlite

import (
	"context"
	"database/sql"
)

// query runs a query whose text never changes on a reading connection, where
// it is prepared once: parsing costs more than most of them do. It is for
// queries that take well under a millisecond: one that has begun is not broken
// off when ctx ends, because the two goroutines that would watch for that cost
// as much as the query.
func (d *DB) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := d.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.WithoutCancel(ctx), args...)
}

// statement prepares a text for every reading connection, and keeps it until
// Close. Give it constant texts only.
func (d *DB) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := d.prepared.Load(text); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := d.read.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	kept, other := d.prepared.LoadOrStore(text, s)
	if other {
		s.Close()
	}
	return kept.(*sql.Stmt), nil
}
