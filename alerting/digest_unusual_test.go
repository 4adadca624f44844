package alerting

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
)

// notices is a history in which some groups are unusual.
type notices struct {
	all   []schemas.Unusual
	err   error
	asked [][]string
}

func (n *notices) Unusual(_ context.Context, locations []string, _ time.Time) ([]schemas.Unusual, error) {
	n.asked = append(n.asked, locations)
	return n.all, n.err
}

func missed(count int64) schemas.Unusual {
	return schemas.Unusual{From: "2026-03-02", Through: "2026-03-03", ThisWeek: true, Location: "North", Category: schemas.CatMissedAppointment,
		Count: count, Usual: 2.1, Expected: 2.3, Quiet: 41, UsualQuiet: 38.4, Weeks: 12}
}

func withNotices(r *rig, all ...schemas.Unusual) *notices {
	n := &notices{all: all}
	r.digests.cfg.Unusual = n
	return n
}

func preview(t *testing.T, r *rig, p Person) Mail {
	t.Helper()
	m, err := r.digests.Preview(bg, p, tuesday)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDigestUnusualGolden(t *testing.T) {
	r := busy()
	other := schemas.Unusual{From: "2026-02-24", Through: "2026-03-02", Source: "reviews <town>", Count: 14, Usual: 0.3, Expected: 4.4, Quiet: 90, UsualQuiet: 31, MoreVolume: true, Weeks: 9, LastYear: true}
	n := withNotices(r, missed(9), other)
	m := preview(t, r, Person{Email: olive.Email, Name: "Olive", Role: schemas.RoleOwner})
	golden(t, "digest_unusual.txt", "Subject: "+m.Subject+"\n\n"+m.Text)
	golden(t, "digest_unusual.html", m.HTML)
	preview(t, r, Person{Email: mo.Email, Role: schemas.RoleManager, Locations: []string{"North"}})
	if len(n.asked) != 2 || n.asked[0] != nil || len(n.asked[1]) != 1 || n.asked[1][0] != "North" {
		t.Errorf("asked for %v", n.asked)
	}
	for key := range r.done {
		if strings.HasPrefix(key, "unusual:") {
			t.Error("a preview counts as told")
		}
	}
	n.all = make([]schemas.Unusual, 8)
	for i := range n.all {
		n.all[i] = missed(int64(9 + i))
		n.all[i].Source = strings.Repeat("x", i+1)
	}
	m = preview(t, r, Person{Email: olive.Email, Role: schemas.RoleOwner})
	if !strings.Contains(m.Text, "and 3 more: https://alerts.firm.example/trends") || !strings.Contains(m.HTML, ">3 more</a>") {
		t.Error(m.Text)
	}
}

// TestDigestUnusualQuietDay: where nobody needs the reader, the notice is the
// subject.
func TestDigestUnusualQuietDay(t *testing.T) {
	r := newRig()
	withNotices(r, missed(9))
	m := preview(t, r, Person{Email: olive.Email, Role: schemas.RoleOwner})
	if m.Subject != "Missed appointments at North: 9 this week, usually 2" || !strings.HasPrefix(strings.SplitN(m.Text, "\n\n", 3)[1], "Nobody needs you today.") {
		t.Errorf("%s\n%s", m.Subject, m.Text)
	}
}

// TestDigestUnusualOnce: each reader is told once a week of a group, and again
// when it grew notably.
func TestDigestUnusualOnce(t *testing.T) {
	r := newRig()
	r.settings.Digest = schemas.Digest{Enabled: true, At: "07:30"}
	n := withNotices(r)
	for i, tt := range []struct {
		days  int // after Tuesday
		count int64
		told  bool
	}{{0, 9, true}, {1, 9, false}, {2, 12, false}, {3, 14, true}, {4, 15, false}, {9, 15, false}, {10, 15, true}, {11, 4, false}} {
		n.all = []schemas.Unusual{missed(tt.count)}
		now := tuesday.AddDate(0, 0, tt.days)
		if err := r.digests.Run(bg, now); err != nil {
			t.Fatal(err)
		}
		found := 0
		for k, note := range r.notes {
			if k.Kind == schemas.NotifyDigest && note.At.Equal(now) && strings.Contains(string(note.Body), "Missed appointments at North") {
				found++
			}
		}
		want := 0
		if tt.told {
			want = 3 // Mo, Olive and Eva; staff get no digest
		}
		if found != want {
			t.Errorf("step %d, day %d with %d alerts: %d were told, want %d", i, tt.days, tt.count, found, want)
		}
	}
}

// TestDigestWithoutHistory: a digest goes out although history does not answer.
func TestDigestWithoutHistory(t *testing.T) {
	r := busy()
	withNotices(r, missed(9)).err = errors.New("no connection")
	m := preview(t, r, Person{Email: olive.Email, Role: schemas.RoleOwner})
	if strings.Contains(m.Text, "MORE THAN USUAL") || !strings.Contains(m.Text, "OVERDUE") {
		t.Error(m.Text)
	}
}
