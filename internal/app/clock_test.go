package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/internal/config"
	"redalert/schemas"
	"redalert/signals"
)

// TestClockOnBothStores: the same business has the same signals, once, over the
// one file and over the three servers, also when two processes' clocks run at
// once; both learn the same churn_risk.
func TestClockOnBothStores(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // a Monday
	told := map[string][]string{}
	for name, cfg := range map[string]func(t *testing.T) config.Config{
		"one file":      testConfig,
		"three servers": func(t *testing.T) config.Config { return scaledConfig(t, uniqueName()) },
	} {
		t.Run(name, func(t *testing.T) {
			now := start
			a, err := New(t.Context(), cfg(t), Options{Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			})
			accept(t, a, business(t, start))
			now = start.AddDate(0, 0, 11)
			if err := a.settleLog(t.Context()); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if _, err := signals.NewClock(a.clockConfig()).Due(t.Context(), now); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := a.settleLog(t.Context()); err != nil {
				t.Fatal(err)
			}
			first := tellSignals(t, a)
			now = now.Add(2 * time.Hour) // the next hour's run, and the daily ones once more
			cfg := a.clockConfig()
			cfg.Schedule = anew{}
			if n, err := signals.NewClock(cfg).Due(t.Context(), now); n != 0 || err != nil {
				t.Errorf("asked again: %d signals, %v", n, err)
			}
			basis, err := a.risks().Basis(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			told[name] = append(first, basis)
		})
	}
	if len(told) == 2 && !slices.Equal(told["one file"], told["three servers"]) {
		t.Errorf("one file:\n%v\nthree servers:\n%v", told["one file"], told["three servers"])
	}
	if got := told["one file"]; len(got) != 4 {
		t.Errorf("told %v", got)
	}
}

// anew is a Schedule that has forgotten everything.
type anew struct{}

func (anew) Begin(context.Context, string, string, time.Time, time.Duration) (bool, error) {
	return true, nil
}
func (anew) Done(context.Context, string, string, time.Time) error { return nil }

// business is what two regulars and three writers did: one of each is let down.
func business(t *testing.T, start time.Time) (items []ingest.Item) {
	add := func(typ schemas.EventType, id string, at time.Time, data any) {
		raw, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, ingest.Item{Source: "till", Type: typ, NativeID: id, OccurredAt: at, Data: raw})
	}
	ref := func(s string) *schemas.CustomerRef { return &schemas.CustomerRef{Ref: s, Email: s + "@mail.example"} }
	for i := range 8 {
		for who, days := range map[string]int{"otto": 7, "ida": 30} {
			id := fmt.Sprint(who, i)
			add(schemas.OrderPlaced, id, start.AddDate(0, 0, -days*(7-i)-5), schemas.Order{OrderRef: id, Customer: ref(who), Total: &schemas.Money{Amount: 9000, Currency: "EUR"}})
		}
	}
	for _, who := range []string{"lost", "answered"} {
		add(schemas.EmailReceived, who, start, schemas.Feedback{ValueText: "Are you open on Sunday?", Customer: ref(who)})
	}
	add(schemas.EmailReceived, "thanks", start, schemas.Feedback{ValueText: "Thank you!", Customer: ref("thanks")})
	add(schemas.ReplySent, "reply", start.Add(time.Hour), schemas.Reply{Customer: ref("answered"), Text: "Yes."})
	return items
}

func accept(t *testing.T, a *App, items []ingest.Item) {
	t.Helper()
	results, err := a.Door.Accept(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Status != ingest.Accepted {
			t.Fatalf("%+v", r)
		}
	}
}

// tellSignals lists the signals in history, each of which stands in one case.
func tellSignals(t *testing.T, a *App) (out []string) {
	t.Helper()
	cases, err := a.Stores.Lists.List(t.Context(), schemas.ListQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	filed := map[string]int{}
	for _, c := range cases.Items {
		for _, id := range c.EventIDs {
			filed[id]++
		}
	}
	for _, typ := range []schemas.EventType{schemas.OrderOverdue, schemas.Unanswered} {
		p, err := a.Stores.Rounds.Words(t.Context(), typ, schemas.ListQuery{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range p.Items {
			out = append(out, fmt.Sprint(x.Event.ID, " ", typ, ": ", x.Verdict.Reasons[0].Message))
			if filed[x.Event.ID] != 1 {
				t.Errorf("%s stands in %d cases", typ, filed[x.Event.ID])
			}
		}
	}
	return append(out, fmt.Sprint(len(cases.Items), " cases"))
}

func TestUnansweredCanBeSwitchedOff(t *testing.T) {
	for _, on := range []bool{true, false} {
		cfg := testConfig(t)
		cfg.Alerting.Unanswered = on
		if c := newApp(t, cfg).clockConfig(); (c.AnswerDue != nil) != on || (c.CaredFor != nil) != on {
			t.Errorf("alerting.unanswered: %v", on)
		}
	}
}
