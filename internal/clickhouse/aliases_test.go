package clickhouse

import (
	"context"
	"errors"
	"testing"
	"time"

	"redalert/internal/servertest"
	"redalert/schemas"
	"redalert/signals"
)

// aliasTable is a customers store; it keeps the versions it was asked for.
type aliasTable struct {
	rows  []schemas.Alias
	page  int // rows answered at once; 0 = all
	asked []int64
	err   error
}

func (a *aliasTable) set(id, canonical string) {
	a.rows = append(a.rows, schemas.Alias{ID: id, Canonical: canonical, Version: int64(len(a.rows) + 1)})
}

func (a *aliasTable) AliasesSince(_ context.Context, version int64) ([]schemas.Alias, int64, error) {
	a.asked = append(a.asked, version)
	next := int64(len(a.rows))
	if a.page > 0 {
		next = min(next, version+int64(a.page))
	}
	return a.rows[version:next], next, a.err
}

// TestAliases: an alias made before a query counts in it, in every process, also
// in one that starts later; what is known is not asked for or written again.
func TestAliases(t *testing.T) {
	people := &aliasTable{}
	c := database(t, servertest.ClickHouse(t))
	c.Aliases = people
	one, two := connect(t, c), connect(t, c)
	mustStore(t, one, placed("1", "phone", 100, noon), placed("2", "mail", 20, noon), placed("3", "ref", 3, noon))
	check := func(d *DB, want map[string]int64) {
		t.Helper()
		ids := []string{"phone", "mail", "ref"}
		totals, err := d.Totals(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		facts, err := d.OrderFacts(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		for id, revenue := range want {
			if totals[id].Revenue != revenue || signals.NetRevenue(facts[id], noon.AddDate(0, 0, -1), noon.AddDate(0, 0, 1)) != revenue {
				t.Errorf("%s: %d by totals, facts %+v; want %d", id, totals[id].Revenue, facts[id], revenue)
			}
		}
	}
	p90 := func(d *DB, want int64, customers int) {
		t.Helper()
		if got, n, err := d.RevenueP90(t.Context(), noon.AddDate(0, 0, 1)); err != nil || got != want || n != customers {
			t.Errorf("p90 %d of %d, %v; want %d of %d", got, n, err, want, customers)
		}
	}
	check(one, map[string]int64{"phone": 100, "mail": 20, "ref": 3})
	p90(two, 100, 3)
	people.set("phone", "mail")
	check(one, map[string]int64{"phone": 120, "mail": 120, "ref": 3})
	p90(two, 120, 2)
	people.set("phone", "ref")
	people.set("mail", "ref")
	p90(two, 123, 1)
	check(one, map[string]int64{"phone": 123, "mail": 123, "ref": 123})
	o, err := two.CustomerOrders(t.Context(), "phone")
	if err != nil || len(o) != 3 || o[0].CustomerID != "ref" {
		t.Errorf("orders %+v, %v", o, err)
	}
	if n := count(t, one, "aliases FINAL"); n != 2 {
		t.Errorf("%d aliases, want 2", n)
	}

	people.asked = nil
	later := connect(t, c)
	later.hooks.beforeInsert = func(table string) { t.Errorf("%s is written, though nothing is new", table) }
	check(later, map[string]int64{"mail": 123})
	if people.asked[0] != 3 {
		t.Errorf("a process that starts asks for aliases since %d, want 3", people.asked[0])
	}
	people.err = errors.New("no answer")
	if _, err := one.Totals(t.Context(), []string{"mail"}); !errors.Is(err, people.err) {
		t.Errorf("without the customers store: %v", err)
	}
}

// silentAliases is a customers store that does not answer until it is let go.
type silentAliases struct{ asked, let chan struct{} }

func (a silentAliases) AliasesSince(_ context.Context, version int64) ([]schemas.Alias, int64, error) {
	a.asked <- struct{}{}
	<-a.let
	return nil, version, errors.New("it was let go")
}

// TestAliasesSilent: while one call waits for a customers store that is silent,
// every other ends with its own context.
func TestAliasesSilent(t *testing.T) {
	store := silentAliases{make(chan struct{}, 9), make(chan struct{})}
	d, err := Open(t.Context(), Config{Addr: "127.0.0.1:1", Database: "x", Aliases: store})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.aliases.loaded = true // there is no server to read them from
	totals := func(ctx context.Context) error {
		_, err := d.Totals(ctx, []string{"c"})
		return err
	}
	first := make(chan error, 1)
	go func() { first <- totals(context.WithoutCancel(t.Context())) }()
	<-store.asked
	for what, call := range map[string]func(context.Context) error{"Totals": totals, "ForgetAliases": d.ForgetAliases} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- call(ctx) }()
		select {
		case err := <-ended:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want its context's error", what, err)
			}
		case <-time.After(time.Second):
			t.Errorf("%s still waits a second later", what)
		}
		cancel()
	}
	close(store.let)
	if err := <-first; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call that waited: %v", err)
	}
}

// TestAliasesOfManyAnswers: a customers store that does not answer all aliases at
// once is asked until it has.
func TestAliasesOfManyAnswers(t *testing.T) {
	people := &aliasTable{page: 2}
	c := database(t, servertest.ClickHouse(t))
	c.Aliases = people
	d := connect(t, c)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		mustStore(t, d, placed("order of "+id, id, 10, noon))
		people.set(id, "now")
	}
	if m, err := d.Totals(t.Context(), []string{"now"}); err != nil || m["now"].Revenue != 50 {
		t.Errorf("totals %+v, %v; want 50", m["now"], err)
	}
}
