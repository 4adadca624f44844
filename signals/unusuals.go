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

	mu     sync.Mutex
	day    string
	at     time.Time
	counts []GroupCount
}

// unusualFor is how long the same counts are good.
const unusualFor = 5 * time.Minute

// Unusual answers the notices of an instant for somebody who sees some locations
// (nil = all), the largest excess first. Counts may be a few minutes old. A nil
// Unusuals finds nothing.
func (u *Unusuals) Unusual(ctx context.Context, locations []string, at time.Time) ([]schemas.Unusual, error) {
	if u == nil {
		return nil, nil
	}
	counts, day, err := u.fresh(ctx, at)
	if err != nil {
		return nil, err
	}
	return unusual.Find(counts, day, locations)
}

// fresh answers counts that are good at an instant; one caller at a time reads.
func (u *Unusuals) fresh(ctx context.Context, at time.Time) ([]GroupCount, string, error) {
	day := u.Business.LocalDate(at)
	u.mu.Lock()
	defer u.mu.Unlock()
	if age := at.Sub(u.at); u.day != day || age < 0 || age > unusualFor {
		counts, err := u.read(ctx, day)
		if err != nil {
			return nil, "", err
		}
		u.counts, u.day, u.at = counts, day, at
	}
	return u.counts, day, nil
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
