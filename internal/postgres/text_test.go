package postgres

import (
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/schemas"
)

// TestEscape: any bytes come back, stored as text that PostgreSQL takes, and
// in the same order.
func TestEscape(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"\x00", "\x01", "\x02", "a", "ü", "\u0080", "\xff", "\xc3", "\U0001F600", ""})).Draw(t, "parts"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		for _, s := range []string{a, b} {
			e := escape(s)
			if !utf8.ValidString(e) || strings.ContainsRune(e, 0) || restore(e) != s {
				t.Fatalf("%q is stored as %q and comes back as %q", s, e, restore(e))
			}
		}
		if utf8.ValidString(a) && utf8.ValidString(b) && cmp.Compare(a, b) != cmp.Compare(escape(a), escape(b)) {
			t.Fatalf("%q and %q are in another order when stored", a, b)
		}
	})
	if s := "Grüße, \x02 and 😀"; escape(s) != s {
		t.Errorf("ordinary text is stored as %q", escape(s))
	}
}

func TestLongTextsAreIndexed(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	a, b := indexed(long+"a"), indexed(long+"b")
	if a == b || len(a) > maxIndexed || !utf8.ValidString(a) || indexed("short") != "short" {
		t.Errorf("%q, %q", a, b)
	}
}

// awkward is what SQLite and Go keep and PostgreSQL's text does not, in n
// variants; long ones do not fit an index either.
func awkward(n int) string {
	return "x\x00y\x01z\xff " + string(rune('a'+n)) + pseudoRandom(4000)
}

// pseudoRandom is text that does not compress, as an index would.
func pseudoRandom(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%26
	}
	return string(b)
}

func checkSame(t *testing.T, what string, err error, got, want any) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if d := gocmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%.500s", what, d)
	}
}

// TestAwkwardTextAtTheDoors: U+0000, broken UTF-8 and texts too long for an
// index go through every port of the doors.
func TestAwkwardTextAtTheDoors(t *testing.T) {
	d, ctx, now := open(t), t.Context(), time.UnixMilli(1e12).UTC()
	text := awkward(0)
	err := d.Cursors().Save(ctx, text, text)
	checkSame(t, "save cursor", err, 0, 0)
	cursor, err := d.Cursors().Load(ctx, text)
	checkSame(t, "cursor", err, cursor, text)

	e := schemas.Event{ID: "e\x00", Source: "desk\x00", NativeID: "n\x00", Type: schemas.EmailReceived, OccurredAt: now, CollectedAt: now, Data: json.RawMessage(`{"value_text":"\u0000"}`)}
	for range 2 {
		_, err = d.Reserve(ctx, []ingest.Receipt{{ContentHash: "h", Event: e}})
		checkSame(t, "reserve", err, 0, 0)
	}
	pending, err := d.Pending(ctx, 9)
	checkSame(t, "pending", err, pending, []schemas.Event{e})

	item := schemas.Quarantined{ID: "q", Source: text, Code: text, Reason: text, Locator: text, At: now, RawSHA256: "ab", State: schemas.QuarantineOpen, Replay: text}
	checkSame(t, "quarantine", d.Quarantine().Put(ctx, []schemas.Quarantined{item}), 0, 0)
	got, err := d.Quarantine().Get(ctx, "q")
	checkSame(t, "quarantined", err, got, item)

	thread, err := d.Thread(ctx, awkward(1), []string{text})
	checkSame(t, "thread", err, thread, text)
	thread, err = d.Thread(ctx, awkward(2), []string{awkward(1)})
	checkSame(t, "thread of an answer", err, thread, text)

	answer := ingest.Answer{BodySHA256: "s", Status: 202, Response: []byte{0, 1, 0xff}, At: now}
	found, err := d.Finish(ctx, text, text, answer)
	checkSame(t, "finish", err, found, answer)
	_, found, err = d.Claim(ctx, text, text, ingest.Claim{BodySHA256: "s", Holder: "h", At: now})
	checkSame(t, "answer", err, found, answer)

	short := "x\x00y\x01z\xff"
	status := schemas.CollectorStatus{Name: short, Kind: text, LastError: text, LastErrorAt: &now}
	checkSame(t, "report", d.Report(ctx, status), 0, 0)
	statuses, err := d.Collectors(ctx)
	checkSame(t, "collectors", err, statuses, []schemas.CollectorStatus{status})

	ref := schemas.CustomerRef{Ref: short, Email: short + "@example.com", Phone: "555 1234" + short, Name: text}
	ids, err := d.Resolve(ctx, []schemas.Sighting{{Customer: ref, Location: text, At: now}})
	checkSame(t, "resolve", err, len(ids), 1)
	c, err := d.Customer(ctx, ids[0])
	checkSame(t, "customer", err, c, schemas.Customer{ID: ids[0], Refs: []string{short}, Name: text, Email: ref.Email, Phone: ref.Phone, Location: text})
	page, err := d.Customers(ctx, schemas.ListQuery{Locations: []string{text}})
	checkSame(t, "customers of a location", err, len(page.Items), 1)
}

// TestAwkwardTextInCases: and through those of alerting and auth.
func TestAwkwardTextInCases(t *testing.T) {
	d, ctx, now := open(t), t.Context(), time.UnixMilli(1e12).UTC()
	text, short := awkward(0), "x\x00y\x01z\xff"
	c := schemas.Case{ID: "c1", Key: "thread:" + text, State: schemas.StateNew, Location: text, Excerpt: "told \x00you", OpenedAt: now, UpdatedAt: now, EventIDs: []string{"e1"}}
	valid := strings.ToValidUTF8(c.Key, "\ufffd") // JSON keeps no broken UTF-8, in no store
	n := schemas.Notification{ID: "n1", Key: schemas.NotificationKey{CaseID: "c1", Kind: "reply", Recipient: short, Channel: "email", Cause: short}, MessageID: text,
		State: schemas.NotificationQueued, At: now, NotBefore: now, Error: text, Body: []byte{0, 0xff}}
	ch := alerting.Change{Case: c, Audit: []schemas.CaseEvent{{At: now, Actor: "system", Kind: schemas.AuditOpened, Reason: "\x00", EventID: "e1"}},
		Notifications: []schemas.Notification{n}, Filed: &schemas.Alert{EventID: "e1", CaseID: &c.ID, RaisedAt: now}, OrderRef: short}
	_, err := d.Cases().Apply(ctx, ch)
	checkSame(t, "apply", err, 0, 0)
	found, err := d.Cases().ByKeys(ctx, []string{c.Key})
	checkSame(t, "by key", err, len(found), 1)
	if len(found) == 1 {
		checkSame(t, "case", nil, []string{found[0].Key, found[0].Excerpt}, []string{valid, c.Excerpt})
	}
	taken, err := d.Outbox().Take(ctx, now, time.Minute, 9)
	n.State, n.Attempts = schemas.NotificationSending, 1
	checkSame(t, "taken", err, taken, []schemas.Notification{n})
	for _, search := range []string{"\x00you", "told", short} {
		q, err := d.Lists().Queue(ctx, alerting.QueueQuery{Search: search, Location: text, Now: now})
		checkSame(t, "search", err, q.Total, 1)
	}
	audit, err := d.Cases().Audit(ctx, "c1")
	checkSame(t, "audit", err, audit[0].Reason, "\x00")
	awkwardAuth(t, d, text, short, now)
	checkSame(t, "begin job", second(d.Schedule().Begin(ctx, short, short, now, time.Minute)), 0, 0)
	checkSame(t, "job done", d.Schedule().Done(ctx, short, short, now), 0, 0)
	last, err := d.Schedule().LastDone(ctx, short)
	checkSame(t, "last done", err, last, short)
	v := schemas.DefaultSettings()
	v.Locations = []schemas.Location{{Name: "\x00"}}
	checkSame(t, "save settings", d.Settings().Save(ctx, v), 0, 0)
	settings, err := d.Settings().Load(ctx)
	checkSame(t, "settings", err, settings, v)
}

func awkwardAuth(t *testing.T, d *DB, text, short string, now time.Time) {
	t.Helper()
	ctx := t.Context()
	u := auth.User{Email: short, Name: text, Role: schemas.RoleStaff, Locations: []string{text, short}, Timezone: short, PasswordHash: text, CreatedAt: now}
	checkSame(t, "create user", d.Users().CreateUser(ctx, u), 0, 0)
	user, err := d.Users().User(ctx, short)
	checkSame(t, "user", err, user, u)
	s := auth.Session{Hash: short, Email: text[:500], Purpose: text, CreatedAt: now, ExpiresAt: now}
	checkSame(t, "create session", d.Sessions().CreateSession(ctx, s), 0, 0)
	session, err := d.Sessions().TakeSession(ctx, short)
	checkSame(t, "session", err, session, s)
	tok := auth.Token{Name: short, Hash: short, Scope: auth.ScopeRead, Source: text, CreatedAt: now}
	checkSame(t, "create token", d.Tokens().CreateToken(ctx, tok), 0, 0)
	token, err := d.Tokens().Token(ctx, short)
	checkSame(t, "token", err, token, tok)
}

func second[T any](_ T, err error) error { return err }
