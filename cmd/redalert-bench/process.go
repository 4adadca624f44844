package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type bench struct {
	bin  string
	data string

	trendEvents int
}

// process is a running redalert.
type process struct {
	cmd  *exec.Cmd
	url  string
	errs bytes.Buffer
}

func (b bench) serve(dir string, args ...string) (*process, error) {
	ready := filepath.Join(dir, "ready.json")
	_ = os.Remove(ready)
	p := &process{}
	p.cmd = exec.Command(b.bin, append([]string{"run", "--data", dir, "--listen", "127.0.0.1:0", "--ready-file", ready}, args...)...)
	p.cmd.Stderr = &p.errs
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 1000 {
		var r struct{ URL string }
		if raw, err := os.ReadFile(ready); err == nil && json.Unmarshal(raw, &r) == nil && r.URL != "" {
			p.url = r.URL
			return p, nil
		}
		time.Sleep(10 * time.Millisecond) // a process is starting
	}
	_ = p.cmd.Process.Kill()
	return nil, fmt.Errorf("%s did not start: %s", b.bin, p.errs.String())
}

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (b bench) command(args ...string) (string, error) {
	cmd := exec.Command(b.bin, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("redalert %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// residentMiB is the present (VmRSS) or greatest (VmHWM) memory of a process.
func residentMiB(pid int, field string) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), field+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s for process %d", field, pid)
}

func tempDir() (string, func(), error) {
	dir, err := os.MkdirTemp("", "redalert-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}
