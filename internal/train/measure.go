package train

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"redalert/internal/eval"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// Measured is how a model does on a part of the corpus.
type Measured struct {
	eval.Report
	// Messages that both readings say are about a category (Message.About), whose
	// verdict names it; and verdicts on messages to be flagged that name it, where at
	// least one reading does, too.
	Recall, Precision map[schemas.Category]Share
	// Of pairs in a group of which one is to be flagged and one is not: those
	// where the first has the higher probability, and where only the first is
	// flagged.
	PairsOrdered, PairsApart Share
}

// Share is Of out of N.
type Share struct{ Of, N int }

// Value is the share, 0 of none.
func (s Share) Value() float64 {
	if s.N == 0 {
		return 0
	}
	return float64(s.Of) / float64(s.N)
}

func (s *Share) count(yes bool) {
	s.N++
	if yes {
		s.Of++
	}
}

func countIn(m map[schemas.Category]Share, c schemas.Category, yes bool) {
	s := m[c]
	s.count(yes)
	m[c] = s
}

// MeasureCorpus scores messages as the pipeline would, rules included.
func MeasureCorpus(m signals.TextModel, ms []Message) Measured {
	vs := make([]schemas.Verdict, len(ms))
	each(len(ms), func(i int) {
		if ev, err := ms[i].event(); err == nil { // ReadCorpus has checked it
			vs[i] = signals.Score(ev, signals.CustomerContext{}, m)
		}
	})
	out := Measured{Recall: map[schemas.Category]Share{}, Precision: map[schemas.Category]Share{}}
	var xs []eval.Labelled
	groups := map[string][]int{}
	for i, msg := range ms {
		xs = append(xs, eval.Labelled{P: vs[i].Probability, Red: msg.Flagged()})
		if msg.Group != "" {
			groups[msg.Group] = append(groups[msg.Group], i)
		}
		for _, c := range schemas.Categories() {
			if c == schemas.CatOther && len(msg.Categories) > 1 {
				continue // "other" beside something known says nothing, and is not shown
			}
			about, said := msg.About(c), slices.Contains(vs[i].Categories, c)
			if about == 1 {
				countIn(out.Recall, c, said)
			}
			if said && msg.Flagged() {
				countIn(out.Precision, c, about > 0)
			}
		}
	}
	out.Report = eval.Measure(xs)
	for _, g := range groups {
		for _, a := range g {
			for _, b := range g {
				if ms[a].Flagged() && !ms[b].Flagged() {
					out.PairsOrdered.count(vs[a].Probability > vs[b].Probability)
					out.PairsApart.count(flagged(vs[a].Probability) && !flagged(vs[b].Probability))
				}
			}
		}
	}
	return out
}

// event is the message as it would arrive; an unknown channel is an error.
func (m Message) event() (schemas.Event, error) {
	return signals.Message{Text: m.Text, Question: m.Question, Channel: m.Channel}.Event()
}

// Intent is a kind of service request of a probe, which no model is trained on.
type Intent struct {
	Set, Name string
	Quiet     bool // must not be flagged; else must be
	Flagged   Share
}

// plain is a text without what does not tell two texts apart.
func plain(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// trainedOn answers the texts that either stage was trained on, plain.
func trainedOn(sets []Set) map[string]bool {
	out := map[string]bool{}
	for _, s := range sets {
		for _, t := range s.Train {
			out[plain(t.Text)] = true
		}
	}
	return out
}

// Intents of the probes: neutral requests, and requests that are red.
var intents = map[string]bool{ // quiet
	"country_support": true, "order_physical_card": true, "exchange_rate": true, "age_limit": true, "newsletter_subscription": true,
	"create_account": true, "delivery_options": true, "check_payment_methods": true, "atm_support": true, "delivery_period": true,
	"card_acceptance": true, "supported_cards_and_currencies": true, "visa_or_mastercard": true, "fiat_currency_support": true,
	"complaint": false, "cancel_order": false, "get_refund": false, "transaction_charged_twice": false,
	"card_payment_fee_charged": false, "Refund_not_showing_up": false, "terminate_account": false,
}

// probes flags the requests of the probes by intent, rules included, but those
// that stand in training word for word by chance.
func probes(m *text.Cascade, data string, trained map[string]bool) ([]Intent, error) {
	var out []Intent
	for _, set := range []string{"probe_banking77", "probe_bitext"} {
		texts := map[string][]Text{}
		err := Gzipped(data+"/text/"+set+".jsonl.gz", func(b []byte) error {
			var l struct{ Text, Intent string }
			err := json.Unmarshal(b, &l)
			if _, ok := intents[l.Intent]; ok && len(texts[l.Intent]) < maxProbe && !trained[plain(l.Text)] {
				texts[l.Intent] = append(texts[l.Intent], Text{Text: l.Text})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for name, ts := range texts {
			in := Intent{Set: set, Name: name, Quiet: intents[name]}
			for _, x := range predictAll(ts, func(t Text) float64 { return probability(m, t.Text) }) {
				in.Flagged.count(flagged(x.P))
			}
			out = append(out, in)
		}
	}
	slices.SortFunc(out, func(a, b Intent) int {
		quiet := func(i Intent) int {
			if i.Quiet {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(quiet(a), quiet(b)), cmp.Compare(a.Set+a.Name, b.Set+b.Name))
	})
	return out, nil
}

// probability of a mail, as the pipeline says it.
func probability(m signals.TextModel, s string) float64 {
	ev, err := signals.Message{Text: s, Channel: "email"}.Event()
	if err != nil {
		return 0
	}
	return signals.Score(ev, signals.CustomerContext{}, m).Probability
}

// maxProbe is how many requests of an intent are asked about at most.
const maxProbe = 150
