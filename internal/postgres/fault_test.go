package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/schemas"
)

func anEvent(id string) schemas.Event {
	return schemas.Event{ID: id, Source: "desk", Type: schemas.EmailReceived, NativeID: id, OccurredAt: noon, CollectedAt: noon, LocalDate: "2026-03-02", CustomerID: "c", Data: []byte(`{"value_text":"x"}`)}
}

func receiptOf(id string) ingest.Receipt { return ingest.Receipt{ContentHash: "h", Event: anEvent(id)} }

// opening is the change that opens a case named id with its first event.
func opening(id string) alerting.Change {
	c := schemas.Case{ID: id, Key: "key of " + id, State: schemas.StateNew, OpenedAt: noon, UpdatedAt: noon, EventIDs: []string{"event of " + id}}
	return alerting.Change{Case: c, Audit: []schemas.CaseEvent{{At: noon, Actor: "system", Kind: schemas.AuditOpened, EventID: c.EventIDs[0]}},
		Filed:         &schemas.Alert{EventID: c.EventIDs[0], CaseID: &c.ID, RaisedAt: noon, OpenedCase: true},
		Notifications: []schemas.Notification{mailOf(id)}}
}

func mailOf(id string) schemas.Notification {
	return schemas.Notification{ID: "mail of " + id, Key: schemas.NotificationKey{CaseID: id, Kind: schemas.NotifyCritical, Recipient: "boss@firm.example", Channel: "email"},
		MessageID: "<m>", State: schemas.NotificationQueued, At: noon, NotBefore: noon, Body: []byte("b")}
}

// call is something that is asked of the store under an id of its own; then
// rows, given that id, must be one each, whatever was cut in between.
type call struct {
	do    func(ctx context.Context, d *DB, id string) error
	again func(error) bool // what a repeat may answer beside nil
	rows  []string
}

func isConflict(err error) bool {
	var c *alerting.Conflict
	return errors.As(err, &c) || errors.Is(err, alerting.ErrAlreadyFiled)
}

var calls = map[string]call{
	"Reserve": {func(ctx context.Context, d *DB, id string) error {
		out, err := d.Reserve(ctx, []ingest.Receipt{receiptOf(id), receiptOf(id)})
		if err == nil && (out[0].Outcome == ingest.ReceiptConflict || out[1].Outcome != ingest.ReceiptDuplicate || out[1].Stored.ID != id) {
			err = fmt.Errorf("reserved as %+v", out)
		}
		return err
	}, nil, []string{"receipts WHERE event_id = '%s'", "receipts_pending WHERE event_id = '%s'"}},
	"Apply opens a case": {func(ctx context.Context, d *DB, id string) error {
		_, err := d.Cases().Apply(ctx, opening(id))
		return err
	}, isConflict, []string{"cases WHERE id = '%s' AND version = 1", "case_events WHERE case_id = '%s'", "case_alerts WHERE case_id = '%s'", "notifications WHERE case_id = '%s'"}},
	"RecordAlert": {func(ctx context.Context, d *DB, id string) error {
		return d.Cases().RecordAlert(ctx, schemas.Alert{EventID: id, RaisedAt: noon})
	}, nil, []string{"case_alerts WHERE event_id = '%s'"}},
	"Enqueue": {func(ctx context.Context, d *DB, id string) error {
		return d.Outbox().Enqueue(ctx, []schemas.Notification{mailOf(id)})
	}, nil, []string{"notifications WHERE case_id = '%s'"}},
	"Blobs.Put": {func(ctx context.Context, d *DB, id string) error {
		_, err := d.Blobs().Put(ctx, [][]byte{[]byte(id)})
		return err
	}, nil, []string{"blobs WHERE bytes = convert_to('%s', 'UTF8')"}},
	"Quarantine.Put": {func(ctx context.Context, d *DB, id string) error {
		return d.Quarantine().Put(ctx, []schemas.Quarantined{{ID: id, At: noon}})
	}, nil, []string{"quarantine WHERE id = '%s'"}},
	"Cursors.Save": {func(ctx context.Context, d *DB, id string) error { return d.Cursors().Save(ctx, id, "7") }, nil, []string{"cursors WHERE source = '%s'"}},
	"Resolve": {func(ctx context.Context, d *DB, id string) error {
		mail := schemas.Sighting{Customer: schemas.CustomerRef{Email: id + "@home.example"}, At: noon}
		both := mail
		both.Customer.Ref = id
		_, err := d.Resolve(ctx, []schemas.Sighting{mail, both})
		return err
	}, nil, []string{"customers WHERE email = '%s@home.example'", "customer_keys WHERE kind = 'ref' AND value = '%s'", "customer_aliases a JOIN customer_keys k ON k.customer_id = a.canonical AND k.value = '%s'"}},
	"Thread": {func(ctx context.Context, d *DB, id string) error {
		thread, err := d.Thread(ctx, id, []string{"root of " + id})
		if err == nil && thread != "root of "+id {
			err = fmt.Errorf("thread %q", thread)
		}
		return err
	}, nil, []string{"threads WHERE message_id = '%s'"}},
	"Claim": {func(ctx context.Context, d *DB, id string) error {
		state, _, err := d.Claim(ctx, "s", id, ingest.Claim{Holder: id, At: noon, Until: noon.Add(time.Minute)})
		if err == nil && state != ingest.KeyClaimed {
			err = fmt.Errorf("state %d", state)
		}
		return err
	}, nil, []string{"answers WHERE key = '%s' AND status = 0"}},
	"Finish": {func(ctx context.Context, d *DB, id string) error {
		_, err := d.Finish(ctx, "s", id, ingest.Answer{Status: 202, At: noon})
		return err
	}, nil, []string{"answers WHERE key = '%s' AND status = 202"}},
	"Schedule.Done": {func(ctx context.Context, d *DB, id string) error {
		return d.Schedule().Done(ctx, "digest", id, noon)
	}, nil, []string{"clock_jobs WHERE key = '%s'"}},
	"CreateUser": {func(ctx context.Context, d *DB, id string) error {
		return d.Users().CreateUser(ctx, auth.User{Email: id})
	}, func(err error) bool { return errors.Is(err, auth.ErrExists) }, []string{"users WHERE email = '%s'"}},
	"CreateToken": {func(ctx context.Context, d *DB, id string) error {
		return d.Tokens().CreateToken(ctx, auth.Token{Name: id, Hash: id})
	}, func(err error) bool { return errors.Is(err, auth.ErrExists) }, []string{"tokens WHERE name = '%s'"}},
}

// TestFault_37_AnswerLost: every request of every writing call in turn is cut,
// before the server has seen it and after it has done it. The call then says
// ErrUnavailable, or has got through by itself; repeated, it changes nothing
// more, and nothing is doubled or left half.
func TestFault_37_AnswerLost(t *testing.T) {
	d := open(t)
	p, via := through(t, d.cfg.URL)
	one, err := Open(t.Context(), Config{URL: via, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.Close() })
	n, failed := 0, 0
	for name, c := range calls {
		for _, how := range []cut{loseRequest, loseAnswer} {
			for at := 1; ; at++ {
				n++
				warm, id := fmt.Sprint("warm", n), fmt.Sprint("id", n)
				if err := c.do(t.Context(), one, warm); err != nil { // the connection knows the statements
					t.Fatal(name, err)
				}
				p.cutAt(at, how)
				err := c.do(t.Context(), one, id)
				if !p.wasCut() {
					if at == 1 || err != nil {
						t.Fatalf("%s: never cut, %v", name, err)
					}
					break
				}
				if err != nil {
					failed++
					if !errors.Is(err, ingest.ErrUnavailable) {
						t.Errorf("%s, request %d cut: %v, want ErrUnavailable", name, at, err)
					}
				}
				if err := c.do(t.Context(), one, id); err != nil && (c.again == nil || !c.again(err)) {
					t.Errorf("%s again after request %d was cut: %v", name, at, err)
				}
				oneEach(t, d, c.rows, id)
			}
		}
	}
	t.Logf("%d cuts, %d of them seen by the caller", n-2*len(calls), failed)
	if failed < 2*len(calls) {
		t.Errorf("only %d calls failed", failed)
	}
}

func oneEach(t *testing.T, d *DB, rows []string, id string) {
	t.Helper()
	for _, r := range rows {
		if got := count(t, d, fmt.Sprintf(r, id)); got != 1 {
			t.Errorf("%d rows of %s, want 1", got, fmt.Sprintf(r, id))
		}
	}
}

// TestServerFallsSilent: a server that answers nothing, and hangs up on nobody,
// costs a caller without a deadline a limited time.
func TestServerFallsSilent(t *testing.T) {
	p, via := through(t, open(t).cfg.URL)
	one := openURL(t, via)
	for _, name := range []string{"Reserve", "Apply opens a case", "Resolve"} {
		c := calls[name]
		one.limit = callLimit
		if err := c.do(context.Background(), one, "warm "+name); err != nil {
			t.Fatal(name, err)
		}
		p.cutAt(1, hang)
		one.limit = 300 * time.Millisecond
		if err := c.do(context.Background(), one, "id "+name); !errors.Is(err, ingest.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		if !p.wasCut() {
			t.Errorf("%s: not cut", name)
		}
		one.limit = callLimit
		if err := c.do(context.Background(), one, "id "+name); err != nil {
			t.Errorf("%s when it speaks again: %v", name, err)
		}
	}
}

// TestDeskAfterALostAnswer: what the stage above makes of it. The worker files
// the notice again and finds it filed; a person who claims again is told that
// the case has changed, by nobody else than themselves, and holds it.
func TestDeskAfterALostAnswer(t *testing.T) {
	d := open(t)
	p, via := through(t, d.cfg.URL)
	one, err := Open(t.Context(), Config{URL: via, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.Close() })
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	b := businessOver(worldOf(one), &now)
	cuts := 0
	for at := 1; at < 40; at++ {
		key := fmt.Sprint("customer ", at)
		n := notice(schemas.NoticeRed, fmt.Sprint("e", at), key, schemas.SeverityCritical, now)
		if err := b.publish(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		p.cutAt(at, loseAnswer)
		err := b.drain(t.Context())
		hit := p.wasCut()
		if err != nil && !hit {
			t.Fatal(err)
		}
		if err := b.drain(t.Context()); err != nil {
			t.Fatal("the second time:", err)
		}
		found, err := one.Cases().ByKeys(t.Context(), []string{key})
		if err != nil || len(found) != 1 || len(found[0].EventIDs) != 1 || found[0].Version != 1 {
			t.Fatalf("request %d cut: %+v, %v", at, found, err)
		}
		hitClaim, failed := claimCut(t, b, p, at, found[0].ID)
		if failed {
			cuts++
		}
		if !hit && !hitClaim {
			break
		}
	}
	if cuts == 0 {
		t.Error("no claim failed; the test proves nothing")
	}
}

// claimCut lets Ana claim a case while a request is cut, and claim again when
// that failed; the case is hers then. It tells whether any was cut, and whether
// she had to.
func claimCut(t *testing.T, b *business, p *proxy, at int, id string) (hit, failed bool) {
	t.Helper()
	ana := schemas.Actor{Email: "ana@firm.example", Role: schemas.RoleStaff}
	p.cutAt(at, loseAnswer)
	c, err := b.desk.Claim(t.Context(), ana, id, 1)
	hit, failed = p.wasCut(), err != nil
	if failed {
		c, err = b.desk.Claim(t.Context(), ana, id, 1)
		var conflict *alerting.Conflict
		if errors.As(err, &conflict) && conflict.By == ana.Email {
			c, err = b.cases.Case(t.Context(), id)
		}
	}
	if err != nil || c.Assignee != ana.Email || c.Version != 2 {
		t.Fatalf("request %d of a claim cut: %+v, %v", at, c, err)
	}
	return hit, failed
}
