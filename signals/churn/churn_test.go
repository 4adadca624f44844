package churn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redalert/schemas"
)

func TestPercentileIsNearestRank(t *testing.T) {
	values := []int{15, 20, 35, 40, 50}
	for _, tt := range []struct{ p, want int }{{0, 15}, {5, 15}, {20, 15}, {21, 20}, {30, 20}, {40, 20}, {50, 35}, {80, 40}, {81, 50}, {100, 50}} {
		if got := Percentile(values, tt.p); got != tt.want {
			t.Errorf("percentile %d of %v is %d, want %d", tt.p, values, got, tt.want)
		}
	}
	if got := Percentile([]int{}, 50); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}

func TestPeriods(t *testing.T) {
	for _, tt := range []struct {
		name, from, to, today string
		period                schemas.Period
		want                  []string // start from–to complete
	}{
		{"weeks over the turn of the year", "2025-12-29", "2026-01-12", "2026-01-12", schemas.PeriodWeek,
			[]string{"2025-12-29 2025-12-29–2026-01-05 true", "2026-01-05 2026-01-05–2026-01-12 true"}},
		{"cut at both ends", "2026-01-01", "2026-01-08", "", schemas.PeriodWeek,
			[]string{"2025-12-29 2026-01-01–2026-01-05 false", "2026-01-05 2026-01-05–2026-01-08 false"}},
		{"leap month, today unfinished", "2024-02-01", "2024-04-01", "2024-03-31", schemas.PeriodMonth,
			[]string{"2024-02-01 2024-02-01–2024-03-01 true", "2024-03-01 2024-03-01–2024-04-01 false"}},
		{"days", "1969-12-31", "1970-01-02", "1970-01-01", schemas.PeriodDay,
			[]string{"1969-12-31 1969-12-31–1970-01-01 true", "1970-01-01 1970-01-01–1970-01-02 false"}},
	} {
		ps, err := Periods(schemas.TrendQuery{From: tt.from, To: tt.to, Today: tt.today, Period: tt.period})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var got []string
		for _, p := range ps {
			got = append(got, fmt.Sprintf("%v %v–%v %v", p.Start, p.From, p.To, p.Complete))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func FuzzParseDay(f *testing.F) {
	for _, s := range []string{"2026-03-01", "0000-01-01", "9999-12-31", "2026-02-30", "", "1969-12-31"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDay(s)
		if err == nil && d.String() != s {
			t.Fatalf("%q came back as %q", s, d)
		}
		if err == nil {
			for _, p := range []schemas.Period{schemas.PeriodDay, schemas.PeriodWeek, schemas.PeriodMonth} {
				if start := d.PeriodStart(p); start > d || start.Next(p) <= d {
					t.Fatalf("%s lies not in its %s %s–%s", s, p, start, start.Next(p))
				}
			}
		}
	})
}

// days of churn of one customer, by the definition read literally: walk day by
// day and look at what was known.
func churnedDays(days []Day, business, floor int, until Day) (out []Day) {
	for d := days[0]; d < until; d++ {
		k := 0 // purchases up to this day
		for k < len(days) && days[k] <= d {
			k++
		}
		allowed := business
		if k >= 3 {
			var gaps []int
			for i := 1; i < k; i++ {
				gaps = append(gaps, int(days[i]-days[i-1]))
			}
			slices.Sort(gaps)
			median := gaps[(len(gaps)+1)/2-1]
			allowed = median + (median+1)/2
		}
		if int(d-days[k-1]) == max(allowed, floor) {
			out = append(out, d)
		}
	}
	return out
}

func TestSpansFollowTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		days := []Day{Day(rng.IntN(50))}
		for range rng.IntN(8) {
			days = append(days, days[len(days)-1]+Day(1+rng.IntN(90)))
		}
		business, floor := rng.IntN(60), 1+rng.IntN(60)
		var got []Day
		for _, s := range spans(days, business, floor) {
			got = append(got, s.churned)
		}
		if want := churnedDays(days, business, floor, 2000); !slices.Equal(got, want) {
			t.Fatalf("purchases %v, business %d, floor %d: churned on %v, want %v", days, business, floor, got, want)
		}
	}
}

// On any data: whoever churns was active; no point has more churned than
// active; splitting by location loses nobody.
func TestTrendInvariants(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	start, err := ParseDay("2025-01-01")
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		var purchases []Purchase
		for range rng.IntN(200) {
			purchases = append(purchases, Purchase{Customer: fmt.Sprint("c", rng.IntN(30)), Day: (start + Day(rng.IntN(400))).String(), Location: fmt.Sprint("l", rng.IntN(3))})
		}
		q := schemas.TrendQuery{From: "2025-02-03", To: "2026-05-01", Today: "2026-03-10", Period: schemas.PeriodWeek}
		all, err := Trend(q, purchases, 20)
		if err != nil {
			t.Fatal(err)
		}
		rng.Shuffle(len(purchases), func(i, j int) { purchases[i], purchases[j] = purchases[j], purchases[i] })
		q.By = schemas.ByLocation
		split, err := Trend(q, purchases, 20)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range all.Series[0].Points {
			var value float64
			var n int64
			for _, s := range split.Series {
				value, n = value+s.Points[i].Value, n+s.Points[i].N
			}
			if p.Value > float64(p.N) || value != p.Value || n != p.N {
				t.Fatalf("point %+v; by location %v of %d", p, value, n)
			}
		}
	}
}

func TestTrendRefusesCategories(t *testing.T) {
	var bad *QueryError
	_, err := Trend(schemas.TrendQuery{From: "2026-01-01", To: "2026-02-01", Period: schemas.PeriodDay, By: schemas.ByCategory}, nil, 0)
	if !errors.As(err, &bad) || bad.Field != "by" {
		t.Fatalf("got %v", err)
	}
}

func TestDefinitionHasTheNumbers(t *testing.T) {
	purchases := []Purchase{{Customer: "a", Day: "2026-01-01"}, {Customer: "a", Day: "2026-04-11"}}
	got, err := Trend(schemas.TrendQuery{From: "2026-01-01", To: "2026-02-01", Period: schemas.PeriodDay}, purchases, 45)
	if err != nil || !strings.Contains(got.Definition, "at least 45 days") || !strings.Contains(got.Definition, "with fewer than 3 orders, 100 days") {
		t.Fatalf("%s, %v", got.Definition, err)
	}
}

func TestFoldDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	kinds := []schemas.EventType{schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderCancelled, schemas.OrderRefunded, schemas.OrderFulfilled}
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for range 500 {
		var events []OrderEvent
		for i := range 1 + rng.IntN(6) {
			x := OrderEvent{EventID: fmt.Sprint(i), OrderRef: "1", Type: kinds[rng.IntN(5)], OccurredAt: at.Add(time.Duration(rng.IntN(3)) * time.Hour), CustomerID: fmt.Sprint("c", rng.IntN(2))}
			if rng.IntN(3) > 0 {
				total := int64(rng.IntN(100))
				x.Total = &total
			}
			events = append(events, x)
		}
		want := Fold(slices.Clone(events))
		for range 5 {
			rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			if d := cmp.Diff(want, Fold(slices.Clone(events))); d != "" {
				t.Fatalf("%+v (-first +shuffled):\n%s", events, d)
			}
		}
		if !want.Known && want.Net > 0 || want.State == schemas.OrderStateCancelled && want.Net > 0 {
			t.Fatalf("%+v earns money: %+v", events, want)
		}
	}
}

func TestReadOrderEvent(t *testing.T) {
	e := schemas.Event{ID: "e", Type: schemas.OrderCancelled, Data: json.RawMessage(`{"total":{"amount":-250,"currency":"GBP"},"lines":[{"quantity":-1}],"caused_by":"seller"}`)}
	x, err := ReadOrderEvent(e)
	if err != nil || *x.Total != 250 || x.Currency != "GBP" || x.CausedBy != schemas.BySeller || x.OrderRef == "" || x.Fact().OrderRef != "" || x.Fact().Total != 250 {
		t.Fatalf("%+v, %v", x, err)
	}
	e.Data = json.RawMessage(`{"total":7}`)
	if _, err := ReadOrderEvent(e); err == nil {
		t.Error("a total without a currency object was read")
	}
	e.Type = schemas.EmailReceived
	if _, err := ReadOrderEvent(e); !errors.Is(err, schemas.ErrWrongData) {
		t.Errorf("a mail: %v, want ErrWrongData", err)
	}
}
