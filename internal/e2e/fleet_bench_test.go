package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	kafkago "github.com/segmentio/kafka-go"

	"redalert/schemas"
)

var (
	latencySamples = flag.Int("latency-samples", 200, "alerts that BenchmarkFleet_AlertLatency waits for, one after another")
	lagEvents      = flag.Int("lag-events", 1_000_000, "events that wait when BenchmarkFleet_MemoryUnderLag starts a scorer")
	lagWorked      = flag.Int("lag-worked", 100_000, "how many of them are worked off while its memory is watched")
)

// BenchmarkFleet_AlertLatency: from the moment a critical event is handed to the
// log until the mail about its new case has arrived, through a scorer and an
// alerting process; beside it how long one message takes through the same broker
// and nothing else. They take turns, one message at a time.
func BenchmarkFleet_AlertLatency(b *testing.B) {
	f := newFleet(b, false)
	must(b, f.args("user", "add", "manager@shop.example", "--role", "manager")...)
	f.launchAll("score-1", "alert-1")
	b.Cleanup(f.stopAll)
	bare := f.bareLine(b)
	var ours, peer []time.Duration
	out := f.writer("feedback")
	defer out.Close()
	for b.Loop() {
		for i := range *latencySamples + 3 {
			p, o := bare(), f.alertAfter(b, out)
			if i >= 3 { // the first ones open connections
				peer, ours = append(peer, p), append(ours, o)
			}
		}
	}
	b.ReportMetric(ms(ours, 99), "ours-p99-ms")
	b.ReportMetric(ms(ours, 50), "ours-p50-ms")
	b.ReportMetric(ms(peer, 99), "peer-p99-ms")
	b.ReportMetric(ms(peer, 50), "peer-p50-ms")
	b.ReportMetric(ms(ours, 99)/ms(peer, 99), "ratio")
	b.ReportMetric(0, "ns/op")
}

func ms(all []time.Duration, percent int) float64 {
	slices.Sort(all)
	return float64(all[min(len(all)-1, len(all)*percent/100)].Microseconds()) / 1000
}

// writer writes to a topic of the fleet's, named without its prefix.
func (f *fleet) writer(topic string) *kafkago.Writer {
	return &kafkago.Writer{Addr: kafkago.TCP(f.kafka.Addr), Topic: f.prefix + topic, RequiredAcks: kafkago.RequireAll, Balancer: &kafkago.Hash{},
		BatchSize: 2000, BatchBytes: 1 << 20, BatchTimeout: time.Millisecond, AllowAutoTopicCreation: true}
}

// bareLine answers what measures one message produced and fetched.
func (f *fleet) bareLine(b *testing.B) func() time.Duration {
	out := f.writer("bare")
	put := func() {
		if err := out.WriteMessages(b.Context(), critical()); err != nil {
			b.Fatal(err)
		}
	}
	eventually(b, 30*time.Second, "the topic exists", func() bool { return out.WriteMessages(b.Context(), critical()) == nil })
	// A group that is joined before its topic exists never gets partitions.
	in := kafkago.NewReader(kafkago.ReaderConfig{Brokers: []string{f.kafka.Addr}, Topic: f.prefix + "bare", GroupID: f.prefix + "bare", StartOffset: kafkago.FirstOffset, MinBytes: 1, MaxBytes: 1 << 20})
	b.Cleanup(func() { out.Close(); in.Close() })
	if _, err := in.FetchMessage(b.Context()); err != nil {
		b.Fatal(err)
	}
	return func() time.Duration {
		begin := time.Now()
		put()
		if _, err := in.FetchMessage(b.Context()); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
}

func (f *fleet) mails() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sent)
}

// alertAfter publishes one critical event and waits for its mail.
func (f *fleet) alertAfter(b *testing.B, out *kafkago.Writer) time.Duration {
	before, begin := f.mails(), time.Now()
	if err := out.WriteMessages(b.Context(), critical()); err != nil {
		b.Fatal(err)
	}
	for f.mails() == before {
		if time.Since(begin) > 30*time.Second {
			b.Fatal("no mail within 30 s")
		}
		time.Sleep(200 * time.Microsecond) // other processes work
	}
	return time.Since(begin)
}

// critical is an event of a customer whom nobody has seen before.
func critical() kafkago.Message {
	return message(uuid.NewString(), "c-"+uuid.NewString(), "My daughter was hurt by your ladder. I have called a lawyer.")
}

func message(id, customer, text string) kafkago.Message {
	now := time.Now().UTC()
	data, err := json.Marshal(schemas.Feedback{SourceType: "email", SubmissionID: id, FieldLabel: "My order", ValueText: text, Language: "en"})
	if err != nil {
		panic(err)
	}
	e := schemas.Event{ID: id, Source: "bench", Type: schemas.EmailReceived, NativeID: id, OccurredAt: now, CollectedAt: now,
		LocalDate: now.Format(time.DateOnly), CustomerID: customer, Data: data}
	value, err := e.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return kafkago.Message{Key: []byte(customer), Value: value}
}

// BenchmarkFleet_MemoryUnderLag: a scoring process is started on a long lag; the
// most memory it ever has is held against 256 MiB.
func BenchmarkFleet_MemoryUnderLag(b *testing.B) {
	f := newFleet(b, false)
	f.fill(b, *lagEvents)
	var peak float64
	for b.Loop() {
		f.launchAll("score-1")
		pid := f.procs["score-1"].cmd.Process.Pid
		eventually(b, 3*time.Minute, "part of the lag is worked off", func() bool {
			peak = max(peak, peakMiB(b, pid))
			return f.scored(b) >= *lagWorked
		})
	}
	f.stopAll()
	b.ReportMetric(peak, "ours-MiB")
	b.ReportMetric(256, "peer-MiB")
	b.ReportMetric(peak/256, "ratio")
	b.ReportMetric(float64(*lagEvents), "lag-events")
	b.ReportMetric(0, "ns/op")
}

// fill puts n mails of about 800 bytes into the log.
func (f *fleet) fill(b *testing.B, n int) {
	out := f.writer("feedback")
	defer out.Close()
	text := strings.Repeat("The team came on time and did good work. ", 9)
	for from := 0; from < n; from += 20_000 {
		msgs := make([]kafkago.Message, min(20_000, n-from))
		for i := range msgs {
			msgs[i] = message(fmt.Sprintf("00000000-0000-5000-8000-%012d", from+i), fmt.Sprintf("customer-%d", (from+i)%4000), text)
		}
		if err := out.WriteMessages(b.Context(), msgs...); err != nil {
			b.Fatal(err)
		}
	}
}

// scored asks the scorer's own metrics.
func (f *fleet) scored(b *testing.B) (n int) {
	_, body, err := f.procs["score-1"].request("GET", "/metrics", "", "", nil)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, "redalert_scored_total{"); ok {
			fields := strings.Fields(rest)
			x, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			if err != nil {
				b.Fatal(err)
			}
			n += int(x)
		}
	}
	return n
}

func peakMiB(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("SKIPPED: no /proc on this system")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}
