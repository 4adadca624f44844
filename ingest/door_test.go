package ingest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

var clock = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

var errDown = errors.New("disk is full")

func order(id, data string) ingest.Item {
	return ingest.Item{Source: "shop", Type: schemas.OrderPlaced, NativeID: id, Data: json.RawMessage(data), Raw: []byte("raw " + id + data), Replay: "row:test"}
}

func accept(t testing.TB, d *ingest.Door, items ...ingest.Item) []ingest.Result {
	t.Helper()
	res, err := d.Accept(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	if len(res) != len(items) {
		t.Fatalf("%d answers to %d items", len(res), len(items))
	}
	return res
}

const total = `"total":{"amount":1000,"currency":"EUR"}`

func TestAcceptPublishesWithoutPersonalData(t *testing.T) {
	f := newStore()
	it := order("A-1", `{"order_ref":"A-1","customer":{"ref":"C-9","email":"maria@example.com","phone":"+49 30 12345","name":"Maria"},`+total+`,"occurred_at":"2026-03-09T23:30:00Z","location":"North","customer_id":"forged","local_date":"1999-01-01","vendor":{"x":12345678901234567890},"lines":[{"quantity":2.0}]}`)
	res := accept(t, f.door(nil), it)
	if res[0].Status != ingest.Accepted || res[0].EventID != ingest.EventID("shop", schemas.OrderPlaced, "A-1", "") {
		t.Fatalf("%+v", res[0])
	}
	e := f.logged[0]
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"maria@example.com", "12345\"", "Maria", "forged", "1999-01-01"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is published: %s", secret, raw)
		}
	}
	if e.LocalDate != "2026-03-10" || e.Location != "North" || e.OrderRef != "A-1" || e.CustomerID == "" || e.RawSHA256 == "" || !e.CollectedAt.Equal(clock) || e.ThreadID != "" {
		t.Errorf("%+v", e)
	}
	o, err := e.Order()
	if err != nil {
		t.Fatal(err)
	}
	if o.Customer.Ref != "C-9" || o.Customer.Email != "" || o.CustomerID != e.CustomerID || o.LocalDate != "2026-03-10" || o.Lines[0].Quantity != 2 || o.Total.Amount != 1000 {
		t.Errorf("%+v", o)
	}
	if !strings.Contains(string(e.Data), "12345678901234567890") {
		t.Error("a vendor's own field was dropped or rounded:", string(e.Data))
	}
	if n := rules(t, e); n != "" {
		t.Error("published data does not fit its schema:", n)
	}
}

// rules runs published data through the door again: it must still be valid.
func rules(t *testing.T, e schemas.Event) string {
	t.Helper()
	res := accept(t, newStore().door(nil), ingest.Item{Source: "x", Type: e.Type, NativeID: e.ID, Data: e.Data})
	return res[0].Reason
}

func TestDuplicatesConflictsAndRevisions(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	changed := func(data string) ingest.Item {
		it := order("A", data)
		it.Type = schemas.OrderChanged
		return it
	}
	v2 := changed(`{"order_ref":"A","reason":"x"}`)
	v2.Revision = "2"
	v2b := changed(`{"order_ref":"A","reason":"y"}`)
	v2b.Revision = "2"
	for i, c := range []struct {
		it   ingest.Item
		want ingest.Status
		code string
	}{
		{order("A", `{"order_ref":"A",`+total+`}`), ingest.Accepted, ""},
		{order("A", `{ "total":{"currency":"EUR","amount":1e3}, "order_ref":"A"}`), ingest.Duplicate, ""},
		{order("A", `{"order_ref":"B",`+total+`}`), ingest.InQuarantine, schemas.QConflict},
		{changed(`{"order_ref":"A"}`), ingest.Accepted, ""},
		{changed(`{"order_ref":"A"}`), ingest.Duplicate, ""},
		{changed(`{"order_ref":"A","reason":"new"}`), ingest.Accepted, ""},
		{v2, ingest.Accepted, ""},
		{v2, ingest.Duplicate, ""},
		{v2b, ingest.InQuarantine, schemas.QConflict},
	} {
		if r := accept(t, d, c.it)[0]; r.Status != c.want || r.Code != c.code {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if len(f.logged) != 4 {
		t.Errorf("%d events in the log, want 4", len(f.logged))
	}
}

func TestOneBadItemNeverBlocksTheNext(t *testing.T) {
	good := func(id string) ingest.Item { return order(id, `{"order_ref":"`+id+`",`+total+`}`) }
	with := func(change func(*ingest.Item)) ingest.Item {
		it := good("bad")
		change(&it)
		return it
	}
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for name, c := range map[string]struct {
		it   ingest.Item
		code string
		says string
	}{
		"broken":       {with(func(i *ingest.Item) { i.Broken = &ingest.Broken{Code: schemas.QStructure, Reason: "too deep"} }), schemas.QStructure, "too deep"},
		"no source":    {with(func(i *ingest.Item) { i.Source = "" }), schemas.QInvalid, "source is missing"},
		"no id":        {with(func(i *ingest.Item) { i.NativeID = "" }), schemas.QInvalid, "id is missing"},
		"no type":      {with(func(i *ingest.Item) { i.Type = "" }), schemas.QInvalid, "type is missing"},
		"unknown type": {with(func(i *ingest.Item) { i.Type = "order.eaten" }), schemas.QUnknownType, "order.eaten"},
		"no data":      {with(func(i *ingest.Item) { i.Data = nil }), schemas.QInvalid, "data is missing"},
		"not JSON":     {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref"`) }), schemas.QUnreadable, "not valid JSON"},
		"twice":        {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref":"a","order_ref":"b"}`) }), schemas.QUnreadable, "appears twice"},
		"deep":         {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref":"a",` + total + `,"x":` + deep + `}`) }), schemas.QStructure, "deeper"},
		"large":        {with(func(i *ingest.Item) { i.Data = []byte(`{"x":"` + strings.Repeat("x", 256<<10) + `"}`) }), schemas.QTooLarge, "262144"},
		"grown": {with(func(i *ingest.Item) {
			i.Data = []byte(`{"order_ref":"a",` + total + `,"x":"` + strings.Repeat("<", 100<<10) + `"}`)
		}), schemas.QTooLarge, "262144"},
		"negative":  {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref":"a","total":{"amount":-1,"currency":"EUR"}}`) }), schemas.QInvalid, "data.total.amount"},
		"currency":  {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref":"a","total":{"amount":1,"currency":"USD"}}`) }), schemas.QCurrency, "no rate for USD"},
		"no total":  {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref":"a"}`) }), schemas.QInvalid, "data.total is missing"},
		"case":      {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref":"a",` + total + `,"Customer":{"email":"a@b"}}`) }), schemas.QInvalid, `"Customer"`},
		"no time":   {with(func(i *ingest.Item) { i.Data = []byte(`{"order_ref":"a",` + total + `,"occurred_at":"yesterday"}`) }), schemas.QTime, "RFC 3339"},
		"year 9999": {with(func(i *ingest.Item) { i.OccurredAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }), schemas.QTime, "9999"},
		"future":    {with(func(i *ingest.Item) { i.OccurredAt = clock.Add(49 * time.Hour) }), schemas.QTime, "48 hours"},
		"future placed": {with(func(i *ingest.Item) {
			i.Data = []byte(`{"order_ref":"a",` + total + `,"placed_at":"2027-01-01T00:00:00Z"}`)
		}), schemas.QTime, "placed_at"},
	} {
		f := newStore()
		res := accept(t, f.door(nil), good(name+"1"), c.it, good(name+"2"))
		if res[0].Status != ingest.Accepted || res[2].Status != ingest.Accepted || len(f.logged) != 2 {
			t.Errorf("%s: its neighbours: %+v", name, res)
		}
		r := res[1]
		if r.Status != ingest.InQuarantine || r.Code != c.code || !strings.Contains(r.Reason, c.says) {
			t.Errorf("%s: %+v", name, r)
		}
		q, err := f.Quarantine().Get(t.Context(), r.QuarantineID)
		if err != nil || q.Code != c.code || q.Reason != r.Reason || q.State != schemas.QuarantineOpen {
			t.Errorf("%s: %+v %v", name, q, err)
		}
		if raw, err := f.Blobs().Get(t.Context(), q.RawSHA256); err != nil || string(raw) != string(c.it.Raw) {
			t.Errorf("%s: raw bytes %q %v", name, raw, err)
		}
	}
}

func TestScores(t *testing.T) {
	d := newStore().door(nil)
	for i, c := range []struct {
		data string
		ok   bool
	}{
		{`{"field_type":"nps","value_number":0}`, true},
		{`{"field_type":"nps","value_number":10,"scale_min":0,"scale_max":10}`, true},
		{`{"field_type":"nps","value_number":11}`, false},
		{`{"field_type":"nps","value_number":-1}`, false},
		{`{"field_type":"nps","value_number":7.5}`, false},
		{`{"field_type":"nps","value_number":4,"scale_min":1,"scale_max":5}`, false},
		{`{"field_type":"nps","value_text":"no number"}`, true},
		{`{"field_type":"csat","value_number":5}`, true},
		{`{"field_type":"csat","value_number":80}`, false},
		{`{"field_type":"csat","value_number":80,"scale_min":0,"scale_max":100}`, true},
		{`{"field_type":"rating","value_number":6,"scale_min":1,"scale_max":5}`, false},
		{`{"field_type":"rating","value_number":3,"scale_min":5,"scale_max":1}`, false},
		{`{"field_type":"number","value_number":600}`, true},
		{`{"value_text":""}`, true},
		{`{"value_text":null}`, false},
		{`{"value_text":"x","occurred_at":"","customer":null,"metadata":null}`, true},
	} {
		it := ingest.Item{Source: "s", Type: schemas.SurveyAnswered, NativeID: fmt.Sprint(i), Data: json.RawMessage(c.data)}
		if r := accept(t, d, it)[0]; (r.Status == ingest.Accepted) != c.ok {
			t.Errorf("%s: %+v", c.data, r)
		}
	}
}

func TestPublishedRecordsDecode(t *testing.T) {
	f := newStore()
	var items []ingest.Item
	for i, c := range []struct {
		t    schemas.EventType
		data string
	}{
		{schemas.SurveyAnswered, `{"value_text":"x","occurred_at":"","language":null,"value_number":null,"metadata":null}`},
		{schemas.EmailReceived, `{"metadata":{"subject":"s"}}`},
		{schemas.OrderCancelled, `{"order_ref":"A","lines":[{"quantity":-2.0,"unit_price":{"amount":-5.0,"currency":"EUR"}},{"quantity":1e2}],"total":null,"caused_by":""}`},
		{schemas.MistakeReported, `{"what_happened":"late"}`},
		{schemas.ReplySent, `{"text":"sorry"}`},
		{schemas.Unanswered, `{"due":"2026-03-01"}`},
	} {
		items = append(items, ingest.Item{Source: "s", Type: c.t, NativeID: fmt.Sprint(i), Data: json.RawMessage(c.data)})
	}
	accept(t, f.door(nil), items...)
	if len(f.logged) != len(items) {
		t.Fatalf("%d of %d", len(f.logged), len(items))
	}
	for _, e := range f.logged {
		var err error
		switch {
		case e.Type.IsFeedback():
			_, err = e.Feedback()
		case e.Type.IsOrder():
			_, err = e.Order()
		case e.Type == schemas.MistakeReported:
			_, err = e.Mistake()
		case e.Type == schemas.ReplySent:
			_, err = e.Reply()
		default:
			_, err = e.Signal()
		}
		if err != nil {
			t.Errorf("%s: %v", e.Data, err)
		}
	}
}

func TestMoneyIsConvertedExactly(t *testing.T) {
	f := newStore()
	d := f.door(map[string]string{"USD": "0.925", "JPY": "0.0061", "GBP": "abc", "CHF": "2"})
	item := func(id, cur string, amount int64) ingest.Item {
		return order(id, fmt.Sprintf(`{"order_ref":"x","total":{"amount":%d,"currency":"%s"},"tip":{"amount":%d,"currency":"%s"},"lines":[{"quantity":1,"unit_price":{"amount":-%d,"currency":"%s"}}]}`, amount, cur, amount, cur, amount, cur))
	}
	res := accept(t, d, item("1", "USD", 100), item("2", "USD", 2), item("3", "JPY", 1000), item("4", "GBP", 1), item("5", "EUR", 7), item("6", "CHF", 9007199254740991))
	if res[3].Code != schemas.QCurrency || res[5].Code != schemas.QInvalid {
		t.Errorf("%+v %+v", res[3], res[5])
	}
	for i, want := range []int64{93, 2, 610, 7} { // 92.5 → 93, 1.85 → 2, ¥1000 → €6.10
		o, err := f.logged[i].Order()
		if err != nil || o.Total.Amount != want || o.Total.Currency != "EUR" || o.Tip.Amount != want || o.Lines[0].UnitPrice.Amount != -want {
			t.Errorf("%d: %+v %v", i, o, err)
		}
	}
	if !strings.Contains(string(f.logged[0].Data), `"original_total":{"amount":100,"currency":"USD"}`) || strings.Contains(string(f.logged[3].Data), "original_total") {
		t.Error("original total:", string(f.logged[0].Data), string(f.logged[3].Data))
	}
}

func TestIdsAreUnambiguous(t *testing.T) {
	seen := map[string]string{}
	for _, q := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"a\x01b", "", "c"}, {"a", "b", "c\x00"}} {
		id := ingest.EventID(q[0], schemas.OrderChanged, q[1], q[2])
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %s share an id", q, other)
		}
		seen[id] = fmt.Sprint(q)
	}
	// A change of this id would make every stored event new.
	if got := ingest.EventID("shop", schemas.OrderPlaced, "A-1", ""); got != "959d7841-2863-532f-8640-1703b015ac66" {
		t.Error(got)
	}
}

// TestContentHashOfTheCollector: a mail read again after a change of how we
// trim is the same mail; another hash under the same id is a conflict.
func TestContentHashOfTheCollector(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	mail := func(text, hash string) ingest.Item {
		return ingest.Item{Source: "care", Type: schemas.EmailReceived, NativeID: "m1:abc", ContentHash: hash, Data: json.RawMessage(`{"value_text":"` + text + `"}`)}
	}
	for i, c := range []struct {
		it   ingest.Item
		want ingest.Status
	}{
		{mail("late again, on Monday she wrote", "h"), ingest.Accepted},
		{mail("late again", "h"), ingest.Duplicate},
		{mail("late again", "other"), ingest.InQuarantine},
		{mail("late again, on Monday she wrote", ""), ingest.InQuarantine},
	} {
		if r := accept(t, d, c.it)[0]; r.Status != c.want || c.want == ingest.InQuarantine && r.Code != schemas.QConflict {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// TestOpenCasesIsNoContent: importing a file again with --open-cases, or
// without, is a duplicate, for revisions too; further down the name is content.
func TestOpenCasesIsNoContent(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	changed := func(data string) ingest.Item {
		it := order("C", data)
		it.Type = schemas.OrderChanged
		return it
	}
	for i, c := range []struct {
		it   ingest.Item
		want ingest.Status
	}{
		{order("A", `{"order_ref":"A",`+total+`}`), ingest.Accepted},
		{order("A", `{"open_cases":true,"order_ref":"A",`+total+`}`), ingest.Duplicate},
		{order("B", `{"open_cases":true,"order_ref":"B",`+total+`}`), ingest.Accepted},
		{order("B", `{"order_ref":"B",`+total+`}`), ingest.Duplicate},
		{order("B", `{"order_ref":"B","x":{"open_cases":true},`+total+`}`), ingest.InQuarantine},
		{changed(`{"order_ref":"C"}`), ingest.Accepted},
		{changed(`{"order_ref":"C","open_cases":true}`), ingest.Duplicate},
	} {
		if r := accept(t, d, c.it)[0]; r.Status != c.want {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if !strings.Contains(string(f.logged[1].Data), `"open_cases":true`) {
		t.Error("the choice itself is lost:", string(f.logged[1].Data))
	}
}

// TestAPostedItemIsReadOnce: what ReadCloudEvent has read serves one Accept; a
// second one, at the same time too, and one of changed data read the bytes.
func TestAPostedItemIsReadOnce(t *testing.T) {
	raw := []byte(`{"specversion":"1.0","id":"s-1","source":"survey","type":"feedback.survey.answered","time":"2026-03-01T09:00:00Z",
		"data": {"field_type":"nps","value_number":3,"customer":{"ref":"C1","email":"c1@mail.example"}} }`)
	it, err := ingest.ReadCloudEvent(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"field_type":"nps","value_number":3,"customer":{"ref":"C1","email":"c1@mail.example"}}`; string(it.Data) != want {
		t.Errorf("data is %s, want it as sent", it.Data)
	}
	s := newStore()
	d := s.door(nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := d.Accept(t.Context(), []ingest.Item{it})
			if err != nil || r[0].Status == ingest.InQuarantine {
				t.Errorf("answered %+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	other := it
	other.Data = json.RawMessage(strings.Replace(string(it.Data), "3", "4", 1))
	if r := accept(t, d, other); r[0].Code != schemas.QConflict {
		t.Errorf("changed data under the same id: %+v", r[0])
	}
}
