package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redalert/internal/config"
	"redalert/schemas"
)

func testConfig(t *testing.T) config.Config {
	t.Helper()
	cfg := config.Defaults()
	cfg.DataDir = t.TempDir()
	cfg.Server.Listen = "127.0.0.1:0"
	return cfg
}

func newApp(t *testing.T, cfg config.Config) *App {
	t.Helper()
	a, err := New(context.Background(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestServeAnswersAndStopsCleanly(t *testing.T) {
	cfg := testConfig(t)
	a := newApp(t, cfg)
	ready := filepath.Join(cfg.DataDir, "ready.json")
	ctx, stop := context.WithCancel(context.Background())
	started, done := make(chan Serving, 1), make(chan error, 1)
	go func() {
		done <- a.Serve(ctx, ServeOptions{ReadyFile: ready, Ready: func(s Serving) { started <- s }})
	}()
	s := <-started
	resp, err := http.Get(s.URL + "/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("healthz: %v %v", resp, err)
	}
	resp.Body.Close()
	second, err := New(context.Background(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Serve(ctx, ServeOptions{}); !errors.Is(err, ErrRunning) {
		t.Errorf("a second server on the folder: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Serve ended with %v", err)
	}
	if b, err := os.ReadFile(ready); err != nil || !strings.Contains(string(b), s.URL) {
		t.Errorf("ready file %q, %v", b, err)
	}
}

// TestNewClosesWhatItOpened: a failure half-way leaves nothing open behind.
func TestNewClosesWhatItOpened(t *testing.T) {
	cfg := testConfig(t)
	cfg.SMTP = &config.SMTP{Host: "localhost", Port: 25, TLS: "none", From: "nobody"}
	if _, err := New(context.Background(), cfg, Options{}); err == nil || !strings.Contains(err.Error(), "smtp.from") {
		t.Fatalf("a sender that is none: %v", err)
	}
	cfg.SMTP = nil
	a := newApp(t, cfg)
	if err := a.Lock(); err != nil {
		t.Errorf("the folder is still in use: %v", err)
	}
}

func TestClosersRunBackwards(t *testing.T) {
	a := &App{}
	var order string
	for _, n := range []string{"a", "b", "c"} {
		a.onClose(n, func() error { order += n; return nil })
	}
	a.onClose("bad", func() error { return errors.New("stuck") })
	if err := a.Close(); err == nil || !strings.Contains(err.Error(), "close bad: stuck") || order != "cba" {
		t.Errorf("closed in order %q with %v", order, err)
	}
}

func TestDoctorOnAnEmptyMachine(t *testing.T) {
	for _, c := range newApp(t, testConfig(t)).Doctor(context.Background()) {
		if !c.OK || c.Detail == "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestDoctorNamesWhatIsBroken(t *testing.T) {
	cfg := testConfig(t)
	cfg.SMTP = &config.SMTP{Host: "127.0.0.1", Port: 1, TLS: "none", From: "care@shop.example"}
	cfg.Sources = []config.Source{{Name: "shop", Kind: "webhook", WebhookSecretFile: filepath.Join(cfg.DataDir, "gone")}}
	failed := map[string]bool{}
	for _, c := range newApp(t, cfg).Doctor(context.Background()) {
		if !c.OK {
			failed[c.Name] = c.Advice != ""
		}
	}
	if !failed["outgoing mail"] || !failed["webhook shop"] || len(failed) != 2 {
		t.Errorf("failed with advice: %v", failed)
	}
}

func TestDrainAndTickOnNothing(t *testing.T) {
	a := newApp(t, testConfig(t))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := errors.Join(a.Drain(ctx), a.Tick(ctx, time.Now())); err != nil {
		t.Error(err)
	}
}

func TestForgetDemoLeavesOtherFoldersAlone(t *testing.T) {
	mine := t.TempDir()
	if err := os.WriteFile(filepath.Join(mine, "letters.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ForgetDemo(mine); err == nil {
		t.Error("a folder that is no demo was deleted")
	}
	theirs := t.TempDir()
	if err := os.WriteFile(filepath.Join(theirs, demoMark), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ForgetDemo(theirs); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(theirs); !errors.Is(err, os.ErrNotExist) {
		t.Error("the demo is still there")
	}
	if err := ForgetDemo(filepath.Join(mine, "gone")); err != nil {
		t.Errorf("nothing to forget: %v", err)
	}
}

func TestScoreMessageReadsTextDataAndEvents(t *testing.T) {
	for _, in := range []string{
		"I want my money back.",
		`{"text":"I want my money back."}`,
		`{"source_type":"email","field_type":"text","value_text":"I want my money back."}`,
		`{"type":"feedback.email.received","data":{"source_type":"email","value_text":"I want my money back."}}`,
	} {
		text, v, err := ScoreMessage([]byte(in))
		if err != nil || v.Level != schemas.LevelRed || text != "I want my money back." {
			t.Errorf("%s: %q %s %v", in, text, v.Level, err)
		}
	}
	for _, in := range []string{"", "  \n", `{"type":`, `{"type":"weather.changed","data":{}}`} {
		if _, _, err := ScoreMessage([]byte(in)); err == nil {
			t.Errorf("%q was scored", in)
		}
	}
}
