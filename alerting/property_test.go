package alerting

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"redalert/schemas"
)

// TestRulesHoldUnderRandomCommandsAndCrashes drives every door with random
// commands while the store fails before or after it took effect, and restarts
// lose whatever was in memory.
func TestRulesHoldUnderRandomCommandsAndCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig()
		crashing := true
		r.crash = func(string) (bool, bool) {
			if !crashing {
				return false, false
			}
			switch rapid.IntRange(0, 19).Draw(t, "fault") {
			case 0:
				return true, false
			case 1:
				return false, true
			}
			return false, false
		}
		seen := map[string]string{} // Message-ID by notification key
		events := 0
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			r.now = r.now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes")) * time.Minute)
			randomCommand(t, r, &events)
			checkRules(t, r, seen)
		}
		crashing = false
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		r.pos = 0 // the whole log once more
		before := fmt.Sprint(len(r.mailed(schemas.NotifyCritical)), len(r.alerts))
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		if after := fmt.Sprint(len(r.mailed(schemas.NotifyCritical)), len(r.alerts)); after != before {
			t.Fatalf("a replay changed %s to %s", before, after)
		}
		checkRules(t, r, seen)
		checkFiled(t, r)
	})
}

func randomCommand(t *rapid.T, r *rig, events *int) {
	customers := []string{"cust-1", "cust-2", "cust-3", "mail-only", ""}
	sevs := []schemas.Severity{"low", "medium", "high", "critical"}
	switch rapid.IntRange(0, 9).Draw(t, "door") {
	case 0, 1:
		*events++
		n := r.red(fmt.Sprintf("e%d", *events), rapid.SampledFrom(customers).Draw(t, "customer"), rapid.SampledFrom(sevs).Draw(t, "severity"))
		n.Mistake = rapid.Bool().Draw(t, "mistake")
		if rapid.Bool().Draw(t, "own thread") {
			n.Event.ThreadID = ""
		}
		r.publish(n)
	case 2:
		*events++
		make := rapid.SampledFrom([]func(string, string, time.Time) schemas.Notice{message, answered}).Draw(t, "word")
		r.publish(make(fmt.Sprintf("m%d", *events), rapid.SampledFrom(customers).Draw(t, "customer"), r.now))
	case 3, 4:
		if r.pos < len(r.log) {
			_, _ = r.worker.Step(bg)
		}
	case 5:
		_ = r.clock.Due(bg, r.now)
	case 6:
		r.build() // a restart
		if rapid.IntRange(0, 3).Draw(t, "alias") == 0 {
			r.aliases["mail-only"] = "cust-1"
		}
	default:
		deskCommand(t, r)
	}
}

// deskCommand is a random command by anybody on any case, at a version that
// may be old.
func deskCommand(t *rapid.T, r *rig) {
	ids := make([]string, 0, len(r.cases))
	for id := range r.cases {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	c := r.cases[rapid.SampledFrom(ids).Draw(t, "case")]
	actor := rapid.SampledFrom([]schemas.Actor{ana, ben, mo, olive, schemas.System()}).Draw(t, "actor")
	v := c.Version - int64(rapid.IntRange(0, 5).Draw(t, "behind")/5)
	state := rapid.SampledFrom([]schemas.CaseState{"new", "acknowledged", "in_recovery", "waiting_customer", "recovered", "recovered", "lost", "dismissed"}).Draw(t, "to")
	steps := append(Steps(schemas.KindMistake), Steps(schemas.KindRisk)...)
	step := rapid.SampledFrom(steps).Draw(t, "step")
	var err error
	switch rapid.IntRange(0, 12).Draw(t, "command") {
	case 0:
		_, err = r.desk.Claim(bg, actor, c.ID, v)
	case 1:
		_, err = r.desk.Assign(bg, actor, c.ID, v, rapid.SampledFrom([]string{"", ana.Email, mo.Email, "x"}).Draw(t, "assignee"), "")
	case 2, 3, 4:
		_, err = r.desk.Transition(bg, actor, c.ID, v, state, rapid.SampledFrom([]string{"", "why"}).Draw(t, "reason"))
	case 5, 6, 7:
		for _, s := range steps { // a diligent person, so that recovered is reached
			_, err = r.desk.CompleteStep(bg, actor, c.ID, r.cases[c.ID].Version, s, "done as agreed")
		}
	case 8:
		_, err = r.desk.OverrideStep(bg, actor, c.ID, v, step, "not needed")
	case 9:
		_, err = r.desk.LogCall(bg, actor, c.ID, v, Call{Outcome: rapid.SampledFrom([]string{CallReached, CallVoicemail, CallNoAnswer}).Draw(t, "outcome")})
	case 10:
		_, err = r.desk.Reply(bg, actor, c.ID, v, ReplyDraft{Text: "sorry"})
	case 11:
		_, err = r.desk.Merge(bg, actor, c.ID, v, rapid.SampledFrom(ids).Draw(t, "into"))
	case 12:
		_, err = r.desk.Split(bg, actor, c.ID, v, c.EventIDs[:len(c.EventIDs)/2])
	}
	if err != nil && !expected(err) {
		t.Fatalf("an error of no known kind: %v", err)
	}
}

func expected(err error) bool {
	var a *PlaybookIncomplete
	var b *NotAllowed
	var c *NotATransition
	var d *Invalid
	return isConflict(err) || errors.Is(err, ErrNotFound) || errors.Is(err, errCrash) ||
		errors.As(err, &a) || errors.As(err, &b) || errors.As(err, &c) || errors.As(err, &d)
}

func checkRules(t *rapid.T, r *rig, seen map[string]string) {
	open := map[string]string{}
	home := map[string]string{}
	for id, c := range r.cases {
		if c.State.Open() {
			if other, ok := open[c.Key]; ok {
				t.Fatalf("two open cases of %s: %s and %s", c.Key, other, id)
			}
			open[c.Key] = id
		}
		if c.State == schemas.StateRecovered && len(Missing(c)) > 0 {
			t.Fatalf("case %s recovered without %v", id, Missing(c))
		}
		for _, p := range c.Playbook {
			if p.State == schemas.StepOverridden && (p.OverrideReason == "" || p.Actor == ana.Email || p.Actor == ben.Email) {
				t.Fatalf("overridden by %s for %q", p.Actor, p.OverrideReason)
			}
		}
		for _, ev := range c.EventIDs {
			if other, ok := home[ev]; ok {
				t.Fatalf("event %s is in %s and %s", ev, other, id)
			}
			home[ev] = id
		}
		if (c.ClosedAt == nil) != c.State.Open() {
			t.Fatalf("case %s is %s, closed at %v", id, c.State, c.ClosedAt)
		}
		for i, v := range r.versions[id] {
			if v != int64(i+1) {
				t.Fatalf("versions of %s: %v", id, r.versions[id])
			}
		}
		for i, a := range r.audit[id] {
			if a.Seq != int64(i+1) {
				t.Fatalf("audit of %s has a gap at %d", id, i)
			}
		}
	}
	for k, n := range r.notes {
		key := fmt.Sprint(k)
		if was, ok := seen[key]; ok && was != n.MessageID {
			t.Fatalf("two Message-IDs for %v", k)
		}
		seen[key] = n.MessageID
		if n.ToCustomer != (k.Kind == schemas.NotifyReply) || len(n.Body) == 0 {
			t.Fatalf("notification %+v", k)
		}
	}
}

// checkFiled: every red event is in exactly one case and stands on exactly one
// audit row.
func checkFiled(t *rapid.T, r *rig) {
	rows := map[string]int{}
	for _, list := range r.audit {
		for _, a := range list {
			if a.EventID != "" {
				rows[a.EventID]++
			}
		}
	}
	for _, n := range r.log {
		in := 0
		for _, c := range r.cases {
			if slices.Contains(c.EventIDs, n.Event.ID) {
				in++
			}
		}
		if n.Kind == schemas.NoticeRed && (in != 1 || rows[n.Event.ID] != 1 || r.alerts[n.Event.ID].CaseID == nil) {
			t.Fatalf("event %s is in %d cases, on %d rows", n.Event.ID, in, rows[n.Event.ID])
		}
		if n.Kind != schemas.NoticeRed && (in != 0 || rows[n.Event.ID] > 1) {
			t.Fatalf("word %s is in %d cases, on %d rows", n.Event.ID, in, rows[n.Event.ID])
		}
	}
}
