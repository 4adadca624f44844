package schemas

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func wholeEvent() Event {
	at := time.Date(2026, 3, 1, 9, 0, 0, 123e6, time.UTC)
	return Event{ID: "e-1", Source: "shop", Type: SurveyAnswered, NativeID: "n-1", OccurredAt: at, CollectedAt: at.Add(time.Second),
		LocalDate: "2026-03-01", CustomerID: "c-1", ThreadID: "t", Location: "North", OrderRef: "A-77", RawSHA256: "ab", Revision: "r",
		Data: json.RawMessage(`{"value_text":"Grüße","n":[1,2.50]}`)}
}

// hold compares our writing and our reading of an event with encoding/json's.
func hold(t *testing.T, e Event) {
	t.Helper()
	raw, err := e.MarshalJSON()
	want, wantErr := json.Marshal(e.envelope())
	if string(raw) != string(want) || (err == nil) != (wantErr == nil) {
		t.Fatalf("wrote\n%s, %v, want\n%s, %v", raw, err, want, wantErr)
	}
	if err == nil {
		holdReading(t, raw)
	}
}

func holdReading(t *testing.T, raw []byte) {
	t.Helper()
	c, ok := decodeEnvelope(raw)
	if !ok {
		return
	}
	var want cloudEvent
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("read what is no JSON: %v\n%q", err, raw)
	}
	if !reflect.DeepEqual(c, want) {
		t.Fatalf("read\n%+v, want\n%+v\nof %q", c, want, raw)
	}
}

func TestEventsAreReadAndWrittenAsEncodingJSONDoes(t *testing.T) {
	odd := []string{"", "plain", `quo"te`, `back\slash`, "<b>&", "Grüße", "\u2028", "\x00\n", "\xff\xfe", `,"data":`, "😀"}
	for _, text := range odd {
		for i := range 8 {
			e := wholeEvent()
			fields := []*string{&e.ID, &e.Source, &e.NativeID, &e.CustomerID, &e.Location, &e.Revision, &e.OrderRef, &e.RawSHA256}
			*fields[i] = text
			hold(t, e)
		}
	}
	for _, data := range []string{"", "null", "{}", " { \"a\" : 1 } ", `{"a":"<"}`, `{"a":"\u2028"}`, "{\"a\":\"\u2028\"}", "{\"a\":\"it’s\xe2\x80\"}", "{\"a\":\"\xff\"}", `{"a":"\\"}`, `{"a":"\" b"}`, "[1,\t2]", `{"data":{"a":"}"}}`, "{", "tru", `{"a":1}{`, "\x00"} {
		e := wholeEvent()
		e.Data = json.RawMessage(data)
		hold(t, e)
	}
	hold(t, Event{})
}

func TestOrdinaryEventsAreReadOurWay(t *testing.T) {
	raw, err := wholeEvent().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := decodeEnvelope(raw); !ok {
		t.Errorf("left to encoding/json: %s", raw)
	}
	c := wholeEvent().envelope()
	if _, ok := appendEnvelope(nil, &c); !ok {
		t.Errorf("writing is left to encoding/json: %s", raw)
	}
	var e Event
	if err := json.Unmarshal(raw, &e); err != nil || !reflect.DeepEqual(e, wholeEvent()) {
		t.Errorf("read %+v, %v", e, err)
	}
}

func FuzzEventJSON(f *testing.F) {
	raw, err := wholeEvent().MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, s := range []string{`{"id":"a","data":1}`, `{"id":"a","id":"b","data":1}`, `{"id":"a","data":1,"data":2}`, `{"id":"a","x":"y","data":{}}`, `{"data":1}`, `{"ID":"a","data": 1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		holdReading(t, raw)
		var e Event
		if e.UnmarshalJSON(raw) == nil {
			hold(t, e)
		}
	})
}

func BenchmarkEventJSON(b *testing.B) {
	raw, err := wholeEvent().MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if _, ok := decodeEnvelope(raw); !ok {
				b.Fatal("not read")
			}
		}
	})
	b.Run("ours, writing", func(b *testing.B) {
		for b.Loop() {
			if _, err := wholeEvent().MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json, writing", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(wholeEvent().envelope()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		for b.Loop() {
			var c cloudEvent
			if err := json.Unmarshal(raw, &c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
