package servertest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"redalert/internal/lane"
)

// Disk is a small file system of its own, for a server to fill.
type Disk struct{ Path string }

// SmallDisk mounts a disk of so many MiB, in memory, that ends with the test.
// Servers on it have to be started afterwards. It takes Linux and root; without,
// the test is skipped, under CI=true it fails.
func SmallDisk(t testing.TB, mib int) *Disk {
	t.Helper()
	path, err := os.MkdirTemp("", "redalert-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0777,size="+strconv.Itoa(mib)+"m", "redalert-test", path).CombinedOutput()
	if err != nil {
		lane.Missing(t, "a small disk cannot be mounted; run the tests as root on Linux: "+err.Error()+" "+string(out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "--lazy", path).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v %s", path, err, out)
		}
	})
	return &Disk{Path: path}
}

// Fill takes all the room that is left, but so many bytes.
func (d *Disk) Fill(t testing.TB, leave int64) {
	t.Helper()
	f, err := os.Create(d.ballast())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := io.Copy(f, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk takes everything: %v", err)
	}
	if err := f.Truncate(max(0, n-leave)); err != nil {
		t.Fatal(err)
	}
}

// Free gives back what Fill took.
func (d *Disk) Free(t testing.TB) {
	t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		t.Fatal(err)
	}
}

func (d *Disk) ballast() string { return filepath.Join(d.Path, "ballast") }

// zeros is a reader without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
