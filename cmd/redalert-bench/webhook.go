package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	driver "modernc.org/sqlite" // driver "sqlite"
)

const (
	senders  = 64
	rounds   = 6
	roundFor = time.Second
)

// webhook measures events accepted durably, one a request, from many senders
// at once, beside the least a peer could do: store the body in SQLite, one
// commit (synchronous=FULL) a request, and check nothing. What two more servers
// do stands beside it: the peer with the faster call to the disk that we use,
// and one that stores nothing at all, which no server can beat here.
//
// The servers take turns of a second, so that whatever else the machine does
// meets all of them alike.
func (b bench) webhook() ([]result, error) {
	dir, clean, err := tempDir()
	if err != nil {
		return nil, err
	}
	defer clean()
	token, err := b.command("token", "add", "bench", "--scope", "ingest", "--data", dir)
	if err != nil {
		return nil, err
	}
	p, err := b.serve(dir)
	if err != nil {
		return nil, err
	}
	peer, stop, err := peerWebhook(dir)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	defer stop()
	empty, stop, err := emptyWebhook()
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	defer stop()
	turns := []*turn{{url: p.url + "/v1/events", token: token}, {url: peer}, {url: peer, fdatasync: true}, {url: empty}}
	err = takeTurns(turns)
	if err := errors.Join(err, p.stop()); err != nil {
		return nil, err
	}
	ours, rate := turns[0].taken, func(t *turn) string { return fmt.Sprintf("%.0f/s", t.rate()) }
	beside := func(name string, t *turn, goal float64) result {
		return result{name: name, ours: rate(turns[0]), peer: rate(t), ratio: float64(ours) / float64(t.taken), goal: goal}
	}
	return []result{
		beside("webhook accepted durably, 64 senders", turns[1], 5),
		beside("  beside the same peer with fdatasync, as ours", turns[2], 0),
		beside("  beside the same exchange, nothing stored", turns[3], 0),
	}, nil
}

// turn is one server being measured.
type turn struct {
	url, token string
	fdatasync  bool // of the peer, which lives in this process

	client *http.Client
	taken  int64
}

func (t *turn) rate() float64 { return float64(t.taken) / (rounds * roundFor.Seconds()) }

func takeTurns(turns []*turn) error {
	var serial atomic.Int64
	for range rounds {
		for _, t := range turns {
			if t.client == nil {
				t.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
			}
			if _, err := driver.Fdatasync(t.fdatasync); err != nil && t.fdatasync {
				return err
			}
			n, err := t.post(&serial)
			if err != nil {
				return err
			}
			t.taken += n
			time.Sleep(roundFor / 2) // what is left to score is scored in our own time
		}
	}
	return nil
}

// emptyWebhook checks and stores nothing at all: what remains is the sender and
// net/http.
func emptyWebhook() (url string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})}
	go srv.Serve(ln)
	return "http://" + ln.Addr().String(), func() { srv.Close() }, nil
}

// post sends events for one round and answers how many were taken.
func (t *turn) post(serial *atomic.Int64) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), roundFor)
	defer cancel()
	var taken atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := postOne(t.client, t.url, t.token, serial.Add(1)); err != nil {
					failed.Store(&err)
					return
				}
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return taken.Load(), nil
}

func postOne(client *http.Client, url, token string, n int64) error {
	body := fmt.Sprintf(`{"specversion":"1.0","source":"bench","id":"b-%d","type":"feedback.survey.answered","time":"%s","data":{"source_type":"survey","submission_id":"b-%d","field_type":"nps","value_number":9,"scale_min":0,"scale_max":10,"value_text":"Good work, tidy, no fuss.","customer":{"ref":"C%d"}}}`,
		n, time.Now().UTC().Format(time.RFC3339), n, n%500)
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("answer %d: %s", resp.StatusCode, answer)
	}
	return err
}

func peerWebhook(dir string) (url string, stop func(), err error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "peer.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return "", nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE events (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"); err != nil {
		return "", nil, err
	}
	insert, err := db.Prepare("INSERT INTO events (body) VALUES (?)")
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = insert.Exec(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})}
	go srv.Serve(ln)
	return "http://" + ln.Addr().String(), func() { srv.Close(); db.Close() }, nil
}
