package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"redalert/ingest"
)

var _ ingest.Threads = (*DB)(nil)

// Thread finds or founds the thread of a mail; see ingest.Threads. A message
// already known keeps its thread, whatever it refers to now; otherwise the
// first reference that is known decides; otherwise the oldest reference, or
// the message itself, is the root. All are remembered, so that a later mail
// that names only one of them joins. Without any Message-ID it answers "".
func (d *DB) Thread(ctx context.Context, messageID string, references []string) (string, error) {
	names := ingest.ThreadNames(messageID, references)
	if len(names) == 0 {
		return "", nil
	}
	known := map[string]string{}
	rows, err := d.read.QueryContext(ctx, "SELECT message_id, thread_id FROM threads WHERE message_id IN (SELECT value FROM json_each(?))", idList(names))
	if err := each(rows, err, func(r *sql.Rows) error {
		var m, t string
		err := r.Scan(&m, &t)
		known[m] = t
		return err
	}); err != nil {
		return "", unavailable("find the thread of a mail", err)
	}
	if len(known) == len(names) {
		return ingest.ThreadOf(messageID, names, func(m string) (string, bool) { t, ok := known[m]; return t, ok }), nil
	}
	var thread string
	err = d.Write(ctx, func(tx *Tx) (err error) {
		thread, err = joinThread(tx, messageID, names)
		return err
	})
	return thread, unavailable("join a mail to its thread", err)
}

func joinThread(tx *Tx, messageID string, names []string) (string, error) {
	var failed error
	known := func(m string) (thread string, ok bool) {
		err := tx.QueryRow("SELECT thread_id FROM threads WHERE message_id = ?", m).Scan(&thread)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			failed = err
		}
		return thread, err == nil
	}
	thread := ingest.ThreadOf(messageID, names, known)
	if failed != nil {
		return "", failed
	}
	for _, m := range names {
		if _, err := tx.Exec("INSERT INTO threads (message_id, thread_id) VALUES (?, ?) ON CONFLICT DO NOTHING", m, thread); err != nil {
			return "", err
		}
	}
	return thread, nil
}
