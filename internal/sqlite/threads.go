package sqlite

import (
	"context"
	"database/sql"

	"redalert/ingest"
)

var _ ingest.ManyThreads = (*DB)(nil)

// Thread is ThreadAll for one mail.
func (d *DB) Thread(ctx context.Context, messageID string, references []string) (string, error) {
	threads, err := d.ThreadAll(ctx, []ingest.ThreadMail{{MessageID: messageID, References: references}})
	if err != nil {
		return "", err
	}
	return threads[0], nil
}

// ThreadAll finds or founds the thread of each mail; see ingest.Threads. A message
// already known keeps its thread, whatever it refers to now; otherwise the
// first reference that is known decides; otherwise the oldest reference, or
// the message itself, is the root. All are remembered, so that a later mail
// that names only one of them joins. Without any Message-ID it answers "".
func (d *DB) ThreadAll(ctx context.Context, mails []ingest.ThreadMail) ([]string, error) {
	j := joining{names: make([][]string, len(mails)), mails: mails}
	for i, m := range mails {
		j.names[i] = ingest.ThreadNames(m.MessageID, m.References)
		j.all = append(j.all, j.names[i]...)
	}
	rows, err := d.query(ctx, knownThreads, idList(j.all))
	if err := j.load(rows, err); err != nil {
		return nil, unavailable("find the threads of mails", err)
	}
	threads, unknown := j.join()
	if len(unknown) == 0 {
		return threads, nil
	}
	err = d.Write(ctx, func(tx *Tx) error { // what was known a moment ago still is; more may be
		rows, err := tx.Query(knownThreads, idList(j.all))
		if err := j.load(rows, err); err != nil {
			return err
		}
		threads, unknown = j.join()
		return insertRows(tx, "INSERT INTO threads (message_id, thread_id)", "", unknown)
	})
	if err != nil {
		return nil, unavailable("join mails to their threads", err)
	}
	return threads, nil
}

const knownThreads = "SELECT message_id, thread_id FROM threads WHERE message_id IN (SELECT value FROM json_each(?))"

// joining puts mails into threads.
type joining struct {
	mails []ingest.ThreadMail
	names [][]string // of each mail
	all   []string
	known map[string]string
}

// load reads which names are known.
func (j *joining) load(rows *sql.Rows, err error) error {
	j.known = make(map[string]string, len(j.all))
	return each(rows, err, func(r *sql.Rows) error {
		var m, t string
		err := r.Scan(&m, &t)
		j.known[m] = t
		return err
	})
}

// join answers the thread of each mail, "" for one without any name, and the
// rows of the names that were not known.
func (j *joining) join() (threads []string, unknown [][]any) {
	threads = make([]string, len(j.mails))
	for i, names := range j.names {
		if len(names) == 0 {
			continue
		}
		threads[i] = ingest.ThreadOf(j.mails[i].MessageID, names, func(m string) (string, bool) { t, ok := j.known[m]; return t, ok })
		for _, m := range names {
			if _, ok := j.known[m]; !ok {
				j.known[m] = threads[i]
				unknown = append(unknown, []any{m, threads[i]})
			}
		}
	}
	return threads, unknown
}
