package signals_test

import (
	"context"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

// known is a Context of given facts.
type known map[string][]schemas.OrderFact

func (k known) OrderFacts(_ context.Context, ids []string) (map[string][]schemas.OrderFact, error) {
	out := map[string][]schemas.OrderFact{}
	for _, id := range ids {
		out[id] = k[id]
	}
	return out, nil
}
func (known) RevenueP90(context.Context, time.Time) (int64, int, error) { return 0, 0, nil }

func TestRisks(t *testing.T) {
	regular := habit(9000, 9000, 9000, 9000, 9000, 9000) // weekly, the last a week before noon
	gone := make([]schemas.OrderFact, len(regular))
	for i, f := range regular {
		f.OccurredAt = f.OccurredAt.AddDate(0, 0, -200)
		gone[i] = f
	}
	r := &signals.Risks{Context: known{"regular": regular, "gone": gone, "nobody": nil}, Now: func() time.Time { return noon }}
	got, err := r.Of(t.Context(), []string{"regular", "gone", "nobody"})
	if err != nil || len(got) != 2 || got["regular"] > 0.4 || got["gone"] < 0.7 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := (*signals.Risks)(nil).Of(t.Context(), []string{"regular"}); err != nil || len(got) != 0 {
		t.Errorf("without history: %v, %v", got, err)
	}
}
