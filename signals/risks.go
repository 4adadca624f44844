package signals

import (
	"context"
	"time"

	"redalert/schemas"
	"redalert/signals/churn/risk"
)

// RiskHorizon is how many days ahead churn_risk looks.
const RiskHorizon = 90

// Risks answers churn_risk of customers from their orders in history, by the last
// fit on this business's own past that passed its check, else by the prior that
// ships (docs/churn-risk.md). Safe for concurrent use when its ports are.
type Risks struct {
	Context Context
	Fits    Fits             // nil = the prior alone
	Zone    *time.Location   // of the business's days; nil = UTC
	Now     func() time.Time // nil = time.Now
}

// Of is the probability (0–1) that each customer places no order in the next
// RiskHorizon days. Who has no standing order is left out. A nil Risks knows
// nobody.
func (r *Risks) Of(ctx context.Context, customerIDs []string) (map[string]float64, error) {
	if r == nil || len(customerIDs) == 0 {
		return nil, nil
	}
	facts, err := r.Context.OrderFacts(ctx, customerIDs)
	if err != nil {
		return nil, err
	}
	now, zone := time.Now, r.Zone
	if r.Now != nil {
		now = r.Now
	}
	if zone == nil {
		zone = time.UTC
	}
	today, err := dayOf(now().In(zone))
	if err != nil {
		return nil, err
	}
	model, err := r.model(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64, len(facts))
	for id, f := range facts {
		if p, ok := model.Risk(risk.FromFacts(f, zone), today); ok {
			out[id] = p
		}
	}
	return out, nil
}

func (r *Risks) model(ctx context.Context) (risk.Model, error) {
	fit, ok, err := LoadRiskFit(ctx, r.Fits)
	if err != nil || !ok || !fit.Used || fit.Model == nil {
		return risk.Prior(RiskHorizon), err
	}
	return *fit.Model, nil
}

// Basis says in one line what the figures rest on, "" for a nil Risks.
func (r *Risks) Basis(ctx context.Context) (string, error) {
	if r == nil {
		return "", nil
	}
	fit, _, err := LoadRiskFit(ctx, r.Fits)
	return fit.Basis(schemas.Business{Timezone: r.Zone}), err
}
