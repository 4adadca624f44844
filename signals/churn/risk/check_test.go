package risk

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"redalert/signals/churn"
)

// drawn are the histories of one simulated business.
func drawn(seed uint64, customers int) (out []History, end churn.Day) {
	r := rand.New(rand.NewPCG(seed, 6))
	b := drawBusiness(r)
	for range customers {
		h := b.drawCustomer(r)
		for _, o := range h.Orders {
			end = max(end, o.Day)
		}
		out = append(out, h)
	}
	return out, end
}

// TestHoldOutIsPassedOnMerit: on simulated businesses a fit that passes is at
// least as good as the prior on customers it has not seen the outcome of, and
// most businesses of some size gain.
func TestHoldOutIsPassedOnMerit(t *testing.T) {
	passed, gained := 0, 0.0
	const businesses = 12
	for seed := range uint64(businesses) {
		hs, end := drawn(seed, 600)
		c := HoldOut(hs, end, 60)
		if c.Passed() {
			passed++
			gained += c.Prior - c.Learned
		}
		if c.Passed() && (c.Learned > c.Prior || c.Customers < MinChecked || c.Stayed < MinEither) {
			t.Errorf("business %d: passed with %+v", seed, c)
		}
	}
	t.Logf("%d of %d pass, log loss falls by %.4f in the mean", passed, businesses, gained/float64(passed))
	if passed < businesses/2 {
		t.Errorf("%d of %d businesses may use what they learnt", passed, businesses)
	}
}

func TestCheckPassed(t *testing.T) {
	for _, tt := range []struct {
		c    Check
		want bool
	}{
		{Check{100, 50, 0.5, 0.5}, true},
		{Check{100, 50, 0.5, 0.5001}, false},
		{Check{99, 50, 0.5, 0.4}, false},
		{Check{1000, 19, 0.5, 0.4}, false},
		{Check{1000, 981, 0.5, 0.4}, false},
		{Check{1000, 980, 0.5, 0.4}, true},
		{Check{}, false},
	} {
		if got := tt.c.Passed(); got != tt.want {
			t.Errorf("%+v: passed %v", tt.c, got)
		}
	}
}

// TestSmallBusinessIsNotChecked: ten customers, or a past shorter than two
// horizons, prove nothing.
func TestSmallBusinessIsNotChecked(t *testing.T) {
	hs, end := drawn(1, 10)
	if c := HoldOut(hs, end, 60); c.Passed() {
		t.Errorf("ten customers: %+v", c)
	}
	hs, _ = drawn(1, 600)
	first := end
	for _, h := range hs {
		for _, o := range h.Orders {
			first = min(first, o.Day)
		}
	}
	if c := HoldOut(hs, first+100, 60); c != (Check{}) {
		t.Errorf("a hundred days of past: %+v", c)
	}
}

// TestHoldOutLooksAtNothingLater: what comes after at changes nothing.
func TestHoldOutLooksAtNothingLater(t *testing.T) {
	hs, end := drawn(3, 300)
	at := end - 100
	cut := make([]History, len(hs))
	for i, h := range hs {
		for _, o := range h.Orders {
			if o.Day <= at {
				if o.Gone > at {
					o.Gone = 0
				}
				cut[i].Orders = append(cut[i].Orders, o)
			}
		}
		for _, r := range h.Returns {
			if r.Day <= at {
				cut[i].Returns = append(cut[i].Returns, r)
			}
		}
	}
	if a, b := HoldOut(hs, at, 60), HoldOut(cut, at, 60); a != b || a.Customers == 0 {
		t.Errorf("%+v with the future, %+v without", a, b)
	}
}

func TestModelThroughJSON(t *testing.T) {
	hs, end := drawn(2, 300)
	m := Fit(hs, end, 90)
	if m.Rows == 0 || m.Customers == 0 {
		t.Fatal("nothing was learnt")
	}
	doc, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back Model
	if err := json.Unmarshal(doc, &back); err != nil || !reflect.DeepEqual(m, back) {
		t.Fatalf("%v: %+v became %+v", err, m, back)
	}
	for _, h := range hs {
		p, _ := m.Risk(h, end)
		if q, _ := back.Risk(h, end); p != q {
			t.Fatalf("risk %v became %v", p, q)
		}
	}
	for _, change := range []struct{ from, to string }{
		{`"version":1`, `"version":2`}, {`"weights":[`, `"weights":[0.5,`}, {`"horizon":90`, `"horizon":0`}, {`"slope":`, `"slope":-`},
	} {
		other := strings.Replace(string(doc), change.from, change.to, 1)
		if err := json.Unmarshal([]byte(other), &back); !errors.Is(err, ErrOtherVersion) {
			t.Errorf("%s: %v", change.to, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"version":"x"}`), &back); err == nil || errors.Is(err, ErrOtherVersion) {
		t.Errorf("no model: %v", err)
	}
}
