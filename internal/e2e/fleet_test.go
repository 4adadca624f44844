package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redalert/internal/lane"
	"redalert/internal/servertest"
)

// fleet is a world on the three servers, with redalert in processes by role.
type fleet struct {
	*world
	kafka      *servertest.Broker
	clickhouse *servertest.ClickHouseServer
	postgres   *servertest.PostgresServer
	prefix     string             // of its topics and groups: several fleets may use one broker
	procs      map[string]*server // by name, such as score-2
	pointed    int                // times that point has chosen
}

// newFleet starts the three servers, bare as they are, configures and migrates
// them. No process of redalert runs yet.
func newFleet(t testing.TB, secure bool) *fleet {
	t.Helper()
	lane.Long(t, "three servers")
	f := &fleet{procs: map[string]*server{}, prefix: fmt.Sprintf("fleet-%016x.", rand.Uint64()), kafka: servertest.Kafka(t, servertest.KafkaOptions{Secure: secure}),
		clickhouse: servertest.OwnClickHouse(t), postgres: servertest.OwnPostgres(t)}
	f.world = newWorld(t)
	if secure {
		f.configure(f.secureKafka(servertest.KafkaPassword))
	} else {
		f.configure(fmt.Sprintf("kafka: {brokers: [%q], prefix: %q, partitions: 4}\n", f.kafka.Addr, f.prefix))
	}
	f.configure(fmt.Sprintf("clickhouse: {addr: %q}\npostgres: {url: %q}\n", f.clickhouse.Addr, f.postgres.Database(t, "")))
	out := must(t, f.args("migrate")...)
	for _, name := range []string{"postgres", "clickhouse", "kafka"} {
		if !strings.Contains(out, name+":") {
			t.Errorf("migrate says nothing of %s:\n%s", name, out)
		}
	}
	return f
}

// secureKafka is the section for TLS and SCRAM.
func (f *fleet) secureKafka(password string) string {
	ca := filepath.Join(filepath.Dir(f.config), "kafka-ca.pem")
	if err := os.WriteFile(ca, f.kafka.CA, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprintf("kafka: {brokers: [%q], prefix: %q, partitions: 4, tls: tls, ca_file: %q, sasl: {mechanism: scram-sha-512, user: %q, password: %q}}\n",
		f.kafka.SASLAddr, f.prefix, ca, servertest.KafkaUser, password)
}

// configure adds to redalert.yaml.
func (w *world) configure(yaml string) {
	w.t.Helper()
	old, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.config, append(old, yaml...), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// roles of a small fleet: everything that may run several times over does.
var fleetRoles = []string{"collect-1", "collect-2", "score-1", "score-2", "alert-1", "alert-2", "web-1", "web-2"}

// launch starts one process; its role is its name up to the dash.
func (f *fleet) launch(name string) error {
	role, _, _ := strings.Cut(name, "-")
	s, err := tryStart(f.t, f.args("run", "--role", role)...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.procs[name] = s
	return nil
}

func (f *fleet) launchAll(names ...string) {
	f.t.Helper()
	for _, name := range names {
		if err := f.launch(name); err != nil {
			f.t.Fatal(err)
		}
	}
}

// stopAll ends every process with SIGTERM, and wants them to end well.
func (f *fleet) stopAll() {
	f.t.Helper()
	for name, s := range f.procs {
		s.stop()
		delete(f.procs, name)
	}
}

// TestFleet_RolesApart: each role answers for its own work and for no other,
// over TLS and SCRAM.
func TestFleet_RolesApart(t *testing.T) {
	f := newFleet(t, true)
	f.launchAll(fleetRoles...)
	t.Cleanup(func() {
		for _, s := range f.procs {
			s.kill()
		}
	})
	token := strings.TrimSpace(must(t, f.args("token", "add", "posts", "--scope", "ingest")...))
	read := strings.TrimSpace(must(t, f.args("token", "add", "look", "--scope", "read")...))
	for name, s := range f.procs {
		collects, pages := strings.HasPrefix(name, "collect"), strings.HasPrefix(name, "web")
		for _, tt := range []struct {
			method, path string
			want         int
		}{
			{http.MethodGet, "/healthz", http.StatusOK}, {http.MethodGet, "/readyz", http.StatusOK}, {http.MethodGet, "/metrics", http.StatusOK},
			{http.MethodPost, "/v1/events", either(collects, http.StatusUnauthorized, http.StatusNotFound)},
			{http.MethodGet, "/v1/cases", either(pages, http.StatusUnauthorized, http.StatusNotFound)},
			{http.MethodGet, "/login", either(pages, http.StatusOK, http.StatusNotFound)},
		} {
			if code, body, err := s.request(tt.method, tt.path, "", "application/json", nil); err != nil || code != tt.want {
				t.Errorf("%s: %s %s: %d %v, want %d\n%.200s", name, tt.method, tt.path, code, err, tt.want, body)
			}
		}
	}
	c := &crash{}
	code, body, err := f.procs["collect-1"].request(http.MethodPost, "/v1/events", token, "application/cloudevents+json", c.event("posts", "one", 1))
	if ok, bad := answered(code, body); err != nil || bad != nil || !ok {
		t.Fatalf("post: %d %s %v %v", code, body, err, bad)
	}
	var page struct{ Items []map[string]any }
	eventually(t, 60*time.Second, "the event is a case on the page", func() bool {
		f.procs["web-1"].getJSON(read, "/v1/cases", &page)
		return len(page.Items) == 1
	})
	out, errs, code := redalert(t, "", f.args("doctor")...)
	if code != 0 || !strings.Contains(out, "ok    kafka") || !strings.Contains(out, "ok    clickhouse") || !strings.Contains(out, "ok    postgres") {
		t.Errorf("doctor: exit %d\n%s%s", code, out, errs)
	}
	f.stopAll()
	f.doctorNames(t)
}

// doctorNames: a wrong password is named as such, by doctor and by nothing that
// shows it.
func (f *fleet) doctorNames(t *testing.T) {
	old, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.ReplaceAll(string(old), fmt.Sprintf("password: %q", servertest.KafkaPassword), `password: "hunter2"`)
	if err := os.WriteFile(f.config, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := redalert(t, "", f.args("doctor")...)
	if code != 1 || !strings.Contains(out, "FAIL  kafka") || !strings.Contains(out, "password") || strings.Contains(out+errs, "hunter2") {
		t.Errorf("doctor with a wrong password: exit %d\n%s%s", code, out, errs)
	}
}

func either(cond bool, yes, no int) int {
	if cond {
		return yes
	}
	return no
}

// TestFleet_AllInOne: plain `redalert run` with the three servers configured does
// the work of every role.
func TestFleet_AllInOne(t *testing.T) {
	f := newFleet(t, false)
	s := start(t, f.args("run")...)
	token := strings.TrimSpace(must(t, f.args("token", "add", "posts", "--scope", "ingest")...))
	read := strings.TrimSpace(must(t, f.args("token", "add", "look", "--scope", "read")...))
	c := &crash{}
	code, body, err := s.request(http.MethodPost, "/v1/events", token, "application/cloudevents+json", c.event("posts", "one", 1))
	if ok, bad := answered(code, body); err != nil || bad != nil || !ok {
		t.Fatalf("post: %d %s %v %v", code, body, err, bad)
	}
	var page struct{ Items []map[string]any }
	eventually(t, 60*time.Second, "the event is a case on the page", func() bool {
		s.getJSON(read, "/v1/cases", &page)
		return len(page.Items) == 1
	})
	if code, _, err := s.request(http.MethodGet, "/login", "", "", nil); err != nil || code != http.StatusOK {
		t.Errorf("pages: %d, %v", code, err)
	}
	s.stop()
}

// TestFleet_SurvivesEverything feeds every door while processes are restarted
// one after another, then killed at random, and each of the servers is killed
// under load. Afterwards the exports alone must show that nothing was lost,
// doubled or half done.
func TestFleet_SurvivesEverything(t *testing.T) {
	f := newFleet(t, false)
	c := newCrash(t, f.world)
	c.outages = true
	r := rand.New(rand.NewPCG(c.seed, 3))
	f.launchAll(fleetRoles...)
	f.point(c, "")
	stop := c.feed()
	f.rollingRestart(c)
	f.randomKills(c, r, *kills/10)
	f.serverKills(c)
	stop()
	for _, s := range f.procs {
		s.kill()
	}
	f.procs = map[string]*server{}
	f.settle(c)
	c.check()
}

// point tells the feed where doors and pages are now: each time at the next of
// those that run, but not at the one named.
func (f *fleet) point(c *crash, but string) {
	f.pointed++
	for role, where := range map[string]*atomic.Pointer[string]{"collect": &c.base, "web": &c.desk} {
		for i := range 2 {
			name := fmt.Sprintf("%s-%d", role, (f.pointed+i)%2+1)
			if s := f.procs[name]; s != nil && name != but {
				where.Store(&s.url)
				break
			}
		}
	}
}

// again starts a process that has ended; while a server is down it may take
// several attempts, as under a supervisor.
func (f *fleet) again(c *crash, name string) {
	f.t.Helper()
	eventually(f.t, 90*time.Second, name+" starts again", func() bool {
		err := f.launch(name)
		if err != nil {
			f.t.Log(err)
		}
		return err == nil
	})
	f.point(c, "")
}

// rollingRestart restarts each process in turn, as behind a proxy that sends
// requests to the other one of its role meanwhile.
func (f *fleet) rollingRestart(c *crash) {
	for _, name := range fleetRoles {
		f.point(c, name)
		f.procs[name].stop()
		f.again(c, name)
	}
}

func (f *fleet) randomKills(c *crash, r *rand.Rand, n int) {
	for range n {
		name := fleetRoles[r.IntN(len(fleetRoles))]
		time.Sleep(time.Duration(20+r.IntN(400)) * time.Millisecond) // the moment of the kill is the point
		f.procs[name].kill()
		f.again(c, name)
	}
}

// serverKills kills each server while everything runs, and starts it again. The
// processes must come back by themselves or be started again as a supervisor
// would.
func (f *fleet) serverKills(c *crash) {
	for _, srv := range []interface {
		Kill(testing.TB)
		Start(testing.TB)
	}{f.clickhouse, f.kafka, f.postgres} {
		before := c.serial.Load()
		srv.Kill(f.t)
		time.Sleep(1500 * time.Millisecond) // requests meet the outage
		srv.Start(f.t)
		for name, s := range f.procs {
			select {
			case err := <-s.ended:
				s.ended <- err
				f.t.Logf("%s ended during the outage: %v", name, err)
				f.again(c, name)
			default:
			}
		}
		eventually(f.t, 90*time.Second, "events are taken in again", func() bool { return c.serial.Load() > before+20 })
	}
}

// settle lets a last fleet collect what waits outside and work off the log.
func (f *fleet) settle(c *crash) {
	f.launchAll(fleetRoles...)
	eventually(f.t, 3*time.Minute, "every mail and review collected", func() bool {
		have := map[string]int{}
		for _, e := range c.export("events") {
			have[str(e, "source")]++
		}
		return have["care"] >= len(c.mails) && have["town"] >= len(c.review)
	})
	f.stopAll()
	must(f.t, c.args("run", "--drain")...)
	must(f.t, c.args("tick", "--at", time.Now().Add(10*time.Minute).UTC().Format(time.RFC3339))...)
}
