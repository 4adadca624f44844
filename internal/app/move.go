package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"redalert/internal/config"
	"redalert/internal/move"
	"redalert/internal/sqlite"
)

// place names one side of a move.
type place struct{ name, what, where, other string }

func theFile(path string) place { return place{"file", "this file", path, "the servers"} }

func theServers(cfg config.Config) place {
	where := "the servers"
	if cfg.Scaled() {
		where += " (" + strings.Join(cfg.Kafka.Brokers, ", ") + "; " + cfg.ClickHouse.Addr + "; PostgreSQL)"
	}
	return place{"servers", "what is on the servers", where, "the file"}
}

// usable refuses a side that is not the one in use.
func usable(ctx context.Context, st move.State, p place) error {
	mark, err := st.Mark(ctx)
	if err != nil {
		return err
	}
	return mark.Usable(p.what, p.name, p.other)
}

// MoveTo carries everything from the one file in the data folder to the three
// servers that the configuration names (to is "servers"), or back ("file"). See
// move.Run for what holds when it fails.
func MoveTo(ctx context.Context, cfg config.Config, to string, opt Options, progress move.Progress) (r move.Report, err error) {
	opt.fill()
	if !cfg.Scaled() {
		return r, ErrNoServers
	}
	path := filepath.Join(cfg.DataDir, FileName)
	if err := fileFor(path, to); err != nil {
		return r, err
	}
	lock, err := lockFolder(cfg.DataDir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	s, err := openServers(ctx, cfg, opt)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, closeAll(s.closers)) }()
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	from, target := fileSide(db, path), serversSide(&s, cfg)
	if to == "file" {
		from, target = target, from
	}
	_, live, _, err := move.Plan(ctx, from, target)
	if err != nil {
		return r, err
	}
	if live {
		if err := workOff(ctx, cfg, from, opt); err != nil {
			return r, fmt.Errorf("work off the log of %s: %w", from.What, err)
		}
	}
	return move.Run(ctx, from, target, move.Options{Now: opt.Now, Progress: progress})
}

// ErrNoServers: a move needs to know both sides.
var ErrNoServers = errors.New("a move needs kafka, clickhouse and postgres in redalert.yaml, on the way back too")

// fileFor makes sure that there is a file to move, or a folder for one.
func fileFor(path, to string) error {
	if to == "file" {
		return os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no file to move: %w", err)
	}
	return nil
}

// lockFolder is Lock for a folder whose file is not open.
func lockFolder(dir string) (*flock.Flock, error) {
	l := flock.New(filepath.Join(dir, lockName))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !ok {
		return nil, ErrRunning
	}
	return l, nil
}

func fileSide(db *sqlite.DB, path string) move.Side {
	m, p := db.Moving(), theFile(path)
	return move.Side{Name: p.name, What: p.what, Where: p.where, State: m, History: m, Waiting: waiting(&Stores{
		Consumer: db.Consumer, AlertReader: db.AlertReader,
	})}
}

func serversSide(s *servers, cfg config.Config) move.Side {
	p := theServers(cfg)
	return move.Side{Name: p.name, What: p.what, Where: p.where, State: s.pg.Moving(), History: s.ch, Waiting: waiting(&s.Stores)}
}

// waiting counts what is in both logs. Events first: what is scored in between
// shows among the alerts.
func waiting(s *Stores) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		events, err := s.Consumer(scoreGroup).Lag(ctx)
		if err != nil {
			return 0, err
		}
		alerts, err := s.AlertReader(alertGroup).AlertLag(ctx)
		return events + alerts, err
	}
}

// workOff publishes, scores and files what waits in the log of a side that is
// in use; mail is not sent.
func workOff(ctx context.Context, cfg config.Config, side move.Side, opt Options) error {
	unpublished, err := side.State.Unpublished(ctx)
	if err != nil {
		return err
	}
	waits, err := side.Waiting(ctx)
	if err != nil || unpublished+waits == 0 {
		return err
	}
	if side.Name == "file" {
		cfg.Kafka, cfg.ClickHouse, cfg.Postgres = nil, nil, nil
	}
	a, err := New(ctx, cfg, opt)
	if err != nil {
		return err
	}
	return errors.Join(a.settleLog(ctx), a.Close())
}
