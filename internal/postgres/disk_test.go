package postgres

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/internal/servertest"
	"redalert/schemas"
)

// FAULTS 42, on a real server: its disk fills under load. Calls are told "come
// again"; with room again the same store goes on, everything acknowledged is
// there, once, and the server's own check finds nothing broken.
func TestFault_42_DiskFull(t *testing.T) {
	disk := servertest.SmallDisk(t, 192)
	s := servertest.OwnPostgresIn(t, disk.Path)
	d := openURL(t, migratedOn(t, s))
	var receipts, cases, blobs []string
	ballast := func() error { // bytes that cannot be packed
		raw := make([]byte, 256<<10)
		rand.Read(raw)
		_, err := d.Blobs().Put(t.Context(), [][]byte{raw})
		return err
	}
	round := func(i int) error {
		id := fmt.Sprint("no. ", i)
		if _, err := d.Reserve(t.Context(), []ingest.Receipt{receiptOf(id)}); err != nil {
			return err
		}
		receipts = append(receipts, id)
		if _, err := d.Cases().Apply(t.Context(), opening(id)); err != nil {
			return err
		}
		cases = append(cases, id)
		if _, err := d.Blobs().Put(t.Context(), [][]byte{[]byte(id)}); err != nil {
			return err
		}
		blobs = append(blobs, id)
		return ballast()
	}
	if err := round(0); err != nil {
		t.Fatal(err)
	}
	disk.Fill(t, 1<<20)
	n, err := 1, error(nil)
	for ; err == nil && n < 200; n++ {
		err = round(n)
	}
	t.Logf("%d receipts, %d cases, %d blobs until: %v", len(receipts), len(cases), len(blobs), err)
	if !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("a full disk answers %v, want ErrUnavailable", err)
	}
	if err := ballast(); !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("a full disk answers %v, want ErrUnavailable", err)
	}
	disk.Free(t)
	waitFor(t, "the store to go on", func() bool {
		n++
		return round(n) == nil
	})
	checkAcked(t, d, receipts, cases, blobs)
	for _, table := range []string{"receipts", "cases", "case_events", "notifications", "blobs"} {
		if _, err := d.pool.Exec(t.Context(), "CREATE EXTENSION IF NOT EXISTS amcheck"); err != nil {
			t.Fatal(err)
		}
		if bad := count(t, d, "verify_heapam('"+table+"')"); bad > 0 {
			t.Errorf("%s: %d rows are corrupt", table, bad)
		}
	}
}

// FAULTS 43, on a real server: the machine's clock jumps an hour ahead and
// back, with two processes over one database. No event gets a second case, no
// digest goes out twice, and what is due is missed once.
func TestFault_43_ClockOneHourOff(t *testing.T) {
	d := open(t)
	other := reopen(t, d)
	monday := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	morning := time.Date(2026, 3, 3, 7, 30, 0, 0, time.UTC) // the digest's minute
	now := monday
	one, two := businessOver(worldOf(d), &now), businessOver(worldOf(other), &now)
	red := notice(schemas.NoticeRed, "e1", "cust-1", schemas.SeverityHigh, monday)
	for i, at := range []time.Time{
		monday, monday.Add(time.Hour), monday, monday.Add(-time.Hour), monday,
		morning.Add(time.Hour), morning, morning.Add(-time.Hour), morning, morning.Add(time.Minute),
	} {
		now = at
		for _, b := range []*business{one, two} {
			if err := b.publish(t.Context(), red); err != nil { // the log is read again, too
				t.Fatal(err)
			}
			if err := b.drain(t.Context()); err != nil {
				t.Fatal(i, err)
			}
			if err := b.clock.Due(t.Context(), at); err != nil {
				t.Fatal(i, err)
			}
		}
	}
	if cases, events := count(t, d, "cases"), count(t, d, "case_alerts"); cases != 1 || events != 1 {
		t.Errorf("%d cases, %d alerts; want one of each", cases, events)
	}
	notes, err := d.Outbox().Notifications(t.Context(), "", schemas.ListQuery{Limit: schemas.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]int{}
	for _, n := range notes.Items {
		if n.Key.Kind == schemas.NotifyDigest {
			digests[n.Key.Recipient+" "+n.Key.Cause]++
		}
	}
	for _, day := range []string{"2026-03-02", "2026-03-03"} {
		if n := digests["mo@firm.example "+day]; n != 1 {
			t.Errorf("%d digests of %s to the manager, want 1: %v", n, day, digests)
		}
	}
	list, err := worldOf(d).lists.List(t.Context(), schemas.ListQuery{})
	if err != nil || len(list.Items) != 1 || len(list.Items[0].Missed) != 1 {
		t.Errorf("%+v, %v: the first response was due and missed, once", list.Items, err)
	}
}
