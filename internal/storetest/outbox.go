package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// aNotification is one to staff that is due at once.
func aNotification(caseID, kind, to string) schemas.Notification {
	id := caseID + "/" + kind + "/" + to
	return schemas.Notification{
		ID: id, MessageID: "<" + id + "@redalert.test>", State: schemas.NotificationQueued, At: day, NotBefore: day,
		Key:  schemas.NotificationKey{CaseID: caseID, Episode: 1, Kind: schemas.NotificationKind(kind), Recipient: to, Channel: schemas.ChannelEmail},
		Body: []byte("Subject: hello\r\n\r\nbody"),
	}
}

const lease = 2 * time.Minute

func take(t *testing.T, s Alerting, now time.Time) []schemas.Notification {
	t.Helper()
	ns, err := s.Outbox.Take(t.Context(), now, lease, 10)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func enqueueAll(t *testing.T, s Alerting, ns ...schemas.Notification) {
	t.Helper()
	if err := s.Outbox.Enqueue(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
}

func notification(t *testing.T, s Alerting, id string) schemas.Notification {
	t.Helper()
	p, err := s.Outbox.Notifications(t.Context(), "", schemas.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Items {
		if n.ID == id {
			return n
		}
	}
	t.Fatalf("no notification %s", id)
	return schemas.Notification{}
}

// Outbox is the conformance suite of alerting.Outbox.
func Outbox(t *testing.T, open func(t *testing.T) Alerting) {
	for name, f := range map[string]func(*testing.T, Alerting){
		"queued once, sent once":                  outboxOnce,
		"not before its time":                     outboxNotBefore,
		"two takers share no mail":                outboxTwoTakers,
		"staff: taken again after a crash":        outboxStaffCrash,
		"customer: uncertain after a crash":       outboxCustomerCrash,
		"a late outcome changes nothing but sent": outboxLate,
		"unknown notification":                    outboxUnknown,
		"log of one case in order":                outboxLog,
		"a lease survives a kill":                 outboxReopen,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

func outboxOnce(t *testing.T, s Alerting) {
	n := aNotification("", "digest", "ana@example.com")
	n.Key.Cause = "2026-03-02"
	twin := n
	twin.ID, twin.MessageID = "other id", "<other@redalert.test>"
	enqueueAll(t, s, n, n)
	enqueueAll(t, s, twin)
	if w, err := s.Outbox.Waiting(t.Context()); err != nil || w != 1 {
		t.Fatalf("%d waiting, %v", w, err)
	}
	got := take(t, s, day)
	want := n
	want.State, want.Attempts = schemas.NotificationSending, 1
	same(t, "taken", got, []schemas.Notification{want})
	got[0].State, got[0].At = schemas.NotificationSent, day.Add(time.Second)
	if err := s.Outbox.Finish(t.Context(), got[0]); err != nil {
		t.Fatal(err)
	}
	if again := take(t, s, day.Add(time.Hour)); len(again) != 0 {
		t.Fatalf("sent again: %v", again)
	}
	enqueueAll(t, s, n)
	if w, _ := s.Outbox.Waiting(t.Context()); w != 0 {
		t.Fatalf("%d waiting after it was sent", w)
	}
	if n := notification(t, s, n.ID); n.State != schemas.NotificationSent || !n.At.Equal(day.Add(time.Second)) {
		t.Fatalf("log says %+v", n)
	}
}

func outboxNotBefore(t *testing.T, s Alerting) {
	n := aNotification("", "digest", "ana@example.com")
	n.NotBefore = day.Add(time.Hour)
	enqueueAll(t, s, n)
	if got := take(t, s, day.Add(59*time.Minute)); len(got) != 0 {
		t.Fatal("taken too early")
	}
	got := take(t, s, n.NotBefore)
	if len(got) != 1 {
		t.Fatal("not taken when due")
	}
	retry := got[0]
	retry.State, retry.NotBefore, retry.Error = schemas.NotificationQueued, day.Add(2*time.Hour), "451 try later"
	if err := s.Outbox.Finish(t.Context(), retry); err != nil {
		t.Fatal(err)
	}
	if got := take(t, s, day.Add(119*time.Minute)); len(got) != 0 {
		t.Fatal("retried too early")
	}
	got = take(t, s, day.Add(2*time.Hour))
	if len(got) != 1 || got[0].Attempts != 2 || got[0].MessageID != n.MessageID || got[0].Error != "451 try later" {
		t.Fatalf("second attempt %+v", got)
	}
}

func outboxTwoTakers(t *testing.T, s Alerting) {
	for _, to := range []string{"a@x.test", "b@x.test", "c@x.test", "d@x.test", "e@x.test", "f@x.test"} {
		enqueueAll(t, s, aNotification("", "digest", to))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 4 {
		wg.Go(func() {
			for range 3 {
				ns, err := s.Outbox.Take(context.Background(), day, lease, 1)
				if err != nil {
					t.Errorf("take: %v", err)
				}
				mu.Lock()
				for _, n := range ns {
					seen[n.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 6 {
		t.Fatalf("%d of 6 taken", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Fatalf("%s taken %d times", id, n)
		}
	}
}

func outboxStaffCrash(t *testing.T, s Alerting) {
	n := aNotification("", "digest", "ana@example.com")
	enqueueAll(t, s, n)
	take(t, s, day)
	if got := take(t, s, day.Add(lease-time.Millisecond)); len(got) != 0 {
		t.Fatal("taken while leased")
	}
	got := take(t, s, day.Add(lease))
	if len(got) != 1 || got[0].MessageID != n.MessageID || got[0].Attempts != 2 {
		t.Fatalf("after the lease: %+v", got)
	}
}

func outboxCustomerCrash(t *testing.T, s Alerting) {
	n := aNotification("c1", "reply", "maria@example.com")
	n.ToCustomer = true
	enqueueAll(t, s, n)
	if got := take(t, s, day); len(got) != 1 {
		t.Fatal("not taken")
	}
	if got := take(t, s, day.Add(lease)); len(got) != 0 {
		t.Fatalf("a mail to a customer was repeated: %+v", got)
	}
	u := notification(t, s, n.ID)
	if u.State != schemas.NotificationUncertain || u.Attempts != 1 || u.Error == "" {
		t.Fatalf("stands as %+v", u)
	}
	if w, _ := s.Outbox.Waiting(t.Context()); w != 0 {
		t.Fatalf("%d waiting", w)
	}
}

func outboxLate(t *testing.T, s Alerting) {
	enqueueAll(t, s, aNotification("", "digest", "ana@example.com"))
	first := take(t, s, day)[0]
	second := take(t, s, day.Add(lease))[0]
	first.State, first.Error = schemas.NotificationFailed, "gave up"
	if err := s.Outbox.Finish(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if n := notification(t, s, first.ID); n.State != schemas.NotificationSending {
		t.Fatalf("the outcome of an attempt that was taken over counted: %+v", n)
	}
	first.State, first.Error = schemas.NotificationSent, ""
	if err := s.Outbox.Finish(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second.State = schemas.NotificationFailed
	if err := s.Outbox.Finish(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if n := notification(t, s, first.ID); n.State != schemas.NotificationSent {
		t.Fatalf("what went out is no longer sent: %+v", n)
	}
}

func outboxUnknown(t *testing.T, s Alerting) {
	if err := s.Outbox.Finish(t.Context(), aNotification("", "digest", "x@x.test")); !errors.Is(err, alerting.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
}

func outboxLog(t *testing.T, s Alerting) {
	for i, id := range []string{"b", "a", "c"} {
		n := aNotification("case-1", "assigned", id+"@x.test")
		n.At = day.Add(time.Duration(i/2) * time.Minute)
		enqueueAll(t, s, n, aNotification("case-2", "assigned", id+"@x.test"))
	}
	got := pages(t, schemas.ListQuery{}, func(q schemas.ListQuery) (schemas.Page[schemas.Notification], error) {
		return s.Outbox.Notifications(t.Context(), "case-1", q)
	})
	var to []string
	for _, n := range got {
		to = append(to, n.Key.Recipient)
	}
	same(t, "recipients", to, []string{"a@x.test", "b@x.test", "c@x.test"})
	p, err := s.Outbox.Notifications(t.Context(), "case-1", schemas.ListQuery{Since: day.Add(time.Minute)})
	if err != nil || len(p.Items) != 1 {
		t.Fatalf("since: %v %v", p.Items, err)
	}
}

func outboxReopen(t *testing.T, s Alerting) {
	if s.Reopen == nil {
		t.Skip("this adapter keeps nothing across processes")
	}
	mine, theirs := aNotification("", "digest", "ana@example.com"), aNotification("c1", "reply", "maria@example.com")
	theirs.ToCustomer = true
	enqueueAll(t, s, mine, theirs)
	if len(take(t, s, day)) != 2 {
		t.Fatal("not taken")
	}
	again := s.Reopen(t)
	if got := take(t, again, day.Add(time.Second)); len(got) != 0 {
		t.Fatal("the lease was forgotten")
	}
	got := take(t, again, day.Add(lease))
	if len(got) != 1 || got[0].MessageID != mine.MessageID {
		t.Fatalf("after the kill: %+v", got)
	}
	if n := notification(t, again, theirs.ID); n.State != schemas.NotificationUncertain {
		t.Fatalf("mail to the customer stands as %s", n.State)
	}
}
