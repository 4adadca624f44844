package kafka

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// zombieEnv holds "address prefix" in the process that TestFault_39 stops.
const zombieEnv = "REDALERT_TEST_ZOMBIE"

// zombie fetches a batch, waits for a line, commits, and says what came of it.
func zombie() int {
	addr, prefix, _ := strings.Cut(os.Getenv(zombieEnv), " ")
	c := config(addr)
	c.Prefix = prefix
	l, err := Open(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	b, err := l.Consumer("g").Fetch(context.Background(), 100)
	fmt.Println("fetched", len(b.Events), err)
	if err != nil {
		return 1
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return 1
	}
	err = b.Commit(context.Background())
	fmt.Println("stale:", errors.Is(err, ErrStale), err)
	if err := l.Close(); err != nil {
		fmt.Println(err)
	}
	return 0
}

func TestFault_39_StoppedConsumerWakesUp(t *testing.T) {
	addr := real(t)
	l := open(t, config(addr))
	publish(t, l, events("e", 50, 5))

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), zombieEnv+"="+addr+" "+l.cfg.Prefix)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "fetched 50 <nil>" {
		t.Fatalf("the other process said %q", lines.Text())
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if seen := drain(t, l.Consumer("g"), 50); len(seen) != 50 { // once its session is over
		t.Fatalf("%d events", len(seen))
	}
	publish(t, l, events("f", 5, 5))
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "stale: true") {
		t.Fatalf("the other process said %q, want a stale commit", lines.Text())
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if n := lagOf(t, l, "g"); n != 5 {
		t.Fatalf("lag %d after the other woke up, want 5", n)
	}
	drain(t, l.Consumer("g"), 5)
	eventually(t, "the lag is 0", 5*time.Second, func() bool { return lagOf(t, l, "g") == 0 })
}
