package unusual

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"redalert/schemas"
)

// business is a synthetic one: sources, locations and categories with rates of
// their own, a rhythm of the week, and good and bad weeks (negative binomial).
type business struct {
	rng     *rand.Rand
	places  []string
	sources []string
	kinds   []string
	rate    map[group]float64 // red alerts a week by source, location, category
	quiet   float64           // events that are no alert, a week, by source and location
	rhythm  [7]float64
	spread  float64           // variance over mean of a week's count, 1 = Poisson
	moods   map[group]float64 // of the week
}

func newBusiness(seed uint64, perWeek, spread float64) *business {
	b := &business{rng: rand.New(rand.NewPCG(seed, 11)), places: []string{"North", "East", "South"}, sources: []string{"care", "shop", "town"},
		kinds: []string{"late", "quality", "missed_appointment", "billing", "rude", "cancellation"}, rate: map[group]float64{}, quiet: 40, spread: spread}
	var sum float64
	for _, s := range b.sources {
		for _, p := range b.places {
			for _, k := range b.kinds {
				r := b.rng.ExpFloat64()
				b.rate[group{s, p, k}] = r
				sum += r
			}
		}
	}
	for g := range b.rate {
		b.rate[g] *= perWeek / sum
	}
	b.rhythm = [7]float64{0.22, 0.18, 0.17, 0.16, 0.15, 0.08, 0.04}
	return b
}

// gamma draws a Gamma of mean 1 and the variance that makes counts of that mean
// vary spread times as much as a Poisson (Marsaglia and Tsang 2000).
func (b *business) gamma(mean float64) float64 {
	if b.spread <= 1 || mean <= 0 {
		return 1
	}
	shape := mean / (b.spread - 1)
	a, boost := shape, 1.0
	if shape < 1 {
		a, boost = shape+1, math.Pow(b.rng.Float64(), 1/shape)
	}
	for d := a - 1.0/3; ; {
		x := b.rng.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(b.rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v * boost / shape
		}
	}
}

// poisson draws a count (Knuth, TAOCP 2, 3.4.1).
func (b *business) poisson(mean float64) (n int64) {
	limit := math.Exp(-mean)
	for prod := b.rng.Float64(); prod > limit; prod *= b.rng.Float64() {
		n++
	}
	return n
}

// change is what happens on a day: factors on rates and on volume.
type change func(day int, g group) (alerts, volume float64)

func stationary(int, group) (float64, float64) { return 1, 1 }

// days draws some days from a Monday on.
func (b *business) days(monday time.Time, n int, c change) []Count {
	var out []Count
	for d := range n {
		if d%7 == 0 {
			b.moods = map[group]float64{}
		}
		day := monday.AddDate(0, 0, d).Format(time.DateOnly)
		for _, s := range b.sources {
			for _, p := range b.places {
				where := group{s, p, ""}
				_, volume := c(d, where)
				n := b.poisson(b.quiet / float64(len(b.sources)*len(b.places)) * 3 * b.rhythm[d%7] * volume)
				var red int64
				for _, k := range b.kinds {
					g := group{s, p, k}
					shared := group{"", p, k} // a bad week of a kind at a place, in every source
					if _, ok := b.moods[shared]; !ok {
						var sum float64
						for _, s := range b.sources {
							sum += b.rate[group{s, p, k}]
						}
						b.moods[shared] = b.gamma(sum)
					}
					alerts, _ := c(d, g)
					x := b.poisson(b.rate[g] * b.moods[shared] * b.rhythm[d%7] * alerts)
					if red += x; x > 0 {
						out = append(out, Count{Day: day, Source: s, Location: p, Category: k, Red: x})
					}
				}
				if n+red > 0 {
					out = append(out, Count{Day: day, Source: s, Location: p, Red: red, N: n + red})
				}
			}
		}
	}
	return out
}

var day0 = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) // a Monday

// watch looks every evening of some days and answers on which days it told of
// each group anew: not within seven days of having told of it.
func watch(t *testing.T, counts []Count, from, days int) map[string][]int {
	t.Helper()
	told := map[string][]int{}
	last := map[string]int{}
	for d := from; d < from+days; d++ {
		got, err := Find(before(counts, d), day0.AddDate(0, 0, d).Format(time.DateOnly), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range got {
			if at, ok := last[u.Key()]; !ok || d-at > 7 {
				told[u.Key()] = append(told[u.Key()], d)
			}
			last[u.Key()] = d
		}
	}
	return told
}

// before cuts what is not known yet; counts are in order of days.
func before(counts []Count, day int) []Count {
	last := day0.AddDate(0, 0, day).Format(time.DateOnly)
	lo, hi := 0, len(counts)
	for lo < hi {
		if m := (lo + hi) / 2; counts[m].Day <= last {
			lo = m + 1
		} else {
			hi = m
		}
	}
	first := day0.AddDate(0, 0, day-7*span).Format(time.DateOnly)
	from, to := 0, lo
	for from < to {
		if m := (from + to) / 2; counts[m].Day < first {
			from = m + 1
		} else {
			to = m
		}
	}
	return counts[from:lo]
}

// falseBudget is how many false notices a month a business that does not change
// may get. docs/scoring.md states it.
const falseBudget = 0.75

// TestStationaryBusinesses measures false notices: nothing changes but the week's
// weather, in businesses small and large, with counts that vary as chance says
// and half as much again and twice as much.
func TestStationaryBusinesses(t *testing.T) {
	businesses, weeks := 4, 16
	if testing.Short() {
		businesses, weeks = 1, 13
	}
	for _, perWeek := range []float64{6, 30, 120} {
		for _, spread := range []float64{1, 1.5, 2} {
			t.Run(fmt.Sprintf("%v a week, variance × %v", perWeek, spread), func(t *testing.T) {
				t.Parallel()
				told := 0
				for i := range businesses {
					b := newBusiness(uint64(i+1), perWeek, spread)
					for _, days := range watch(t, b.days(day0, 7*(16+weeks), stationary), 7*16, 7*weeks) {
						told += len(days)
					}
				}
				months := float64(businesses*weeks) / (365.25 / 12 / 7)
				rate := float64(told) / months
				t.Logf("%d false notices in %.0f months of businesses: %.2f a month", told, months, rate)
				if rate > falseBudget+2*math.Sqrt(falseBudget/months) {
					t.Errorf("%.2f false notices a month, more than %v", rate, falseBudget)
				}
			})
		}
	}
}

// TestPlantedTripling: alerts of one kind at one place triple, from any day of the
// week on. Where there are usually 12 a week or more, a notice comes within seven
// days; fewer say less, and take up to two weeks.
func TestPlantedTripling(t *testing.T) {
	const tries = 20
	for _, usual := range []float64{5, 8, 12, 20} {
		found, soon, sum := 0, 0, 0
		for i := range tries {
			b := newBusiness(uint64(100+i), 40, 1.3)
			for _, s := range b.sources {
				b.rate[group{s, "North", "missed_appointment"}] = usual / 3
			}
			begin := 7*16 + i%7
			counts := b.days(day0, begin+14, func(d int, g group) (float64, float64) {
				if d >= begin && g.location == "North" && g.category == "missed_appointment" {
					return 3, 1
				}
				return 1, 1
			})
			first := 99
			if days := watch(t, counts, begin, 14)[schemas.Unusual{Location: "North", Category: "missed_appointment"}.Key()]; len(days) > 0 {
				first = days[0] - begin + 1
			}
			if first < 99 {
				found++
				sum += first
				if first <= 7 {
					soon++
				}
			}
		}
		t.Logf("usually %v a week, tripled: %d of %d found within a week, %d within two, after %.1f days on average", usual, soon, tries, found, float64(sum)/float64(max(1, found)))
		if usual >= 12 && soon < tries*9/10 || found < tries*3/4 {
			t.Errorf("usually %v a week, tripled: only %d and %d of %d found", usual, soon, found, tries)
		}
	}
}
