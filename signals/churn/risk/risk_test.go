package risk

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals/churn"

	"pgregory.net/rapid"
)

// rhythm is a customer who ordered n times, every so many days, the last time on
// day 1000.
func rhythm(n, every int) (h History) {
	for i := range n {
		h.Orders = append(h.Orders, Order{Day: churn.Day(1000 - i*every), Total: 5000})
	}
	return h
}

// TestPriorOnTheFirstDay: with no history of its own a business gets figures
// that make sense, customer by customer.
func TestPriorOnTheFirstDay(t *testing.T) {
	m := Prior(60)
	of := func(h History, silent int) float64 {
		p, ok := m.Risk(h, churn.Day(1000+silent))
		if !ok {
			t.Fatal("no figure")
		}
		return p
	}
	for _, c := range []struct {
		story       string
		worse, fine float64
	}{
		{"a weekly customer silent for ten weeks, and one silent for a week", of(rhythm(20, 7), 70), of(rhythm(20, 7), 7)},
		{"forty days of silence: of who comes weekly, and of who comes every forty days", of(rhythm(12, 7), 40), of(rhythm(12, 40), 5)},
		{"who came once, and who came ten times", of(rhythm(1, 0), 30), of(rhythm(10, 30), 30)},
		{"who came twice long ago, and who came twice lately", of(rhythm(2, 30), 300), of(rhythm(2, 30), 10)},
	} {
		t.Logf("%s: %.2f and %.2f", c.story, c.worse, c.fine)
		if c.worse < c.fine+0.1 {
			t.Errorf("%s: %.2f is not well above %.2f", c.story, c.worse, c.fine)
		}
	}
	if p := of(rhythm(30, 7), 3); p > 0.2 {
		t.Errorf("a regular who came three days ago: %.2f", p)
	}
	if _, ok := m.Risk(History{}, 5); ok {
		t.Error("who never ordered has a figure")
	}
	if _, ok := (Model{}).Risk(rhythm(3, 7), 1000); ok {
		t.Error("the zero model has a figure")
	}
}

// TestTenCustomers: a business of ten customers refits and stays close to the
// prior, whatever happened to those ten.
func TestTenCustomers(t *testing.T) {
	var hs []History
	for i := range 10 {
		hs = append(hs, rhythm(3+i, 10+i))
	}
	m, prior := Fit(hs, 1000, 30), Prior(30)
	if m.Rows == 0 {
		t.Fatal("nothing was learnt")
	}
	for _, h := range hs {
		p, _ := m.Risk(h, 1000)
		q, _ := prior.Risk(h, 1000)
		if math.Abs(p-q) > 0.25 {
			t.Errorf("%s: %.2f, the prior says %.2f", Explain(h, 1000), p, q)
		}
	}
}

// TestGrownBusiness: with customers and a past the refit is as close to what
// happens as the prior, which knows this kind of business already, and says about
// as many as leave.
func TestGrownBusiness(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 2 {
		b := drawBusiness(r)
		b.days = 700
		var hs []History
		for range 800 {
			hs = append(hs, b.drawCustomer(r))
		}
		at, horizon := churn.Day(600), 60
		m, prior := Fit(hs, at, horizon), Prior(horizon)
		var ours, shipped, said, so, n float64
		for _, h := range hs {
			p, ok := m.Risk(h, at)
			if !ok {
				continue
			}
			q, _ := prior.Risk(h, at)
			y := 1.0
			if Returned(h, at, horizon) {
				y = 0
			}
			ours, shipped, said, so, n = ours+(p-y)*(p-y), shipped+(q-y)*(q-y), said+p, so+y, n+1
		}
		t.Logf("%.0f customers: said %.3f, so %.3f; squared error %.4f, prior %.4f", n, said/n, so/n, ours/n, shipped/n)
		if ours > shipped*1.03 || math.Abs(said-so) > 0.06*n {
			t.Error("the refit is worse than the prior, or not calibrated")
		}
	}
}

var histories = rapid.Custom(func(t *rapid.T) History {
	return History{
		Orders: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Order {
			o := Order{Day: churn.Day(rapid.IntRange(1, 400).Draw(t, "day")), Total: rapid.Int64Range(0, 1e7).Draw(t, "total")}
			if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
				o.Gone = o.Day + churn.Day(rapid.IntRange(0, 30).Draw(t, "after"))
			}
			return o
		}), 1, 12).Draw(t, "orders"),
		Returns: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Return {
			return Return{churn.Day(rapid.IntRange(1, 400).Draw(t, "day")), rapid.Int64Range(0, 1e7).Draw(t, "total")}
		}), 0, 3).Draw(t, "returns"),
	}
})

// models are the prior and one that learnt from a business of its own.
func models(t *testing.T) []Model {
	r := rand.New(rand.NewPCG(9, 9))
	b := drawBusiness(r)
	var hs []History
	for range 300 {
		hs = append(hs, b.drawCustomer(r))
	}
	m := Fit(hs, churn.Day(b.days), 30)
	if m.Rows == 0 {
		t.Fatal("nothing was learnt")
	}
	return []Model{Prior(1), Prior(30), Prior(365), m}
}

// TestRiskProperties: 0–1; never falling with silence; the order of entries does
// not matter; the future is not looked at.
func TestRiskProperties(t *testing.T) {
	ms := models(t)
	rapid.Check(t, func(t *rapid.T) {
		m, h := rapid.SampledFrom(ms).Draw(t, "model"), histories.Draw(t, "history")
		at := churn.Day(450) // after every entry
		before := -1.0
		for range 6 {
			p, ok := m.Risk(h, at)
			if !ok && len(PurchaseDays(h, at)) > 0 || !(p >= 0 && p <= 1) {
				t.Fatalf("risk %v, %v", p, ok)
			}
			if p < before {
				t.Fatalf("risk fell from %v to %v while nothing happened", before, p)
			}
			before = p
			at += churn.Day(rapid.IntRange(0, 200).Draw(t, "more silence"))
		}
		early := churn.Day(rapid.IntRange(1, 400).Draw(t, "early"))
		p, ok := m.Risk(h, early)
		back := History{Orders: slices.Clone(h.Orders), Returns: slices.Clone(h.Returns)}
		slices.Reverse(back.Orders)
		slices.Reverse(back.Returns)
		if q, also := m.Risk(back, early); p != q || ok != also {
			t.Fatalf("order matters: %v and %v", p, q)
		}
		more := back
		more.Orders = append(more.Orders, Order{Day: early + 1, Total: 1e6, Changes: []Change{{early + 2, 5}}})
		more.Returns = append(more.Returns, Return{early + 1, 1e6})
		if q, also := m.Risk(more, early); p != q || ok != also {
			t.Fatalf("the future was looked at: %v and %v", p, q)
		}
	})
}

// TestFitLooksAtNothingLater: what happens after the cut-off changes no weight.
func TestFitLooksAtNothingLater(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	b := drawBusiness(r)
	var all, known []History
	at := churn.Day(b.days - 100)
	for range 200 {
		h := b.drawCustomer(r)
		k := History{}
		for _, o := range h.Orders {
			if o.Day <= at {
				k.Orders = append(k.Orders, o)
			}
		}
		for _, x := range h.Returns {
			if x.Day <= at {
				k.Returns = append(k.Returns, x)
			}
		}
		all, known = append(all, h), append(known, k)
	}
	if a, b := Fit(all, at, 60), Fit(known, at, 60); !reflect.DeepEqual(a, b) {
		t.Errorf("what happened later was looked at:\n%+v\n%+v", a, b)
	}
	slices.Reverse(all)
	if a, b := Fit(all, at, 60), Fit(known, at, 60); a.Rows != b.Rows {
		t.Errorf("order of customers: %d and %d rows", a.Rows, b.Rows)
	}
}

func fact(id, ref string, typ schemas.EventType, day int, total int64) schemas.OrderFact {
	return schemas.OrderFact{EventID: id, OrderRef: ref, Type: typ, Total: total, OccurredAt: time.Unix(int64(day)*86400+3600*23, 0)}
}

func TestFromFacts(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	facts := []schemas.OrderFact{
		fact("1", "A", schemas.OrderPlaced, 100, 900), fact("2", "A", schemas.OrderChanged, 103, 700),
		fact("3", "B", schemas.OrderPlaced, 110, 500), fact("4", "B", schemas.OrderCancelled, 111, 500),
		fact("5", "C7", schemas.OrderCancelled, 112, 300), fact("6", "", schemas.OrderPlaced, 120, 100),
		fact("7", "A", schemas.OrderRefunded, 121, 50), fact("8", "A", schemas.OrderFulfilled, 104, 700),
	}
	want := History{ // 23:00 UTC is the next day in Berlin
		Orders:  []Order{{Day: 101, Total: 900, Changes: []Change{{104, 700}}}, {Day: 111, Total: 500, Gone: 112}, {Day: 121, Total: 100}},
		Returns: []Return{{113, 300}, {122, 50}},
	}
	if got := FromFacts(facts, berlin); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	replayed := slices.Concat(facts, facts)
	slices.Reverse(replayed)
	if got := FromFacts(replayed, berlin); !reflect.DeepEqual(got, want) {
		t.Errorf("a replay added something: %+v", got)
	}
	if got := FromFacts(facts, nil).Orders[0].Day; got != 100 {
		t.Errorf("without a zone day %d, want that of UTC", got)
	}
}

func TestExplain(t *testing.T) {
	for want, h := range map[string]History{
		"last ordered 61 days ago, usually every 28 days (9 orders)": rhythm(9, 28),
		"ordered once, 61 days ago":                                  rhythm(1, 0),
		"":                                                           {},
	} {
		if got := Explain(h, 1061); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestExpAndLnAgreeWithMath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-50, 50).Draw(t, "x")
		if d := math.Abs(exp(x)/math.Exp(x) - 1); d > 1e-12 {
			t.Fatalf("exp(%v) off by %g", x, d)
		}
		y := rapid.Float64Range(1e-9, 1e15).Draw(t, "y")
		if d := math.Abs(ln(y) - math.Log(y)); d > 1e-11 {
			t.Fatalf("ln(%v) off by %g", y, d)
		}
	})
}

// TestSolveIsAtTheMinimum: no weight can be moved, within its bound, to make the
// objective smaller.
func TestSolveIsAtTheMinimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &rows{w: 3}
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			r.x = append(r.x, 1, rapid.Float64Range(-3, 3).Draw(t, "a"), rapid.Float64Range(-1, 1).Draw(t, "b"))
			r.y = append(r.y, float64(rapid.IntRange(0, 1).Draw(t, "y")))
		}
		p := problem{rows: r, to: []float64{0, 1, 0.5}, pull: []float64{1, 2, 3}, low: []float64{math.Inf(-1), math.Inf(-1), 0}}
		b := p.solve()
		value := p.objective(b)
		for j := range b {
			for _, d := range []float64{-0.02, 0.02} {
				moved := slices.Clone(b)
				moved[j] = max(moved[j]+d, p.low[j])
				if v := p.objective(moved); v < value-1e-6 {
					t.Fatalf("weight %d at %v: %v, moved by %v: %v", j, b[j], value, d, v)
				}
			}
		}
	})
}

// FuzzRisk: whatever facts there are, a figure lies in 0–1, a replay of them
// gives the same, and Fit takes them.
func FuzzRisk(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, uint16(30), int64(20000))
	f.Fuzz(func(t *testing.T, b []byte, horizon uint16, at int64) {
		types := schemas.EventTypes()
		var facts []schemas.OrderFact
		for ; len(b) >= 8 && len(facts) < 200; b = b[8:] {
			facts = append(facts, schemas.OrderFact{EventID: fmt.Sprint(len(facts)), OrderRef: fmt.Sprint(b[0] % 16), Type: types[int(b[1])%len(types)],
				Total: int64(int32(binary.LittleEndian.Uint32(b[2:]))) << 20, OccurredAt: time.Unix(int64(int16(binary.LittleEndian.Uint16(b[6:])))*40000, 0)})
		}
		h := FromFacts(facts, nil)
		day := churn.Day(at % 100000)
		for _, m := range []Model{Prior(int(horizon)), Fit([]History{h}, day, int(horizon))} {
			p, ok := m.Risk(h, day)
			q, _ := m.Risk(FromFacts(append(facts, facts...), nil), day)
			if !(p >= 0 && p <= 1) || p != q || ok != (Explain(h, day) != "") {
				t.Fatalf("risk %v, again %v, %v", p, q, ok)
			}
		}
	})
}
