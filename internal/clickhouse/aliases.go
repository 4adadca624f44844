package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"redalert/schemas"
)

// aliases is what this process knows of the alias table. The same rows stand in
// the table aliases, for queries that map ids where the data is.
type aliases struct {
	asking  chan struct{} // holds one token: one asks at a time, so that version never goes back
	loaded  bool          // whoever has the token reads and writes this,
	version int64         // and this: everything up to it is known here and stands in the table

	mu        sync.RWMutex
	canonical map[string]string              // id → present id
	others    map[string]map[string]struct{} // present id → ids given out before
}

// begin waits for the right to ask, at most until ctx ends: whoever has it waits
// for two servers, and either may be silent. After nil, done must be called.
func (a *aliases) begin(ctx context.Context) error {
	select {
	case <-a.asking:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another call that asks for aliases: %w", ctx.Err())
	}
}

func (a *aliases) done() { a.asking <- struct{}{} }

// aliasChunk bounds the rows of one insert.
const aliasChunk = 100_000

// follow brings aliases up to date: an alias made before a query counts in it.
// It ends with ctx, also while another call asks.
func (d *DB) follow(ctx context.Context) error {
	if d.c.Aliases == nil {
		return nil
	}
	a := &d.aliases
	if err := a.begin(ctx); err != nil {
		return err
	}
	defer a.done()
	if !a.loaded {
		rows, version, err := d.storedAliases(ctx)
		if err != nil {
			return fmt.Errorf("read aliases: %w", err)
		}
		a.learn(rows)
		a.version, a.loaded = version, true
	}
	for {
		rows, next, err := d.c.Aliases.AliasesSince(ctx, a.version)
		if err != nil {
			return fmt.Errorf("ask for new aliases: %w", err)
		}
		if err := d.takeOver(ctx, rows); err != nil {
			return fmt.Errorf("aliases: %w", err)
		}
		if a.version = max(a.version, next); len(rows) == 0 {
			return nil
		}
	}
}

// takeOver stores aliases and learns them. In order of version, so that a chunk
// vouches for all below it.
func (d *DB) takeOver(ctx context.Context, rows []schemas.Alias) error {
	slices.SortFunc(rows, func(x, y schemas.Alias) int { return int(min(max(x.Version-y.Version, -1), 1)) })
	for chunk := range slices.Chunk(rows, aliasChunk) {
		if err := d.insert(ctx, aliasesTable, aliasColumns(chunk)); err != nil {
			return err
		}
	}
	d.aliases.learn(rows)
	return nil
}

// storedAliases reads what some process stored. Whoever stored a version had
// stored or found all below it, so this is everything up to the highest.
func (d *DB) storedAliases(ctx context.Context) (rows []schemas.Alias, version int64, err error) {
	err = d.each(ctx, "SELECT id, canonical, version FROM aliases FINAL", nil, func(scan func(...any) error) error {
		var r schemas.Alias
		err := scan(&r.ID, &r.Canonical, &r.Version)
		rows, version = append(rows, r), max(version, r.Version)
		return err
	})
	return rows, version, err
}

func aliasColumns(rows []schemas.Alias) columns {
	id, canonical, version := make([]string, len(rows)), make([]string, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		id[i], canonical[i], version[i] = r.ID, r.Canonical, r.Version
	}
	return columns{id, canonical, version}
}

// learn takes rows over, in order of their versions.
func (a *aliases) learn(rows []schemas.Alias) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.canonical == nil {
		a.canonical, a.others = map[string]string{}, map[string]map[string]struct{}{}
	}
	for _, r := range rows {
		if was, ok := a.canonical[r.ID]; ok {
			delete(a.others[was], r.ID)
		}
		a.canonical[r.ID] = r.Canonical
		if a.others[r.Canonical] == nil {
			a.others[r.Canonical] = map[string]struct{}{}
		}
		a.others[r.Canonical][r.ID] = struct{}{}
	}
}

// any reports whether there is an alias at all.
func (a *aliases) any() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.canonical) > 0
}

// of maps an id to the present one; an unknown id to itself.
func (a *aliases) of(id string) string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if c, ok := a.canonical[id]; ok {
		return c
	}
	return id
}

// keys lists, for customers asked for by any of their ids, every id they have;
// askedBy tells for each such id by which ids its customer was asked for. ""
// is nobody.
func (a *aliases) keys(asked []string) (keys []string, askedBy map[string][]string) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	askedBy = map[string][]string{}
	add := func(key, id string) {
		if askedBy[key] == nil {
			keys = append(keys, key)
		}
		askedBy[key] = append(askedBy[key], id)
	}
	seen := map[string]bool{"": true}
	for _, id := range asked {
		if seen[id] {
			continue
		}
		seen[id] = true
		canonical, ok := a.canonical[id]
		if !ok {
			canonical = id
		}
		add(canonical, id)
		for other := range a.others[canonical] {
			add(other, id)
		}
	}
	return keys, askedBy
}
