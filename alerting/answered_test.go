package alerting

import (
	"testing"
	"time"

	"redalert/schemas"
)

func TestCaredFor(t *testing.T) {
	cared := func(r *rig, written time.Time) bool {
		t.Helper()
		ok, err := r.desk.CaredFor(bg, message("m1", "cust-1", written).Event)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	type step func(t *testing.T, r *rig, c schemas.Case) schemas.Case
	call := func(outcome string) step {
		return func(t *testing.T, r *rig, c schemas.Case) schemas.Case {
			return must(t)(r.desk.LogCall(bg, ana, c.ID, c.Version, Call{Outcome: outcome}))
		}
	}
	write := func(t *testing.T, r *rig, c schemas.Case) schemas.Case {
		return must(t)(r.desk.Reply(bg, ana, c.ID, c.Version, ReplyDraft{Text: "We come today."}))
	}
	shut := func(t *testing.T, r *rig, c schemas.Case) schemas.Case {
		return must(t)(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateDismissed, "a misunderstanding"))
	}
	sent := func(t *testing.T, r *rig, c schemas.Case) schemas.Case { // from the Sent mailbox
		r.publish(answered("r1", "cust-1", r.now))
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		return r.cases[c.ID]
	}
	claim := func(t *testing.T, r *rig, c schemas.Case) schemas.Case {
		return must(t)(r.desk.Claim(bg, ana, c.ID, c.Version))
	}
	for name, tt := range map[string]struct {
		steps         []step
		before, after bool // for a message written before, and after, the steps
	}{
		"nothing":             {nil, false, false},
		"claimed":             {[]step{claim}, false, false},
		"nobody picked up":    {[]step{call(CallNoAnswer)}, false, false},
		"reached":             {[]step{call(CallReached)}, true, true},
		"voicemail":           {[]step{call(CallVoicemail)}, true, true},
		"case page":           {[]step{write}, true, true},
		"Sent mailbox":        {[]step{sent}, true, true},
		"closed":              {[]step{claim, shut}, true, false},
		"answered and closed": {[]step{write, shut}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, c := opened(t, schemas.SeverityMedium, false)
			r.now = monday.Add(2 * time.Hour)
			for _, s := range tt.steps {
				c = s(t, r, c)
			}
			if got := cared(r, monday.Add(time.Hour)); got != tt.before {
				t.Errorf("written before: cared for %v", got)
			}
			if got := cared(r, monday.Add(3*time.Hour)); got != tt.after {
				t.Errorf("written after: cared for %v", got)
			}
		})
	}
	t.Run("an answer filed late, given before", func(t *testing.T) {
		r, c := opened(t, schemas.SeverityMedium, false)
		r.now = monday.Add(5 * time.Hour)
		r.publish(answered("r1", "cust-1", monday.Add(time.Hour)))
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		must(t)(r.desk.Transition(bg, ana, c.ID, r.cases[c.ID].Version, schemas.StateDismissed, "a misunderstanding"))
		r.now = monday.Add(6 * time.Hour)
		if cared(r, monday.Add(5*time.Hour+time.Minute)) {
			t.Error("an answer from before the message cares for it")
		}
	})
	if r := newRig(); cared(r, monday) {
		t.Error("without a case")
	}
}

func TestAnswerDue(t *testing.T) {
	r := newRig()
	r.settings.Locations = []schemas.Location{{Name: "East", Hours: schemas.Hours{time.Monday: {{From: "08:00", To: "10:00"}}}}}
	delete(r.settings.Response.FirstResponse, schemas.PriorityUrgent)
	due, err := r.desk.AnswerDue(bg)
	if err != nil {
		t.Fatal(err)
	}
	friday := time.Date(2026, 3, 6, 17, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		location string
		p        schemas.Priority
		want     time.Time // 0 = no limit
	}{
		{"North", schemas.PriorityHigh, time.Date(2026, 3, 9, 11, 0, 0, 0, time.UTC)}, // an hour on Friday, three on Monday
		{"", schemas.PriorityLow, time.Date(2026, 3, 10, 13, 0, 0, 0, time.UTC)},
		{"East", schemas.PriorityHigh, time.Date(2026, 3, 16, 10, 0, 0, 0, time.UTC)}, // two on each Monday
		{"North", schemas.PriorityUrgent, time.Time{}},
	} {
		if got, ok := due(friday, tt.location, tt.p); !got.Equal(tt.want) || ok == tt.want.IsZero() {
			t.Errorf("%q %s: %v %v, want %v", tt.location, tt.p, got, ok, tt.want)
		}
	}
}

// TestSignalOfNoAnswer: it opens a case that is a mistake of ours, a reply from
// its page goes into the customer's thread, and ends the timer.
func TestSignalOfNoAnswer(t *testing.T) {
	r := newRig()
	n := r.red("s1", "cust-1", schemas.SeverityMedium)
	n.Event.Type, n.Mistake = schemas.Unanswered, true
	n.Event.Data = []byte(`{"due":"2026-03-02","detail":"wrote on 1 March at 09:12","about":"m1","message_id":"<m1@home.example>","subject":"Boiler"}`)
	r.publish(n)
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	c := r.only()
	if c.Kind != schemas.KindMistake || c.ThreadID != "<root@home.example>" || c.Excerpt != "wrote on 1 March at 09:12" || c.FirstResponseDue == nil {
		t.Errorf("case %+v", c)
	}
	c = must(t)(r.desk.Reply(bg, ana, c.ID, c.Version, ReplyDraft{Text: "Sorry, yes."}))
	if c.FirstRespondedAt == nil || c.FirstResponseDue != nil {
		t.Errorf("after the answer: %+v", c)
	}
	th := lastThread(r.audit[c.ID])
	if th.messageID != "<m1@home.example>" || replySubject("", th.subject) != "Re: Boiler" {
		t.Errorf("the answer goes to %+v", th)
	}
}
