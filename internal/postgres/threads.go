package postgres

import (
	"context"

	"redalert/ingest"
)

var _ ingest.Threads = (*DB)(nil)

// Thread finds or founds the thread of a mail; see ingest.Threads. A message
// already known keeps its thread, whatever it refers to now; otherwise the
// first reference that is known decides; otherwise the oldest reference, or
// the message itself, is the root. All are remembered, so that a later mail
// that names only one of them joins. Without any Message-ID it answers "".
// Mails that join at the same time do so one after the other, on whatever
// machine: two of one conversation must not found two threads.
func (d *DB) Thread(ctx context.Context, messageID string, references []string) (string, error) {
	names := ingest.ThreadNames(messageID, references)
	if len(names) == 0 {
		return "", nil
	}
	var known map[string]string
	if err := d.read(ctx, func(ctx context.Context, q querier) (err error) {
		known, err = knownThreads(ctx, q, names)
		return err
	}); err != nil {
		return "", unavailable("find the thread of a mail", err)
	}
	thread := threadOf(messageID, names, known)
	if len(known) == len(names) {
		return thread, nil
	}
	err := d.write(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(ctx, takeLock, lockThreads); err != nil {
			return err
		}
		known, err := knownThreads(ctx, tx, names)
		if err != nil {
			return err
		}
		thread = threadOf(messageID, names, known)
		_, err = tx.exec(ctx, "INSERT INTO threads (message_id, thread_id) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING", indexedAll(names), thread)
		return err
	})
	return thread, unavailable("join a mail to its thread", err)
}

// knownThreads answers the threads of those names that have one, by the form
// in which names are stored.
func knownThreads(ctx context.Context, q querier, names []string) (map[string]string, error) {
	known := map[string]string{}
	_, err := all(ctx, q, func(r row) (struct{}, error) {
		var name, thread string
		err := r.Scan(&name, &thread)
		known[name] = thread
		return struct{}{}, err
	}, "SELECT message_id, thread_id FROM threads WHERE message_id = ANY($1)", indexedAll(names))
	return known, err
}

func threadOf(messageID string, names []string, known map[string]string) string {
	return ingest.ThreadOf(messageID, names, func(m string) (string, bool) {
		t, ok := known[indexed(m)]
		return t, ok
	})
}
