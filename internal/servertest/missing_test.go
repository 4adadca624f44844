package servertest

import (
	"runtime"
	"testing"
)

// verdict is a test that notes how it would have ended.
type verdict struct {
	testing.TB
	failed, skipped bool
}

func (v *verdict) Helper()      {}
func (v *verdict) Fatal(...any) { v.failed = true; runtime.Goexit() }
func (v *verdict) Skip(...any)  { v.skipped = true; runtime.Goexit() }

// TestKillOfAnothersServer: a server that is not ours is not killed, and no
// lane disappears unseen for it: under CI=true that is a failure.
func TestKillOfAnothersServer(t *testing.T) {
	for name, kill := range map[string]func(testing.TB){
		"kafka":    (&Broker{Addr: "127.0.0.1:1"}).Kill,
		"postgres": (&PostgresServer{admin: "postgres://127.0.0.1:1/postgres"}).Kill,
	} {
		for _, ci := range []string{"", "true"} {
			t.Setenv("CI", ci)
			v, done := &verdict{TB: t}, make(chan struct{})
			go func() { defer close(done); kill(v) }()
			<-done
			if v.failed != (ci == "true") || v.skipped != (ci == "") {
				t.Errorf("%s, CI=%q: failed %v, skipped %v", name, ci, v.failed, v.skipped)
			}
		}
	}
}
