// Package early measures how long before a customer's silence was plain to see
// they had been flagged, and how often customers were flagged who came back. It
// is pure; days are counted in whole numbers from any start.
package early

import (
	"cmp"
	"math"
	"slices"

	"redalert/internal/eval"
)

// Silence is the time after one purchase of a customer, until they bought again
// or it could be seen by the definition of churn that they are gone.
type Silence struct {
	Begins  int       // day of the purchase
	Visible int       // first day on which, without another purchase, they count as churned
	Next    int       // day of the next purchase; None when there is none
	Flagged []int     // days from Begins on on which a red alert was raised, rising
	Risk    []float64 // churn_risk at the end of Begins, of the day after, …; may be short or empty
}

// None is the day that never came.
const None = int(^uint(0) >> 1)

// outcome of a silence, seen on the last day that is known.
type outcome int

const (
	open     outcome = iota // not decided yet: left out, except that they were active
	lost                    // became visible before they bought again, if ever
	returned                // bought again in time
)

func (s Silence) outcome(last int) outcome {
	switch {
	case s.Next != None && s.Next <= last && s.Next < s.Visible:
		return returned
	case s.Visible <= last:
		return lost
	}
	return open
}

// ends is the day the silence was over, one way or the other.
func (s Silence) ends(last int) int { return min(s.Next, s.Visible, last+1) }

// alarm is the first day of the silence with a red alert or a risk of at least
// threshold; None when there is none before it ends.
func (s Silence) alarm(threshold float64, last int) int {
	end, first := s.ends(last), None
	if len(s.Flagged) > 0 && s.Flagged[0] < end {
		first = s.Flagged[0]
	}
	for i, p := range s.Risk {
		if day := s.Begins + i; p >= threshold && day < min(end, first) {
			return day
		}
	}
	return first
}

// Figures are those of one way to flag.
type Figures struct {
	Threshold   eval.Number `json:"churn_risk_from"`                     // null: red alerts alone
	Lost        int         `json:"lost"`                                // silences that became visible
	Flagged     int         `json:"flagged_before"`                      // of them, flagged before
	Lead        int         `json:"median_days_before"`                  // over all lost; who was not flagged before counts as 0
	LeadFlagged int         `json:"median_days_before_flagged"`          // over those flagged before
	FalseAlarms int         `json:"false_alarms"`                        // silences flagged although they bought again in time
	Months      float64     `json:"customer_months"`                     // of active customers
	Rate        eval.Number `json:"false_alarms_per_100_customer_month"` // null without months
}

// daysAMonth is the mean length of a month.
const daysAMonth = 30.4375

// Measure looks back on silences from the last day that is known. threshold is
// the churn_risk from which a customer counts as flagged, red alert or not; above
// 1 red alerts alone count. A silence is flagged at most once. Medians are exact,
// by nearest rank.
func Measure(silences []Silence, threshold float64, last int) Figures {
	f := Figures{Threshold: eval.Number(threshold)}
	if threshold > 1 {
		f.Threshold = eval.Number(math.NaN())
	}
	var all, flagged []int
	days := 0
	for _, s := range silences {
		days += s.ends(last) - s.Begins
		alarm := s.alarm(threshold, last)
		switch s.outcome(last) {
		case returned:
			if alarm != None {
				f.FalseAlarms++
			}
		case lost:
			lead := 0
			if alarm != None {
				lead = s.Visible - alarm
				flagged = append(flagged, lead)
			}
			all = append(all, lead)
		}
	}
	f.Lost, f.Flagged, f.Lead, f.LeadFlagged = len(all), len(flagged), median(all), median(flagged)
	f.Months = float64(days) / daysAMonth
	f.Rate = eval.Number(math.NaN())
	if f.Months > 0 {
		f.Rate = eval.Number(100 * float64(f.FalseAlarms) / f.Months)
	}
	return f
}

// Curve is Measure by red alerts alone and then for each threshold, falling: the
// trade-off between flagging early and flagging in vain.
func Curve(silences []Silence, thresholds []float64, last int) []Figures {
	out := []Figures{Measure(silences, 2, last)}
	for _, t := range slices.SortedFunc(slices.Values(thresholds), func(a, b float64) int { return cmp.Compare(b, a) }) {
		out = append(out, Measure(silences, t, last))
	}
	return out
}

// Earliest is the highest churn_risk, in hundredths, from which on customers
// who were lost had been flagged a median of at least lead days before. ok is
// false when no threshold does it.
func Earliest(silences []Silence, lead, last int) (f Figures, ok bool) {
	for t := 100; t > 0; t-- {
		if f = Measure(silences, float64(t)/100, last); f.Lead >= lead {
			return f, f.Lost > 0
		}
	}
	return f, false
}

func median(xs []int) int {
	if len(xs) == 0 {
		return 0
	}
	slices.Sort(xs)
	return xs[(len(xs)+1)/2-1]
}
