package servertest

import (
	"context"
	"crypto/rand"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// URL answers the connection URL of a database of this server.
func (s *PostgresServer) URL(t testing.TB, database string) string {
	t.Helper()
	u, err := url.Parse(s.admin)
	if err != nil {
		t.Fatal("REDALERT_TEST_POSTGRES is no URL")
	}
	u.Path = "/" + database
	return u.String()
}

// Addr is where the server listens, host:port.
func (s *PostgresServer) Addr(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(s.admin)
	if err != nil {
		t.Fatal("REDALERT_TEST_POSTGRES is no URL")
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "5432")
	}
	return u.Host
}

// Database makes an empty database, or a copy of a template that Template has
// made, and answers its URL. It is dropped with the test.
func (s *PostgresServer) Database(t testing.TB, template string) string {
	t.Helper()
	if template == "" {
		template = "template1"
	}
	name := s.create(t, template)
	t.Cleanup(func() { s.drop(t, name) })
	return s.URL(t, name)
}

// Reused answers the URL of an empty copy of a template that an earlier test may
// have used: making one takes half a second. When the test is done, empty
// removes what it left; it must close every connection it opens.
func (s *PostgresServer) Reused(t testing.TB, template string, empty func(url string) error) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var name string
	if free := s.free[template]; len(free) > 0 {
		name, s.free[template] = free[len(free)-1], free[:len(free)-1]
	} else {
		name = s.create(t, template)
	}
	t.Cleanup(func() {
		if s.dir == "" || t.Failed() {
			s.drop(t, name)
		} else if err := empty(s.URL(t, name)); err != nil {
			t.Error(err)
		} else {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.free[template] = append(s.free[template], name)
		}
	})
	return s.URL(t, name)
}

func (s *PostgresServer) create(t testing.TB, template string) (name string) {
	t.Helper()
	name = "t_" + strings.ToLower(rand.Text())
	s.Exec(t, "CREATE DATABASE "+name+" TEMPLATE "+template)
	return name
}

// Template makes a database once for every name and lets prepare fill it; the
// copies that Database makes of it are much quicker. prepare must close every
// connection it opens. On a server that is not ours nothing outlives the test.
func (s *PostgresServer) Template(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if db, ok := s.templates[name]; ok {
		return db
	}
	db := "tpl_" + strings.ToLower(rand.Text())
	s.Exec(t, "CREATE DATABASE "+db)
	if err := prepare(s.URL(t, db)); err != nil {
		s.drop(t, db)
		t.Fatal(err)
	}
	if s.dir == "" {
		t.Cleanup(func() { s.drop(t, db) })
	} else {
		s.templates[name] = db
	}
	return db
}

// drop removes a database that others may still be connected to. A server that
// is down keeps it: it goes with the server's folder.
func (s *PostgresServer) drop(t testing.TB, name string) {
	if s.dir == "" || alive(s.cmd.Process.Pid) {
		s.Exec(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	}
}

// Exec runs one statement as the administrator.
func (s *PostgresServer) Exec(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
