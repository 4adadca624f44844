package move_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/internal/move"
	"redalert/internal/postgres"
	"redalert/internal/servertest"
	"redalert/internal/sqlite"
	"redalert/schemas"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 123e6, time.UTC)

// nasty are texts that the two dialects keep in different ways.
var nasty = []string{"plain", "with \x00 zero and \x01 mark", "no utf-8: \xff\xfe", "Grüße 🐙", "quote ' and \"", strings.Repeat("ä", 700)}

func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	d, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func side(name string, st move.State, h move.History) move.Side {
	return move.Side{Name: name, What: "the " + name, Where: "at " + name, State: st, History: h,
		Waiting: func(context.Context) (int64, error) { return 0, nil }}
}

func fileSide(d *sqlite.DB) move.Side { return side("file", d.Moving(), d.Moving()) }

// fill writes something onto every shelf, through the ports.
func fill(t *testing.T, d *sqlite.DB, n int) {
	t.Helper()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	revoked := start.Add(time.Hour)
	settings, err := d.Settings().Load(ctx)
	ok(err)
	settings.Locations = []schemas.Location{{Name: "Köln"}}
	ok(d.Settings().Save(ctx, settings))
	ok(d.SaveFit(ctx, "churn_risk", []byte(`{"used":false}`), start))
	for i, s := range nasty {
		id := fmt.Sprint(i)
		ok(d.Users().CreateUser(ctx, auth.User{Email: id + "@shop.example", Name: s, Role: schemas.RoleStaff, Locations: nasty[:i], PasswordHash: "$argon2id$" + id, CreatedAt: start}))
		ok(d.Tokens().CreateToken(ctx, auth.Token{Name: s, Hash: "t" + id, Scope: auth.ScopeRead, CreatedAt: start, RevokedAt: &revoked}))
		ok(d.Sessions().CreateSession(ctx, auth.Session{Hash: "s" + id, Email: id + "@shop.example", Purpose: s, CreatedAt: start, ExpiresAt: revoked}))
		ok(d.Cursors().Save(ctx, "source "+id, s))
		_, err = d.Finish(ctx, s, id, ingest.Answer{BodySHA256: "x", Status: 202, Response: []byte(s), At: start})
		ok(err)
		_, _, err = d.Claim(ctx, s, "unfinished "+id, ingest.Claim{BodySHA256: "x", Holder: id, At: start, Until: start.Add(time.Minute)})
		ok(err)
		ok(d.Report(ctx, schemas.CollectorStatus{Name: s, Kind: "imap", LastError: s, Accepted: int64(i)}))
		ok(d.Quarantine().Put(ctx, []schemas.Quarantined{{ID: id, Source: s, Code: schemas.QUnreadable, Reason: s, Locator: s, At: start, State: schemas.QuarantineOpen}}))
		ok(d.Lessons().Mark(ctx, schemas.Mark{EventID: "e-" + id + s, Red: i%2 == 0, Cause: schemas.MarkSaid, By: s, At: start}))
		layer, err := d.Lessons().AddLayer(ctx, schemas.Layer{Base: s, At: start, By: s, Bias: 0.25, Slope: 1, Sources: map[string]float64{id: -1}})
		ok(err)
		ok(d.Lessons().UseLayer(ctx, schemas.LayerUse{Number: layer.Number, By: s, At: start}))
		_, err = d.Schedule().Begin(ctx, "digest", s, start, time.Minute)
		ok(err)
		_, err = d.Thread(ctx, "<"+id+s+">", []string{"<root" + id + ">"})
		ok(err)
		ok(d.Outbox().Enqueue(ctx, []schemas.Notification{{ID: "n" + id, Key: schemas.NotificationKey{Kind: schemas.NotifyDigest, Cause: s, Recipient: id, Channel: schemas.ChannelEmail}, State: schemas.NotificationQueued, At: start, NotBefore: start, Body: []byte(s)}}))
	}
	_, err = d.Outbox().Take(ctx, start.Add(time.Minute), time.Minute, 2) // two with a lease
	ok(err)
	ok(d.Schedule().Done(ctx, "digest", nasty[0], start))
	_, err = d.Blobs().Put(ctx, [][]byte{{}, {0, 1, 255}, []byte(nasty[3])})
	ok(err)
	for i := range n {
		fillEvent(t, d, i)
	}
	events, err := d.Pending(ctx, 0)
	ok(err)
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	ok(d.MarkPublished(ctx, ids))
}

func fillEvent(t *testing.T, d *sqlite.DB, i int) {
	t.Helper()
	ctx := t.Context()
	at := start.Add(time.Duration(i) * time.Minute)
	who := schemas.CustomerRef{Email: fmt.Sprintf("c%d@mail.example", i%10), Name: "N " + nasty[i%len(nasty)]}
	if i%3 == 0 {
		who.Ref = fmt.Sprintf("C%d", i%10) // known by e-mail before: an alias
	}
	ids, err := d.Resolve(ctx, []schemas.Sighting{{Customer: who, At: at}})
	if err != nil {
		t.Fatal(err)
	}
	ref := fmt.Sprintf("o-%05d", i)
	data, _ := json.Marshal(map[string]any{"order_ref": ref, "total": map[string]any{"amount": 1000 + i, "currency": "EUR"}, "occurred_at": at})
	e := schemas.Event{ID: fmt.Sprintf("e-%05d", i), Source: "shop", Type: schemas.OrderPlaced, NativeID: ref, CustomerID: ids[0], OccurredAt: at, CollectedAt: at, LocalDate: at.Format(time.DateOnly), Data: data}
	if _, err := d.Reserve(ctx, []ingest.Receipt{{ContentHash: "h", Event: e}}); err != nil {
		t.Fatal(err)
	}
	v := schemas.Verdict{EventID: e.ID, Level: schemas.LevelNone, ModelVersion: "m", ScoredAt: at, Reasons: []schemas.Reason{}, Categories: []schemas.Category{}}
	if _, err := d.Store(ctx, []schemas.Scored{{Event: e, Verdict: v}}); err != nil {
		t.Fatal(err)
	}
	if i%10 != 0 {
		return
	}
	c := schemas.Case{ID: "case-" + ref, Key: "k" + ref, CustomerID: ids[0], State: schemas.StateNew, Priority: schemas.PriorityHigh, OpenedAt: at, Excerpt: nasty[i/10%len(nasty)]}
	if _, err := d.Cases().Apply(ctx, alerting.Change{Case: c, Audit: []schemas.CaseEvent{{At: at, Actor: "system", Kind: "opened", EventID: e.ID}}, Filed: &schemas.Alert{EventID: e.ID, CaseID: &c.ID, RaisedAt: at, OpenedCase: true}, OrderRef: ref}); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, from, to move.Side) move.Report {
	t.Helper()
	r, err := move.Run(t.Context(), from, to, move.Options{Now: time.Now})
	if err != nil {
		for _, l := range r.Shelves {
			if !l.Equal {
				t.Errorf("differs: %+v", l)
			}
		}
		sameState(t, from.State, to.State)
		t.Fatal(err)
	}
	for _, l := range r.Shelves {
		if !l.Equal {
			t.Errorf("%s differs", l.Name)
		}
	}
	return r
}

// sameState compares every row of both sides by hand, not by checksum.
func sameState(t *testing.T, a, b move.State) {
	t.Helper()
	for _, s := range move.Shelves() {
		x, y := dump(t, a, s), dump(t, b, s)
		if len(x) != len(y) {
			t.Errorf("%s: %d rows and %d", s.Name, len(x), len(y))
			continue
		}
		if len(x) == 0 {
			t.Errorf("%s is empty: nothing is proved about it", s.Name)
		}
		for k, v := range x {
			if y[k] != v {
				t.Errorf("%s: %s\nhas become %s", s.Name, v, y[k])
			}
		}
	}
}

func dump(t *testing.T, st move.State, s move.Shelf) map[string]string {
	t.Helper()
	out := map[string]string{}
	for after := move.Row(nil); ; {
		rows, err := st.Rows(t.Context(), s, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return out
		}
		after = slices.Clone(rows[len(rows)-1][:s.Keys])
		for _, r := range rows {
			for i, c := range s.Columns {
				if v, ok := r[i].(string); ok && c.Kind == move.Cut {
					r[i] = move.Short(v)
				}
			}
			out[fmt.Sprintf("%q", r[:s.Keys])] = fmt.Sprintf("%#v", r)
		}
	}
}

// apart is history whose aliases are in PostgreSQL, as they are for ClickHouse.
type apart struct {
	move.History
	pg *postgres.DB
}

func (a apart) Orders(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.OrderRecord], error) {
	p, err := a.History.Orders(ctx, q)
	for i := range p.Items {
		if err == nil {
			p.Items[i].CustomerID, err = a.pg.Canonical(ctx, p.Items[i].CustomerID)
		}
	}
	return p, err
}

// TestThereAndBack: file → PostgreSQL (with history in a second file, which
// serves the same port) → a new file. Everything is as it was.
func TestThereAndBack(t *testing.T) {
	s := servertest.Postgres(t)
	url := s.Database(t, s.Template(t, "moved", func(url string) error {
		_, err := postgres.Migrate(context.Background(), postgres.Config{URL: url})
		return err
	}))
	pg, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close()
	dir := t.TempDir()
	a, h, b := open(t, filepath.Join(dir, "a.db")), open(t, filepath.Join(dir, "h.db")), open(t, filepath.Join(dir, "b.db"))
	fill(t, a, 300)
	servers := side("servers", pg.Moving(), apart{h.Moving(), pg})
	if r := run(t, fileSide(a), servers); r.Copied == 0 || r.Already {
		t.Errorf("%+v", r)
	}
	sameState(t, a.Moving(), pg.Moving())
	token := auth.Token{Name: "late", Hash: "late", Scope: auth.ScopeRead, CreatedAt: start}
	if err := a.Tokens().CreateToken(t.Context(), token); err == nil {
		t.Error("the file that was moved takes writes")
	}
	if err := pg.Tokens().CreateToken(t.Context(), token); err != nil {
		t.Errorf("the servers refuse writes: %v", err)
	}
	if r := run(t, fileSide(a), servers); !r.Already {
		t.Errorf("a second time: %+v", r)
	}
	if _, err := pg.Resolve(t.Context(), []schemas.Sighting{{Customer: schemas.CustomerRef{Email: "new@mail.example"}, At: start}, {Customer: schemas.CustomerRef{Email: "new@mail.example", Ref: "NEW"}, At: start}}); err != nil {
		t.Fatal(err)
	}
	run(t, servers, fileSide(b))
	sameState(t, pg.Moving(), b.Moving())
	if err := pg.Tokens().CreateToken(t.Context(), auth.Token{Name: "later", Hash: "later", Scope: auth.ScopeRead}); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("the servers that were moved: %v, want ErrUnavailable", err)
	}
	opened, err := b.Cases().Apply(t.Context(), alerting.Change{Case: schemas.Case{ID: "next", Key: "next", State: schemas.StateNew, Priority: schemas.PriorityLow, OpenedAt: start}})
	if err != nil || opened[0].Number != 31 {
		t.Errorf("the next case has number %d, %v", opened[0].Number, err)
	}
	run(t, fileSide(b), servers) // and there once more, over what was left
	sameState(t, b.Moving(), pg.Moving())
}

// failing breaks off after so many Puts or Stores.
type failing struct {
	move.State
	move.History
	left int
}

var errCut = errors.New("cut off")

func (f *failing) cut() error {
	if f.left--; f.left < 0 {
		return errCut
	}
	return nil
}

func (f *failing) Put(ctx context.Context, s move.Shelf, rows []move.Row) error {
	return errors.Join(f.cut(), f.State.Put(ctx, s, rows))
}

func (f *failing) SetMark(ctx context.Context, m move.Mark) error {
	if err := f.cut(); err != nil {
		return err
	}
	return f.State.SetMark(ctx, m)
}

func (f *failing) Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error) {
	if err := f.cut(); err != nil {
		return nil, err
	}
	return f.History.Store(ctx, scored)
}

// TestCutOffAnywhere: a move that fails after any number of steps is finished by
// the next ones, also when the source was written to in between.
func TestCutOffAnywhere(t *testing.T) {
	dir := t.TempDir()
	a := open(t, filepath.Join(dir, "a.db"))
	fill(t, a, 40)
	b := open(t, filepath.Join(dir, "b.db"))
	dice := rand.New(rand.NewPCG(7, 7))
	for n := 0; ; n++ {
		f := &failing{State: b.Moving(), History: b.Moving(), left: n}
		target := side("servers", f, f)
		_, err := move.Run(t.Context(), fileSide(a), target, move.Options{Now: time.Now})
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		writable := 0
		for i, d := range []*sqlite.DB{a, b} {
			if d.Cursors().Save(t.Context(), fmt.Sprintf("step %d side %d", n, i), "x") == nil {
				writable++
				if i == 1 {
					t.Fatalf("step %d: the target takes writes", n)
				}
			}
		}
		if m, _ := a.Moving().Mark(t.Context()); writable == 0 && m.Condition != move.Moved {
			t.Errorf("step %d: nobody takes writes, and the source is %q", n, m.Condition)
		}
		if dice.IntN(2) == 0 && writable > 0 {
			fillEvent(t, a, 1000+n)
			if err := a.MarkPublished(t.Context(), []string{fmt.Sprintf("e-%05d", 1000+n)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	sameState(t, a.Moving(), b.Moving())
	if err := b.Cursors().Save(t.Context(), "after", "x"); err != nil {
		t.Errorf("the target refuses writes afterwards: %v", err)
	}
}

// TestRefuses: a target with data of its own, or of another move, is left alone.
func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	a, b, c := open(t, filepath.Join(dir, "a.db")), open(t, filepath.Join(dir, "b.db")), open(t, filepath.Join(dir, "c.db"))
	fill(t, a, 5)
	fill(t, c, 5)
	if _, err := move.Run(t.Context(), fileSide(a), fileSide(c), move.Options{Now: time.Now}); !errors.As(err, new(*move.NotEmptyError)) {
		t.Errorf("a full target: %v", err)
	}
	if err := c.Cursors().Save(t.Context(), "still", "x"); err != nil {
		t.Errorf("the target that was refused takes no writes: %v", err)
	}
	f := &failing{State: b.Moving(), History: b.Moving(), left: 3}
	if _, err := move.Run(t.Context(), fileSide(a), side("servers", f, f), move.Options{Now: time.Now}); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if _, err := move.Run(t.Context(), fileSide(c), fileSide(b), move.Options{Now: time.Now}); err == nil || !strings.Contains(err.Error(), "another move") {
		t.Errorf("a target of another move: %v", err)
	}
	if _, err := move.Run(t.Context(), fileSide(b), fileSide(c), move.Options{Now: time.Now}); !errors.Is(err, move.ErrNotLive) {
		t.Errorf("a source that is being filled: %v", err)
	}
	busy := fileSide(a)
	busy.Waiting = func(context.Context) (int64, error) { return 3, nil }
	if _, err := move.Run(t.Context(), busy, fileSide(b), move.Options{Now: time.Now}); !errors.Is(err, move.ErrBusy) {
		t.Errorf("a log that is not worked off: %v", err)
	}
}

// TestOthersWaitWhileFrozen: another process's writes fail while a file is read,
// and after it was marked; one that opened it before is no exception.
func TestOthersWaitWhileFrozen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	a, other := open(t, path), open(t, path)
	err := a.Moving().Freeze(t.Context(), func(ctx context.Context) (move.Mark, error) {
		_, err := other.Read().ExecContext(ctx, "SELECT 1") // reading goes on
		return move.Mark{ID: "m", Condition: move.Moved, At: start}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Cursors().Save(t.Context(), "s", "x"); err == nil || !strings.Contains(err.Error(), "moved") {
		t.Errorf("a process that had the file open: %v", err)
	}
	if err := a.Moving().SetMark(t.Context(), move.Mark{ID: "m", Condition: move.Live}); err != nil {
		t.Fatal(err)
	}
	if err := other.Cursors().Save(t.Context(), "s", "x"); err != nil {
		t.Errorf("live again: %v", err)
	}
}
