package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func churnFile(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("order_ref,customer.ref,occurred_at,total\n")
	for c := range 12 {
		for week := range 20 + c%2*-8 {
			day := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC).AddDate(0, 0, 7*week+c%5)
			fmt.Fprintf(&b, "%d-%d,C%d,%s,20.00\n", c, week, c, day.Format(time.RFC3339))
		}
	}
	path := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEvalChurnCommand(t *testing.T) {
	path := churnFile(t)
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := evalCmd()
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append([]string{"churn", path}, args...))
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, err := run("--horizon", "21d", "--at", "2026-04-10,2026-04-24", "--reliability")
	if err != nil || !strings.Contains(out, "churn_risk") || !strings.Contains(out, "mean") || !strings.Contains(out, "0.9–1.0") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = run("--horizon", "21d", "--at", "2026-04-10", "--json")
	var got struct {
		Horizon int `json:"horizon_days"`
		Cuts    []struct {
			At        string
			Customers int
			Risk      struct{ AUROC *float64 } `json:"churn_risk"`
			Recency   struct {
				ECE *float64 `json:"expected_calibration_error"`
			} `json:"recency"`
		} `json:"cuts"`
	}
	if err2 := json.Unmarshal([]byte(out), &got); err != nil || err2 != nil || got.Horizon != 21 || len(got.Cuts) != 1 ||
		got.Cuts[0].Customers != 12 || got.Cuts[0].Risk.AUROC == nil || got.Cuts[0].Recency.ECE != nil {
		t.Errorf("%v %v\n%s", err, err2, out)
	}
	for _, bad := range [][]string{{}, {"--at", "soon"}, {"--at", "2026-04-10", "--horizon", "90m"}, {"--at", "2030-01-01"}} {
		var usage usageError
		if _, err := run(bad...); !errors.As(err, &usage) {
			t.Errorf("%v: %v, want wrong usage", bad, err)
		}
	}
}
