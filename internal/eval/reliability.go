package eval

// Bin is one row of a reliability table: the messages or customers whose
// probability lies in [From, To), the last bin including 1.
type Bin struct {
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	N        int     `json:"n"`
	Said     Number  `json:"said"`     // mean probability; 0 of an empty bin
	Happened Number  `json:"happened"` // share of label 1; 0 of an empty bin
}

// Reliability is the table behind the expected calibration error: ten bins of
// equal width, what was said and what was so in each.
func Reliability(xs []Labelled) []Bin {
	table := make([]Bin, bins)
	for b := range table {
		table[b].From, table[b].To = float64(b)/bins, float64(b+1)/bins
	}
	for _, x := range xs {
		b := &table[min(int(x.P*bins), bins-1)]
		b.N++
		b.Said += Number(x.P)
		if x.Red {
			b.Happened++
		}
	}
	for b := range table {
		if n := Number(table[b].N); n > 0 {
			table[b].Said /= n
			table[b].Happened /= n
		}
	}
	return table
}
