package postgres

import (
	"context"
	"time"

	"redalert/ingest"
)

var _ ingest.Answers = (*DB)(nil)

// answersFor is how long an answer stands; afterwards its key may be used anew.
const answersFor = 24 * time.Hour

// Answer finds what was answered under a key; see ingest.Answers. It does not
// look at the clock: an answer older than a day may still be found.
func (d *DB) Answer(ctx context.Context, scope, key string) (ingest.Answer, error) {
	a, err := first(ctx, d, ingest.ErrNotFound, func(r row) (a ingest.Answer, err error) {
		var at int64
		err = r.Scan(&a.BodySHA256, &a.Status, &a.Response, &at)
		a.At = fromMS(at)
		return a, err
	}, "SELECT body_sha256, status, response, at FROM answers WHERE scope = $1 AND key = $2", indexed(scope), indexed(key))
	return a, unavailable("find an earlier answer", err)
}

// SaveAnswer keeps the first answer under a key for a day, counted in the
// answers' own times. Older ones of other keys are Prune's work.
func (d *DB) SaveAnswer(ctx context.Context, scope, key string, a ingest.Answer) error {
	response := a.Response
	if response == nil {
		response = []byte{}
	}
	_, err := d.exec(ctx, `INSERT INTO answers (scope, key, body_sha256, status, response, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (scope, key) DO UPDATE SET body_sha256 = excluded.body_sha256, status = excluded.status, response = excluded.response, at = excluded.at
		WHERE answers.at < $7`,
		indexed(scope), indexed(key), a.BodySHA256, a.Status, response, ms(a.At), ms(a.At.Add(-answersFor)))
	return unavailable("save an answer", err)
}
