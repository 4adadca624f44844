package alerting

import (
	"testing"
	"time"

	"redalert/schemas"
)

// TestFault_43_ClockOneHourOff: the machine's clock jumps an hour ahead and
// back. No event gets a second case, no digest goes out twice, and nothing that
// is due is missed once the clock is right again.
func TestFault_43_ClockOneHourOff(t *testing.T) {
	r, c := opened(t, schemas.SeverityHigh, false)
	again := r.red("e1", "cust-1", schemas.SeverityHigh)
	due := *c.FirstResponseDue
	morning := time.Date(2026, 3, 3, 7, 30, 0, 0, time.UTC) // the digest's minute on the day after
	for _, at := range []time.Time{
		monday.Add(time.Hour), monday, monday.Add(-time.Hour), monday,
		morning.Add(time.Hour), morning, morning.Add(-time.Hour), morning, morning.Add(time.Minute),
	} {
		r.now = at
		r.publish(again) // the log is read again, too
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		if err := r.clock.Due(bg, at); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.cases) != 1 || len(r.only().EventIDs) != 1 {
		t.Errorf("%d cases, events %v; want one of each", len(r.cases), r.only().EventIDs)
	}
	perDay := map[string]int{}
	for k := range r.notes {
		if k.Kind == schemas.NotifyDigest {
			perDay[k.Recipient+" "+k.Cause]++
		}
	}
	for _, day := range []string{"2026-03-02", "2026-03-03"} {
		if n := perDay["mo@firm.example "+day]; n != 1 {
			t.Errorf("%d digests of %s to the manager, want 1", n, day)
		}
	}
	if missed := r.only().Missed; len(missed) != 1 || missed[0] != schemas.TimerFirstResponse {
		t.Errorf("the deadline of %v was missed by the next morning: %v", due, missed)
	}
}
