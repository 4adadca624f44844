package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"
)

const (
	senders    = 64
	measureFor = 5 * time.Second
)

// webhook measures events accepted durably, one a request, from many senders
// at once, beside the least a peer could do: store the body in SQLite, one
// commit (synchronous=FULL) a request, and check nothing.
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
	ours, err := post(p.url+"/v1/events", token)
	if serr := p.stop(); err == nil {
		err = serr
	}
	if err != nil {
		return nil, err
	}
	url, stop, err := peerWebhook(dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	peer, err := post(url, "")
	if err != nil {
		return nil, err
	}
	ceiling, err := emptyExchange()
	if err != nil {
		return nil, err
	}
	rate := func(n float64) string { return fmt.Sprintf("%.0f/s", n) }
	return []result{
		{name: "webhook accepted durably, 64 senders", ours: rate(ours), peer: rate(peer), ratio: ours / peer, goal: 5},
		{name: "  beside the same exchange, nothing stored", ours: rate(ours), peer: rate(ceiling), ratio: ours / ceiling},
	}, nil
}

// emptyExchange answers how many such requests a second this machine makes and
// answers when nothing at all is checked or stored: the sender and net/http
// alone. No server can be faster here.
func emptyExchange() (float64, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})}
	go srv.Serve(ln)
	defer srv.Close()
	return post("http://"+ln.Addr().String(), "")
}

// post sends events for a while and answers how many a second were taken.
func post(url, token string) (float64, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	ctx, cancel := context.WithTimeout(context.Background(), measureFor)
	defer cancel()
	var taken, serial atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	begin := time.Now()
	for range senders {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := postOne(client, url, token, serial.Add(1)); err != nil {
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
	return float64(taken.Load()) / time.Since(begin).Seconds(), nil
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
