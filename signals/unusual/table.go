package unusual

import (
	"slices"

	"redalert/schemas"
	"redalert/signals/churn"
)

// Count is how many events of one local day, source and location there were.
// With Category "" it counts every event (N) and the red ones (Red); with a
// category the red events of that category (Red), N then is 0. An event of two
// categories counts in both.
type Count struct {
	Day      string // YYYY-MM-DD in the business's time zone
	Source   string
	Location string // "" = none
	Category string
	Red, N   int64
}

// Sizes of what is looked at, in weeks.
const (
	baseline = 12 // earlier weeks compared with
	least    = 6  // fewer say nothing
	year     = 52
	span     = year + baseline + 4 // the running week and all that is looked back at
)

// Since is the first day Find looks at, given today: the Monday 67 weeks back.
func Since(today string) (string, error) {
	d, err := churn.ParseDay(today)
	if err != nil {
		return "", err
	}
	return firstDay(d).String(), nil
}

func firstDay(today churn.Day) churn.Day { return today.PeriodStart(schemas.PeriodWeek) - 7*(span-1) }

// group narrows alerts down; "" does not narrow.
type group struct{ source, location, category string }

// where is the group without its category: what its volume is counted over.
func (g group) where() group { return group{g.source, g.location, ""} }

// grid holds counts by day, from a Monday on.
type grid [7 * span]float64

func (g *grid) week(w int) float64 { return g.sum(7*w, 7*w+6) }

// sum is over the days from one through another.
func (g *grid) sum(from, through int) (sum float64) {
	if g == nil {
		return 0
	}
	for _, x := range g[from : through+1] {
		sum += x
	}
	return sum
}

// weekly lists the counts of some weeks.
func (g *grid) weekly(weeks []int) []float64 {
	out := make([]float64, len(weeks))
	for i, w := range weeks {
		out[i] = g.week(w)
	}
	return out
}

// table is every count that a viewer may see, by group.
type table struct {
	start churn.Day // Monday of week 0
	red   map[group]*grid
	quiet map[group]*grid // events that are no alert, by where
	first map[group]churn.Day
	rows  []Count
	at    []churn.Day // day of each row
}

// newTable sums counts up over the places seen; nil locations = all. Days
// outside what is looked at are left out.
func newTable(counts []Count, today churn.Day, locations []string) (*table, error) {
	t := &table{start: firstDay(today), red: map[group]*grid{}, quiet: map[group]*grid{}, first: map[group]churn.Day{}}
	var d churn.Day
	last := ""
	for _, c := range counts {
		if locations != nil && !slices.Contains(locations, c.Location) {
			continue
		}
		if c.Day != last || last == "" { // counts mostly come by day
			var err error
			if d, err = churn.ParseDay(c.Day); err != nil {
				return nil, err
			}
			last = c.Day
		}
		if d < t.start || d > today {
			continue
		}
		t.rows, t.at = append(t.rows, c), append(t.at, d)
		if c.Category != "" {
			t.add(t.red, group{category: c.Category}, d, c.Red)
			if c.Location != "" {
				t.add(t.red, group{location: c.Location, category: c.Category}, d, c.Red)
			}
			continue
		}
		wheres := []group{{}}
		if c.Location != "" {
			wheres = append(wheres, group{location: c.Location})
		}
		if c.Source != "" {
			wheres = append(wheres, group{source: c.Source})
		}
		for _, g := range wheres {
			t.add(t.red, g, d, c.Red)
			t.add(t.quiet, g, d, c.N-c.Red)
			if at, ok := t.first[g]; !ok || d < at {
				t.first[g] = d
			}
		}
	}
	return t, nil
}

func (t *table) add(to map[group]*grid, g group, d churn.Day, n int64) {
	if to[g] == nil {
		to[g] = &grid{}
	}
	to[g][d-t.start] += float64(n)
}

// groups lists what is looked at, in a fixed order. Where a viewer sees one
// location alone, its categories stand for those of all.
func (t *table) groups() []group {
	places, sources, nowhere := map[string]bool{}, map[string]bool{}, false
	for _, c := range t.rows {
		places[c.Location], sources[c.Source] = true, true
		nowhere = nowhere || c.Location == ""
	}
	one := len(places) == 1 && !nowhere
	var out []group
	for g := range t.red {
		switch {
		case g == (group{}),
			g.category != "" && g.location == "" && one,
			g.source != "" && len(sources) == 1 && one:
		default:
			out = append(out, g)
		}
	}
	slices.SortFunc(out, compare)
	return out
}

// earlier lists the weeks before week w that a group is compared with: those
// that its source or location had been known through.
func (t *table) earlier(g group, w int) []int {
	first, ok := t.first[g.where()]
	if !ok {
		return nil
	}
	from := (int(first-t.start) + 6) / 7 // the first whole week
	var out []int
	for i := max(from, w-baseline); i < w; i++ {
		out = append(out, i)
	}
	return out
}

// profilePrior is the weight, in events, of the wider profile.
const profilePrior = 20

// share is the part (0–1) of a week that the days through k usually bring: the
// grid's own over some weeks, drawn towards a wider one's, which is drawn towards
// days that are all alike. variance is its own, over its square, as of a Beta
// distribution: a day that never brought anything is not sure never to.
func share(own, wider *grid, weeks []int, k int) (part, variance float64) {
	if k == 6 {
		return 1, 0
	}
	var n float64
	part = float64(k+1) / 7
	for _, g := range []*grid{wider, own} {
		var some float64
		n = 0
		for _, w := range weeks {
			some += g.sum(7*w, 7*w+k)
			n += g.week(w)
		}
		part = (some + float64(profilePrior*part)) / (n + profilePrior)
	}
	return part, (1 - part) / (part * (n + profilePrior + 1))
}
