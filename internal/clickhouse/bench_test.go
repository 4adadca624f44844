package clickhouse

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/schemas"
	"redalert/signals"
)

var (
	benchEvents = flag.Int("trend-events", 300_000, "events that BenchmarkTrends generates in the server; orders are a third of them")
	benchBatch  = flag.Int("insert-batch", 2000, "events a batch of BenchmarkInsert")
)

// contestant does the same work as others; only run is timed.
type contestant struct {
	prepare func(round int)
	run     func()
}

// paired lets them work in turns and answers the median time of each.
func paired(b *testing.B, all ...contestant) []time.Duration {
	b.Helper()
	took := make([][]time.Duration, len(all))
	rng := rand.New(rand.NewPCG(1, 2))
	for round := 0; b.Loop(); round++ {
		for _, at := range rng.Perm(len(all)) { // nobody always comes after the same
			if all[at].prepare != nil {
				all[at].prepare(round)
			}
			start := time.Now()
			all[at].run()
			took[at] = append(took[at], time.Since(start))
		}
	}
	out := make([]time.Duration, len(all))
	for i := range took {
		slices.Sort(took[i])
		out[i] = took[i][len(took[i])/2]
	}
	return out
}

func invoices(prefix string, n int) (out []schemas.Scored) {
	for i := range n {
		at := noon.Add(time.Duration(i) * time.Minute)
		s := mail(fmt.Sprintf("%s-0000-5000-8000-%012d", prefix, i), 0.25)
		s.Event.OccurredAt, s.Event.LocalDate, s.Event.CustomerID = at, at.Format(time.DateOnly), fmt.Sprintf("customer-%027d", i%4000)
		s.Event.Data = fmt.Appendf(nil, `{"source_type":"email","value_text":"Invoice %d came too late again, and two of the lamps were broken. What are you going to do about that?","language":"en"}`, i)
		out = append(out, s)
	}
	return out
}

// BenchmarkInsert: rows/s of the insert of events by the driver's own means, row
// by row, by ours, and of a whole Store with its look-ups.
func BenchmarkInsert(b *testing.B) {
	d := open(b)
	n := *benchBatch
	var rows []*eventRow
	var scored []schemas.Scored
	encode := func(prefix string) func(int) {
		return func(round int) {
			x, err := newBatch(invoices(fmt.Sprintf("%s%07d", prefix, round), n))
			if err != nil {
				b.Fatal(err)
			}
			rows = x.rows
		}
	}
	took := paired(b, contestant{encode("a"), func() { rawInsert(b, d, rows) }},
		contestant{encode("b"), func() {
			if err := d.insertEvents(b.Context(), rows, 1); err != nil {
				b.Fatal(err)
			}
		}},
		contestant{func(round int) { scored = invoices(fmt.Sprintf("c%07d", round), n) }, func() { mustStore(b, d, scored...) }})
	raw, ours, whole := took[0], took[1], took[2]
	perSecond := func(t time.Duration) float64 { return float64(n) / t.Seconds() }
	b.ReportMetric(perSecond(raw), "raw-rows/s")
	b.ReportMetric(perSecond(ours), "insert-rows/s")
	b.ReportMetric(perSecond(whole), "store-rows/s")
	b.ReportMetric(raw.Seconds()/ours.Seconds(), "insert/raw")
	b.ReportMetric(raw.Seconds()/whole.Seconds(), "store/raw")
	b.ReportMetric(0, "ns/op")
}

func rawInsert(b *testing.B, d *DB, rows []*eventRow) {
	batch, err := d.conn.PrepareBatch(b.Context(), eventsTable.insert())
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range rows {
		e, v := r.scored.Event, r.scored.Verdict
		if err := batch.Append(e.ID, sourceType(e), string(e.Type), e.Source, e.Location, e.CustomerID, e.OccurredAt, e.CollectedAt, r.localDate,
			r.event, r.rescore, r.settled, v.ScoredAt, v.Red, r.categories, r.verdict, uint64(1)); err != nil {
			b.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		b.Fatal(err)
	}
}

// generate makes n events and n/3 orders of three years in the server, and
// aliases for a twentieth of the customers.
func generate(b *testing.B, d *DB, n int) {
	b.Helper()
	const at = "toDateTime64('2023-01-01 00:00:00', 3, 'UTC') + toIntervalSecond(cityHash64(number, 1) % (1095 * 86400)) AS at"
	ctx := inserting(b.Context())
	for from := 0; from < n; from += 1_000_000 {
		for _, q := range []string{
			`INSERT INTO events (event_id, source_type, type, source, location, customer_id, occurred_at, collected_at, local_date, event, rescore, settled, scored_at, red, categories, verdict, writer)
			SELECT toString(reinterpret(MD5(toString(number)), 'UUID')), ['email', 'survey', 'review', 'order'][number % 4 + 1], 'feedback.email.received', concat('source ', toString(number % 5)),
				['North', 'South', ''][number % 3 + 1], 'c', ` + at + `, at, toDate32(at), '{}', 0, 0, at, cityHash64(number, 2) % 20 = 0,
				if(cityHash64(number, 2) % 20 = 0, [['late', 'quality', 'rude'][number % 3 + 1]], []), '{}', 1 FROM numbers({from:UInt64}, {n:UInt64})`,
			`INSERT INTO orders (order_ref, customer_id, source, state, known, placed_at, local_date, changed_at, total, currency, net, location, events)
			SELECT toString(number), concat('customer-', leftPad(toString(cityHash64(number) % {customers:UInt64}), 27, '0')), concat('source ', toString(number % 5)),
				if(number % 20 = 0, 'cancelled', 'placed'), true, ` + at + `, toDate32(at), at, 100, 'EUR', 100, ['North', 'South', ''][number % 3 + 1], 1 FROM numbers({from:UInt64}, {n:UInt64}) WHERE number % 3 = 0`,
		} {
			if err := d.conn.Exec(ctx, q, driver.Named("from", from), driver.Named("n", min(1_000_000, n-from)), driver.Named("customers", n/60+1)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// handWritten are the charts as somebody would write them who needs only them:
// by their own period and series, the definition's rules in SQL.
const (
	handWrittenWeeks = `SELECT toMonday(local_date) AS week, '' AS series, countIf(red), count() FROM events FINAL
		WHERE local_date >= '2023-03-01' AND local_date < '2025-12-01' GROUP BY week ORDER BY week`
	handWrittenSources = `SELECT toStartOfMonth(local_date) AS month, source, countIf(red), count() FROM events FINAL
		WHERE local_date >= '2023-03-01' AND local_date < '2025-12-01' GROUP BY month, source ORDER BY month, source`
	handWrittenCategories = `SELECT toStartOfMonth(local_date) AS month, arrayJoin(arrayPushBack(categories, '')) AS series, countIf(red), count() FROM events FINAL
		WHERE local_date >= '2023-03-01' AND local_date < '2025-12-01' GROUP BY month, series ORDER BY month, series`
	handWrittenChurn = `WITH customers AS (SELECT arrayCompact(arraySort(groupArray(toInt32(local_date)))) AS days, arrayPopFront(arrayDifference(days)) AS gaps, length(days) AS n
			FROM orders FINAL WHERE known AND state != 'cancelled' AND customer_id != '' AND local_date <= '2025-12-15' GROUP BY customer_id),
		(SELECT arraySort(groupArrayArray(gaps)) AS g, g[intDiv(80 * length(g) + 99, 100)] FROM customers).2 AS p80
		SELECT toStartOfMonth(toDate(p.1)) AS month, '' AS series, toUInt64(sum(p.2)), toUInt64(sum(p.3)) FROM (
			SELECT arrayFilter(e -> e.1 = n OR gaps[e.1] > e.3, arrayMap(i -> (i, days[i], greatest(60, if(i < 3, p80, intDiv(3 * arraySort(arraySlice(gaps, 1, i - 1))[intDiv(i, 2)] + 1, 2)))),
				arrayFilter(i -> i = n OR gaps[i] > 60, range(1, n + 1)))) AS ends,
				arrayJoin(arrayConcat([(days[1], 1, 0)], arrayMap(e -> (e.2 + e.3, 0, 1), ends), arrayMap(e -> (days[e.1 + 1], 1, 0), arrayFilter(e -> e.1 < n, ends)))) AS p
			FROM customers) GROUP BY month ORDER BY month`
)

// BenchmarkTrends: charts by ours and by hand-written SQL on the same tables.
func BenchmarkTrends(b *testing.B) {
	d := open(b)
	generate(b, d, *benchEvents)
	q := func(period schemas.Period, by schemas.TrendBy) schemas.TrendQuery {
		return schemas.TrendQuery{From: "2023-03-01", To: "2025-12-01", Today: "2025-12-15", Period: period, By: by}
	}
	run := func(query string) func() {
		return func() {
			if err := d.each(b.Context(), query, nil, func(scan func(...any) error) error {
				var period time.Time
				var series string
				var x, y uint64
				return scan(&period, &series, &x, &y)
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
	chart := func(kind string, q schemas.TrendQuery) func() {
		return func() {
			if _, err := d.Trend(b.Context(), kind, q); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name, kind, peer string
		q                schemas.TrendQuery
	}{
		{"alerts-by-week", signals.TrendAlerts, handWrittenWeeks, q(schemas.PeriodWeek, "")},
		{"alerts-by-source", signals.TrendAlerts, handWrittenSources, q(schemas.PeriodMonth, schemas.BySource)},
		{"alerts-by-category", signals.TrendAlerts, handWrittenCategories, q(schemas.PeriodMonth, schemas.ByCategory)},
		{"churn-by-month", signals.TrendChurn, handWrittenChurn, q(schemas.PeriodMonth, "")},
	} {
		b.Run(tt.name, func(b *testing.B) {
			took := paired(b, contestant{run: run(tt.peer)}, contestant{run: chart(tt.kind, tt.q)})
			b.ReportMetric(float64(took[0].Microseconds())/1000, "peer-ms")
			b.ReportMetric(float64(took[1].Microseconds())/1000, "ours-ms")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ours/peer")
			b.ReportMetric(0, "ns/op")
		})
	}
}
