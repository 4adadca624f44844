package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

// Pipeline is an empty store behind the ports of the doors, of scoring and of
// history. Reopen answers the same store as another process finds it after
// this one was killed; nil when the adapter keeps nothing across processes.
type Pipeline struct {
	Publisher   ingest.Publisher
	Receipts    ingest.Receipts
	Cursors     ingest.Cursors
	Quarantine  ingest.Quarantine
	Blobs       ingest.Blobs
	Identities  ingest.Identities
	Threads     ingest.Threads
	Answers     ingest.Answers
	Statuses    ingest.Statuses
	Consumer    func(group string) signals.Consumer
	Alerts      signals.AlertPublisher
	AlertReader func(group string) alerting.AlertReader
	History     signals.History
	Records     signals.Records
	Context     signals.Context
	Rounds      signals.Rounds
	People      alerting.Identities
	Reopen      func(t *testing.T) Pipeline
}

// suite is a named list of tests, each with an empty store.
type suite []struct {
	name   string
	reopen bool // needs Reopen
	run    func(t *testing.T, s Pipeline)
}

func (tests suite) run(t *testing.T, open func(t *testing.T) Pipeline) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			if tt.reopen && s.Reopen == nil {
				t.Skip("keeps nothing across processes")
			}
			tt.run(t, s)
		})
	}
}

// mark is an instant of the tests, n minutes after a fixed one.
func mark(n int) time.Time { return day.Add(time.Duration(n) * time.Minute) }

// anEvent is a mail of customer c; n makes its times.
func anEvent(id, customer string, n int) schemas.Event {
	data, err := json.Marshal(map[string]any{"source_type": "email", "value_text": "text of " + id + " ü\u2028<b>", "customer_id": customer})
	if err != nil {
		panic(err)
	}
	return schemas.Event{ID: id, Source: "desk", Type: schemas.EmailReceived, NativeID: "<" + id + "@example.com>", OccurredAt: mark(n), CollectedAt: mark(n).Add(time.Second),
		LocalDate: mark(n).Format(time.DateOnly), CustomerID: customer, ThreadID: "<root@example.com>", Location: "North", RawSHA256: "ab", Data: data}
}

func eventIDs(events []schemas.Event) []string {
	ids := []string{}
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func ids(prefix string, from, to int) []string {
	out := []string{}
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%03d", prefix, i))
	}
	return out
}

func someEvents(prefix string, from, to int) []schemas.Event {
	var out []schemas.Event
	for i, id := range ids(prefix, from, to) {
		out = append(out, anEvent(id, "customer", from+i))
	}
	return out
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Cursors: the last text saved for a source is what it loads, after a crash too.
func Cursors(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"save and load", false, func(t *testing.T, s Pipeline) {
			if _, err := s.Cursors.Load(t.Context(), "imap"); !errors.Is(err, ingest.ErrNotFound) {
				t.Fatalf("Load before Save: %v, want ErrNotFound", err)
			}
			for _, text := range []string{"uid 7", "", "uid 9 ü"} {
				must(t, "Save", s.Cursors.Save(t.Context(), "imap", text))
				got, err := s.Cursors.Load(t.Context(), "imap")
				must(t, "Load", err)
				same(t, "cursor", got, text)
			}
			if _, err := s.Cursors.Load(t.Context(), "other"); !errors.Is(err, ingest.ErrNotFound) {
				t.Fatalf("another source: %v, want ErrNotFound", err)
			}
		}},
		{"crash", true, func(t *testing.T, s Pipeline) {
			must(t, "Save", s.Cursors.Save(t.Context(), "imap", "uid 7"))
			got, err := s.Reopen(t).Cursors.Load(t.Context(), "imap")
			must(t, "Load", err)
			same(t, "cursor", got, "uid 7")
		}},
	}.run(t, open)
}

// Blobs: content in, its sum out; the same content is kept once.
func Blobs(t *testing.T, open func(t *testing.T) Pipeline) {
	const sumOfA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	const sumOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	suite{
		{"content", false, func(t *testing.T, s Pipeline) {
			for range 2 {
				sums, err := s.Blobs.Put(t.Context(), [][]byte{[]byte("a"), nil, {0xff, 0, 0xfe}, []byte("a")})
				must(t, "Put", err)
				if len(sums) != 4 || sums[0] != sumOfA || sums[1] != sumOfNothing || sums[3] != sumOfA {
					t.Fatalf("sums %v", sums)
				}
				raw, err := s.Blobs.Get(t.Context(), sums[2])
				must(t, "Get", err)
				same(t, "bytes", raw, []byte{0xff, 0, 0xfe})
			}
			raw, err := s.Blobs.Get(t.Context(), sumOfNothing)
			if err != nil || len(raw) != 0 {
				t.Fatalf("empty blob: %v, %v", raw, err)
			}
			if _, err := s.Blobs.Get(t.Context(), "00"); !errors.Is(err, ingest.ErrNotFound) {
				t.Fatalf("unknown: %v, want ErrNotFound", err)
			}
			sums, err := s.Blobs.Put(t.Context(), nil)
			if err != nil || len(sums) != 0 {
				t.Fatalf("nothing to put: %v, %v", sums, err)
			}
		}},
		{"does not keep the caller's slice", false, func(t *testing.T, s Pipeline) {
			raw := []byte("a")
			_, err := s.Blobs.Put(t.Context(), [][]byte{raw})
			must(t, "Put", err)
			raw[0] = 'b'
			got, err := s.Blobs.Get(t.Context(), sumOfA)
			must(t, "Get", err)
			same(t, "bytes", string(got), "a")
		}},
		{"crash", true, func(t *testing.T, s Pipeline) {
			_, err := s.Blobs.Put(t.Context(), [][]byte{[]byte("a")})
			must(t, "Put", err)
			got, err := s.Reopen(t).Blobs.Get(t.Context(), sumOfA)
			must(t, "Get", err)
			same(t, "bytes", string(got), "a")
		}},
	}.run(t, open)
}

// Threads: mails that refer to each other, directly or through a third, are
// one thread, in whatever order they come.
func Threads(t *testing.T, open func(t *testing.T) Pipeline) {
	thread := func(t *testing.T, s Pipeline, want, id string, refs ...string) {
		t.Helper()
		got, err := s.Threads.Thread(t.Context(), id, refs)
		must(t, "Thread", err)
		if got != want {
			t.Fatalf("thread of %s (refers to %v) is %q, want %q", id, refs, got, want)
		}
	}
	suite{
		{"a chain", false, func(t *testing.T, s Pipeline) {
			thread(t, s, "<a>", "<a>")
			thread(t, s, "<a>", "<b>", "<a>")
			thread(t, s, "<a>", "<c>", "<b>") // names only the middle one
			thread(t, s, "<a>", "<c>", "<x>") // known already; keeps its thread
			thread(t, s, "<z>", "<z>")
			thread(t, s, "<a>", "<d>", "<unknown>", "<c>", "<z>")
			thread(t, s, "<a>", "<e>", "<unknown>") // learnt from <d>
		}},
		{"the answer comes first", false, func(t *testing.T, s Pipeline) {
			thread(t, s, "<root>", "<b>", "<root>", "<a>")
			thread(t, s, "<root>", "<a>", "<root>")
			thread(t, s, "<root>", "<root>")
		}},
		{"no names", false, func(t *testing.T, s Pipeline) {
			thread(t, s, "", "")
			thread(t, s, "", "", "", "")
			thread(t, s, "<r>", "", "", "<r>")
			thread(t, s, "<r>", "<m>", "<r>", "<r>", "")
		}},
		{"a very long chain", false, func(t *testing.T, s Pipeline) {
			refs := []string{"<first>"}
			for i := range 5000 {
				refs = append(refs, fmt.Sprintf("<%d>", i))
			}
			thread(t, s, "<first>", "<last>", refs...)
			thread(t, s, "<first>", "<later>", "<4999>")
		}},
		{"many at once", false, func(t *testing.T, s Pipeline) {
			many, ok := s.Threads.(ingest.ManyThreads)
			if !ok {
				t.Skip("this store is asked mail by mail")
			}
			thread(t, s, "<old>", "<old>")
			mails := []ingest.ThreadMail{
				{MessageID: "<b>", References: []string{"<a>"}}, {MessageID: "<a>"}, {}, {MessageID: "<c>", References: []string{"", "<b>"}},
				{MessageID: "<new>", References: []string{"<x>", "<old>"}}, {MessageID: "<y>", References: []string{"<x>"}}, {MessageID: "<b>", References: []string{"<old>"}},
			}
			want := []string{"<a>", "<a>", "", "<a>", "<old>", "<old>", "<a>"}
			for range 2 { // the second time all are known
				got, err := many.ThreadAll(t.Context(), mails)
				must(t, "ThreadAll", err)
				same(t, "threads", got, want)
			}
			thread(t, s, "<old>", "<z>", "<y>")
			none, err := many.ThreadAll(t.Context(), nil)
			must(t, "ThreadAll of nothing", err)
			same(t, "threads", len(none), 0)
		}},
		{"crash", true, func(t *testing.T, s Pipeline) {
			thread(t, s, "<a>", "<b>", "<a>")
			thread(t, s.Reopen(t), "<a>", "<c>", "<b>")
		}},
	}.run(t, open)
}

// Statuses: reports merge.
func Statuses(t *testing.T, open func(t *testing.T) Pipeline) {
	report := func(t *testing.T, s Pipeline, c schemas.CollectorStatus) {
		t.Helper()
		must(t, "Report", s.Statuses.Report(t.Context(), c))
	}
	check := func(t *testing.T, s Pipeline, want ...schemas.CollectorStatus) {
		t.Helper()
		got, err := s.Statuses.Collectors(t.Context())
		must(t, "Collectors", err)
		same(t, "collectors", got, append([]schemas.CollectorStatus{}, want...))
	}
	at := func(n int) *time.Time { m := mark(n); return &m }
	lag := 2.5
	suite{
		{"merge", false, func(t *testing.T, s Pipeline) {
			check(t, s)
			report(t, s, schemas.CollectorStatus{Name: "imap", Kind: "imap", LastSuccess: at(1), LagSeconds: &lag, Accepted: 3, QuietAfter: 600})
			want := schemas.CollectorStatus{Name: "imap", Kind: "imap", LastSuccess: at(1), LagSeconds: &lag, Accepted: 3, QuietAfter: 600}
			check(t, s, want)

			report(t, s, schemas.CollectorStatus{Name: "imap", LastError: "no route", LastErrorAt: at(2)})
			want.LastError, want.LastErrorAt = "no route", at(2)
			check(t, s, want)

			report(t, s, schemas.CollectorStatus{Name: "imap", Accepted: 1, Quarantined: 2})
			want.Accepted, want.Quarantined = 4, 2
			check(t, s, want)

			report(t, s, schemas.CollectorStatus{Name: "imap", LastSuccess: at(3)})
			want.LastSuccess, want.LastError = at(3), ""
			check(t, s, want)

			report(t, s, schemas.CollectorStatus{Name: "hook", Kind: "webhook"})
			check(t, s, schemas.CollectorStatus{Name: "hook", Kind: "webhook"}, want)
		}},
		{"counts of many at once", false, func(t *testing.T, s Pipeline) {
			atOnce(20, func(int) {
				if err := s.Statuses.Report(context.WithoutCancel(t.Context()), schemas.CollectorStatus{Name: "hook", Accepted: 2}); err != nil {
					t.Errorf("Report: %v", err)
				}
			})
			check(t, s, schemas.CollectorStatus{Name: "hook", Accepted: 40})
		}},
	}.run(t, open)
}
