package app

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// orderFile writes orders of customers who come about every five days for 70
// days; the first five stop after day 32.
func orderFile(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("customer_ref,order_ref,occurred_at,total,currency\n")
	start := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	for c := range 10 {
		for n := 0; c/2+5*n < 70; n++ {
			day := c/2 + 5*n + (n+c)%2
			if c < 5 && day > 32 {
				break
			}
			fmt.Fprintf(&b, "c%02d,c%02d-%d,%s,5%d.00,EUR\n", c, c, n, start.AddDate(0, 0, day).Format(time.RFC3339), (c+n)%7)
		}
	}
	path := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEvaluateEarly(t *testing.T) {
	var days []string
	e, err := EvaluateEarly(t.Context(), EarlyOptions{Files: []string{orderFile(t)}, TZ: "UTC", Currency: "EUR", Floor: 30, Lead: 10,
		Thresholds: []float64{0.3, 0.6}, Told: func(day string, _ int) { days = append(days, day) }})
	if err != nil {
		t.Fatal(err)
	}
	if e.From != "2026-01-01" || len(days) < 65 || days[len(days)-1] != e.To || e.Customers != 10 || e.Quarantined != 0 {
		t.Errorf("%s to %s in %d days, %d customers, %d unreadable", e.From, e.To, len(days), e.Customers, e.Quarantined)
	}
	alone := e.Curve[0]
	if !math.IsNaN(float64(alone.Threshold)) || alone.Lost != 5 {
		t.Fatalf("five customers were lost: %+v", alone)
	}
	if alone.Flagged != 5 || alone.Lead < 10 || e.RedAlerts["signal.order_overdue"] != 5 {
		t.Errorf("overdue long before 30 days of silence: %+v, red alerts %v", alone, e.RedAlerts)
	}
	if alone.FalseAlarms > 0 {
		t.Errorf("customers who keep their rhythm were flagged %d times", alone.FalseAlarms)
	}
	if e.Early == nil || e.Early.Lead < 10 || len(e.Curve) != 3 || e.Curve[2].Flagged < e.Curve[1].Flagged {
		t.Errorf("early %+v, curve %+v", e.Early, e.Curve)
	}
}

func TestEvaluateEarlyOfNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty.csv")
	if err := os.WriteFile(path, []byte("customer_ref,order_ref,occurred_at,total,currency\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EvaluateEarly(t.Context(), EarlyOptions{Files: []string{path}, TZ: "UTC", Currency: "EUR"}); !errors.Is(err, ErrEarly) {
		t.Errorf("%v", err)
	}
	if _, err := EvaluateEarly(t.Context(), EarlyOptions{Files: []string{path}, TZ: "Nowhere"}); !errors.Is(err, ErrEarly) {
		t.Errorf("%v", err)
	}
}
