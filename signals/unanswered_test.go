package signals_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

// mail is a message of a customer that a person wrote, in a thread of its own.
func mail(t testing.TB, id, customer, text string, at time.Time) schemas.Event {
	e := numbered(event(t, schemas.EmailReceived, schemas.Feedback{ValueText: text, Metadata: map[string]any{schemas.MetaMessageID: "<" + id + "@mail.example>"}}), id, customer, at)
	e.ThreadID = "thread-" + id
	return e
}

func answer(t testing.TB, id, customer string, at time.Time, r schemas.Reply) schemas.Event {
	return numbered(event(t, schemas.ReplySent, r), id, customer, at)
}

func TestClockRaisesWhatNobodyAnswered(t *testing.T) {
	b := newTrade(false)
	at := morning(10) // 9:00 in Berlin; in the tests an answer is due after 24 hours
	reply := func(id, customer, thread string, hours int, r schemas.Reply) schemas.Event {
		e := answer(t, id, customer, at.Add(time.Duration(hours)*time.Hour), r)
		e.ThreadID = thread
		return e
	}
	auto := numbered(event(t, schemas.EmailReceived, schemas.Feedback{ValueText: "I am away until Monday", Metadata: map[string]any{schemas.MetaMailKind: schemas.MailAutoReply}}), "auto", "zoe", at)
	late := mail(t, "late", "old", "Are you open on Sunday?", at.AddDate(0, 0, -20))
	late.CollectedAt = at
	publish(t, b.faulty,
		mail(t, "lost", "ann", "Are you open on Sunday?", at),
		mail(t, "lost2", "ann", "Hello? Are you there?", at.Add(time.Hour)), // the same day: one signal
		mail(t, "thanks", "bob", "Thank you so much, all is fine now!", at), auto, late,
		mail(t, "before", "cem", "Can you come tomorrow?", at), reply("r-before", "cem", "", -2, schemas.Reply{}),
		mail(t, "customer", "dot", "Can you come tomorrow?", at), reply("r1", "dot", "", 3, schemas.Reply{}),
		mail(t, "thread", "eve", "Can you come tomorrow?", at), reply("r2", "assistant", "thread-thread", 3, schemas.Reply{}),
		mail(t, "message", "fay", "Can you come tomorrow?", at), reply("r3", "", "", 3, schemas.Reply{InReplyTo: "<message@mail.example>"}),
		mail(t, "cared", "gus", "Can you come tomorrow?", at),
		mail(t, "nobody", "", "Can you come tomorrow?", at),
	)
	b.cared["cared"] = true
	drain(t, b.worker)
	b.tick(t, at.Add(23*time.Hour))
	if got := b.raised(t, schemas.Unanswered); len(got) != 0 {
		t.Fatalf("before they are due: %+v", got)
	}
	for hour := 24; hour < 72; hour++ {
		b.tick(t, at.Add(time.Duration(hour)*time.Hour))
	}
	about := map[string]schemas.Scored{}
	for _, x := range b.raised(t, schemas.Unanswered) {
		s, err := x.Event.Signal()
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := about[s.About]; twice {
			t.Errorf("%s is raised twice", s.About)
		}
		about[s.About] = x
	}
	for _, want := range []string{"lost", "before", "nobody"} {
		if _, ok := about[want]; !ok {
			t.Errorf("%s is not raised", want)
		}
	}
	if len(about) != 3 {
		t.Errorf("raised for %d messages", len(about))
	}
	x := about["lost"]
	if x.Event.ID != signals.SignalID("ann", schemas.Unanswered, "2026-01-12") || x.Event.ThreadID != "thread-lost" || !x.Event.OccurredAt.Equal(at.Add(24*time.Hour)) {
		t.Errorf("event %+v", x.Event)
	}
	if v := x.Verdict; !v.Red || !signals.IsMistake(x.Event, v) || v.Reasons[0].Code != signals.CodeUnanswered ||
		v.Reasons[0].Message != "wrote on 11 January at 09:00, no answer by 12 January at 09:00" {
		t.Errorf("verdict %+v", v)
	}
	if n := about["nobody"].Event; n.CustomerID != "" || n.CaseKey() != "thread:thread-nobody" {
		t.Errorf("of nobody known: %+v", n)
	}
}

// TestAnswerUnderAnotherID: the customer wrote as one id and was answered as
// another that is the same person by now.
func TestAnswerUnderAnotherID(t *testing.T) {
	b := newTrade(false)
	at := morning(10)
	resolve := func(r schemas.CustomerRef) string {
		ids, err := b.Resolve(t.Context(), []schemas.Sighting{{Customer: r, At: at}})
		if err != nil {
			t.Fatal(err)
		}
		return ids[0]
	}
	early := resolve(schemas.CustomerRef{Email: "ann@mail.example"})
	present := resolve(schemas.CustomerRef{Email: "ann@mail.example", Ref: "C1"})
	publish(t, b.faulty, mail(t, "m", early, "Are you open on Sunday?", at), answer(t, "r", present, at.Add(time.Hour), schemas.Reply{}),
		mail(t, "m2", early, "And on Monday?", at.Add(2*time.Hour)))
	drain(t, b.worker)
	b.tick(t, at.Add(30*time.Hour))
	got := b.raised(t, schemas.Unanswered)
	if len(got) != 1 || got[0].Event.CustomerID != present || got[0].Event.OccurredAt != at.Add(26*time.Hour) {
		t.Errorf("raised %+v", got)
	}
}

// TestManyMessages: more than a page of them, each looked at once.
func TestManyMessages(t *testing.T) {
	b := newTrade(false)
	at := morning(10)
	for i := range 1201 {
		publish(t, b.faulty, mail(t, fmt.Sprint("m", i), fmt.Sprint("c", i), "Are you open on Sunday?", at))
		if i%3 > 0 {
			publish(t, b.faulty, answer(t, fmt.Sprint("r", i), fmt.Sprint("c", i), at.Add(time.Hour), schemas.Reply{}))
		}
	}
	drain(t, b.worker)
	if n := b.tick(t, at.Add(30*time.Hour)); n != 401 {
		t.Errorf("%d signals, want 401", n)
	}
}

func TestWhatCallsForAnAnswer(t *testing.T) {
	for text, want := range map[string]bool{
		"Thanks!":                                  false,
		"Thank you, see you on Monday.":            false,
		"Vielen Dank, alles bestens!":              false,
		"Merci beaucoup":                           false,
		"Thanks, but the door still does not shut": true,
		"Thanks in advance":                        true,
		"Thanks. Could you send the invoice":       true,
		"Thank you! When do you open?":             true,
		"Danke, aber es fehlt noch ein Teil":       true,
		"Thanks, it doesn't work":                  true,
		"":                                         true,
		"See you on Monday":                        true,
		"Thank you for everything. " + strings.Repeat("We had a long day and much to tell. ", 3): true,
	} {
		b := newTrade(false)
		publish(t, b.faulty, mail(t, "m", "ann", text, morning(10)))
		drain(t, b.worker)
		if n := b.tick(t, morning(12)); (n == 1) != want {
			t.Errorf("%q: %d signals", text, n)
		}
	}
	// Red thanks wait for an answer.
	b := newTrade(false)
	b.worker = newWorker(b.faulty, says(0.9))
	publish(t, b.faulty, mail(t, "m", "ann", "Thanks for nothing", morning(10)))
	drain(t, b.worker)
	if n := b.tick(t, morning(12)); n != 1 {
		t.Errorf("red thanks: %d signals", n)
	}
}
