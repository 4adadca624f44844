package web

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"redalert/schemas"
)

// chart is one chart with the same numbers as a table. The browser draws it
// from JSON in the page; without scripts the table stands alone.
type chart struct {
	ID         string
	Title      string
	Definition string
	Data       chartData
	Head       []string
	Rows       []chartRow
	Empty      string // why there is nothing to draw
}

// chartData is what app scripts read. Done is false for a period that still
// runs; its bars are hatched.
type chartData struct {
	Kind   string      `json:"kind"` // bar, stacked or line
	Unit   string      `json:"unit"` // "", "%" or a currency symbol
	Label  string      `json:"label"`
	Labels []string    `json:"labels"`
	Done   []bool      `json:"done"`
	Series []chartLine `json:"series"`
}

type chartLine struct {
	Name   string     `json:"name"`
	Colour int        `json:"colour"` // the same for the same thing on every chart
	Values []*float64 `json:"values"`
}

// chartRow is one line of the table behind a chart.
type chartRow struct {
	Label string
	Cells []string
	Open  bool // the period still runs
}

// trendChart draws a trend. show writes one value for the table.
func trendChart(id, title, label, kind, unit string, t schemas.Trend, show func(schemas.Point) string) chart {
	c := chart{ID: id, Title: title, Definition: t.Definition, Data: chartData{Kind: kind, Unit: unit, Label: label}}
	c.Head = []string{periodName(t.Period)}
	if len(t.Series) == 0 || len(t.Series[0].Points) == 0 {
		c.Empty = "There is nothing to count in these dates yet."
		return c
	}
	for _, p := range t.Series[0].Points {
		l := periodLabel(p.Start, t.Period)
		c.Data.Labels = append(c.Data.Labels, l)
		c.Data.Done = append(c.Data.Done, p.Complete)
		c.Rows = append(c.Rows, chartRow{Label: l, Open: !p.Complete})
	}
	for _, s := range t.Series {
		c.Head = append(c.Head, seriesName(s.Name))
		for i, p := range s.Points[:min(len(s.Points), len(c.Rows))] {
			c.Rows[i].Cells = append(c.Rows[i].Cells, show(p))
		}
	}
	drawn := mostFrequent(t.Series)
	if len(drawn) < len(t.Series) {
		c.Definition += fmt.Sprintf(" Drawn are the %d most frequent; the numbers have all.", len(drawn))
	}
	names := make([]string, len(drawn))
	for i, s := range drawn {
		names[i] = s.Name
	}
	for i, colour := range colours(names) {
		line := chartLine{Name: seriesName(names[i]), Colour: colour}
		for _, p := range drawn[i].Points {
			v := p.Value
			line.Values = append(line.Values, &v)
		}
		c.Data.Series = append(c.Data.Series, line)
	}
	return c
}

// seriesName writes the name of a line: categories in plain words, sources and
// locations as they are called.
func seriesName(s string) string {
	switch {
	case s == "" || s == "all":
		return "All"
	case s == "none":
		return "No location"
	case slices.Contains(schemas.Categories(), schemas.Category(s)):
		return sentenceCase(words(s))
	}
	return s
}

func sentenceCase(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

const (
	palette  = 8
	maxLines = 6 // more than that nobody can tell apart
)

// colours gives each line its place in the palette: a category the same one
// each time as long as no other line has it, other lines by their order.
func colours(names []string) []int {
	out, taken := make([]int, len(names)), map[int]bool{}
	for i, n := range names {
		c := i
		if at := slices.Index(schemas.Categories(), schemas.Category(n)); at >= 0 {
			c = at
		}
		for c %= palette; taken[c] && len(taken) < palette; c = (c + 1) % palette {
		}
		taken[c], out[i] = true, c
	}
	return out
}

// mostFrequent keeps the lines of a chart that can be told apart: the ones with
// the highest sums, in their own order. The table has all of them.
func mostFrequent(series []schemas.Series) []schemas.Series {
	sum := func(s schemas.Series) (v float64) {
		for _, p := range s.Points {
			v += p.Value
		}
		return v
	}
	order := slices.Clone(series)
	slices.SortStableFunc(order, func(a, b schemas.Series) int { return cmp.Compare(sum(b), sum(a)) })
	keep := map[string]bool{}
	for _, s := range order[:min(len(order), maxLines)] {
		keep[s.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(series), func(s schemas.Series) bool { return !keep[s.Name] })
}

func periodName(p schemas.Period) string {
	switch p {
	case schemas.PeriodDay:
		return "Day"
	case schemas.PeriodWeek:
		return "Week of"
	}
	return "Month"
}

func periodLabel(start string, p schemas.Period) string {
	t, err := time.Parse(time.DateOnly, start)
	if err != nil {
		return start
	}
	if p == schemas.PeriodMonth {
		return t.Format("Jan 2006")
	}
	return t.Format("2 Jan")
}

// rhythm draws a customer's orders by month, the last 12 and the running one.
func (s *Server) rhythm(orders []schemas.OrderRecord, zone *time.Location) chart {
	c := chart{ID: "rhythm", Title: "Orders by month", Head: []string{"Month", "Orders", "Value"},
		Definition: "Orders placed in each month, as last changed; cancelled and refunded ones left out."}
	c.Data = chartData{Kind: "bar", Label: "Orders by month, in " + s.Business.Currency, Unit: currencySign(s.Business.Currency)}
	now := s.Now().In(zone)
	first := time.Date(now.Year(), now.Month()-12, 1, 0, 0, 0, 0, zone)
	counts, sums := make([]int, 13), make([]int64, 13)
	any := false
	for _, o := range orders {
		at := o.PlacedAt.In(zone)
		i := (at.Year()-first.Year())*12 + int(at.Month()) - int(first.Month())
		if i < 0 || i > 12 || o.State == schemas.OrderStateCancelled || o.State == schemas.OrderStateRefunded {
			continue
		}
		counts[i]++
		sums[i] += o.Total.Amount
		any = true
	}
	if !any {
		c.Empty = "No orders in the last 12 months."
		return c
	}
	line := chartLine{Name: "Value", Colour: 0}
	for i := range 13 {
		m := first.AddDate(0, i, 0)
		money := schemas.Money{Amount: sums[i], Currency: s.Business.Currency}
		v := major(money)
		line.Values = append(line.Values, &v)
		c.Data.Labels = append(c.Data.Labels, m.Format("Jan 2006"))
		c.Data.Done = append(c.Data.Done, i < 12)
		c.Rows = append(c.Rows, chartRow{Label: m.Format("Jan 2006"), Cells: []string{strconv.Itoa(counts[i]), money.Short()}, Open: i == 12})
	}
	c.Data.Series = []chartLine{line}
	return c
}

// major is an amount in units of its currency, for drawing only.
func major(m schemas.Money) float64 {
	v := float64(m.Amount)
	for range schemas.MinorDigits(m.Currency) {
		v /= 10
	}
	return v
}

func currencySign(code string) string {
	s := schemas.Money{Currency: code}.Short()
	return s[:len(s)-1]
}

// change says how a number moved against the one before.
func change(now, before float64, since string) string {
	switch d := now - before; {
	case d == 0:
		return "as " + since
	case d > 0:
		return trim(d) + " more than " + since
	default:
		return trim(-d) + " fewer than " + since
	}
}

func trim(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
