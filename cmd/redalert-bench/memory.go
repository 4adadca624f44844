package main

import (
	"fmt"
	"time"
)

// memory measures a server that has nothing to do, five seconds after its
// start.
func (b bench) memory() ([]result, error) {
	dir, clean, err := tempDir()
	if err != nil {
		return nil, err
	}
	defer clean()
	p, err := b.serve(dir)
	if err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Second) // idle is what is measured
	mib, err := residentMiB(p.cmd.Process.Pid, "VmRSS")
	if serr := p.stop(); err == nil {
		err = serr
	}
	if err != nil {
		return nil, err
	}
	return []result{{name: "idle memory, of 60 MiB", ours: fmt.Sprintf("%.0f MiB", mib), peer: "60 MiB", ratio: mib / 60, goal: 1, atMost: true}}, nil
}
