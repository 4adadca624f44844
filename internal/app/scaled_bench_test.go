package app

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	kafkago "github.com/segmentio/kafka-go"

	"redalert/internal/kafka"
	"redalert/schemas"
)

var scaledEvents = flag.Int("log-events", 60_000, "events that BenchmarkLogToHistory takes from the log")

// BenchmarkLogToHistory: a backlog of surveys, mails and orders goes from Kafka
// through the scorer with its text model into ClickHouse and the alerts log,
// committed batch by batch, and takes that much of this process's processor time;
// beside it the library's own group reader fetches the
// same messages and throws them away.
func BenchmarkLogToHistory(b *testing.B) {
	n := *scaledEvents
	var ours, peer, cpu []time.Duration
	var size int64
	for round := 0; b.Loop(); round++ {
		a := newScaled(b, uniqueName())
		size = publishMixed(b, a, n)
		turns := []func(){
			func() { peer = append(peer, discard(b, a, n)) },
			func() {
				before := cpuTime(b)
				ours = append(ours, workOffAll(b, a, n))
				cpu = append(cpu, cpuTime(b)-before)
			},
		}
		if round%2 == 1 {
			slices.Reverse(turns)
		}
		for _, do := range turns {
			do()
		}
	}
	rate := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(n) / all[len(all)/2].Seconds()
	}
	b.ReportMetric(rate(ours), "ours-events/s")
	b.ReportMetric(rate(peer), "peer-events/s")
	b.ReportMetric(rate(ours)/rate(peer), "ratio")
	slices.Sort(cpu)
	b.ReportMetric(float64(cpu[len(cpu)/2].Nanoseconds())/1000/float64(n), "ours-cpu-µs/event")
	b.ReportMetric(float64(size)/float64(n), "bytes/event")
	b.ReportMetric(0, "ns/op")
}

// workOffAll is the scorer's whole work, from joining the group until the last
// event is committed.
func workOffAll(b *testing.B, a *App, n int) time.Duration {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	begin := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- a.work(ctx, []Role{RoleScore}, nil) }()
	for committed(a) < int64(n) {
		select {
		case err := <-ended:
			b.Fatalf("the scorer ended after %d events: %v", committed(a), err)
		case <-time.After(2 * time.Millisecond): // another goroutine works
		}
	}
	took := time.Since(begin)
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	return took
}

func committed(a *App) (n int64) {
	for _, s := range a.Stores.log.Stats() {
		n += s.Committed
	}
	return n
}

// discard is the least that reads the topic as a group.
func discard(b *testing.B, a *App, n int) time.Duration {
	begin := time.Now()
	r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: a.Config.Kafka.Brokers, Topic: a.Config.Kafka.Prefix + kafka.TopicFeedback,
		GroupID: "discard", StartOffset: kafkago.FirstOffset, MinBytes: 1, MaxBytes: 10 << 20})
	for range n {
		if _, err := r.FetchMessage(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(begin)
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

// publishMixed puts n events into the log and answers their bytes.
func publishMixed(b *testing.B, a *App, n int) (size int64) {
	b.Helper()
	events := mixedEvents(b, n)
	for chunk := range slices.Chunk(events, 5000) {
		if err := a.Stores.Publisher.Publish(b.Context(), chunk); err != nil {
			b.Fatal(err)
		}
	}
	for _, e := range events {
		raw, err := e.MarshalJSON()
		if err != nil {
			b.Fatal(err)
		}
		size += int64(len(raw))
	}
	return size
}

// mixedEvents are the same ones each time but for their ids: half surveys, a
// third mails, a sixth orders, of 4,000 customers over ten days; one text in 25
// is a complaint.
func mixedEvents(b *testing.B, n int) []schemas.Event {
	b.Helper()
	r := rand.New(rand.NewPCG(3, 8))
	from := time.Now().UTC().Add(-10 * 24 * time.Hour).Truncate(time.Second)
	out := make([]schemas.Event, n)
	for i := range out {
		at := from.Add(time.Duration(i) * 10 * 24 * time.Hour / time.Duration(n))
		e := schemas.Event{ID: uuid.NewString(), Source: "shop", NativeID: fmt.Sprint("n-", i), OccurredAt: at, CollectedAt: at.Add(time.Minute),
			LocalDate: at.Format(time.DateOnly), CustomerID: fmt.Sprintf("customer-%027d", r.IntN(4000)), Location: []string{"North", "South", ""}[i%3],
			RawSHA256: fmt.Sprintf("%064x", i)}
		var data any
		switch of6 := r.IntN(6); {
		case of6 < 3:
			e.Type, data = schemas.SurveyAnswered, answered(r, i)
		case of6 < 5:
			e.Type, data = schemas.EmailReceived, written(r, i)
		default:
			e.Type, e.OrderRef, data = schemas.OrderPlaced, fmt.Sprint("A-", i), bought(r, i)
		}
		var err error
		if e.Data, err = json.Marshal(data); err != nil {
			b.Fatal(err)
		}
		out[i] = e
	}
	return out
}

func answered(r *rand.Rand, i int) schemas.Feedback {
	value, low, high := float64(7+r.IntN(4)), 0.0, 10.0
	return schemas.Feedback{SourceType: "survey", SourceName: "After the visit", SubmissionID: fmt.Sprint("s-", i), FieldType: "nps",
		FieldLabel: "How likely are you to recommend us?", ValueNumber: &value, ScaleMin: &low, ScaleMax: &high, ValueText: said(r, 2+r.IntN(3)), Language: "en"}
}

func written(r *rand.Rand, i int) schemas.Feedback {
	return schemas.Feedback{SourceType: "email", SubmissionID: fmt.Sprintf("<b%d@mail.example>", i), FieldLabel: "My order", ValueText: said(r, 4+r.IntN(8)), Language: "en"}
}

func bought(r *rand.Rand, i int) schemas.Order {
	total := schemas.Money{Amount: int64(2000 + r.IntN(9000)), Currency: "EUR"}
	return schemas.Order{OrderRef: fmt.Sprint("A-", i), Total: &total}
}

var calm = []string{"The team came on time and did good work.", "Could we move the next visit to the afternoon?", "The key is with the neighbour as usual.",
	"Thank you for sorting this out so quickly.", "We would like to book the same day next month.", "Please send me the invoice again, I cannot find it."}

// said is a text of n sentences.
func said(r *rand.Rand, n int) string {
	var t strings.Builder
	for range n {
		t.WriteString(calm[r.IntN(len(calm))])
		t.WriteByte(' ')
	}
	if r.IntN(25) == 0 {
		t.WriteString("This time nobody came and nobody called. I want my money back.")
	}
	return t.String()
}
