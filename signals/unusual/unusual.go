package unusual

import (
	"cmp"
	"maps"
	"slices"

	"redalert/schemas"
	"redalert/signals/churn"
)

// What a notice takes. Q is the share of notices that may be false in each look
// at a business, and the chance of any where nothing has changed.
const (
	Q         = 0.03
	MinCount  = 4   // alerts
	MinRatio  = 1.5 // of what is expected
	minExcess = 2   // alerts above what is expected

	volumePrior = 10   // events by which a change of volume is drawn towards none
	pooled      = 12   // weeks that all groups' variation counts as, beside a group's own
	seasonPrior = 10   // alerts, the same for the season
	maxSeason   = 4    // times the usual
	many        = 3    // narrower groups from which the wider one is told instead
	mostly      = 0.8  // of a group's excess that must lie in the wider one
	moreVolume  = 1.25 // times the usual quiet events, from which a notice says so
)

// window is a stretch of days: this week's so far, or the last seven.
type window struct {
	from, through int // day of the table
	thisWeek      bool
}

// share is the day of the week (0 = Monday) through which the window reaches,
// where it is a part of a week that begins on Monday; else 6: a whole week.
func (w window) k() int { return w.through - w.from }

// windows lists what is looked at: through today, which is not over, and through
// yesterday, so that a quiet morning hides nothing.
func windows(today churn.Day) []window {
	k := int(today - today.PeriodStart(schemas.PeriodWeek))
	last := 7*(span-1) + k
	out := []window{{last - k, last, true}}
	if k > 0 {
		out = append(out, window{last - k, last - 1, true})
	}
	if k < 6 {
		out = append(out, window{last - 6, last, false})
	}
	return append(out, window{last - 7, last - 1, false})
}

// found is one group in one window, with what was expected of it.
type found struct {
	g         group
	u         schemas.Unusual
	mean, vrc float64
}

// Find answers what is unusual as of a local day, today included, for a viewer of
// some locations (nil = all): the largest excess first, each group once. counts
// may come in any order and reach back further than Since; without six whole
// weeks of history it finds nothing. It fails only on days that are no dates.
func Find(counts []Count, today string, locations []string) ([]schemas.Unusual, error) {
	day, err := churn.ParseDay(today)
	if err != nil {
		return nil, err
	}
	t, err := newTable(counts, day, locations)
	if err != nil {
		return nil, err
	}
	best := map[group]schemas.Unusual{}
	for _, w := range windows(day) {
		for _, f := range t.look(w) {
			if told, ok := best[f.g]; !ok || excess(f.u) > excess(told) {
				best[f.g] = f.u
			}
		}
	}
	out := slices.AppendSeq(make([]schemas.Unusual, 0, len(best)), maps.Values(best))
	slices.SortFunc(out, func(a, b schemas.Unusual) int {
		return cmp.Or(cmp.Compare(excess(b), excess(a)), cmp.Compare(a.Key(), b.Key()))
	})
	return out, nil
}

func excess(u schemas.Unusual) float64 { return float64(u.Count) - u.Expected }

// look tests every group in one window.
func (t *table) look(w window) []found {
	var all []found
	var ps []float64
	gs := t.groups()
	for i, u := range t.usuals(gs, w.from/7) {
		if f, ok := t.test(gs[i], w, u); ok {
			all, ps = append(all, f), append(ps, f.u.Probability)
		}
	}
	limit := discoveries(ps, Q)
	all = slices.DeleteFunc(all, func(f found) bool { return !f.stands(f.u.Count, limit) })
	return t.tell(all, limit, w)
}

// tell leaves out what says the same twice: a wider group whose rise a narrower
// one explains, and the narrower ones where many of them have one thing in
// common.
func (t *table) tell(all []found, limit float64, w window) []found {
	// Narrow groups first, sources last: their parts cannot be told apart.
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(width(a.g), width(b.g)) })
	var out []found
	for _, f := range all {
		rest, parts := float64(f.u.Count), map[group]bool{}
		for _, told := range out {
			if width(told.g) < width(f.g) {
				c := t.common(told, f.g, w)
				if rest -= c; c >= float64(mostly*(float64(told.u.Count)-told.mean)) {
					parts[told.g] = true
				}
			}
		}
		switch {
		case len(parts) >= many:
			out = append(slices.DeleteFunc(out, func(told found) bool { return parts[told.g] }), f)
		case f.stands(int64(rest+0.5), limit):
			out = append(out, f)
		}
	}
	return out
}

// stands reports whether a count of the group is worth a notice.
func (f found) stands(n int64, limit float64) bool {
	over := float64(n) - f.mean
	return n >= MinCount && float64(n) >= float64(MinRatio*f.mean) && over >= minExcess && tail(n, f.mean, f.vrc) <= limit
}

func width(g group) int {
	switch {
	case g.location != "" && g.category != "":
		return 0
	case g.source != "":
		return 2
	}
	return 1
}

// common is how much of what is told already is in the wider group: the excess,
// by the share of its alerts that both hold.
func (t *table) common(told found, g group, w window) float64 {
	var both, own float64
	for i, c := range t.rows {
		if i := int(t.at[i] - t.start); i < w.from || i > w.through || c.Category != told.g.category ||
			told.g.location != "" && c.Location != told.g.location {
			continue
		}
		own += float64(c.Red)
		if (g.source == "" || c.Source == g.source) && (g.location == "" || c.Location == g.location) && (g.category == "" || c.Category == g.category) {
			both += float64(c.Red)
		}
	}
	if own == 0 {
		return 0
	}
	return float64((float64(told.u.Count) - told.mean) * both / own)
}

// usuals answers what is usual for each group before a week. Twelve weeks say
// little about how much a group's counts vary; what all groups of its width show
// counts as pooled more.
func (t *table) usuals(gs []group, week int) []usual {
	out := make([]usual, len(gs))
	var chi, df [3]float64
	for i, g := range gs {
		weeks := t.earlier(g, week)
		if len(weeks) < least {
			continue
		}
		out[i] = fit(t.red[g].weekly(weeks))
		chi[width(g)] += out[i].rough
		df[width(g)] += float64(out[i].weeks - 1)
	}
	for i, g := range gs {
		u, w := &out[i], width(g)
		all := 1.0
		if df[w] > 0 {
			all = max(1, chi[w]/df[w])
		}
		u.phi = max(1, (u.chi+float64(pooled*all))/(u.df+pooled))
	}
	return out
}

// test compares one group's window with the whole weeks before it. ok is false
// where there are too few of them, and where nothing was and nothing is.
func (t *table) test(g group, w window, u usual) (f found, ok bool) {
	red, quiet := t.red[g], t.quiet[g.where()]
	n := int64(red.sum(w.from, w.through))
	if u.weeks == 0 || u.mean == 0 && n == 0 {
		return f, false
	}
	weeks := t.earlier(g, w.from/7)
	besides := fit(quiet.weekly(weeks))
	part, partVar := share(red, t.red[group{}], weeks, w.k())
	quietPart, _ := share(quiet, t.quiet[group{}], weeks, w.k())
	usualQuiet := float64(besides.mean * quietPart)
	volume := max(1, (quiet.sum(w.from, w.through)+volumePrior)/(usualQuiet+volumePrior))
	season, known := t.season(g, w.through/7)
	f = found{g: g}
	f.mean, f.vrc = u.predict(part, max(volume, season))
	f.vrc += float64(f.mean*f.mean) * partVar
	f.u = schemas.Unusual{From: (t.start + churn.Day(w.from)).String(), Through: (t.start + churn.Day(w.through)).String(), ThisWeek: w.thisWeek,
		Source: g.source, Location: g.location, Category: schemas.Category(g.category), Count: n, Usual: round2(u.mean * part), Expected: round2(f.mean),
		Quiet: int64(quiet.sum(w.from, w.through)), UsualQuiet: round2(usualQuiet), Weeks: u.weeks, Probability: tail(n, f.mean, f.vrc),
		MoreVolume: volume >= moreVolume, LastYear: known}
	return f, true
}

// season is how many times the usual the same weeks a year before brought, the
// middle one of three, drawn towards 1 and never below it. known is false where
// history does not reach back that far.
func (t *table) season(g group, week int) (factor float64, known bool) {
	then := week - year
	weeks := t.earlier(g, then-1)
	if then-1-baseline < 0 || len(weeks) < baseline {
		return 1, false
	}
	red := t.red[g]
	var before float64
	for _, w := range weeks {
		before += red.week(w)
	}
	three := []float64{red.week(then - 1), red.week(then), red.week(then + 1)}
	slices.Sort(three)
	usual := float64(3*before) / baseline
	return min(maxSeason, max(1, (float64(3*three[1])+seasonPrior)/(usual+seasonPrior))), true
}

func compare(a, b group) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.location, b.location), cmp.Compare(a.category, b.category))
}

func round2(x float64) float64 { return float64(int64(float64(x*100)+0.5)) / 100 }
