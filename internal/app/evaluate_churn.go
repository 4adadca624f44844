package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"redalert/ingest"
	"redalert/internal/eval"
	"redalert/internal/eval/bgnbd"
	"redalert/internal/importer"
	"redalert/schemas"
	"redalert/signals/churn"
	"redalert/signals/churn/risk"
)

// ChurnOptions say what to measure churn_risk on.
type ChurnOptions struct {
	Files   []string // order files, as `import orders` reads them
	Map     string   // preset or mapping file
	TZ      string   // zone of times without one
	Horizon int      // days in which no order means churned
	At      []string // cut-off days, YYYY-MM-DD: the last day that is known
}

// ErrCutoff wraps what is wrong with a cut-off: the orders do not reach so far.
var ErrCutoff = errors.New("cannot evaluate")

// ChurnFigures are those of one way to tell who will stay away. ECE is null for
// what is no probability.
type ChurnFigures struct {
	AUROC eval.Number `json:"auroc"`
	ECE   eval.Number `json:"expected_calibration_error"`
}

// ChurnCut is one cut-off: churn_risk, fitted on what was known by then, beside
// its shipped prior alone, the days since the last order alone, and BG/NBD.
type ChurnCut struct {
	At          string       `json:"at"`
	Customers   int          `json:"customers"` // who had ordered by then
	Churned     int          `json:"churned"`   // of them: no order within the horizon
	Rows        int          `json:"learnt_from"`
	PastCutoffs []string     `json:"past_cutoffs"`
	Risk        ChurnFigures `json:"churn_risk"`
	Prior       ChurnFigures `json:"prior"`
	Recency     ChurnFigures `json:"recency"`
	BGNBD       ChurnFigures `json:"bg_nbd"`
	Reliability []eval.Bin   `json:"reliability"` // of churn_risk
}

// ChurnEvaluation is every cut-off, and the mean of the figures.
type ChurnEvaluation struct {
	Horizon     int        `json:"horizon_days"`
	Orders      int        `json:"orders"`
	Quarantined int64      `json:"quarantined"` // rows that could not be read
	Cuts        []ChurnCut `json:"cuts"`
	Mean        ChurnCut   `json:"mean"`
}

// EvaluateChurn reads order files and asks, at each cut-off, who will order
// within the horizon. Everything is fitted on what was known at the cut-off
// alone; only then the outcome is looked at. Nothing is stored. Orders without a
// customer are left out.
func EvaluateChurn(ctx context.Context, o ChurnOptions) (ChurnEvaluation, error) {
	out := ChurnEvaluation{Horizon: o.Horizon}
	days, err := cutoffs(o)
	if err != nil {
		return out, err
	}
	var read orderSink
	rep, err := importer.Run(ctx, importer.Options{Kind: importer.Orders, Files: o.Files, Source: "eval", Map: o.Map, TZ: o.TZ,
		Business: schemas.Business{Timezone: time.UTC, Currency: "EUR"}}, importer.Ports{Acceptor: &read, Cursors: noCursors{}})
	if err != nil {
		return out, err
	}
	hs, first, last := read.histories()
	out.Quarantined, out.Orders = rep.Quarantined, read.orders
	for _, at := range days {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if at < first || at+churn.Day(o.Horizon) > last {
			return out, fmt.Errorf("%w: %s and %d days more; the orders are from %s to %s", ErrCutoff, at, o.Horizon, first, last)
		}
		cut, err := evaluateCut(hs, at, o.Horizon)
		if err != nil {
			return out, err
		}
		out.Cuts = append(out.Cuts, cut)
	}
	out.Mean = meanCut(out.Cuts)
	return out, nil
}

func cutoffs(o ChurnOptions) ([]churn.Day, error) {
	if o.Horizon < 1 {
		return nil, fmt.Errorf("%w: a horizon of %d days; at least 1", ErrCutoff, o.Horizon)
	}
	var days []churn.Day
	for _, s := range o.At {
		d, err := churn.ParseDay(s)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCutoff, err)
		}
		days = append(days, d)
	}
	if len(days) == 0 {
		return nil, fmt.Errorf("%w: no cut-off given", ErrCutoff)
	}
	return days, nil
}

// orderSink keeps what an import reads as order facts by customer.
type orderSink struct {
	facts  map[string][]schemas.OrderFact
	orders int
}

// Accept implements ingest.Acceptor.
func (s *orderSink) Accept(_ context.Context, items []ingest.Item) ([]ingest.Result, error) {
	if s.facts == nil {
		s.facts = map[string][]schemas.OrderFact{}
	}
	out := make([]ingest.Result, len(items))
	for i, it := range items {
		out[i].Status = ingest.InQuarantine
		if it.Broken != nil {
			continue
		}
		var d struct {
			OrderRef string               `json:"order_ref"`
			Customer *schemas.CustomerRef `json:"customer"`
			Total    *schemas.Money       `json:"total"`
			CausedBy schemas.CausedBy     `json:"caused_by"`
		}
		if err := json.Unmarshal(it.Data, &d); err != nil {
			continue
		}
		out[i].Status = ingest.Accepted
		s.orders++
		if d.Customer == nil {
			continue
		}
		key := d.Customer.Ref + "\x00" + d.Customer.Email + "\x00" + d.Customer.Phone
		if d.Customer.Ref != "" {
			key = d.Customer.Ref
		}
		f := schemas.OrderFact{EventID: string(it.Type) + "\x00" + it.NativeID, Type: it.Type, OrderRef: d.OrderRef,
			OccurredAt: it.OccurredAt, CausedBy: d.CausedBy}
		if d.Total != nil {
			f.Total = max(d.Total.Amount, -d.Total.Amount, 0)
		}
		s.facts[key] = append(s.facts[key], f)
	}
	return out, nil
}

// histories are those of all customers in a fixed order, with the first and the
// last day of orders.
func (s *orderSink) histories() (hs []risk.History, first, last churn.Day) {
	for i, c := range slices.Sorted(maps.Keys(s.facts)) {
		h := risk.FromFacts(s.facts[c], time.UTC)
		hs = append(hs, h)
		for _, o := range h.Orders {
			if i == 0 && first == 0 || o.Day < first {
				first = o.Day
			}
			last = max(last, o.Day)
		}
	}
	return hs, first, last
}

// noCursors is for an import that is never resumed.
type noCursors struct{}

func (noCursors) Load(context.Context, string) (string, error) { return "", ingest.ErrNotFound }
func (noCursors) Save(context.Context, string, string) error   { return nil }

func evaluateCut(hs []risk.History, at churn.Day, horizon int) (ChurnCut, error) {
	cut := ChurnCut{At: at.String(), PastCutoffs: []string{}}
	model, prior := risk.Fit(hs, at, horizon), risk.Prior(horizon)
	cut.Rows = model.Rows
	for _, d := range model.Cutoffs {
		cut.PastCutoffs = append(cut.PastCutoffs, churn.Day(d).String())
	}
	var ours, shipped, recency, peer []eval.Labelled
	var buyers []bgnbd.Customer
	for _, h := range hs {
		p, ok := model.Risk(h, at)
		if !ok {
			continue
		}
		away := !risk.Returned(h, at, horizon)
		q, _ := prior.Risk(h, at)
		b := buyer(h, at)
		buyers = append(buyers, b)
		silent := b.Age - b.Last
		ours, shipped = append(ours, eval.Labelled{P: p, Red: away}), append(shipped, eval.Labelled{P: q, Red: away})
		recency = append(recency, eval.Labelled{P: silent / (silent + float64(horizon)), Red: away})
	}
	params, err := bgnbd.Fit(buyers)
	if err != nil {
		return cut, fmt.Errorf("%w: nobody had ordered by %s", ErrCutoff, at)
	}
	for i, b := range buyers {
		peer = append(peer, eval.Labelled{P: params.Silent(b, float64(horizon)), Red: ours[i].Red})
	}
	r := eval.Measure(ours)
	cut.Customers, cut.Churned, cut.Reliability = r.N, r.Positives, eval.Reliability(ours)
	cut.Risk, cut.Prior, cut.BGNBD = figures(r), figures(eval.Measure(shipped)), figures(eval.Measure(peer))
	cut.Recency = ChurnFigures{eval.Measure(recency).AUROC, eval.Number(math.NaN())}
	return cut, nil
}

func figures(r eval.Report) ChurnFigures { return ChurnFigures{r.AUROC, r.ECE} }

// buyer is a history as BG/NBD sees it: days with orders, in days.
func buyer(h risk.History, at churn.Day) bgnbd.Customer {
	days := risk.PurchaseDays(h, at)
	first, last := days[0], days[len(days)-1]
	return bgnbd.Customer{Repeats: len(days) - 1, Last: float64(last - first), Age: float64(at - first)}
}

func meanCut(cuts []ChurnCut) ChurnCut {
	m := ChurnCut{At: "mean", PastCutoffs: []string{}, Reliability: []eval.Bin{}}
	n := eval.Number(len(cuts))
	for _, c := range cuts {
		m.Customers, m.Churned, m.Rows = m.Customers+c.Customers, m.Churned+c.Churned, m.Rows+c.Rows
		for _, p := range []struct{ to, from *ChurnFigures }{{&m.Risk, &c.Risk}, {&m.Prior, &c.Prior}, {&m.Recency, &c.Recency}, {&m.BGNBD, &c.BGNBD}} {
			p.to.AUROC += p.from.AUROC / n
			p.to.ECE += p.from.ECE / n
		}
	}
	return m
}
