package schemas

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzRecords: feedback and orders are read as encoding/json reads them.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{
		`{"source_type":"email","value_text":"Grüße","value_number":7,"scale_min":-0.5e1,"higher_is_better":false,"metadata":{"subject":"x"},"occurred_at":"2026-03-01T09:00:00Z","customer":{"ref":"a"}}`,
		`{"order_ref":"A-1","total":{"amount":250,"currency":"EUR"},"previous_total":null,"lines":[{}],"caused_by":"seller"}`,
		`{"value_text":"a\nb","value_text":"twice"}`, `{"VALUE_TEXT":"case"}`, `{"value_number":"7"}`, `{"value_number":1e999}`, `{"value_text":null}`, `{"value_text":7}`,
		`{"total":{"amount":1.5}}`, `{"total":{"amount":1,"x":2}}`, `{"total":{"amount":1},"total":{"currency":"EUR"}}`, `{"metadata":{"a":1},"metadata":{"b":2}}`,
		"{\"value_text\":\"\xff\"}", `{}`, `[]`, `null`, `{"value_te\u0078t":"x"}`, `{"value_number":7,"value_number":null}`, `{"a":`, `{"occurred_at":"no time"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sameRecord[Feedback](t, SurveyAnswered, data)
		sameRecord[Order](t, OrderPlaced, data)
	})
}

func sameRecord[T any](t *testing.T, kind EventType, data []byte) {
	t.Helper()
	got, err := decodeData[T](Event{Type: kind, Data: data}, true)
	var want T
	if wantErr := json.Unmarshal(data, &want); (err == nil) != (wantErr == nil) {
		t.Fatalf("%v, want %v: %q", err, wantErr, data)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, want %+v: %q", got, want, data)
	}
}
