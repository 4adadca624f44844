package risk

// All times are relative to the horizon and all amounts to the business's
// typical order, so that one prior serves a bakery and a roofer. What grows with
// silence enters through ramps whose weights may not be negative, and everything
// else is of the history up to the last purchase: so risk cannot fall while a
// customer is silent.

// silence knots: logarithm of (days since the last purchase + 1) / horizon.
var silence = [...]float64{-3, -2, -1.2, -0.5, 0, 0.5, 1, 1.6, 2.3}

// overdue knots: logarithm of silence over one of the customer's own gaps.
var overdue = [...]float64{-2, -1, 0, 1, 2}

// memories are the half-forgotten spans, in horizons, over which past purchases
// are counted with exponentially falling weight.
var memories = [...]float64{1.0 / 6, 1.0 / 3, 2.0 / 3, 4.0 / 3, 8.0 / 3}

// valued are the memories over which money is counted, too.
var valued = [...]int{1, 3}

const (
	groups   = 3 // one purchase, two, more: each has its own curve of silence
	gapKinds = 4 // median, mean, longest, last

	atSilence  = 3 // after intercept, one, two
	atOverdue  = atSilence + groups*(len(silence)-1)
	atMemory   = atOverdue + gapKinds*(len(overdue)-1)
	atMoney    = atMemory + len(memories)
	atRate     = atMoney + len(valued)
	atPlain    = atRate + 2
	plainCount = 20 + len(memories)
	features   = atPlain + plainCount
)

// grows reports whether feature j grows with silence: its weight is never
// negative.
func grows(j int) bool { return j >= atSilence && j < atPlain }

// fill writes the features of what was seen.
func (s *seen) fill(row *[features]float64, horizon, typical float64) {
	n := len(s.days)
	row[0] = 1
	if n <= 2 {
		row[n] = 1
	}
	first := atSilence + (min(n, groups)-1)*(len(silence)-1)
	ramps(row[first:], silence[:], ln((s.recency+1)/horizon))
	if n > 1 {
		for k, gap := range [gapKinds]float64{s.gaps.median, s.gaps.mean, s.gaps.longest, s.gaps.last} {
			ramps(row[atOverdue+k*(len(overdue)-1):], overdue[:], ln((s.recency+horizon/12)/(gap+horizon/12)))
		}
	}
	s.fillMemory(row, horizon, typical)
	age := (float64(s.days[n-1]-s.days[0]) + s.recency) / horizon
	row[atRate] = -ln((float64(n) - 0.5) / (age + 0.5))
	row[atRate+1] = -ln(float64(n) / (age + 2))
	s.fillPlain(row[atPlain+len(memories):], horizon, typical)
}

// ramps spreads x over the segments between knots: a segment below x is 1, one
// above it 0. Weights on them make any rising line of straight pieces.
func ramps(row, knots []float64, x float64) {
	for i := 0; i+1 < len(knots); i++ {
		row[i] = min(max((x-knots[i])/(knots[i+1]-knots[i]), 0), 1)
	}
}

func (s *seen) fillMemory(row *[features]float64, horizon, typical float64) {
	n := len(s.days)
	unit := typical
	if unit <= 0 {
		unit = max(s.sum()/float64(n), 1)
	}
	for k, span := range memories {
		count, money := 0.0, 0.0
		for i, d := range s.days {
			w := exp(-float64(s.days[n-1]-d) / float64(span*horizon))
			count += w
			money += float64(w * (s.totals[i] / unit))
		}
		faded := exp(-s.recency / float64(span*horizon))
		row[atMemory+k] = -ln(1 + float64(count*faded))
		row[atPlain+k] = ln(count)
		for v, kind := range valued {
			if kind == k {
				row[atMoney+v] = -ln(1 + float64(money*faded))
			}
		}
	}
}

// fillPlain writes what does not change with silence.
func (s *seen) fillPlain(row []float64, horizon, typical float64) {
	n := float64(len(s.days))
	row[0] = ln(n)
	row[1] = max(ln(n/4), 0)
	row[2] = ln(1 + float64(s.days[len(s.days)-1]-s.days[0])/horizon)
	if n > 1 {
		for k, gap := range [...]float64{s.gaps.median, s.gaps.mean, s.gaps.last, s.gaps.longest, s.gaps.shortest} {
			row[3+k] = ln((gap + horizon/30) / horizon)
		}
	}
	if n > 2 {
		row[8] = min(s.gaps.deviation/max(s.gaps.mean, 1), 3)
	}
	row[9] = clip(s.gaps.trend, 3)
	s.fillMoney(row[10:], n, typical)
	row[16] = ln(1 + float64(s.returned))
	row[17] = min(float64(s.returned)/float64(s.orders), 2)
	row[18] = min(s.back/max(s.sum(), 1), 2)
	row[19] = ln(float64(s.orders) / n)
}

func (s *seen) fillMoney(row []float64, n, typical float64) {
	sum := s.sum()
	if sum <= 0 {
		return
	}
	mean := sum / n
	if typical > 0 {
		row[0] = clip(ln(mean/typical), 3)
		row[1] = max(row[0], 0)
		row[2] = clip(ln(sum/typical), 6)
		if n == 1 {
			row[3] = row[0]
		}
	}
	row[4] = clip(ln(max(s.totals[len(s.totals)-1], 1)/mean), 3)
	row[5] = clip(ln(max(s.totals[0], 1)/mean), 3)
}

func (s *seen) sum() float64 {
	sum := 0.0
	for _, t := range s.totals {
		sum += t
	}
	return sum
}

func clip(v, limit float64) float64 { return min(max(v, -limit), limit) }
