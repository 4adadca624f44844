package ingest

import (
	"context"
	"sync"
	"time"

	"redalert/schemas"
)

// tellEvery is how often the statuses hear of busy sources. What comes after a
// pause is told at once.
const tellEvery = time.Second

// reports is how sources have done that the statuses have not been told yet.
// A crash loses at most tellEvery of it; it is no part of acceptance.
type reports struct {
	mu     sync.Mutex
	by     map[string]*schemas.CollectorStatus
	told   time.Time   // by the machine's clock, whatever the Door's is
	timer  *time.Timer // set while something waits to be told
	closed bool
}

// note adds how each source of a batch did.
func (d *Door) note(w *work) {
	if d.c.Statuses == nil {
		return
	}
	d.reports.mu.Lock()
	defer d.reports.mu.Unlock()
	if d.reports.by == nil {
		d.reports.by = map[string]*schemas.CollectorStatus{}
	}
	now := w.now.UTC()
	for i := range w.items {
		source := w.items[i].Source
		if source == "" {
			continue
		}
		r := d.reports.by[source]
		if r == nil {
			r = &schemas.CollectorStatus{Name: source, Kind: d.kind(&w.items[i])}
			d.reports.by[source] = r
		}
		r.LastSuccess = &now
		switch w.results[i].Status {
		case Accepted:
			r.Accepted++
		case InQuarantine:
			r.Quarantined++
		case Duplicate:
			if d.c.Duplicate != nil {
				d.c.Duplicate(source)
			}
		}
	}
}

func (d *Door) kind(it *Item) string {
	if d.c.KindOf != nil {
		if k := d.c.KindOf(it.Source); k != "" {
			return k
		}
	}
	if it.Replay == ReplayCloudEvent {
		return "events"
	}
	return ""
}

// tellInTime tells the statuses now, or sees to it that they are told soon.
func (d *Door) tellInTime() {
	r := &d.reports
	r.mu.Lock()
	wait := tellEvery - time.Since(r.told)
	if wait <= 0 || r.closed {
		r.mu.Unlock()
		d.tell()
		return
	}
	if len(r.by) > 0 && r.timer == nil {
		r.timer = time.AfterFunc(wait, d.tell)
	}
	r.mu.Unlock()
}

// tell gives the statuses what was noted. A failure is logged.
func (d *Door) tell() {
	r := &d.reports
	r.mu.Lock()
	by := r.by
	r.by, r.told = nil, time.Now()
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	r.mu.Unlock()
	for source, s := range by {
		if err := d.c.Statuses.Report(context.Background(), *s); err != nil {
			d.log.Warn("a source's status was not kept", "source", source, "error", err)
		}
	}
}

// Close tells the statuses what they have not heard yet: call it before the
// stores are closed. The Door may still be used; it then tells at once.
func (d *Door) Close() error {
	d.reports.mu.Lock()
	d.reports.closed = true
	d.reports.mu.Unlock()
	d.tell()
	return nil
}
