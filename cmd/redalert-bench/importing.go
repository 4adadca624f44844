package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const retail = "orders/online_retail_2010-12_2011-06.csv.gz"

// importOrders measures the import of Online Retail beside raw inserts of the
// same lines: read the CSV, insert each line, a commit every 1,000.
func (b bench) importOrders() ([]result, error) {
	if b.data == "" {
		fmt.Println("import: skipped, REDALERT_TESTDATA is not set")
		return nil, nil
	}
	dir, clean, err := tempDir()
	if err != nil {
		return nil, err
	}
	defer clean()
	file := filepath.Join(b.data, retail)
	took, peak, err := b.timedImport(dir, file)
	if err != nil {
		return nil, err
	}
	lines, peerTook, err := rawInserts(filepath.Join(dir, "peer.db"), file)
	if err != nil {
		return nil, err
	}
	rate := func(d time.Duration) float64 { return float64(lines) / d.Seconds() }
	return []result{
		{name: "import of Online Retail, lines", ours: fmt.Sprintf("%.0f/s", rate(took)), peer: fmt.Sprintf("%.0f/s", rate(peerTook)), ratio: peerTook.Seconds() / took.Seconds(), goal: 0.5},
		{name: "memory during the import, of 256 MiB", ours: fmt.Sprintf("%.0f MiB", peak), peer: "256 MiB", ratio: peak / 256, goal: 1, atMost: true},
	}, nil
}

func (b bench) timedImport(dir, file string) (time.Duration, float64, error) {
	cmd := exec.Command(b.bin, "import", "orders", file, "--source", "retail", "--map", "online-retail", "--data", dir)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		err = nil // done, with rows in quarantine
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, errs.String())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, errors.New("no resource usage on this system")
	}
	return took, float64(usage.Maxrss) / 1024, nil
}

func rawInserts(path, file string) (lines int, took time.Duration, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	begin := time.Now()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return 0, 0, err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE lines (a TEXT, b TEXT, c TEXT, d TEXT, e TEXT, f TEXT, g TEXT, h TEXT)"); err != nil {
		return 0, 0, err
	}
	r := csv.NewReader(zr)
	if _, err := r.Read(); err != nil {
		return 0, 0, err
	}
	for done := false; !done; {
		n, err := insertThousand(db, r)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		lines, done = lines+n, err != nil
	}
	return lines, time.Since(begin), nil
}

func insertThousand(db *sql.DB, r *csv.Reader) (n int, err error) {
	tx, err := db.Begin()
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	stmt, err := tx.Prepare("INSERT INTO lines VALUES (?,?,?,?,?,?,?,?)")
	if err != nil {
		return 0, err
	}
	for ; n < 1000; n++ {
		rec, rerr := r.Read()
		if rerr != nil {
			return n, errors.Join(rerr, tx.Commit())
		}
		if _, err := stmt.Exec(rec[0], rec[1], rec[2], rec[3], rec[4], rec[5], rec[6], rec[7]); err != nil {
			return 0, err
		}
	}
	return n, tx.Commit()
}
