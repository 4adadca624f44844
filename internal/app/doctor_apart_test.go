package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redalert/internal/config"
	"redalert/internal/lane"
)

// refusing answers an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

// onServers names three servers: two that refuse, and brokers.
func onServers(t *testing.T, brokers ...string) config.Config {
	t.Helper()
	cfg := testConfig(t)
	cfg.Kafka = &config.Kafka{Brokers: brokers, TLS: "none", Partitions: 2, Replication: 1}
	cfg.ClickHouse = &config.ClickHouse{Addr: refusing(t), Database: "redalert", User: "default", TLS: "none"}
	cfg.Postgres = &config.Postgres{URL: config.Secret("postgres://redalert:hunter2@" + refusing(t) + "/redalert?sslmode=disable")}
	return cfg
}

func examine(t *testing.T, cfg config.Config) map[string]Check {
	t.Helper()
	checks, err := Examine(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Check{}
	for _, c := range checks {
		if _, twice := by[c.Name]; twice {
			t.Errorf("%s is there twice", c.Name)
		}
		if strings.Contains(c.Detail+c.Advice, "hunter2") {
			t.Errorf("%s shows a password: %+v", c.Name, c)
		}
		by[c.Name] = c
	}
	return by
}

// TestExamine_ServersAway: each has a line of its own that names its address, and
// what needs no server is tried all the same.
func TestExamine_ServersAway(t *testing.T) {
	cfg := onServers(t, refusing(t))
	cfg.SMTP = &config.SMTP{Host: "127.0.0.1", Port: 1, TLS: "none", From: "care@shop.example"}
	cfg.Sources = []config.Source{{Name: "shop", Kind: "webhook", WebhookSecretFile: filepath.Join(cfg.DataDir, "gone")}}
	checks := examine(t, cfg)
	pg := strings.TrimPrefix(cfg.Postgres.URL.Reveal(), "postgres://redalert:hunter2@")
	for name, addr := range map[string]string{"postgres": strings.TrimSuffix(pg, "/redalert?sslmode=disable"), "clickhouse": cfg.ClickHouse.Addr, "kafka": cfg.Kafka.Brokers[0]} {
		c, ok := checks[name]
		if !ok || c.OK || c.Advice == "" || !strings.Contains(c.Detail, addr) {
			t.Errorf("%s: %+v, want it to fail at %s with advice", name, c, addr)
		}
	}
	for name, ok := range map[string]bool{"data folder": true, "links in mail": true, "outgoing mail": false, "webhook shop": false} {
		if c, there := checks[name]; !there || c.OK != ok {
			t.Errorf("%s: %+v, want it tried", name, c)
		}
	}
	if c, there := checks["start"]; there {
		t.Errorf("postgres says so already: %+v", c)
	}
}

// TestExamine_OneAnswers: a server that is well is said to be, beside those that
// are away.
func TestExamine_OneAnswers(t *testing.T) {
	cluster, _ := fakeKafka(t, 2)
	checks := examine(t, onServers(t, cluster.ListenAddrs()...))
	if c := checks["kafka"]; !c.OK {
		t.Errorf("kafka: %+v, want it well", c)
	}
	if checks["postgres"].OK || checks["clickhouse"].OK {
		t.Errorf("%+v", checks)
	}
}

// TestExamine_File: so does the one file, and a mistake that is of no store.
func TestExamine_File(t *testing.T) {
	cfg := testConfig(t)
	cfg.SMTP = &config.SMTP{Host: "127.0.0.1", Port: 1, TLS: "none", From: "nobody"}
	checks := examine(t, cfg)
	if c := checks["start"]; c.OK || !strings.Contains(c.Detail, "smtp.from") || !checks["store"].OK {
		t.Errorf("a sender that is none: %+v", checks)
	}
	cfg.SMTP = nil
	if err := os.WriteFile(filepath.Join(cfg.DataDir, FileName), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if checks = examine(t, cfg); checks["store"].OK || checks["store"].Advice == "" || !checks["data folder"].OK {
		t.Errorf("a file that is none: %+v", checks)
	}
}

// TestExamine_IsDoctor where redalert starts.
func TestExamine_IsDoctor(t *testing.T) {
	checks := examine(t, testConfig(t))
	for _, name := range []string{"store", "owner", "links in mail"} {
		if c, there := checks[name]; !there || !c.OK {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestExamine_WrongLogin: ClickHouse refuses us, so that redalert does not start;
// the others are well, and doctor says both.
func TestExamine_WrongLogin(t *testing.T) {
	lane.Long(t, "the three servers")
	cfg := scaledConfig(t, uniqueName())
	cfg.ClickHouse.Password = "hunter2"
	checks := examine(t, cfg)
	if c := checks["clickhouse"]; c.OK || !strings.Contains(c.Detail, "user name or password") {
		t.Errorf("clickhouse: %+v", c)
	}
	if !checks["postgres"].OK || !checks["kafka"].OK {
		t.Errorf("the others: %+v, %+v", checks["postgres"], checks["kafka"])
	}
}
