// Package dovecot starts a real Dovecot on a bare machine, for tests only:
// one plain-text IMAP account on a free loopback port, Maildir storage, an
// INBOX and a Sent mailbox with its special use. Everything lies in one
// temporary folder and ends with the test. It works as root and as any other
// user; no system configuration is read.
package dovecot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The one account.
const (
	User     = "care@example.com"
	Password = "not-a-secret"
)

// Server is one running Dovecot. Its methods fail the test themselves.
type Server struct {
	Host string
	Port int

	t        testing.TB
	binary   string
	dir      string
	uid, gid int
	cmd      *exec.Cmd
	sequence int
}

// Start starts a server and waits until it greets. Without a Dovecot on the
// machine the test is skipped, under CI=true it fails.
func Start(t testing.TB) *Server {
	t.Helper()
	binary := find()
	if binary == "" {
		const advice = "no dovecot found; install the Debian package dovecot-imapd"
		if os.Getenv("CI") == "true" {
			t.Fatal(advice)
		}
		t.Skip("SKIPPED: " + advice)
	}
	s := &Server{Host: "127.0.0.1", t: t, binary: binary, uid: os.Getuid(), gid: os.Getgid()}
	s.must(s.prepare())
	t.Cleanup(func() {
		s.Stop()
		s.must(os.RemoveAll(s.dir))
	})
	s.Run()
	return s
}

func find() string {
	for _, b := range []string{"dovecot", "/usr/sbin/dovecot", "/usr/local/sbin/dovecot"} {
		if p, err := exec.LookPath(b); err == nil {
			return p
		}
	}
	return ""
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "dovecot.log"))
		s.t.Fatalf("dovecot: %v\n%s", err, log)
	}
}

// prepare writes the configuration. As root, mail belongs to nobody: Dovecot
// refuses to handle root's.
func (s *Server) prepare() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "dovecot-test-"); err != nil {
		return err
	}
	self, err := user.Current()
	if err != nil {
		return err
	}
	internal := self.Username
	if s.uid == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			return err
		}
		internal = nobody.Username
		s.uid, _ = strconv.Atoi(nobody.Uid) // numbers on every Unix
		s.gid, _ = strconv.Atoi(nobody.Gid)
	}
	group := strconv.Itoa(s.gid)
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(s.dir, "mail"), 0o700); err != nil {
		return err
	}
	if err := os.Chown(filepath.Join(s.dir, "mail"), s.uid, s.gid); err != nil {
		return err
	}
	users := fmt.Sprintf("%s:{PLAIN}%s\n", User, Password)
	if err := os.WriteFile(filepath.Join(s.dir, "users"), []byte(users), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "dovecot.conf"), []byte(s.config(internal, group)), 0o644)
}

func (s *Server) config(internal, group string) string {
	r := strings.NewReplacer("DIR", s.dir, "PORT", strconv.Itoa(s.Port), "UID", strconv.Itoa(s.uid), "GID", strconv.Itoa(s.gid),
		"INTERNAL", internal, "GROUP", group)
	return r.Replace(`base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = INTERNAL
default_internal_group = GROUP
default_login_user = INTERNAL
mail_location = maildir:DIR/mail/box
mailbox_list_index = no
mailbox_idle_check_interval = 1s
first_valid_uid = 0
auth_mechanisms = plain
passdb {
  driver = passwd-file
  args = DIR/users
}
userdb {
  driver = static
  args = uid=UID gid=GID home=DIR/mail
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    auto = create
    special_use = \Sent
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
`)
}

// Run starts the server, for the first time or after Stop, on the same port.
func (s *Server) Run() {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, "-F", "-c", filepath.Join(s.dir, "dovecot.conf"))
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.must(s.cmd.Start())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.must(s.greets(ctx))
}

// greets waits for the greeting of the server.
func (s *Server) greets(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = s.greeting(); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(ctx.Err(), last))
		}
	}
}

func (s *Server) greeting() error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "* OK") {
		return fmt.Errorf("greeting %q", line)
	}
	return nil
}

// Stop ends the server and every connection at once, as a crash does.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // its children are of its group
	_ = s.cmd.Wait()                                      // killed
	s.cmd = nil
	_ = os.Remove(filepath.Join(s.dir, "run", "master.pid"))
}

// maildir is the folder of a mailbox: INBOX is the root, others are .NAME.
func (s *Server) maildir(mailbox string) string {
	root := filepath.Join(s.dir, "mail", "box")
	if strings.EqualFold(mailbox, "INBOX") {
		return root
	}
	return filepath.Join(root, "."+mailbox)
}

// Deliver puts a mail into a mailbox as a delivery agent does.
func (s *Server) Deliver(mailbox string, raw []byte) {
	s.t.Helper()
	s.sequence++
	dir := s.maildir(mailbox)
	for _, d := range []string{filepath.Join(s.dir, "mail", "box"), dir, dir + "/tmp", dir + "/new", dir + "/cur"} {
		if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			s.must(err)
		}
		s.must(os.Chown(d, s.uid, s.gid))
	}
	name := fmt.Sprintf("%d.M%06dP%d.test", time.Now().Unix(), s.sequence, os.Getpid())
	s.must(os.WriteFile(filepath.Join(dir, "tmp", name), raw, 0o600))
	s.must(os.Chown(filepath.Join(dir, "tmp", name), s.uid, s.gid))
	s.must(os.Rename(filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name)))
}

// Renumber makes the server forget the UIDs of a mailbox: UIDVALIDITY is
// another one afterwards, and the mails are numbered from 1. The server must
// be stopped.
func (s *Server) Renumber(mailbox string) {
	s.t.Helper()
	list := filepath.Join(s.maildir(mailbox), "dovecot-uidlist")
	old, err := os.ReadFile(list)
	s.must(err)
	var version, validity uint32
	if _, err := fmt.Sscanf(string(old), "%d V%d ", &version, &validity); err != nil {
		s.must(fmt.Errorf("%s: %w", list, err))
	}
	index, err := filepath.Glob(filepath.Join(s.maildir(mailbox), "dovecot.index*"))
	s.must(err)
	for _, f := range index {
		s.must(os.Remove(f))
	}
	s.must(os.WriteFile(list, fmt.Appendf(nil, "%d V%d N1\n", version, validity+1), 0o600))
	s.must(os.Chown(list, s.uid, s.gid))
}

// Flags lists the Maildir flags of every mail of a mailbox ("S" is \Seen).
func (s *Server) Flags(mailbox string) []string {
	s.t.Helper()
	files, err := os.ReadDir(filepath.Join(s.maildir(mailbox), "cur"))
	s.must(err)
	var out []string
	for _, f := range files {
		_, flags, _ := strings.Cut(f.Name(), ":2,")
		out = append(out, flags)
	}
	return out
}
