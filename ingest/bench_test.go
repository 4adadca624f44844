package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// nothing is every store, doing nothing: what remains is the door's own cost.
type nothing struct{}

func (nothing) Publish(context.Context, []schemas.Event) error   { return nil }
func (nothing) MarkPublished(context.Context, []string) error    { return nil }
func (nothing) Put(context.Context, []schemas.Quarantined) error { return nil }
func (nothing) Reserve(_ context.Context, r []ingest.Receipt) ([]ingest.Reservation, error) {
	return make([]ingest.Reservation, len(r)), nil
}
func (nothing) Pending(context.Context, int) ([]schemas.Event, error) { return nil, nil }
func (nothing) Resolve(_ context.Context, s []schemas.Sighting) ([]string, error) {
	return make([]string, len(s)), nil
}

type noBlobs struct{ ingest.Blobs }

func (noBlobs) Put(_ context.Context, raws [][]byte) ([]string, error) {
	return make([]string, len(raws)), nil
}

func benchDoor() *ingest.Door {
	return ingest.NewDoor(ingest.DoorConfig{
		Business: schemas.Business{Timezone: time.UTC, Currency: "EUR"}, Receipts: nothing{}, Publisher: nothing{}, Blobs: noBlobs{},
		Identities: nothing{}, Now: func() time.Time { return clock },
	})
}

// BenchmarkPosted is a survey answer as it is posted: read, then accepted.
func BenchmarkPosted(b *testing.B) {
	raw := []byte(`{"specversion":"1.0","id":"sub-1041/nps","source":"after-visit","type":"feedback.survey.answered","time":"2026-03-01T09:30:05Z","data":{"source_name":"After-visit survey","submission_id":"sub-1041","field_id":"nps","field_label":"How likely are you to recommend us?","field_type":"nps","value_number":3,"value_text":"Nobody came on Tuesday and nobody called. I waited from eight until noon and then had to go to work.","customer":{"ref":"C-1041","email":"customer@example.com"},"location":"North","order_ref":"A-77","metadata":{"channel":"sms"}}}`)
	d := benchDoor()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		it, err := ingest.ReadCloudEvent(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Accept(context.Background(), []ingest.Item{it}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOrderLines(b *testing.B) {
	for _, n := range []int{20, 1100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			line := `{"sku":"85123A","description":"WHITE HANGING HEART T-LIGHT HOLDER","quantity":6,"unit_price":{"amount":255,"currency":"EUR"}}`
			data := json.RawMessage(`{"order_ref":"A","customer":{"ref":"17850"},"occurred_at":"2010-12-01T08:26:00Z",` + total + `,"lines":[` + strings.TrimSuffix(strings.Repeat(line+",", n), ",") + `]}`)
			d := benchDoor()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Accept(context.Background(), []ingest.Item{{Source: "shop", Type: schemas.OrderPlaced, NativeID: "A", Data: data}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
