package alerting

import (
	"context"
	"errors"
	"testing"
	"time"

	"redalert/schemas"
)

type scripted struct {
	retry bool
	err   error
	sent  []string
}

func (s *scripted) Send(_ context.Context, _, to string, _ []byte) (bool, error) {
	s.sent = append(s.sent, to)
	return s.retry, s.err
}

func queued(f *fakeStore, customer bool, attempts int, at time.Time) schemas.NotificationKey {
	k := schemas.NotificationKey{CaseID: "c", Episode: 1, Kind: schemas.NotifyReply, Recipient: "a@b.example", Channel: schemas.ChannelEmail}
	body := []byte("Date: " + at.Format(time.RFC1123Z) + "\r\nSubject: x\r\n\r\nhello")
	f.notes[k] = schemas.Notification{ID: "n", Key: k, ToCustomer: customer, State: schemas.NotificationQueued, Attempts: attempts, Body: body}
	return k
}

func TestOutcomesOfAnAttempt(t *testing.T) {
	refused, broken := errors.New("550 no such user"), &Uncertain{errors.New("connection reset")}
	for name, c := range map[string]struct {
		customer bool
		attempts int // before this one
		age      time.Duration
		retry    bool
		err      error
		want     schemas.NotificationState
	}{
		"sent":                               {false, 0, 0, false, nil, schemas.NotificationSent},
		"staff, may pass":                    {false, 0, 0, true, errors.New("421 busy"), schemas.NotificationQueued},
		"staff, refused":                     {false, 0, 0, false, refused, schemas.NotificationFailed},
		"staff, uncertain":                   {false, 0, 0, true, broken, schemas.NotificationQueued},
		"customer, may pass before content":  {true, 0, 0, true, errors.New("421 busy"), schemas.NotificationQueued},
		"customer, refused":                  {true, 0, 0, false, refused, schemas.NotificationFailed},
		"customer, uncertain":                {true, 0, 0, true, broken, schemas.NotificationUncertain},
		"given up after a day":               {false, 6, 25 * time.Hour, true, errors.New("421 busy"), schemas.NotificationFailed},
		"an outage of ours uses no tries up": {false, 1, 48 * time.Hour, true, errors.New("421 busy"), schemas.NotificationQueued},
		"given up after many tries":          {false, 29, time.Hour, true, errors.New("421 busy"), schemas.NotificationFailed},
	} {
		f := newFake()
		k := queued(f, c.customer, c.attempts, monday.Add(-c.age))
		s := NewSender(SenderConfig{Outbox: f, Transport: &scripted{retry: c.retry, err: c.err}, Now: func() time.Time { return monday }})
		if n, err := s.Step(bg); n != 1 || err != nil {
			t.Fatalf("%s: Step = %d, %v", name, n, err)
		}
		got := f.notes[k]
		if got.State != c.want || (c.err != nil) != (got.Error != "") {
			t.Errorf("%s: state %s (%q), want %s", name, got.State, got.Error, c.want)
		}
		if got.State == schemas.NotificationQueued && !got.NotBefore.Equal(monday.Add(Backoff(got.Attempts))) {
			t.Errorf("%s: next attempt at %v", name, got.NotBefore)
		}
	}
}

func TestBackoffGrowsToAnHour(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 30 * time.Second, 1: 30 * time.Second, 2: time.Minute, 5: 8 * time.Minute, 8: time.Hour, 100: time.Hour} {
		if got := Backoff(n); got != want {
			t.Errorf("Backoff(%d) = %v, want %v", n, got, want)
		}
	}
	var sum time.Duration
	for n := 1; n < maxAttempts; n++ {
		sum += Backoff(n)
	}
	if sum < 20*time.Hour || sum > 28*time.Hour {
		t.Errorf("tries go on for %v, want about a day", sum)
	}
}

func TestSenderStopsAndWaits(t *testing.T) {
	f := newFake()
	k := queued(f, true, 0, monday)
	tr := &scripted{}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	s := NewSender(SenderConfig{Outbox: f, Transport: tr, Now: func() time.Time { return monday }})
	if _, err := s.Step(ctx); err != nil || len(tr.sent) != 0 || f.notes[k].State != schemas.NotificationQueued {
		t.Fatalf("while stopping: sent %v, state %s, %v", tr.sent, f.notes[k].State, err)
	}
	if err := s.Drain(bg); err != nil || len(tr.sent) != 1 {
		t.Fatalf("Drain: %v, sent %v", err, tr.sent)
	}
	if n, err := NewSender(SenderConfig{Outbox: f}).Step(bg); n != 0 || err != nil {
		t.Errorf("without a transport: %d, %v", n, err)
	}
	ctx, cancel = context.WithCancel(bg)
	queued(f, false, 0, monday)
	s = NewSender(SenderConfig{Outbox: f, Transport: tr, From: "Firm <care@firm.example>", Now: func() time.Time { return monday },
		Wait: func(context.Context, time.Duration) error { cancel(); return ctx.Err() }})
	if err := s.Run(ctx); err != nil || len(tr.sent) != 2 || s.cfg.From != "care@firm.example" {
		t.Errorf("Run: %v, sent %v", err, tr.sent)
	}
}

func TestIDsFollowFromTheKeyAlone(t *testing.T) {
	k := schemas.NotificationKey{CaseID: "c", Episode: 1, Kind: schemas.NotifyCritical, Recipient: "mo@firm.example", Channel: "email"}
	if a, b := NotificationID(k), NotificationID(k); a != b {
		t.Errorf("%s and %s", a, b)
	}
	other := k
	other.Episode = 2
	if NotificationID(k) == NotificationID(other) || MessageID(k, "x") == MessageID(other, "x") {
		t.Error("two keys share an id")
	}
	for _, c := range []struct{ from, url, want string }{
		{"Firm <care@Firm.example>", "https://a.example", "firm.example"}, {"", "https://a.example:8080/x", "a.example"}, {"", "", "localhost"}, {"junk", "http://[::1]:80", "localhost"},
	} {
		if got := mailDomain(c.from, c.url); got != c.want {
			t.Errorf("mailDomain(%q, %q) = %q, want %q", c.from, c.url, got, c.want)
		}
	}
}

// TestSenderIsWoken: what was filed is sent at once, not after the pause; the
// pause alone suffices when nobody wakes.
func TestSenderIsWoken(t *testing.T) {
	f, wake, pauses := newFake(), make(chan struct{}, 1), make(chan time.Duration, 8)
	tick, sent := make(chan struct{}), make(chan string, 8)
	s := NewSender(SenderConfig{Outbox: f, Transport: telling(sent), Wake: wake, Now: func() time.Time { return monday },
		Wait: func(ctx context.Context, d time.Duration) error {
			pauses <- d
			select {
			case <-tick:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
	ctx, stop := context.WithCancel(bg)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for _, again := range []func(){func() { wake <- struct{}{} }, func() { tick <- struct{}{} }} {
		if d := <-pauses; d != time.Second {
			t.Errorf("pause of %v", d)
		}
		queued(f, false, 0, monday)
		again()
		if to := <-sent; to != "a@b.example" {
			t.Errorf("sent to %s", to)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type telling chan string

func (c telling) Send(_ context.Context, _, to string, _ []byte) (bool, error) {
	c <- to
	return false, nil
}
