package sqlite

import (
	"database/sql"
	"strings"
	"testing"
)

// TestPollingTheOutboxReadsNoLog: the sender asks every second; with years of
// sent mail the question must not read them.
func TestPollingTheOutboxReadsNoLog(t *testing.T) {
	d := open(t)
	for _, query := range []string{
		"SELECT 1 FROM notifications WHERE " + dueNotifications,
		"SELECT count(*) FROM notifications WHERE state IN ('queued', 'sending')",
	} {
		rows, err := d.read.Query("EXPLAIN QUERY PLAN "+query, 1)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		err = each(rows, nil, func(r *sql.Rows) error {
			var id, parent, unused int
			var step string
			err := r.Scan(&id, &parent, &unused, &step)
			plan = append(plan, step)
			return err
		})
		if err != nil || !strings.Contains(strings.Join(plan, "\n"), "notifications_waiting") {
			t.Errorf("%s: plan %q, err %v", query, plan, err)
		}
	}
}
