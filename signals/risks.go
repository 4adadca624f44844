package signals

import (
	"context"
	"time"

	"redalert/signals/churn"
	"redalert/signals/churn/risk"
)

// RiskHorizon is how many days ahead churn_risk looks.
const RiskHorizon = 90

// Risks answers churn_risk of customers from their orders in history, by the
// prior that ships (docs/churn-risk.md). Safe for concurrent use when its port is.
type Risks struct {
	Context Context
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
	today, err := churn.ParseDay(now().In(zone).Format(time.DateOnly))
	if err != nil {
		return nil, err
	}
	model := risk.Prior(RiskHorizon)
	out := make(map[string]float64, len(facts))
	for id, f := range facts {
		if p, ok := model.Risk(risk.FromFacts(f, zone), today); ok {
			out[id] = p
		}
	}
	return out, nil
}
