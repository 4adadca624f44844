package memstore

import (
	"context"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

type jobRow struct {
	leaseUntil time.Time
	done       bool
}

// Schedule is the alerting.Schedule over this store.
func (s *Store) Schedule() alerting.Schedule { return schedule{s} }

type schedule struct{ s *Store }

// Begin implements alerting.Schedule.
func (c schedule) Begin(_ context.Context, job, key string, now time.Time, lease time.Duration) (bool, error) {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	if c.s.jobs == nil {
		c.s.jobs = map[[2]string]jobRow{}
	}
	k := [2]string{job, key}
	if j, ok := c.s.jobs[k]; ok && (j.done || j.leaseUntil.After(now)) {
		return false, nil
	}
	c.s.jobs[k] = jobRow{leaseUntil: now.Add(lease)}
	return true, nil
}

// Done implements alerting.Schedule.
func (c schedule) Done(_ context.Context, job, key string, _ time.Time) error {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	if c.s.jobs == nil {
		c.s.jobs = map[[2]string]jobRow{}
	}
	c.s.jobs[[2]string{job, key}] = jobRow{done: true}
	return nil
}

// LastDone implements alerting.Schedule.
func (c schedule) LastDone(_ context.Context, job string) (string, error) {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	last := ""
	for k, j := range c.s.jobs {
		if k[0] == job && j.done {
			last = max(last, k[1])
		}
	}
	return last, nil
}

// Settings is the alerting.SettingsStore over this store.
func (s *Store) Settings() alerting.SettingsStore { return settings{s} }

type settings struct{ s *Store }

// Load implements alerting.SettingsStore.
func (c settings) Load(context.Context) (schemas.Settings, error) {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	if c.s.settings == nil {
		return schemas.DefaultSettings(), nil
	}
	return deepCopy(*c.s.settings), nil
}

// Save implements alerting.SettingsStore.
func (c settings) Save(_ context.Context, v schemas.Settings) error {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	v = deepCopy(v)
	c.s.settings = &v
	return nil
}
