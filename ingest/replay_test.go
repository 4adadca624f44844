package ingest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"redalert/ingest"
	"redalert/schemas"
)

func posted(id, data string) []byte {
	return []byte(`{"specversion":"1.0","id":"` + id + `","source":"shop","type":"order.placed","data":` + data + `}`)
}

func readEvent(t *testing.T, raw []byte) ingest.Item {
	t.Helper()
	it, err := ingest.ReadCloudEvent(raw)
	var broken *ingest.Broken
	if err != nil && !errors.As(err, &broken) {
		t.Fatal(err)
	}
	return it
}

func TestReplayAfterTheFix(t *testing.T) {
	f := newStore()
	bad := accept(t, f.door(nil), readEvent(t, posted("A", `{"order_ref":"A","total":{"amount":100,"currency":"USD"}}`)))[0]
	if bad.Code != schemas.QCurrency {
		t.Fatalf("%+v", bad)
	}
	same, err := f.door(nil).ReplayQuarantined(t.Context(), bad.QuarantineID)
	if err != nil || same.Status != ingest.InQuarantine || same.QuarantineID != bad.QuarantineID {
		t.Fatalf("without a fix: %+v %v", same, err)
	}
	fixed := f.door(map[string]string{"USD": "0.9"})
	res, err := fixed.ReplayQuarantined(t.Context(), bad.QuarantineID)
	if err != nil || res.Status != ingest.Accepted || len(f.logged) != 1 {
		t.Fatalf("%+v %v", res, err)
	}
	q, err := f.Quarantine().Get(t.Context(), bad.QuarantineID)
	if err != nil || q.State != schemas.QuarantineReplayed {
		t.Errorf("%+v %v", q, err)
	}
	if _, err := fixed.ReplayQuarantined(t.Context(), bad.QuarantineID); !errors.Is(err, ingest.ErrNotOpen) {
		t.Error("replayed twice:", err)
	}
	if _, err := fixed.ReplayQuarantined(t.Context(), "none"); !errors.Is(err, ingest.ErrNotFound) {
		t.Error("unknown:", err)
	}
}

// TestReplayOfAnItemWithoutRawBytes: the door keeps its own envelope of it.
func TestReplayOfAnItemWithoutRawBytes(t *testing.T) {
	f := newStore()
	it := order("A", `{"order_ref":"A","total":{"amount":100,"currency":"USD"}}`)
	it.Raw, it.Locator = nil, "orders.csv:7"
	bad := accept(t, f.door(nil), it)[0]
	q, err := f.Quarantine().Get(t.Context(), bad.QuarantineID)
	if err != nil || q.Replay != ingest.ReplayCloudEvent || q.Locator != "orders.csv:7" {
		t.Fatalf("%+v %v", q, err)
	}
	res, err := f.door(map[string]string{"USD": "0.9"}).ReplayQuarantined(t.Context(), q.ID)
	if err != nil || res.Status != ingest.Accepted || res.EventID != ingest.EventID("shop", schemas.OrderPlaced, "A", "") {
		t.Fatalf("%+v %v", res, err)
	}
}

func TestRegisteredReplay(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	it := order("A", "{}")
	it.Replay = "row:test"
	bad := accept(t, d, it)[0]
	if _, err := d.ReplayQuarantined(t.Context(), bad.QuarantineID); !errors.Is(err, ingest.ErrNoReplay) {
		t.Fatal("without a decoder:", err)
	}
	d.RegisterReplay("row", func(raw []byte, q schemas.Quarantined) ([]ingest.Item, error) {
		if string(raw) != "raw A{}" || q.Replay != "row:test" {
			t.Errorf("%q %+v", raw, q)
		}
		return []ingest.Item{{Type: schemas.OrderPlaced, NativeID: "A", Data: json.RawMessage(`{"order_ref":"A",` + total + `}`)}}, nil
	})
	res, err := d.ReplayQuarantined(t.Context(), bad.QuarantineID)
	if err != nil || res.Status != ingest.Accepted || f.logged[0].Source != "shop" || f.logged[0].RawSHA256 == "" {
		t.Fatalf("%+v %v", res, err)
	}
}

// TestReplayOfAScoredEvent: an event the scorer failed on goes to the log again.
func TestReplayOfAScoredEvent(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	accept(t, d, order("A", `{"order_ref":"A",`+total+`}`))
	raw, err := json.Marshal(f.logged[0])
	if err != nil {
		t.Fatal(err)
	}
	sums, err := f.Blobs().Put(t.Context(), [][]byte{raw})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Quarantine().Put(t.Context(), []schemas.Quarantined{{ID: "q", Code: schemas.QScorer, RawSHA256: sums[0], State: schemas.QuarantineOpen, Replay: ingest.ReplayEvent, At: clock}}); err != nil {
		t.Fatal(err)
	}
	res, err := d.ReplayQuarantined(t.Context(), "q")
	if err != nil || res.EventID != f.logged[0].ID || len(f.logged) != 2 || f.logged[1].ID != res.EventID {
		t.Fatalf("%+v %v %d", res, err, len(f.logged))
	}
}

func TestReadCloudEvent(t *testing.T) {
	it, err := ingest.ReadCloudEvent([]byte(`{"specversion":"1.0","id":"7","source":"s","type":"order.changed","time":"2026-03-01T09:00:00+01:00","revision":"3","threadid":"t","vendor":1,"data":{"order_ref":"A"}}`))
	if err != nil || it.NativeID != "7" || it.Source != "s" || it.Type != schemas.OrderChanged || it.Revision != "3" || it.ThreadID != "t" || it.OccurredAt.UTC().Hour() != 8 {
		t.Fatalf("%+v %v", it, err)
	}
	it, err = ingest.ReadCloudEvent([]byte(`{"id":"7","source":"s","type":"order.changed","time":"2026-03-01T09:00:00Z","data":{"order_ref":"A","occurred_at":"2026-02-01T09:00:00Z"}}`))
	if err != nil || !it.OccurredAt.IsZero() {
		t.Errorf("data.occurred_at is the source's time: %v %v", it.OccurredAt, err)
	}
	for name, c := range map[string]struct{ raw, code, says string }{
		"no id":       {`{"source":"s","type":"order.placed","data":{}}`, schemas.QInvalid, "id is missing"},
		"id a number": {`{"id":7,"source":"s","type":"order.placed","data":{}}`, schemas.QInvalid, "id is of JSON type number"},
		"no source":   {`{"id":"7","type":"order.placed","data":{}}`, schemas.QInvalid, "source is missing"},
		"no type":     {`{"id":"7","source":"s","data":{}}`, schemas.QInvalid, "type is missing"},
		"no data":     {`{"id":"7","source":"s","type":"order.placed"}`, schemas.QInvalid, "data is missing"},
		"version":     {`{"specversion":"0.3","id":"7","source":"s","type":"order.placed","data":{}}`, schemas.QInvalid, "specversion"},
		"time":        {`{"id":"7","source":"s","type":"order.placed","time":"noon","data":{}}`, schemas.QTime, "RFC 3339"},
		"twice":       {`{"id":"7","id":"8"}`, schemas.QUnreadable, "appears twice"},
		"half":        {`{"id":"\ud83d"}`, schemas.QUnreadable, "surrogate"},
		"no object":   {`[1]`, schemas.QInvalid, "array"},
	} {
		it, err := ingest.ReadCloudEvent([]byte(c.raw))
		var b *ingest.Broken
		if !errors.As(err, &b) || b.Code != c.code || !strings.Contains(b.Reason, c.says) || it.Broken != b || string(it.Raw) != c.raw {
			t.Errorf("%s: %v", name, err)
		}
	}
	for raw, want := range map[string]error{"": ingest.ErrNotJSON, "{": ingest.ErrNotJSON, `{"a":}`: ingest.ErrNotJSON, strings.Repeat(`{"a":`, 65): ingest.ErrTooDeep, strings.Repeat("[", 10_000): ingest.ErrTooDeep} {
		if _, err := ingest.ReadCloudEvent([]byte(raw)); !errors.Is(err, want) {
			t.Errorf("%.20q: %v", raw, err)
		}
	}
}

func TestSplitBatch(t *testing.T) {
	for raw, want := range map[string]string{
		`[]`: "", ` [ ] `: "", `[1]`: "1", `[{"a":"],[\""}, {"b":[1,{}]} ]`: `{"a":"],[\""}|{"b":[1,{}]}`,
		"[1,\n\"\\\\\",null]": `1|"\\"|null`,
	} {
		got, err := ingest.SplitBatch([]byte(raw))
		parts := make([]string, len(got))
		for i := range got {
			parts[i] = string(got[i])
		}
		if s := strings.Join(parts, "|"); err != nil || s != want {
			t.Errorf("%s: %q %v", raw, s, err)
		}
	}
	for _, c := range []struct {
		raw  string
		want error
	}{
		{`{}`, ingest.ErrNotBatch}, {``, ingest.ErrNotJSON}, {`[1`, ingest.ErrNotJSON}, {`[1,]`, ingest.ErrNotJSON}, {`[1] 2`, ingest.ErrNotJSON},
		{"[" + strings.Repeat("1,", 1000) + "1]", ingest.ErrTooMany},
		{`["` + strings.Repeat("x", 256<<10) + `"]`, ingest.ErrTooLarge},
		{strings.Repeat("[", 66) + strings.Repeat("]", 66), ingest.ErrTooDeep},
	} {
		if _, err := ingest.SplitBatch([]byte(c.raw)); !errors.Is(err, c.want) {
			t.Errorf("%.30q: %v", c.raw, err)
		}
	}
}

// FuzzReadCloudEvent: whatever comes, the answer is an item, a Broken, or one of
// the errors of unreadable bytes; and the door takes every item.
func FuzzReadCloudEvent(f *testing.F) {
	f.Add(posted("A", `{"order_ref":"A",`+total+`}`))
	f.Add([]byte(`{"id":"7","source":"s","type":"feedback.survey.answered","time":"2026-03-01T09:00:00Z","data":{"field_type":"nps","value_number":1e0,"customer":{"email":"a@b"}}}`))
	f.Add([]byte(`{"id":"\u0000","source":"s","type":"reply.sent","data":{"text":"\ud83d\ude00"}}`))
	f.Add([]byte(`[1,{"a":[]}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if parts, err := ingest.SplitBatch(raw); err == nil {
			var want []json.RawMessage
			if err := json.Unmarshal(raw, &want); err != nil || len(want) != len(parts) {
				t.Fatalf("%d parts, encoding/json says %d (%v)", len(parts), len(want), err)
			}
			for i := range parts {
				if string(parts[i]) != string(want[i]) {
					t.Fatalf("part %d: %q, want %q", i, parts[i], want[i])
				}
			}
		}
		it, err := ingest.ReadCloudEvent(raw)
		var broken *ingest.Broken
		switch {
		case errors.As(err, &broken):
			if it.Broken != broken || broken.Code == "" || broken.Reason == "" {
				t.Fatalf("%+v", it)
			}
		case err != nil:
			if !errors.Is(err, ingest.ErrNotJSON) && !errors.Is(err, ingest.ErrTooDeep) {
				t.Fatal(err)
			}
			return
		}
		s := newStore()
		res := accept(t, s.door(nil), it)[0]
		for _, e := range s.logged {
			if reason := rules(t, e); reason != "" || res.Status != ingest.Accepted {
				t.Fatalf("published data does not fit: %s %s", reason, e.Data)
			}
		}
	})
}

// TestReplayOfWhatWasNotKept: a collector that kept no bytes of a broken item
// (a mail over the limit) gets no envelope of the door's, and replaying it says
// why that cannot be done.
func TestReplayOfWhatWasNotKept(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	it := order("A", `{"value_text":"header only"}`)
	it.Raw, it.Replay = nil, "mail"
	it.Broken = &ingest.Broken{Code: schemas.QTooLarge, Reason: "a mail of 30 MB; answer it in your mail program"}
	bad := accept(t, d, it)[0]
	q, err := f.Quarantine().Get(t.Context(), bad.QuarantineID)
	if err != nil || q.RawSHA256 != "" || q.Replay != "mail" || q.Code != schemas.QTooLarge || f.calls["blobs"] != 0 {
		t.Fatalf("%+v %v, %d calls for blobs", q, err, f.calls["blobs"])
	}
	_, err = d.ReplayQuarantined(t.Context(), q.ID)
	if !errors.Is(err, ingest.ErrNoReplay) || !strings.Contains(err.Error(), "bytes were not kept") {
		t.Error(err)
	}
	if q, err = f.Quarantine().Get(t.Context(), q.ID); err != nil || q.State != schemas.QuarantineOpen {
		t.Errorf("%+v %v", q, err)
	}
}
