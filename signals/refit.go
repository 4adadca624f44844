package signals

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"redalert/schemas"
	"redalert/signals/churn"
	"redalert/signals/churn/risk"
)

// RiskFitName is the name that the nightly fit of churn_risk is kept under.
const RiskFitName = "churn_risk"

// RiskFit is the outcome of one night: a fit of churn_risk on this business's
// own orders, and whether it is used.
type RiskFit struct {
	At        time.Time   `json:"at"`
	Day       string      `json:"day"`       // the last local day it knows
	Customers int         `json:"customers"` // whose past it learnt from
	Examples  int         `json:"examples"`  // customers × past cut-offs
	Check     risk.Check  `json:"check"`     // on outcomes held back
	Used      bool        `json:"used"`      // false: the check was not passed, and the prior stands
	Model     *risk.Model `json:"model,omitempty"`
}

// refitSample is how many customers are learnt from at most. It bounds memory (about
// 100 MB for some seconds); four times as many change the log loss by 0.003.
const refitSample = 5_000

// refit learns churn_risk from this business's own orders up to yesterday, from
// all customers or, where there are more than refitSample, a sample by a hash of
// their ids, the same every night. The fit is used from then on if it passes a
// check on the outcomes of the last RiskHorizon days (risk.HoldOut); else the
// prior is.
func (c *Clock) refit(ctx context.Context, now time.Time) (int, error) {
	if c.c.Fits == nil {
		return 0, nil
	}
	histories, err := c.sample(ctx, refitSample)
	if err != nil {
		return 0, err
	}
	day, err := dayOf(now.In(c.c.Business.Timezone))
	if err != nil {
		return 0, err
	}
	fit := FitRisk(histories, day-1)
	fit.At = now
	doc, err := json.Marshal(fit)
	if err != nil {
		return 0, fmt.Errorf("keep the fit of churn_risk: %w", err)
	}
	c.c.Log.Info("churn_risk was fitted on the orders of this business", "customers", fit.Customers, "examples", fit.Examples,
		"judged", fit.Check.Customers, "loss", fit.Check.Learned, "loss_of_prior", fit.Check.Prior, "used", fit.Used)
	return 0, c.c.Fits.SaveFit(ctx, RiskFitName, doc, now)
}

// FitRisk fits churn_risk on histories up to the end of a day and checks the fit.
// It is pure; At is left zero.
func FitRisk(histories []risk.History, day churn.Day) RiskFit {
	fit := RiskFit{Day: day.String(), Check: risk.HoldOut(histories, day, RiskHorizon)}
	m := risk.Fit(histories, day, RiskHorizon)
	fit.Customers, fit.Examples = m.Customers, m.Rows
	if fit.Used = m.Rows > 0 && fit.Check.Passed(); fit.Used {
		fit.Model = &m
	}
	return fit
}

func dayOf(local time.Time) (churn.Day, error) { return churn.ParseDay(local.Format(time.DateOnly)) }

// sample reads the histories of at most n customers.
func (c *Clock) sample(ctx context.Context, n int) ([]risk.History, error) {
	s := sampler{most: n}
	for after := ""; ; {
		ids, next, err := c.c.Rounds.Ordered(ctx, after, rollPage)
		if err != nil {
			return nil, fmt.Errorf("customers who have ordered: %w", err)
		}
		s.add(ids)
		if after = next; after == "" {
			break
		}
	}
	var out []risk.History
	for chunk := range slices.Chunk(s.chosen(), factsAtOnce) {
		facts, err := c.c.Context.OrderFacts(ctx, chunk)
		if err != nil {
			return nil, fmt.Errorf("orders of customers: %w", err)
		}
		for _, id := range chunk {
			out = append(out, risk.FromFacts(facts[id], c.c.Business.Timezone))
		}
	}
	return out, nil
}

// sampler keeps the ids with the smallest hashes, each once, whatever order they
// come in. It holds up to twice as many as are wanted.
type sampler struct {
	most int
	ids  []hashed
}

type hashed struct {
	hash uint64
	id   string
}

func (s *sampler) add(ids []string) {
	for _, id := range ids {
		h := fnv.New64a()
		h.Write([]byte(id))
		if s.ids = append(s.ids, hashed{h.Sum64(), id}); len(s.ids) >= 2*s.most {
			s.cut()
		}
	}
}

func (s *sampler) cut() {
	slices.SortFunc(s.ids, func(a, b hashed) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.id, b.id)) })
	s.ids = slices.Compact(s.ids)
	s.ids = s.ids[:min(len(s.ids), s.most)]
}

func (s *sampler) chosen() []string {
	s.cut()
	out := make([]string, len(s.ids))
	for i, h := range s.ids {
		out[i] = h.id
	}
	return out
}

// LoadRiskFit answers the last fit; ok is false when there is none, or none that
// this version of the program can read.
func LoadRiskFit(ctx context.Context, from Fits) (fit RiskFit, ok bool, err error) {
	if from == nil {
		return fit, false, nil
	}
	doc, err := from.LoadFit(ctx, RiskFitName)
	if err != nil || doc == nil {
		return fit, false, err
	}
	err = json.Unmarshal(doc, &fit)
	if errors.Is(err, risk.ErrOtherVersion) {
		return RiskFit{}, false, nil
	}
	if err != nil {
		return fit, false, fmt.Errorf("read the fit of churn_risk: %w", err)
	}
	return fit, true, nil
}

// Basis says in one line what churn_risk rests on: "learned from 2,434 customers,
// 3 November".
func (f RiskFit) Basis(b schemas.Business) string {
	if !f.Used {
		return "by what is usual in general; it learns from your own orders as they grow"
	}
	at := f.At
	if b.Timezone != nil {
		at = at.In(b.Timezone)
	}
	return fmt.Sprintf("learned from %s customers, %s", thousands(f.Customers), at.Format("2 January"))
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
