package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEvalCommand: the table, the figures as JSON and the probabilities are of
// the same messages.
func TestEvalCommand(t *testing.T) {
	dir := t.TempDir()
	file := func(name, lines string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	both := file("both.jsonl", `{"text":"I want my money back.","label":1}
{"text":"Lovely stay, thank you.","label":0}
{"text":"No.","label":1,"question":"Would you book with us again?","channel":"survey","rating":0.1}
`)
	quiet := file("quiet.jsonl", `{"text":"See you on Tuesday.","label":0}`+"\n")
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := evalCmd()
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(args)
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	scores := filepath.Join(dir, "scores")
	table, err := run(both, quiet, "--scores", scores)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(table), "\n")
	for _, column := range []string{"n", "red", "P@.5", "R@.5", "F1@.5", "P@.8", "R@.8", "F1@.8", "best F1", "AUROC", "AP", "R@P.9", "ECE", "msg/s"} {
		if !strings.Contains(rows[0], column) {
			t.Errorf("no column %s in %s", column, rows[0])
		}
	}
	if len(rows) != 4 || !strings.Contains(rows[3], "mean") || len(strings.Fields(rows[3])) != len(strings.Fields(rows[1])) {
		t.Errorf("want a row a file and their mean:\n%s", table)
	}
	b, err := os.ReadFile(scores)
	if err != nil || strings.Count(string(b), "\n") != 4 {
		t.Errorf("%d probabilities of 4 messages, %v: %s", strings.Count(string(b), "\n"), err, b)
	}
	out, err := run(both, quiet, "--json")
	if err != nil {
		t.Fatal(err)
	}
	type figures struct {
		File   string   `json:"file"`
		N      int      `json:"n"`
		AUROC  *float64 `json:"auroc"`
		AP     *float64 `json:"average_precision"`
		At9    *float64 `json:"recall_at_precision_0.9"`
		ECE    *float64 `json:"expected_calibration_error"`
		PerSec float64  `json:"messages_per_second"`
		Review struct {
			F1 float64 `json:"f1"`
		} `json:"at_review"`
	}
	var got struct {
		Files []figures `json:"files"`
		Mean  figures   `json:"mean"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(got.Files) != 2 || got.Files[0].N != 3 || got.Mean.N != 4 || got.Files[0].AUROC == nil || *got.Files[0].AUROC != 1 || got.Mean.PerSec <= 0 {
		t.Errorf("%+v", got)
	}
	// A file without red messages has no AUROC, and does not pull the mean down.
	if got.Files[1].AUROC != nil || got.Mean.AUROC == nil || *got.Mean.AUROC != 1 || got.Mean.Review.F1 != got.Files[0].Review.F1 {
		t.Errorf("%+v", got)
	}
	if _, err := run(filepath.Join(dir, "nothing.jsonl")); err == nil {
		t.Error("a file that is not there is no error")
	}
}
