package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"redalert/internal/clickhouse"
	"redalert/internal/config"
	"redalert/internal/kafka"
	"redalert/internal/postgres"
	"redalert/internal/sqlite"
)

// Examine is Doctor for a configuration with which redalert may not even start:
// then each store is tried by itself, and everything else that needs none. Who
// can sign in and how the sources did is left out, since no store tells it. An
// error is about closing what was opened; the checks hold all the same.
func Examine(ctx context.Context, cfg config.Config, opt Options) ([]Check, error) {
	a, err := New(ctx, cfg, opt)
	if err == nil {
		return a.Doctor(ctx), a.Close()
	}
	opt.fill()
	a = &App{Config: cfg, Options: opt, Business: cfg.Business.Vocabulary()}
	a.transport = a.mailServer()
	stores := checkStores(ctx, cfg, opt)
	checks := append([]Check{a.checkFolder()}, stores...)
	if !told(err, stores) {
		checks = append(checks, bad("start", "mend this: redalert does not start with it", err))
	}
	return append(checks, a.checkAround(ctx)...), nil
}

// told reports whether a check says what err says.
func told(err error, checks []Check) bool {
	for _, c := range checks {
		if !c.OK && strings.Contains(err.Error(), c.Detail) {
			return true
		}
	}
	return false
}

// apartBound is how long one server may take to be looked at: longer than to
// connect, which the adapters bound with words of their own.
const apartBound = 30 * time.Second

// checkStores tries each store by itself, the servers at the same time.
func checkStores(ctx context.Context, cfg config.Config, opt Options) []Check {
	if !cfg.Scaled() {
		return []Check{checkFile(ctx, filepath.Join(cfg.DataDir, FileName))}
	}
	apart := []struct {
		name, advice string
		check        func(context.Context, config.Config, Options) (string, error)
	}{
		{"postgres", advicePostgres, examinePostgres},
		{"clickhouse", adviceClickHouse, examineClickHouse},
		{"kafka", adviceKafka, examineKafka},
	}
	var questions []func(context.Context) (string, error)
	for _, s := range apart {
		questions = append(questions, func(ctx context.Context) (string, error) { return s.check(ctx, cfg, opt) })
	}
	var checks []Check
	for i, got := range askAll(ctx, apartBound, questions...) {
		switch s := apart[i]; {
		case got.err == nil:
			checks = append(checks, good(s.name, "%s", got.value))
		case got.value == "" && errors.Is(got.err, context.DeadlineExceeded):
			checks = append(checks, bad(s.name, s.advice, fmt.Errorf("no answer within %v; is the address right, and no firewall between?: %w", apartBound, got.err)))
		default:
			checks = append(checks, bad(s.name, s.advice, got.err))
		}
	}
	return checks
}

func examinePostgres(ctx context.Context, cfg config.Config, opt Options) (string, error) {
	pg, err := postgres.Open(ctx, postgresConfig(cfg, opt))
	if err != nil {
		return "", err
	}
	found, err := postgresServer(pg).Check(ctx)
	return found, errors.Join(err, pg.Close())
}

func examineClickHouse(ctx context.Context, cfg config.Config, opt Options) (string, error) {
	cc, err := clickhouseConfig(cfg, opt)
	if err != nil {
		return "", err
	}
	ch, err := clickhouse.Open(ctx, cc)
	if err != nil {
		return "", err
	}
	found, err := clickHouseServer(cfg, ch).Check(ctx)
	return found, errors.Join(err, ch.Close())
}

func examineKafka(ctx context.Context, cfg config.Config, opt Options) (string, error) {
	kc, err := kafkaConfig(cfg, opt)
	if err != nil {
		return "", err
	}
	log, err := kafka.Open(ctx, kc)
	if err != nil {
		return "", err
	}
	found, err := kafkaServer(cfg, log).Check(ctx)
	return found, errors.Join(err, log.Close())
}

func checkFile(ctx context.Context, path string) Check {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return bad("store", "is the data folder writable, and the file of this version? Else "+adviceFile, err)
	}
	c := checkServer(ctx, fileServer(path, db))
	if err := db.Close(); err != nil && c.OK {
		return bad("store", adviceFile, err)
	}
	return c
}
