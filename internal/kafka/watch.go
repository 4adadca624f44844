package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// stallsAllowed is how many rebuilds in a row may not help before Fetch
// answers ErrStalled.
const stallsAllowed = 3

// watch is both watchdogs. The library's heartbeats go on whatever happens to
// the process's work, and its readers were seen to stop after a broker's
// restart without an error; the coordinator notices neither.
func (m *member) watch() {
	every := min(m.cfg.ProgressTimeout, m.cfg.StallTimeout) / 4
	ticker := time.NewTicker(min(max(every, 20*time.Millisecond), 30*time.Second))
	defer ticker.Stop()
	good := m.cfg.Now() // when the last look found nothing stuck
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
		}
		m.watchProgress()
		switch m.watchLag() {
		case lagFlows:
			good = m.cfg.Now()
			m.unstalled()
		case lagUnknown:
			good = m.cfg.Now()
		case lagStuck:
			if m.cfg.Now().Sub(good) >= m.cfg.StallTimeout {
				good = m.cfg.Now()
				m.rebuild()
			}
		}
	}
}

// watchProgress gives the partitions back when whoever took the last batch has
// not been heard of for too long. The next call joins again.
func (m *member) watchProgress() {
	m.mu.Lock()
	hangs := m.handed && m.session != nil && m.cfg.Now().Sub(m.at) > m.cfg.ProgressTimeout
	if hangs {
		m.paused, m.handed = true, false
		m.stats.Hangs++
		if m.leave != nil {
			m.leave()
		}
	}
	m.mu.Unlock()
	if hangs {
		m.cfg.Log.Error("a batch has been worked on for too long; its partitions go to other processes",
			"topic", m.topic, "group", m.group, "after", m.cfg.ProgressTimeout)
	}
}

type lagState int

const (
	lagFlows   lagState = iota
	lagStuck            // events wait that do not come
	lagEarly            // the assignment is too young to tell
	lagUnknown          // the brokers do not answer, which is no stall
)

// watchLag looks whether something waits on the brokers that does not come. A
// partition with something in its buffer waits for us.
func (m *member) watchLag() lagState {
	m.mu.Lock()
	s, idle := m.session, m.paused || m.fatal != nil
	quiet, early := map[int]int64{}, false
	if s != nil {
		for _, p := range s.parts {
			since := p.read
			if since.IsZero() {
				since = s.began
			}
			switch young := m.cfg.Now().Sub(since) < m.cfg.StallTimeout/4; {
			case p.bytes > 0:
			case !young:
				quiet[p.id] = p.next
			case p.read.IsZero():
				early = true
			}
		}
	}
	m.mu.Unlock()
	state := lagFlows
	if !idle && (s == nil || len(quiet) > 0) {
		state = m.behind(s, quiet)
	}
	if state == lagFlows && early {
		return lagEarly
	}
	return state
}

// behind asks the brokers, over connections of its own, whether there is more
// than what quiet partitions have read, or, without a session, any lag.
func (m *member) behind(s *session, quiet map[int]int64) lagState {
	ctx, cancel := context.WithTimeout(m.ctx, callTimeout)
	defer cancel()
	n, err := connect(m.cfg)
	if err != nil {
		return lagUnknown
	}
	defer n.close()
	if s == nil {
		lags, err := n.lags(ctx, m.topic, m.id)
		if err != nil {
			return lagUnknown
		}
		for _, p := range lags {
			if p.Lag > 0 {
				return lagStuck
			}
		}
		return lagFlows
	}
	ends, err := n.ends(ctx, m.topic, slices.Collect(maps.Keys(quiet)))
	if err != nil {
		return lagUnknown
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.ended {
		return lagEarly
	}
	state := lagFlows
	for _, p := range s.parts {
		before, asked := quiet[p.id]
		switch {
		case !asked || ends[p.id].LastOffset <= max(p.next, ends[p.id].FirstOffset):
		case p.next != before: // it moves, or has only just found where to read
			state = lagEarly
		default:
			return lagStuck
		}
	}
	return state
}

// unstalled forgets earlier stalls once something was read since.
func (m *member) unstalled() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stalls = 0
}

// rebuild starts the membership anew, connections and all; after too many in
// a row that did not help, Fetch fails for good.
func (m *member) rebuild() {
	m.mu.Lock()
	m.stalls++
	m.stats.Rebuilds++
	stalls := m.stalls
	if stalls > stallsAllowed {
		m.fatal = fmt.Errorf("read %s: %w: %d rebuilds did not help", m.id, ErrStalled, stallsAllowed)
		m.stats.Rebuilds--
	}
	if m.leave != nil {
		m.leave()
	}
	m.wake.all()
	m.mu.Unlock()
	m.cfg.Log.Error("events wait in the log and nothing is fetched; the member is rebuilt",
		"topic", m.topic, "group", m.group, "after", m.cfg.StallTimeout, "rebuilds", stalls)
}
