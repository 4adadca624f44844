package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"redalert/ingest"
)

var _ ingest.Answers = (*DB)(nil)

// underKey reads what stands under a key and keeps it from changing; false when
// nothing does.
func underKey(ctx context.Context, tx querier, scope, key string) (ingest.Keyed, bool, error) {
	k, err := one(ctx, tx, func(r row) (k ingest.Keyed, err error) {
		var at, until int64
		err = r.Scan(&k.Answer.BodySHA256, &k.Answer.Status, &k.Answer.Response, &at, &k.Holder, &until)
		k.Answer.At, k.Until = fromMS(at), fromMS(until)
		return k, err
	}, "SELECT body_sha256, status, response, at, holder, lease_until FROM answers WHERE scope = $1 AND key = $2 FOR UPDATE", indexed(scope), indexed(key))
	if errors.Is(err, pgx.ErrNoRows) {
		return k, false, nil
	}
	return k, err == nil, err
}

const (
	insertKeyed = "INSERT INTO answers (scope, key, body_sha256, status, response, at, holder, lease_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
	updateKeyed = "UPDATE answers SET body_sha256 = $3, status = $4, response = $5, at = $6, holder = $7, lease_until = $8 WHERE scope = $1 AND key = $2"
)

// keyedArgs are the arguments of both.
func keyedArgs(scope, key string, k ingest.Keyed) []any {
	response := k.Answer.Response
	if response == nil {
		response = []byte{}
	}
	return []any{indexed(scope), indexed(key), k.Answer.BodySHA256, k.Answer.Status, response, ms(k.Answer.At), k.Holder, ms(k.Until)}
}

// Claim takes a key; see ingest.Answers. A new key takes one round trip. Old
// answers and claims are Prune's work.
func (d *DB) Claim(ctx context.Context, scope, key string, c ingest.Claim) (state ingest.KeyState, a ingest.Answer, err error) {
	args := keyedArgs(scope, key, ingest.Keyed{Answer: ingest.Answer{BodySHA256: c.BodySHA256, At: c.At}, Holder: c.Holder, Until: c.Until})
	n, err := d.exec(ctx, insertKeyed, args...)
	if err == nil && n == 0 {
		err = d.write(ctx, func(ctx context.Context, tx querier) error {
			state, a = ingest.KeyBusy, ingest.Answer{} // it was forgotten in between
			k, there, err := underKey(ctx, tx, scope, key)
			if err != nil || !there {
				return err
			}
			switch state = c.Meets(k); state {
			case ingest.KeyClaimed:
				_, err = tx.exec(ctx, updateKeyed, args...)
			case ingest.KeyAnswered:
				a = k.Answer
			}
			return err
		})
	}
	return state, a, unavailable("claim an Idempotency-Key", err)
}

// Finish keeps the answer to a claimed request; see ingest.Answers.
func (d *DB) Finish(ctx context.Context, scope, key string, a ingest.Answer) (stands ingest.Answer, err error) {
	args := keyedArgs(scope, key, ingest.Keyed{Answer: a})
	err = d.write(ctx, func(ctx context.Context, tx querier) error {
		k, there, err := underKey(ctx, tx, scope, key)
		if err == nil && !there {
			if _, err = tx.exec(ctx, insertKeyed, args...); err == nil {
				k, _, err = underKey(ctx, tx, scope, key)
			}
		}
		switch {
		case err != nil:
		case a.Settles(k):
			if _, err = tx.exec(ctx, updateKeyed, args...); err == nil {
				k, _, err = underKey(ctx, tx, scope, key)
			}
		case k.Answer.BodySHA256 != a.BodySHA256:
			err = ingest.ErrKeyLost
		}
		stands = k.Answer
		return err
	})
	return stands, unavailable("keep an answer", err)
}

// Release gives a claim back; see ingest.Answers.
func (d *DB) Release(ctx context.Context, scope, key, holder string, forget bool) error {
	text := "UPDATE answers SET lease_until = 0 WHERE scope = $1 AND key = $2 AND status = 0 AND holder = $3"
	if forget {
		text = "DELETE FROM answers WHERE scope = $1 AND key = $2 AND status = 0 AND holder = $3"
	}
	_, err := d.exec(ctx, text, indexed(scope), indexed(key), holder)
	return unavailable("give an Idempotency-Key back", err)
}
