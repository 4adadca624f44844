package app

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redalert/internal/auth"
	"redalert/internal/config"
)

// benchSenders post at the same time, as in make bench.
const benchSenders = 64

// BenchmarkWebhook takes posted events through the whole of the embedded
// store: the site's handler, the Door, the commit, and the scorer beside it,
// until the last event has its verdict. There is no network. cpu-µs/event is
// what the process used, on whatever core: it hardly depends on how busy the
// machine is, while ns/op does.
func BenchmarkWebhook(b *testing.B) {
	cfg := config.Defaults()
	cfg.DataDir = b.TempDir()
	a, err := New(context.Background(), cfg, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	token, err := a.Auth.NewToken(b.Context(), "bench", auth.ScopeIngest, "")
	if err != nil {
		b.Fatal(err)
	}
	h, err := a.handler("http://127.0.0.1", AllRoles(), nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	scored := make(chan error, 1)
	go func() { scored <- a.Scorer.Run(ctx) }()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	postAll(b, h, token, b.N)
	for lag := int64(1); lag > 0; time.Sleep(time.Millisecond) { // another goroutine works
		if lag, err = a.Stores.Consumer(scoreGroup).Lag(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/event")
	b.StopTimer()
	stop()
	if err := <-scored; err != nil {
		b.Fatal(err)
	}
}

func postAll(b *testing.B, h http.Handler, token string, n int) {
	var serial atomic.Int64
	var wg sync.WaitGroup
	for range benchSenders {
		wg.Go(func() {
			for k := serial.Add(1); k <= int64(n); k = serial.Add(1) {
				if w := postOne(b, h, token, k); w.status != http.StatusAccepted {
					b.Errorf("answer %d: %s", w.status, w.body.String())
					return
				}
			}
		})
	}
	wg.Wait()
}

func postOne(b *testing.B, h http.Handler, token string, k int64) *answer {
	body := fmt.Sprintf(`{"specversion":"1.0","source":"bench","id":"b-%d","type":"feedback.survey.answered","time":"2026-03-01T09:00:00Z","data":{"source_type":"survey","submission_id":"b-%d","field_type":"nps","value_number":9,"scale_min":0,"scale_max":10,"value_text":"Good work, tidy, no fuss.","customer":{"ref":"C%d"}}}`, k, k, k%500)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/events", bytes.NewReader([]byte(body)))
	if err != nil {
		b.Error(err)
		return &answer{}
	}
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("Authorization", "Bearer "+token)
	w := &answer{header: http.Header{}}
	h.ServeHTTP(w, req)
	return w
}

// answer is the least an http.ResponseWriter can be.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
