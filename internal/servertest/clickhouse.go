package servertest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"redalert/internal/lane"
)

// The environment says where a ClickHouse is to be had. The command is called
// as PROGRAM --listen 127.0.0.1:PORT --data DIR [--user NAME --password WORD] and
// stays in the foreground.
const (
	clickHouseAddr    = "REDALERT_TEST_CLICKHOUSE"
	clickHouseCommand = "REDALERT_TEST_CLICKHOUSE_COMMAND"
)

// clickHouseStarts bounds how long a server may take to listen: the first
// start on a machine may fetch it.
const clickHouseStarts = 3 * time.Minute

// ClickHouseServer is a server a test may use. Databases on it are the test's
// own business: it may be shared.
type ClickHouseServer struct {
	Addr string // host:port, native protocol

	command, data string
	account       []string // what the command is told of user and password
	mu            sync.Mutex
	process       *exec.Cmd     // nil while it does not run
	ended         chan struct{} // closes when process is gone
}

var sharedClickHouse struct {
	once   sync.Once
	server *ClickHouseServer
	err    error
}

// ClickHouse answers a server that all tests of the process share: the one the
// environment names, else one that it starts. Such a one ends with the process.
func ClickHouse(t testing.TB) *ClickHouseServer {
	t.Helper()
	if addr := os.Getenv(clickHouseAddr); addr != "" {
		return &ClickHouseServer{Addr: addr}
	}
	command := os.Getenv(clickHouseCommand)
	if command == "" {
		lane.Missing(t, fmt.Sprintf("no ClickHouse: set %s to its host:port, or %s to a program that starts one", clickHouseAddr, clickHouseCommand))
	}
	s := &sharedClickHouse
	s.once.Do(func() {
		var data string
		if data, s.err = os.MkdirTemp("", "redalert-clickhouse-"); s.err == nil {
			s.server, s.err = startClickHouse(command, data, freePort(t))
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// StopClickHouse ends the server that ClickHouse started and removes its data;
// for TestMain, after the tests.
func StopClickHouse() {
	if s := sharedClickHouse.server; s != nil {
		s.kill()
		os.RemoveAll(s.data)
	}
}

// OwnClickHouse starts a server for one test, which may Kill and Start it. It
// needs the command, whatever address the environment names.
func OwnClickHouse(t testing.TB) *ClickHouseServer {
	t.Helper()
	return ownClickHouse(t, t.TempDir())
}

// OwnClickHouseIn is OwnClickHouse with its data in a folder that is there.
func OwnClickHouseIn(t testing.TB, data string) *ClickHouseServer {
	t.Helper()
	return ownClickHouse(t, data)
}

// The account of GuardedClickHouse.
const ClickHouseUser, ClickHousePassword = "history", "a-password-of-the-test"

// GuardedClickHouse starts a server for one test that knows only this one
// account, and in front of it a port that speaks TLS. CA is the authority, as PEM.
func GuardedClickHouse(t testing.TB) (s *ClickHouseServer, tlsAddr string, ca []byte) {
	t.Helper()
	s = ownClickHouse(t, t.TempDir(), "--user", ClickHouseUser, "--password", ClickHousePassword)
	cert, err := newCertificate()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert.chain, cert.key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go forward(l, s.Addr)
	return s, l.Addr().String(), cert.ca
}

// forward hands every connection on to addr, until l closes.
func forward(l net.Listener, addr string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			defer out.Close()
			go func() {
				io.Copy(out, in) // until either side is gone
				out.Close()
			}()
			io.Copy(in, out)
		}()
	}
}

func ownClickHouse(t testing.TB, data string, account ...string) *ClickHouseServer {
	t.Helper()
	command := os.Getenv(clickHouseCommand)
	if command == "" {
		lane.Missing(t, fmt.Sprintf("no ClickHouse that may be killed: set %s to a program that starts one", clickHouseCommand))
	}
	s, err := startClickHouse(command, data, freePort(t), account...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

func startClickHouse(command, data string, port int, account ...string) (*ClickHouseServer, error) {
	s := &ClickHouseServer{Addr: fmt.Sprintf("127.0.0.1:%d", port), command: command, data: data, account: account}
	return s, s.start()
}

// Start starts a killed server again, on the same data and port, and returns
// when it listens.
func (s *ClickHouseServer) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *ClickHouseServer) Kill(t testing.TB) {
	t.Helper()
	if s.command == "" {
		t.Fatal("this ClickHouse is not ours to kill")
	}
	s.kill()
}

func (s *ClickHouseServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var output bytes.Buffer
	c := exec.Command(s.command, append([]string{"--listen", s.Addr, "--data", s.data}, s.account...)...)
	c.Stdout, c.Stderr = &output, &output
	c.WaitDelay = time.Second
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start ClickHouse: %w", err)
	}
	s.process, s.ended = c, make(chan struct{})
	go func(ended chan struct{}) {
		c.Wait() // how it ended does not matter
		close(ended)
	}(s.ended)
	for deadline := time.Now().Add(clickHouseStarts); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.ended:
			s.process = nil
			return fmt.Errorf("ClickHouse ended before it listened: %s", output.String())
		default:
		}
		if conn, err := net.DialTimeout("tcp", s.Addr, time.Second); err == nil {
			conn.Close()
			return nil
		}
	}
	s.end()
	return fmt.Errorf("ClickHouse does not listen on %s after %s: %s", s.Addr, clickHouseStarts, output.String())
}

func (s *ClickHouseServer) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
}

// end kills the process with what it started; the caller holds mu.
func (s *ClickHouseServer) end() {
	if s.process == nil {
		return
	}
	syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
	<-s.ended
	s.process = nil
}
