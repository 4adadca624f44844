package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"redalert/ingest"
)

var _ ingest.Answers = (*DB)(nil)

// answersFor is how long an answer stands; afterwards its key may be used anew.
const answersFor = 24 * time.Hour

// Answer finds what was answered under a key; see ingest.Answers. It does not
// look at the clock: an answer older than a day may still be found.
func (d *DB) Answer(ctx context.Context, scope, key string) (a ingest.Answer, err error) {
	var at int64
	err = d.read.QueryRowContext(ctx, "SELECT body_sha256, status, response, at FROM answers WHERE scope = ? AND key = ?", scope, key).
		Scan(&a.BodySHA256, &a.Status, &a.Response, &at)
	a.At = fromMS(at)
	if errors.Is(err, sql.ErrNoRows) {
		return ingest.Answer{}, ingest.ErrNotFound
	}
	return a, unavailable("find an earlier answer", err)
}

// SaveAnswer keeps the first answer under a key for a day, counted in the
// answers' own times, and forgets older ones of any key.
func (d *DB) SaveAnswer(ctx context.Context, scope, key string, a ingest.Answer) error {
	response := a.Response
	if response == nil {
		response = []byte{}
	}
	return unavailable("save an answer", d.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec("DELETE FROM answers WHERE at < ?", ms(a.At.Add(-answersFor))); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO answers (scope, key, body_sha256, status, response, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			scope, key, a.BodySHA256, a.Status, response, ms(a.At))
		return err
	}))
}
