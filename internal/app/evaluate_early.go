package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"redalert/ingest"
	"redalert/internal/config"
	"redalert/internal/eval/early"
	"redalert/internal/importer"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn"
	"redalert/signals/churn/risk"
)

// EarlyOptions say what is replayed.
type EarlyOptions struct {
	Files      []string // order files, as `import orders` reads them
	Map        string   // preset or mapping file
	TZ         string   // zone of times without one
	Currency   string   // of the business; "" = that of the first order
	Floor      int      // days without an order for which nobody is called churned; 0 = churn.DefaultFloor
	Lead       int      // days before a loss is visible that the flag is to come, in the median
	Thresholds []float64
	Told       func(day string, events int) // after each day; nil = nobody
}

// EarlyEvaluation is how early and how often in vain customers were flagged.
type EarlyEvaluation struct {
	From        string          `json:"from"`
	To          string          `json:"to"`
	Events      int             `json:"events"`
	Customers   int             `json:"customers"`
	Quarantined int64           `json:"quarantined"`
	RedAlerts   map[string]int  `json:"red_alerts"` // by type of event, of known customers
	Definition  string          `json:"definition"` // of churned
	Early       *early.Figures  `json:"early"`      // the highest churn_risk that flags so early; null when none does
	Curve       []early.Figures `json:"curve"`      // red alerts alone, then with churn_risk from each threshold, falling
}

// ErrEarly wraps what makes a replay impossible.
var ErrEarly = errors.New("cannot replay")

// EvaluateEarly replays orders day by day through the real pipeline (door, log,
// scorer, history, cases, the signals that the clock raises and the nightly refit
// of churn_risk, on a store of its own that is deleted afterwards): at each day's
// end nothing later is known. Then it looks back at who was lost, when that
// became visible, and when they had been flagged. No mail is sent.
func EvaluateEarly(ctx context.Context, o EarlyOptions) (out EarlyEvaluation, err error) {
	zone, err := time.LoadLocation(o.TZ)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrEarly, err)
	}
	items, quarantined, err := readOrders(ctx, o, zone)
	if err != nil {
		return out, err
	}
	out.Quarantined, out.Events = quarantined, len(items)
	dir, err := os.MkdirTemp("", "redalert-early-")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := config.Defaults()
	cfg.DataDir = dir
	cfg.Business.Timezone, cfg.Business.Currency = zone.String(), o.Currency
	clk := &clock{}
	clk.set(items[0].OccurredAt)
	a, err := New(ctx, cfg, Options{Now: clk.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	r := &replay{App: a, clock: clk, signals: signals.NewClock(a.clockConfig()), zone: zone, risks: map[string][]dayRisk{}}
	if err := r.run(ctx, items, o.Told); err != nil {
		return out, err
	}
	out.From, out.To = startOfDay(items[0].OccurredAt, zone).Format(time.DateOnly), r.last.String()
	return out, r.lookBack(ctx, &out, o)
}

// readOrders reads order files into items, by time.
func readOrders(ctx context.Context, o EarlyOptions, zone *time.Location) ([]ingest.Item, int64, error) {
	var read itemSink
	rep, err := importer.Run(ctx, importer.Options{Kind: importer.Orders, Files: o.Files, Source: "eval", Map: o.Map, TZ: o.TZ,
		Business: schemas.Business{Timezone: zone, Currency: o.Currency}}, importer.Ports{Acceptor: &read, Cursors: noCursors{}})
	if err != nil {
		return nil, 0, err
	}
	if len(read) == 0 {
		return nil, 0, fmt.Errorf("%w: no order could be read", ErrEarly)
	}
	slices.SortStableFunc(read, func(a, b ingest.Item) int { return a.OccurredAt.Compare(b.OccurredAt) })
	return read, rep.Quarantined, nil
}

// itemSink keeps what an import reads.
type itemSink []ingest.Item

// Accept implements ingest.Acceptor.
func (s *itemSink) Accept(_ context.Context, items []ingest.Item) ([]ingest.Result, error) {
	out := make([]ingest.Result, len(items))
	for i, it := range items {
		out[i].Status = ingest.InQuarantine
		if it.Broken == nil {
			out[i].Status = ingest.Accepted
			it.Raw = nil // not kept: it lives as long as the replay
			*s = append(*s, it)
		}
	}
	return out, nil
}

// replay tells the past to a pipeline of its own.
type replay struct {
	*App
	clock   *clock
	signals *signals.Clock
	zone    *time.Location
	risks   map[string][]dayRisk // by customer, rising
	last    churn.Day
}

type dayRisk struct {
	day churn.Day
	p   float64
}

func (r *replay) run(ctx context.Context, items []ingest.Item, told func(string, int)) error {
	day := startOfDay(items[0].OccurredAt, r.zone)
	for done := 0; done < len(items); day = day.AddDate(0, 0, 1) {
		end := day.AddDate(0, 0, 1)
		n := done
		for n < len(items) && items[n].OccurredAt.Before(end) {
			n++
		}
		r.clock.set(end.Add(-time.Second))
		for batch := range slices.Chunk(items[done:n], demoBatch) {
			if _, err := r.Door.Accept(ctx, batch); err != nil {
				return err
			}
		}
		done = n
		if err := r.evening(ctx, day); err != nil {
			return fmt.Errorf("%s: %w", day.Format(time.DateOnly), err)
		}
		if told != nil {
			told(day.Format(time.DateOnly), done)
		}
	}
	return nil
}

func startOfDay(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// evening works off the day: scoring and cases, what the clock raises, and
// churn_risk of everybody.
func (r *replay) evening(ctx context.Context, day time.Time) error {
	var err error
	if r.last, err = churn.ParseDay(day.Format(time.DateOnly)); err != nil {
		return err
	}
	if err := r.raiseSignals(ctx, r.signals, r.clock.now()); err != nil {
		return err
	}
	return r.assess(ctx)
}

// assess keeps churn_risk of every customer, as the pages show it that evening.
func (r *replay) assess(ctx context.Context) error {
	for after := ""; ; {
		ids, next, err := r.Stores.Rounds.Ordered(ctx, after, 1000)
		if err != nil {
			return err
		}
		of, err := r.App.risks().Of(ctx, ids)
		if err != nil {
			return err
		}
		for id, p := range of {
			r.risks[id] = append(r.risks[id], dayRisk{r.last, p})
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// lookBack turns what was said day by day and what came of it into figures.
func (r *replay) lookBack(ctx context.Context, out *EarlyEvaluation, o EarlyOptions) error {
	flags, err := r.flags(ctx, out)
	if err != nil {
		return err
	}
	facts, err := r.Stores.Context.OrderFacts(ctx, slices.Sorted(maps.Keys(r.risks)))
	if err != nil {
		return err
	}
	purchases := map[string][]churn.Day{}
	var gaps []int
	for id, f := range facts {
		days := risk.PurchaseDays(risk.FromFacts(f, r.zone), r.last)
		for i := 1; i < len(days); i++ {
			gaps = append(gaps, int(days[i]-days[i-1]))
		}
		purchases[id] = days
	}
	slices.Sort(gaps)
	business := churn.Percentile(gaps, 80)
	var silences []early.Silence
	for _, id := range slices.Sorted(maps.Keys(purchases)) {
		silences = append(silences, r.silences(purchases[id], business, o.Floor, flags[id], r.risks[id])...)
	}
	out.Customers, out.Definition = len(purchases), churn.Definition(o.Floor, business, len(gaps))
	if f, ok := early.Earliest(silences, o.Lead, int(r.last)); ok {
		out.Early = &f
	}
	out.Curve = early.Curve(silences, o.Thresholds, int(r.last))
	return nil
}

// flags are the days on which red alerts were raised, by customer, rising.
func (r *replay) flags(ctx context.Context, out *EarlyEvaluation) (map[string][]int, error) {
	days, q := map[string][]int{}, schemas.ListQuery{}
	out.RedAlerts = map[string]int{}
	for {
		page, err := r.Stores.History.Verdicts(ctx, q)
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, v := range page.Items {
			if v.Red {
				ids = append(ids, v.EventID)
			}
		}
		scored, err := r.Stores.Records.Scored(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, s := range scored {
			if s.Event.CustomerID == "" {
				continue
			}
			day, err := churn.ParseDay(s.Verdict.ScoredAt.In(r.zone).Format(time.DateOnly))
			if err != nil {
				return nil, err
			}
			out.RedAlerts[string(s.Event.Type)]++
			days[s.Event.CustomerID] = append(days[s.Event.CustomerID], int(day))
		}
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	for _, d := range days {
		slices.Sort(d)
	}
	return days, nil
}

// silences are those after each purchase of one customer.
func (r *replay) silences(days []churn.Day, business, floor int, flags []int, risks []dayRisk) []early.Silence {
	out := make([]early.Silence, len(days))
	for i, end := range churn.Ends(days, business, floor) {
		s := early.Silence{Begins: int(days[i]), Visible: int(end) + 1, Next: early.None}
		if i+1 < len(days) {
			s.Next = int(days[i+1])
		}
		for _, f := range flags {
			if f >= s.Begins && f < s.Next {
				s.Flagged = append(s.Flagged, f)
			}
		}
		for _, x := range risks {
			if d := int(x.day); d >= s.Begins && d < min(s.Next, s.Visible) {
				s.Risk = append(s.Risk, x.p) // one an evening, without gaps from the first purchase on
			}
		}
		out[i] = s
	}
	return out
}
