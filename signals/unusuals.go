package signals

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redalert/schemas"
	"redalert/signals/churn"
	"redalert/signals/unusual"
)

// GroupCount is how many events of a day, source, location and category there
// were, as History.GroupCounts answers it.
type GroupCount = unusual.Count

// SortGroupCounts puts counts into the order of History.GroupCounts. Stores use
// it, so that all of them agree whatever their collation.
func SortGroupCounts(counts []GroupCount) {
	slices.SortFunc(counts, func(a, b GroupCount) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Source, b.Source), strings.Compare(a.Location, b.Location), strings.Compare(a.Category, b.Category))
	})
}

// CheckDays answers a *TrendQueryError unless from and to are days, from first.
func CheckDays(from, to string) error {
	_, err := churn.Periods(schemas.TrendQuery{From: from, To: to, Period: schemas.PeriodMonth})
	return err
}

// Unusuals answers which groups of red alerts are unusual, out of history
// (docs/scoring.md). Safe for concurrent use when its port is.
type Unusuals struct {
	History  History
	Business schemas.Business // time zone of its days

	mu      sync.Mutex
	last    *groupCounts // nil before the first answer
	reading turn         // held by the one that asks history
}

// groupCounts is what history answered at an instant, and what follows from it
// for those who asked.
type groupCounts struct {
	day    string
	at     time.Time
	counts []GroupCount
	found  map[string][]schemas.Unusual // by the locations seen
}

// unusualFor is how long the same counts are good.
const unusualFor = 5 * time.Minute

// Unusual answers the notices of an instant for somebody who sees some locations
// (nil = all), the largest excess first. Counts may be a few minutes old, and
// older while somebody else asks history anew. A nil Unusuals finds nothing. The
// answer is shared: do not change it.
func (u *Unusuals) Unusual(ctx context.Context, locations []string, at time.Time) ([]schemas.Unusual, error) {
	if u == nil {
		return nil, nil
	}
	c, err := u.fresh(ctx, at)
	if err != nil {
		return nil, err
	}
	key := "all"
	if locations != nil {
		key = fmt.Sprintf("%q", locations)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if found, ok := c.found[key]; ok {
		return found, nil
	}
	found, err := unusual.Find(c.counts, c.day, locations)
	if err == nil {
		c.found[key] = found
	}
	return found, err
}

// known answers the last counts of a day, and whether they are good at an instant.
func (u *Unusuals) known(day string, at time.Time) (last *groupCounts, good bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil || u.last.day != day {
		return nil, false
	}
	age := at.Sub(u.last.at)
	return u.last, age >= 0 && age <= unusualFor
}

// fresh answers counts that are good at an instant. One caller asks history;
// meanwhile the others take what is there, or wait where nothing is.
func (u *Unusuals) fresh(ctx context.Context, at time.Time) (*groupCounts, error) {
	day := u.Business.LocalDate(at)
	last, good := u.known(day, at)
	if good {
		return last, nil
	}
	if last == nil {
		if err := u.reading.take(ctx); err != nil {
			return nil, fmt.Errorf("count groups of alerts: another asks history: %w", err)
		}
	} else if !u.reading.tryTake() {
		return last, nil
	}
	defer u.reading.give()
	if last, good := u.known(day, at); good {
		return last, nil
	}
	counts, err := u.read(ctx, day)
	if err != nil {
		return nil, err
	}
	c := &groupCounts{day: day, at: at, counts: counts, found: map[string][]schemas.Unusual{}}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = c
	return c, nil
}

func (u *Unusuals) read(ctx context.Context, day string) ([]GroupCount, error) {
	from, err := unusual.Since(day)
	if err != nil {
		return nil, err
	}
	d, err := churn.ParseDay(day)
	if err != nil {
		return nil, err
	}
	counts, err := u.History.GroupCounts(ctx, from, (d + 1).String())
	if err != nil {
		return nil, fmt.Errorf("count alerts by group: %w", err)
	}
	return counts, nil
}
