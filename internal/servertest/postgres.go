package servertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redalert/internal/lane"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a running PostgreSQL. Each test takes a database of its
// own with Database.
type PostgresServer struct {
	admin string // URL of its "postgres" database, with a user who may create databases

	dir, data string // "" for a server that is not ours
	bin       string
	port      int
	as        *syscall.Credential
	cmd       *exec.Cmd

	mu        sync.Mutex
	templates map[string]string   // by the name given to Template
	free      map[string][]string // by template, for Reused
}

const (
	postgresUser   = "redalert"
	postgresAdvice = "PostgreSQL is not here: apt-get install postgresql (scripts/prerequisites.sh), or set REDALERT_TEST_POSTGRES to the URL of one that may create databases"
)

var sharedPostgres struct {
	once   sync.Once
	server *PostgresServer
	err    error
}

// Postgres is the one PostgreSQL of this test process: the one that
// REDALERT_TEST_POSTGRES names, or one started at the first call, which ends
// with the process.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	s := &sharedPostgres
	s.once.Do(func() {
		if u := os.Getenv("REDALERT_TEST_POSTGRES"); u != "" {
			s.server = &PostgresServer{admin: u, templates: map[string]string{}, free: map[string][]string{}}
			return
		}
		s.server, s.err = startPostgres("", freePort(t))
	})
	return postgresOr(t, s.server, s.err)
}

// OwnPostgres starts a PostgreSQL for one test, which may Kill and Start it.
func OwnPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	return OwnPostgresIn(t, "")
}

// OwnPostgresIn is OwnPostgres in a folder of its own below parent ("" = where
// temporary files lie).
func OwnPostgresIn(t testing.TB, parent string) *PostgresServer {
	t.Helper()
	s, err := startPostgres(parent, freePort(t))
	s = postgresOr(t, s, err)
	t.Cleanup(func() {
		s.Kill(t)
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

var errNoPostgres = errors.New("no initdb found")

func postgresOr(t testing.TB, s *PostgresServer, err error) *PostgresServer {
	t.Helper()
	switch {
	case errors.Is(err, errNoPostgres):
		lane.Missing(t, postgresAdvice)
	case err != nil:
		t.Fatal(err)
	}
	return s
}

// postgresBin is the folder of the newest PostgreSQL's programs.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) })
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			found = append(found, p)
		}
	}
	for _, p := range slices.Backward(found) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(p), "postgres")); err == nil {
			return filepath.Dir(p), nil
		}
	}
	return "", errNoPostgres
}

// unprivileged is who the server runs as: PostgreSQL refuses root. nil = as we do.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

func startPostgres(parent string, port int) (*PostgresServer, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "redalert-pg-")
	if err != nil {
		return nil, err
	}
	secret := rand.Text()
	s := &PostgresServer{dir: dir, data: filepath.Join(dir, "data"), bin: bin, port: port, as: as, templates: map[string]string{}, free: map[string][]string{},
		admin: (&url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, secret), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/postgres", RawQuery: "sslmode=disable"}).String()}
	if err := errors.Join(s.initdb(secret), s.watch()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *PostgresServer) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	return cmd
}

// initdb makes the data folder. Where PostgreSQL can (15 and later), it gets a
// language's collation, so that a query which forgets COLLATE "C" shows.
func (s *PostgresServer) initdb(secret string) error {
	pw := filepath.Join(s.dir, "pw")
	if err := os.WriteFile(pw, []byte(secret), 0o600); err != nil {
		return err
	}
	if s.as != nil {
		for _, p := range []string{s.dir, pw} {
			if err := os.Chown(p, int(s.as.Uid), int(s.as.Gid)); err != nil {
				return err
			}
		}
	}
	args := []string{"-D", s.data, "-U", postgresUser, "--pwfile", pw, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}
	out, err := s.command("initdb", append(args, "--locale-provider=icu", "--icu-locale=en-US")...).CombinedOutput()
	if err != nil {
		if err := os.RemoveAll(s.data); err != nil {
			return err
		}
		out, err = s.command("initdb", args...).CombinedOutput()
	}
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// watch leaves a shell behind that ends the server and removes its folder when
// this process ends, however it ends: it waits for our end of a pipe to close.
func (s *PostgresServer) watch() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", `read -r _; pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" && sleep 1; rm -rf "$1"`, "sh", s.dir)
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	// The pipe's end must live as long as the process: no finaliser may close it.
	watched.Lock()
	defer watched.Unlock()
	watched.pipes = append(watched.pipes, w)
	return nil
}

var watched struct {
	sync.Mutex
	pipes []*os.File
}

// start runs the server and waits until it answers.
func (s *PostgresServer) start() error {
	var output bytes.Buffer
	s.cmd = s.command("postgres", "-D", s.data, "-p", strconv.Itoa(s.port), "-k", s.dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=120", "-c", "shared_buffers=64MB", "-c", "deadlock_timeout=200ms")
	s.cmd.Stdout, s.cmd.Stderr = &output, &output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, exited := s.cmd, make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	for deadline := time.Now().Add(60 * time.Second); ; {
		if err := s.ping(); err == nil {
			return nil
		} else if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
		select {
		case err := <-exited:
			return fmt.Errorf("PostgreSQL ended: %w\n%s", err, output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *PostgresServer) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

// Kill ends the server and every process of it with SIGKILL, as a power cut
// would, and returns when they are gone. A server of somebody else skips the
// test, under CI=true it fails.
func (s *PostgresServer) Kill(t testing.TB) {
	t.Helper()
	if s.dir == "" {
		lane.Missing(t, "the PostgreSQL of REDALERT_TEST_POSTGRES is not ours to kill; unset it where PostgreSQL is installed")
	}
	pid := s.cmd.Process.Pid
	all := append([]int{pid}, childrenOf(pid)...)
	for _, p := range all {
		if err := syscall.Kill(p, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); slices.ContainsFunc(all, alive); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL survives SIGKILL")
		}
	}
}

// Start starts a killed server again, on the same data and port.
func (s *PostgresServer) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// childrenOf lists the processes that pid has started.
func childrenOf(pid int) (pids []int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, name := range stats {
		if _, parent := procStat(name); parent == pid {
			if child, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// procStat reads a process's state and parent; "", 0 when it is gone.
func procStat(name string) (state string, parent int) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}

func alive(pid int) bool {
	state, _ := procStat(fmt.Sprintf("/proc/%d/stat", pid))
	return state != "" && state != "Z" && state != "X"
}
