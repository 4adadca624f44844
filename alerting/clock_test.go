package alerting

import (
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
)

func TestMissedTimersMailOnce(t *testing.T) {
	r, c := opened(t, schemas.SeverityHigh, false) // first response in 4 business hours
	c = must(t)(r.desk.Claim(bg, ana, c.ID, c.Version))
	due := *c.FirstResponseDue
	if !due.Equal(monday.Add(4 * time.Hour)) {
		t.Fatalf("due %v", due)
	}
	for _, at := range []time.Time{due.Add(-time.Second), due, due, due.Add(time.Minute)} {
		r.now = at
		if err := r.clock.Due(bg, at); err != nil {
			t.Fatal(err)
		}
		if missed := slices.Contains(r.cases[c.ID].Missed, schemas.TimerFirstResponse); missed != !at.Before(due) {
			t.Fatalf("at %v missed is %v", at, missed)
		}
	}
	want := []string{"ana@firm.example", "mo@firm.example", "olive@firm.example"}
	if got := r.mailed(schemas.NotifyOverdue); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if n := strings.Count(kindsText(r, c.ID), string(schemas.AuditTimerMissed)); n != 1 {
		t.Errorf("%d audit entries of the miss", n)
	}
	if got := r.cases[c.ID].SLAStatus; got != schemas.SLAActiveWithMisses {
		t.Errorf("sla %s", got)
	}
	c = must(t)(r.desk.LogCall(bg, ana, c.ID, r.cases[c.ID].Version, Call{Outcome: CallVoicemail}))
	if c.FirstResponseDue != nil || c.NextAttemptAt == nil {
		t.Errorf("voicemail is a response with a next attempt: %+v", c)
	}
	c = must(t)(r.desk.Transition(bg, mo, c.ID, c.Version, schemas.StateDismissed, "wrong number"))
	if c.SLAStatus != schemas.SLAMissed {
		t.Errorf("closed with sla %s", c.SLAStatus)
	}
}

func kindsText(r *rig, id string) string {
	var b strings.Builder
	for _, k := range r.kinds(id) {
		b.WriteString(string(k) + " ")
	}
	return b.String()
}

func TestALateAnswerCountsAsMissedWithoutTheClock(t *testing.T) {
	r, c := opened(t, schemas.SeverityHigh, false)
	r.now = monday.Add(8 * time.Hour)
	c = must(t)(r.desk.LogCall(bg, ana, c.ID, c.Version, Call{Outcome: CallReached}))
	if !slices.Contains(c.Missed, schemas.TimerFirstResponse) || len(r.mailed(schemas.NotifyOverdue)) == 0 {
		t.Errorf("missed %v", c.Missed)
	}
}

func TestNothingIsMissedWhileWaitingForTheCustomer(t *testing.T) {
	r, c := opened(t, schemas.SeverityHigh, false)
	ok := must(t)
	c = ok(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateInRecovery, ""))
	c = ok(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateWaitingCustomer, ""))
	r.now = monday.AddDate(0, 0, 14)
	if err := r.clock.Due(bg, r.now); err != nil || len(r.cases[c.ID].Missed) != 0 {
		t.Fatalf("missed %v, %v", r.cases[c.ID].Missed, err)
	}
	c = ok(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateInRecovery, ""))
	if want := r.now.Add(4 * time.Hour); !c.FirstResponseDue.Equal(want) || c.PausedAt != nil {
		t.Errorf("due %v after the pause, want %v", c.FirstResponseDue, want)
	}
}

func TestSnoozeEnds(t *testing.T) {
	r, c := opened(t, schemas.SeverityLow, false)
	until := monday.Add(2 * time.Hour)
	c = must(t)(r.desk.Snooze(bg, ana, c.ID, c.Version, until, "she is on holiday"))
	for at, want := range map[time.Time]bool{until.Add(-time.Minute): true} {
		if err := r.clock.Due(bg, at); err != nil || (r.cases[c.ID].SnoozedUntil != nil) != want {
			t.Errorf("at %v: %v, %v", at, r.cases[c.ID].SnoozedUntil, err)
		}
	}
	if err := r.clock.Due(bg, until); err != nil || r.cases[c.ID].SnoozedUntil != nil {
		t.Errorf("still snoozed: %v", err)
	}
	c = must(t)(r.desk.Snooze(bg, ana, c.ID, r.cases[c.ID].Version, until.Add(time.Hour), ""))
	r.publish(r.red("e2", "cust-1", "low"))
	if err := r.drain(); err != nil || r.cases[c.ID].SnoozedUntil != nil {
		t.Errorf("a word from the customer does not end the snooze: %v", err)
	}
}

func TestG10_ACallToRepeatIsRemindedOfOnce(t *testing.T) {
	r, c := opened(t, schemas.SeverityLow, false)
	ok := must(t)
	c = ok(r.desk.Claim(bg, ana, c.ID, c.Version))
	c = ok(r.desk.LogCall(bg, ana, c.ID, c.Version, Call{Outcome: CallNoAnswer}))
	if want := monday.Add(callAgain); !c.NextAttemptAt.Equal(want) || c.FirstRespondedAt != nil {
		t.Fatalf("next attempt %v, responded %v", c.NextAttemptAt, c.FirstRespondedAt)
	}
	for _, at := range []time.Duration{3 * time.Hour, 4 * time.Hour, 5 * time.Hour} {
		if err := r.clock.Due(bg, monday.Add(at)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.mailed(NotifyCallDue); !slices.Equal(got, []string{ana.Email}) {
		t.Errorf("reminded %v", got)
	}
	c = ok(r.desk.LogCall(bg, ana, c.ID, c.Version, Call{Outcome: CallReached}))
	if c.NextAttemptAt != nil {
		t.Error("a next attempt after reaching them")
	}
}

func TestAnAliasMergesCases(t *testing.T) {
	r := newRig()
	n := r.red("e2", "mail-only", "high")
	n.Event.ThreadID = "<other@x>"
	r.publish(r.red("e1", "cust-1", "low"), n)
	if err := r.drain(); err != nil || len(r.cases) != 2 {
		t.Fatalf("%d cases, %v", len(r.cases), err)
	}
	r.aliases["mail-only"] = "cust-1"
	for range 2 {
		if err := r.clock.Due(bg, r.now); err != nil {
			t.Fatal(err)
		}
	}
	var open []schemas.Case
	for _, c := range r.cases {
		if c.State.Open() {
			open = append(open, c)
		}
	}
	if len(open) != 1 || !slices.Equal(open[0].EventIDs, []string{"e1", "e2"}) || open[0].Severity != "high" || open[0].Version != 2 {
		t.Fatalf("open: %+v", open)
	}
}

func TestDigestHourAtClockChanges(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at, from string // from: the first minute, UTC, at which the day's digest is due
		day      string
	}{
		{"02:30", "2026-03-29T01:00:00Z", "2026-03-29"}, // 02:30 does not exist: due at 03:00
		{"01:30", "2026-03-29T00:30:00Z", "2026-03-29"},
		{"02:30", "2026-10-25T00:30:00Z", "2026-10-25"}, // comes twice: the first one counts
		{"07:30", "2026-10-25T06:30:00Z", "2026-10-25"},
	} {
		first, _ := schemas.ParseTime(c.from)
		s := schemas.Digest{Enabled: true, At: c.at}
		if day, due := digestDay(s, first.Add(-time.Minute), berlin); due && day == c.day {
			t.Errorf("%s on %s: due too early", c.at, c.day)
		}
		if day, due := digestDay(s, first, berlin); !due || day != c.day {
			t.Errorf("%s on %s: due %v on %s at %s", c.at, c.day, due, day, c.from)
		}
	}
	// Run every minute of both days: one digest each, whatever the clock does.
	r := newRig()
	r.staff = []Person{{Email: olive.Email, Role: schemas.RoleOwner, Timezone: "Europe/Berlin"}}
	for _, at := range []string{"02:30", "01:30"} {
		for _, start := range []time.Time{time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC)} {
			r.notes, r.done, r.settings.Digest.At = map[schemas.NotificationKey]schemas.Notification{}, map[string]bool{}, at
			day := start.In(berlin).Format(time.DateOnly)
			for now := start; now.In(berlin).Format(time.DateOnly) == day; now = now.Add(time.Minute) {
				if err := r.clock.Due(bg, now); err != nil {
					t.Fatal(err)
				}
			}
			if len(r.notes) != 1 {
				t.Errorf("digest at %s on %s came %d times", at, day, len(r.notes))
			}
		}
	}
}

func TestDigestsGoToWhomTheyShould(t *testing.T) {
	r, _ := opened(t, schemas.SeverityMedium, false)
	sunday := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	r.settings.Digest.Weekdays = []time.Weekday{time.Monday}
	for _, at := range []time.Time{monday.Add(-2 * time.Hour), monday, monday.Add(time.Hour), sunday} {
		if err := r.clock.Due(bg, at); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"east@firm.example", "mo@firm.example", "olive@firm.example"}
	if got := r.mailed(schemas.NotifyDigest); !slices.Equal(got, want) {
		t.Fatalf("digests to %v, want %v", got, want)
	}
	for k, n := range r.notes {
		if k.Kind != schemas.NotifyDigest {
			continue
		}
		about := strings.Contains(string(n.Body), "Maria Keller")
		if k.CaseID != "" || k.Episode != 0 || k.Cause != "2026-03-02" || about == (k.Recipient == "east@firm.example") {
			t.Errorf("digest %+v about Maria: %v", k, about)
		}
	}
	r.settings.Digest.Enabled = false
	if err := r.clock.Due(bg, monday.AddDate(0, 0, 7)); err != nil || len(r.mailed(schemas.NotifyDigest)) != 3 {
		t.Errorf("digests although switched off: %v", err)
	}
}
