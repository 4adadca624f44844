package clickhouse

import (
	"strings"
	"testing"
	"time"

	"redalert/internal/servertest"
	"redalert/schemas"
)

// TestRefundLongAfterItsOrder: clickhouse.ttl takes no event of an order away,
// not where an earlier version had set that either: an order that is told of long
// after it was placed is folded from all of its events.
func TestRefundLongAfterItsOrder(t *testing.T) {
	c := database(t, servertest.ClickHouse(t))
	c.TTL = 30 * 24 * time.Hour
	d := connect(t, c)
	const day = 24 * time.Hour
	now := time.Now().UTC().Truncate(time.Second)
	order := func(id string, kind schemas.EventType, total int64, ago time.Duration) schemas.Scored {
		s := placed("1", "c", total, now.Add(-ago))
		s.Event.ID, s.Event.NativeID, s.Event.Type = id, id, kind
		return s
	}
	mustStore(t, d, order("a", schemas.OrderPlaced, 500, 60*day), order("b", schemas.OrderChanged, 450, 59*day), order("c", schemas.OrderChanged, 400, 10*day))
	exec(t, d, "OPTIMIZE TABLE order_events FINAL")
	if n := count(t, d, "order_events"); n != 3 {
		t.Errorf("%d events of the order are left, want 3", n)
	}
	mustStore(t, d, order("d", schemas.OrderRefunded, 400, 0))
	orders, err := d.CustomerOrders(t.Context(), "c")
	if err != nil || len(orders) != 1 || orders[0].State != schemas.OrderStateRefunded {
		t.Errorf("orders %+v, %v; want one, refunded", orders, err)
	}

	exec(t, d, "ALTER TABLE order_events MODIFY TTL toDateTime(occurred_at) + toIntervalSecond(2592000)") // as it was set before
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var engine string
	if err := d.conn.QueryRow(t.Context(), "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'order_events'").Scan(&engine); err != nil || strings.Contains(engine, "TTL") {
		t.Errorf("order_events: %s, %v", engine, err)
	}
}
