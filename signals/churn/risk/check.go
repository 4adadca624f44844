package risk

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"redalert/signals/churn"
)

// Check is how well a refit does beside the prior on customers it has not seen
// the outcome of: mean negative log likelihood, less is better, 0 is perfect.
type Check struct {
	Customers int     `json:"customers"` // who were judged
	Stayed    int     `json:"stayed"`    // away, of these
	Prior     float64 `json:"prior"`
	Learned   float64 `json:"learned"`
}

// MinChecked is how many customers, and MinEither how many of them who stayed
// away and who came back, it takes to judge a refit.
const (
	MinChecked = 100
	MinEither  = 20
)

// Passed reports whether there were enough to judge and the refit was at least
// as good as the prior.
func (c Check) Passed() bool {
	return c.Customers >= MinChecked && min(c.Stayed, c.Customers-c.Stayed) >= MinEither && c.Learned <= c.Prior
}

// HoldOut asks whether a fit would have helped: Fit on what was known horizon
// days before at, judged beside the prior by what customers did in those days. A
// past too short to learn from then gives a check of nobody, which is not passed.
func HoldOut(histories []History, at churn.Day, horizon int) (c Check) {
	horizon = max(horizon, 1)
	day := at - churn.Day(horizon)
	fit, general := Fit(histories, day, horizon), Prior(horizon)
	if fit.Rows == 0 {
		return c
	}
	for _, h := range histories {
		p, ok := fit.Risk(h, day)
		q, _ := general.Risk(h, day)
		if !ok {
			continue
		}
		away := !Returned(h, day, horizon)
		c.Customers++
		if away {
			c.Stayed++
		}
		c.Learned += loss(p, away)
		c.Prior += loss(q, away)
	}
	if c.Customers > 0 {
		c.Learned, c.Prior = round4(c.Learned/float64(c.Customers)), round4(c.Prior/float64(c.Customers))
	}
	return c
}

// loss is the negative log likelihood of an outcome. What is rounded to 0 or 1
// counts as half the last place.
func loss(p float64, away bool) float64 {
	if !away {
		p = 1 - p
	}
	return -ln(min(max(p, 0.00005), 0.99995))
}

// modelVersion changes when the meaning of the features does.
const modelVersion = 1

// ErrOtherVersion: the model was written by a program with other features, or is
// none.
var ErrOtherVersion = errors.New("this model of churn_risk is of another version")

type modelDoc struct {
	Version   int       `json:"version"`
	Horizon   int       `json:"horizon"`
	Rows      int       `json:"rows"`
	Customers int       `json:"customers"`
	Cutoffs   []int     `json:"cutoffs"`
	Weights   []float64 `json:"weights"`
	Slope     float64   `json:"slope"`
	Shift     float64   `json:"shift"`
	Typical   float64   `json:"typical"`
}

// MarshalJSON writes the model so that UnmarshalJSON gives the same one, to the
// last bit.
func (m Model) MarshalJSON() ([]byte, error) {
	return json.Marshal(modelDoc{modelVersion, m.Horizon, m.Rows, m.Customers, m.Cutoffs, m.weights, m.slope, m.shift, m.typical})
}

// UnmarshalJSON reads what MarshalJSON wrote; ErrOtherVersion for a model that
// this program cannot use.
func (m *Model) UnmarshalJSON(b []byte) error {
	var d modelDoc
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("model of churn_risk: %w", err)
	}
	odd := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
	if d.Version != modelVersion || len(d.Weights) != features || d.Horizon < 1 || d.Slope <= 0 || slices.ContainsFunc(d.Weights, odd) {
		return ErrOtherVersion
	}
	for j, w := range d.Weights {
		if grows(j) && w < 0 {
			return ErrOtherVersion
		}
	}
	*m = Model{Horizon: d.Horizon, Rows: d.Rows, Customers: d.Customers, Cutoffs: d.Cutoffs, weights: d.Weights, slope: d.Slope, shift: d.Shift, typical: d.Typical}
	return nil
}
