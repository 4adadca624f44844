package importer

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"redalert/ingest"
	"redalert/internal/lane"
	"redalert/schemas"
)

const retailFile = "orders/online_retail_2010-12_2011-06.csv.gz"

// The numbers were counted independently of this program: 10,789 numbers
// without C, 758 of them negative throughout, and 2,006 with C; summed as
// decimals the orders come to 4,826,466.491 and the cancellations to
// −428,515.73.
func TestRealOnlineRetail(t *testing.T) {
	d := newDoor()
	o := options(Orders, "online-retail", lane.Data(t, retailFile))
	want := Report{Read: 245_903, Events: 12_037, Accepted: 12_037, Adjustments: 758}
	if got := mustRun(t, d, o); got != want {
		t.Fatalf("first import: %+v, want %+v", got, want)
	}
	var placed, cancelled, lines, nobody int
	var placedSum, cancelledSum int64
	for _, it := range d.items {
		var v schemas.Order
		if err := json.Unmarshal(it.Data, &v); err != nil {
			t.Fatalf("%s: %v", it.NativeID, err)
		}
		lines += len(v.Lines)
		if v.Customer == nil {
			nobody++
		} else if strings.Contains(v.Customer.Ref, ".") {
			t.Fatalf("customer %q", v.Customer.Ref)
		}
		var sum int64
		for _, l := range v.Lines {
			sum += l.Quantity * l.UnitPrice.Amount
		}
		if sum != v.Total.Amount {
			t.Errorf("order %s comes to %d, its lines to %d", v.OrderRef, v.Total.Amount, sum)
		}
		switch it.Type {
		case schemas.OrderPlaced:
			placed, placedSum = placed+1, placedSum+v.Total.Amount
		case schemas.OrderCancelled:
			cancelled, cancelledSum = cancelled+1, cancelledSum+v.Total.Amount
		}
	}
	if placed != 10_031 || cancelled != 2_006 || lines != 245_903-758 {
		t.Errorf("%d orders, %d cancellations, %d lines", placed, cancelled, lines)
	}
	if placedSum != 482_646_649 || cancelledSum != 42_851_573 {
		t.Errorf("orders come to %d, cancellations to %d", placedSum, cancelledSum)
	}
	if nobody == 0 {
		t.Error("no order without a customer")
	}
	d.keep = false
	want = Report{Read: 245_903, Events: 12_037, Duplicate: 12_037, Adjustments: 758}
	if got := mustRun(t, d, o); got != want {
		t.Errorf("second import: %+v, want %+v", got, want)
	}
}

// Memory is bounded, and what comes of the rows does not hang on the bound.
func TestRealOnlineRetailMemory(t *testing.T) {
	d := &scale{door: newDoor()}
	d.keep = false
	o := options(Orders, "online-retail", lane.Data(t, retailFile))
	for _, c := range []struct{ memory, most int64 }{{0, 96 << 20}, {1 << 20, 40 << 20}} {
		o.Memory = c.memory
		d.measure()
		before := d.peak
		p := d.ports()
		p.Acceptor = d
		rep, err := Run(t.Context(), o, p)
		if err != nil || rep.Accepted+rep.Duplicate != 12_037 || c.memory > 0 && rep.Accepted > 0 {
			t.Errorf("memory %d: %+v %v", c.memory, rep, err)
		}
		if held := d.peak - before; held > c.most {
			t.Errorf("memory %d: %d MiB are held, at most %d are allowed", c.memory, held>>20, c.most>>20)
		}
	}
}

// scale is a door that weighs what the process holds at each call.
type scale struct {
	*door
	peak int64
}

func (s *scale) measure() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.peak = int64(m.HeapAlloc)
}

func (s *scale) Accept(ctx context.Context, items []ingest.Item) ([]ingest.Result, error) {
	old := s.peak
	s.measure()
	s.peak = max(s.peak, old)
	return s.door.Accept(ctx, items)
}

func TestRealCDNOW(t *testing.T) {
	d := newDoor()
	o := options(Orders, "cdnow", lane.Data(t, "orders/CDNOW_master.txt"))
	o.Business.Currency = "USD"
	if got, want := mustRun(t, d, o), (Report{Read: 69_659, Events: 69_659, Accepted: 69_659}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	var v schemas.Order
	if err := json.Unmarshal(d.items[0].Data, &v); err != nil {
		t.Fatal(err)
	}
	if v.Customer.Ref != "00001" || v.Total.Amount != 1177 || v.Total.Currency != "USD" || !v.OccurredAt.Equal(day(1997, 1, 1)) || v.Lines[0].Quantity != 1 {
		t.Errorf("first order: %s", d.items[0].Data)
	}
	d.keep = false
	if got := mustRun(t, d, o); got.Duplicate != 69_659 {
		t.Errorf("second import: %+v", got)
	}
}

func TestRealLounge(t *testing.T) {
	d := newDoor()
	o := options(Reviews, "lounge-reviews", lane.Data(t, "shapes/reviews_lounge.csv"))
	if got, want := mustRun(t, d, o), (Report{Read: 2264, Events: 2264, Accepted: 2264}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	rated := 0
	for _, it := range d.items {
		var v schemas.Feedback
		if err := json.Unmarshal(it.Data, &v); err != nil {
			t.Fatal(err)
		}
		if v.ValueNumber != nil {
			rated++
			if *v.ScaleMin != 1 || *v.ScaleMax != 10 {
				t.Fatalf("scale of %s", it.Data)
			}
		}
		one, _ := v.Metadata["ratings"].(map[string]any)["comfort_rating"].(map[string]any)
		if one["max"] != 5.0 {
			t.Fatalf("ratings of %s", it.Data)
		}
	}
	if rated != 2259 {
		t.Errorf("%d rated overall, want 2259", rated)
	}
	if got := mustRun(t, d, o); got.Duplicate != 2264 {
		t.Errorf("second import: %+v", got)
	}
}

func TestRealGoogleForms(t *testing.T) {
	d := newDoor()
	o := options(Surveys, "google-forms", lane.Data(t, "shapes/survey_google_forms_export.csv"))
	got := mustRun(t, d, o)
	// One of the 70 free texts is a bare "No", which is a choice.
	// Answered cells without "N/A do not use", counted independently.
	if want := (Report{Read: 190, Events: 1524, Accepted: 1524}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	kinds := map[schemas.FieldType]int{}
	for _, it := range d.items {
		var v schemas.Feedback
		if err := json.Unmarshal(it.Data, &v); err != nil {
			t.Fatal(err)
		}
		kinds[v.FieldType]++
		if v.FieldType == schemas.FieldCSAT && (v.ValueNumber == nil || *v.ScaleMax != 5) {
			t.Fatalf("no number: %s", it.Data)
		}
	}
	if kinds[schemas.FieldText] != 69 || kinds[schemas.FieldCSAT]+kinds[schemas.FieldCategorical]+kinds[schemas.FieldText] != 1524 {
		t.Errorf("kinds of answers: %v", kinds)
	}
}

func TestRealMailTexts(t *testing.T) {
	dir := lane.Data(t, "mail")
	d := newDoor()
	want := 0
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".txt") {
			want++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := mustRun(t, d, options(Mail, MailText, dir))
	if got.Read != int64(want) || got.Accepted+got.Duplicate != int64(want) {
		t.Errorf("%+v, want %d mails", got, want)
	}
	if !slices.ContainsFunc(Presets(), func(p Preset) bool { return p.Name == MailText }) {
		t.Error("mail-text is not listed")
	}
}
