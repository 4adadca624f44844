package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"redalert/ingest"
	"redalert/internal/export"
	"redalert/internal/importer"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

type ingestItem = ingest.Item

// PublicURL is how people reach this instance, without a trailing slash.
func (a *App) PublicURL() string { return a.publicURL() }

// ImportPorts is what an import writes to.
func (a *App) ImportPorts() importer.Ports {
	return importer.Ports{
		Acceptor: a.Door, Cursors: a.Stores.Cursors, Identities: a.Stores.Customers,
		MailItem: func(source string, raw []byte, mailbox string) (ingest.Item, error) {
			return a.Mail.ItemIn(context.Background(), source, raw, mailbox, time.Time{})
		},
	}
}

// Quarantined lists every item in a state; "" = all.
func (a *App) Quarantined(ctx context.Context, state schemas.QuarantineState) ([]schemas.Quarantined, error) {
	var all []schemas.Quarantined
	for q := (schemas.ListQuery{Limit: 1000}); ; {
		page, err := a.Stores.Quarantine.List(ctx, state, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		q.Cursor = page.Next
	}
}

// ScoreMessage scores one message by itself: text, the data of a feedback
// event, or a CloudEvent. It answers the text that the spans refer to.
func ScoreMessage(b []byte) (string, schemas.Verdict, error) {
	model, err := text.LoadCascade()
	if err != nil {
		return "", schemas.Verdict{}, fmt.Errorf("text model: %w", err)
	}
	ev, err := messageEvent(b)
	if err != nil {
		return "", schemas.Verdict{}, err
	}
	v := signals.Score(ev, signals.CustomerContext{}, model)
	v.EventID = ev.ID
	scored := ""
	switch {
	case ev.Type.IsFeedback():
		if f, err := ev.Feedback(); err == nil {
			scored = f.ValueText
		}
	case ev.Type == schemas.MistakeReported:
		if m, err := ev.Mistake(); err == nil {
			scored = m.WhatHappened
		}
	}
	return scored, v, nil
}

// OtherLanguage names the language of a text that is surely not English, which
// alone the text model reads.
func OtherLanguage(s string) (name string, ok bool) { return text.OtherLanguage(s) }

func messageEvent(b []byte) (schemas.Event, error) {
	trimmed := bytes.TrimSpace(b)
	if len(trimmed) == 0 {
		return schemas.Event{}, fmt.Errorf("nothing on stdin: pipe a message in")
	}
	ev := schemas.Event{ID: "message", Source: "stdin", Type: schemas.SurveyAnswered, NativeID: "message", OccurredAt: time.Unix(0, 0).UTC()}
	if trimmed[0] != '{' {
		return signals.Message{Text: string(trimmed)}.Event()
	}
	var probe struct {
		Type schemas.EventType `json:"type"`
		Data json.RawMessage   `json:"data"`

		Text     string   `json:"text"`
		Question string   `json:"question"`
		Channel  string   `json:"channel"`
		Rating   *float64 `json:"rating"`
	}
	if err := json.Unmarshal(trimmed, &probe); err != nil {
		return ev, fmt.Errorf("the message begins like JSON but is none: %w", err)
	}
	switch {
	case probe.Type != "" && probe.Data != nil:
		if !probe.Type.Known() {
			return ev, fmt.Errorf("unknown event type %q", probe.Type)
		}
		ev.Type, ev.Data = probe.Type, probe.Data
	case probe.Text != "":
		return signals.Message{Text: probe.Text, Question: probe.Question, Channel: probe.Channel, Rating: probe.Rating}.Event()
	default:
		ev.Data = trimmed
	}
	return ev, nil
}

// Records is where exports read from.
func (a *App) Records() export.Source {
	s := &a.Stores
	return export.Source{
		History: s.History, Records: s.Records, Lists: s.Lists, Outbox: s.Outbox, Identities: s.Identities, Quarantine: s.Quarantine,
		Currency: a.Business.Currency, Risks: a.risks(),
	}
}

func (a *App) risks() *signals.Risks {
	return &signals.Risks{Context: a.Stores.Context, Fits: a.Stores.Fits, Zone: a.Business.Timezone, Now: a.Now}
}

// keep stores the bytes of an event the scorer failed on.
func (a *App) keep(ctx context.Context, raw []byte) (string, error) {
	sums, err := a.Stores.Blobs.Put(ctx, [][]byte{raw})
	if err != nil {
		return "", err
	}
	return sums[0], nil
}
