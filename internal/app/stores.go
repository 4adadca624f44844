package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/internal/config"
	"redalert/internal/kafka"
	"redalert/internal/sqlite"
	"redalert/internal/web"
	"redalert/signals"
)

// Stores is every port with the adapter that stands behind it. Which adapters
// those are is decided in this file alone: nothing else may ask.
type Stores struct {
	// The log of events and of alerts.
	Publisher   ingest.Publisher
	Signals     signals.EventPublisher
	Alerts      signals.AlertPublisher
	Consumer    func(group string) signals.Consumer
	AlertReader func(group string) alerting.AlertReader
	// Scorers are the consumers of this process's scorers, each with a share of
	// the log; nil = one, with all of it. ScoreBatch is how many events one takes
	// at a time, 0 = the scorer's default.
	Scorers    []signals.Consumer
	ScoreBatch int

	// History.
	History signals.History
	Records signals.Records
	Context signals.Context
	Rounds  signals.Rounds

	// Everything that changes.
	Receipts   ingest.Receipts
	Intake     ingest.Intake // nil where log and receipts are apart
	Cursors    ingest.Cursors
	Quarantine ingest.Quarantine
	Blobs      ingest.Blobs
	Customers  ingest.Identities
	Threads    ingest.Threads
	Answers    ingest.Answers
	Statuses   ingest.Statuses
	Cases      alerting.Cases
	Lists      alerting.CaseLists
	Identities alerting.Identities
	Outbox     alerting.Outbox
	Schedule   alerting.Schedule
	Settings   alerting.SettingsStore
	Fits       signals.Fits
	Lessons    alerting.Lessons
	People     alerting.People
	Users      auth.Users
	Sessions   auth.Sessions
	Tokens     auth.Tokens

	Servers []Server // what there is to look after
	Where   string   // in words, for people
	// Apart reports that several processes may serve the same stores at once.
	Apart bool
	// Unpublished counts the events that are accepted and not yet in the log, and
	// says in how long the youngest of them is old enough for Receipts.Pending to
	// list; nil where Pending lists all of them at once.
	Unpublished func(ctx context.Context) (n int64, wait time.Duration, err error)
	// Prune drops what the log and the doors need no longer.
	Prune func(ctx context.Context, before time.Time) error
	// Exclusive runs fn while no other process runs one of the same name; it
	// waits for its turn, and fn's context ends if the turn is lost.
	Exclusive func(ctx context.Context, name string, fn func(context.Context) error) error
	// Backup writes a copy of everything; nil where each server has its own tool.
	Backup func(ctx context.Context, file string) error

	log     *kafka.Log // its own metrics; nil over the one file
	closers []closer
}

// Server is one store to look after: the file, or one of the three servers.
type Server struct {
	Name   string
	Advice string // what to do when Check fails
	// Ping answers quickly whether it can be reached.
	Ping func(ctx context.Context) error
	// Check looks closely and answers what it found, in words.
	Check func(ctx context.Context) (string, error)
}

// openStores opens what the configuration names.
func openStores(ctx context.Context, cfg config.Config, opt Options) (Stores, error) {
	if cfg.Scaled() {
		return openScaled(ctx, cfg, opt)
	}
	return openEmbedded(ctx, filepath.Join(cfg.DataDir, FileName))
}

// Migrate brings every store to this version's schema and answers what it did,
// in words. A store that a newer version has written is refused.
func Migrate(ctx context.Context, cfg config.Config, opt Options) ([]string, error) {
	opt.fill()
	if cfg.Scaled() {
		return migrateScaled(ctx, cfg, opt)
	}
	s, err := openStores(ctx, cfg, opt) // opening the one file migrates it
	if err != nil {
		return nil, err
	}
	return []string{filepath.Join(cfg.DataDir, FileName) + " is at this version's schema."}, closeAll(s.closers)
}

// openEmbedded opens the one file.
func openEmbedded(ctx context.Context, path string) (Stores, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Stores{}, fmt.Errorf("data folder: %w", err)
	}
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return Stores{}, err
	}
	if err := usable(ctx, db.Moving(), theFile(path)); err != nil {
		return Stores{}, errors.Join(err, db.Close())
	}
	return Stores{
		Publisher: db, Signals: db, Alerts: db, Consumer: db.Consumer, AlertReader: db.AlertReader,
		History: db, Records: db, Context: db, Rounds: db,
		Receipts: db, Intake: db, Cursors: db.Cursors(), Quarantine: db.Quarantine(), Blobs: db.Blobs(), Customers: db,
		Threads: db, Answers: db, Statuses: db,
		Cases: db.Cases(), Lists: db.Lists(), Identities: db, Outbox: db.Outbox(), Schedule: db.Schedule(),
		Settings: db.Settings(), Lessons: db.Lessons(), People: db.People(), Fits: db,
		Users: db.Users(), Sessions: db.Sessions(), Tokens: db.Tokens(),
		Servers: []Server{fileServer(path, db)},
		Where:   "data in " + filepath.Dir(path),
		Prune: func(ctx context.Context, before time.Time) error {
			_, err := db.Prune(ctx, before)
			return err
		},
		Exclusive: func(ctx context.Context, _ string, fn func(context.Context) error) error { return fn(ctx) }, // the folder's lock does it
		Backup:    db.Backup,
		closers:   []closer{{"store", db.Close}},
	}, nil
}

const adviceFile = "stop redalert and restore the last backup: redalert restore FILE"

func fileServer(path string, db *sqlite.DB) Server {
	return Server{Name: "store", Advice: adviceFile, Ping: db.Ping, Check: func(ctx context.Context) (string, error) {
		return path + " is sound", db.Check(ctx)
	}}
}

// readyBound is how long the servers may take to answer Ready. With grace it is
// less than redalert health waits (3 s), so that the reason is told.
const readyBound = 2400 * time.Millisecond

// Ready answers nil when every server can be used now, and else a *web.NotReady
// that names those that cannot, and those that have not answered within 2.5 s.
// All are asked at the same time.
func (s *Stores) Ready(ctx context.Context) error {
	var questions []func(context.Context) (struct{}, error)
	for _, srv := range s.Servers {
		questions = append(questions, func(ctx context.Context) (struct{}, error) { return struct{}{}, srv.Ping(ctx) })
	}
	var parts []string
	var why []error
	for i, a := range askAll(ctx, readyBound, questions...) {
		if a.err != nil {
			parts = append(parts, s.Servers[i].Name)
			why = append(why, fmt.Errorf("%s: %w", s.Servers[i].Name, a.err))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return &web.NotReady{Parts: parts, Err: errors.Join(why...)}
}
