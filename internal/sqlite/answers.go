package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"redalert/ingest"
)

var _ ingest.Answers = (*DB)(nil)

// underKey reads what stands under a key; false when nothing does.
func underKey(tx *Tx, scope, key string) (k ingest.Keyed, there bool, err error) {
	var at, until int64
	err = tx.QueryRow("SELECT body_sha256, status, response, at, holder, lease_until FROM answers WHERE scope = ? AND key = ?", scope, key).
		Scan(&k.Answer.BodySHA256, &k.Answer.Status, &k.Answer.Response, &at, &k.Holder, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return ingest.Keyed{}, false, nil
	}
	k.Answer.At, k.Until = fromMS(at), fromMS(until)
	return k, err == nil, err
}

func putKeyed(tx *Tx, scope, key string, k ingest.Keyed) error {
	response := k.Answer.Response
	if response == nil {
		response = []byte{}
	}
	_, err := tx.Exec("INSERT OR REPLACE INTO answers (scope, key, body_sha256, status, response, at, holder, lease_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		scope, key, k.Answer.BodySHA256, k.Answer.Status, response, ms(k.Answer.At), k.Holder, ms(k.Until))
	return err
}

// Claim takes a key; see ingest.Answers. It forgets answers and claims of any
// key that are older than a day.
func (d *DB) Claim(ctx context.Context, scope, key string, c ingest.Claim) (state ingest.KeyState, a ingest.Answer, err error) {
	err = d.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec("DELETE FROM answers WHERE at < ?", ms(c.At.Add(-ingest.AnswersFor))); err != nil {
			return err
		}
		k, there, err := underKey(tx, scope, key)
		if err != nil {
			return err
		}
		if there {
			state = c.Meets(k)
		}
		switch state {
		case ingest.KeyClaimed:
			return putKeyed(tx, scope, key, ingest.Keyed{Answer: ingest.Answer{BodySHA256: c.BodySHA256, At: c.At}, Holder: c.Holder, Until: c.Until})
		case ingest.KeyAnswered:
			a = k.Answer
		}
		return nil
	})
	return state, a, unavailable("claim an Idempotency-Key", err)
}

// Finish keeps the answer to a claimed request; see ingest.Answers.
func (d *DB) Finish(ctx context.Context, scope, key string, a ingest.Answer) (stands ingest.Answer, err error) {
	err = d.Write(ctx, func(tx *Tx) error {
		k, there, err := underKey(tx, scope, key)
		switch {
		case err != nil:
			return err
		case !there || a.Settles(k):
			if err := putKeyed(tx, scope, key, ingest.Keyed{Answer: a}); err != nil {
				return err
			}
			k, _, err = underKey(tx, scope, key)
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
	text := "UPDATE answers SET lease_until = 0 WHERE scope = ? AND key = ? AND status = 0 AND holder = ?"
	if forget {
		text = "DELETE FROM answers WHERE scope = ? AND key = ? AND status = 0 AND holder = ?"
	}
	return unavailable("give an Idempotency-Key back", d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(text, scope, key, holder)
		return err
	}))
}
