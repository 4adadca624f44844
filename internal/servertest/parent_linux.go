package servertest

import (
	"os/exec"
	"syscall"
)

// endWithParent lets the system end the server when the test process dies
// without cleaning up.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
