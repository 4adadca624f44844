package web

import (
	"fmt"
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
		line := chartLine{Name: seriesName(s.Name), Colour: seriesColour(s.Name)}
		c.Head = append(c.Head, line.Name)
		for i, p := range s.Points {
			v := p.Value
			line.Values = append(line.Values, &v)
			if i < len(c.Rows) {
				c.Rows[i].Cells = append(c.Rows[i].Cells, show(p))
			}
		}
		c.Data.Series = append(c.Data.Series, line)
	}
	return c
}

func seriesName(s string) string {
	switch s {
	case "", "all":
		return "All"
	case string(schemas.SourceInternal):
		return "From staff"
	case "none":
		return "No location"
	}
	return sentenceCase(words(s))
}

func sentenceCase(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// seriesColour gives sources and categories a place in the palette that stays
// theirs; other names take one by their letters.
func seriesColour(name string) int {
	for i, s := range []string{"all", string(schemas.SourceEmail), string(schemas.SourceReview), string(schemas.SourceSurvey),
		string(schemas.SourceOrder), string(schemas.SourceInternal)} {
		if s == name {
			return i
		}
	}
	for i, c := range schemas.Categories() {
		if string(c) == name {
			return i
		}
	}
	h := 0
	for _, r := range name {
		h = (h*31 + int(r)) % 997
	}
	return h % 8
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

// percent writes a share for a table: "4.2 %".
func percent(part float64, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return strconv.FormatFloat(part/float64(whole)*100, 'f', 1, 64) + " %"
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
func change(now, before float64, unit, since string) string {
	d := now - before
	switch {
	case d == 0:
		return "as " + since
	case d > 0:
		return fmt.Sprintf("%s%s more than %s", trim(d), unit, since)
	}
	return fmt.Sprintf("%s%s fewer than %s", trim(-d), unit, since)
}

func trim(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
