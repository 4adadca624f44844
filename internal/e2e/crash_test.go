package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redalert/internal/lane"
)

// TestCrash feeds every door at once, kills the server (and imports) at random
// moments, and afterwards asks the exports alone whether anything was lost,
// doubled or half done. SIGKILL does not prove fsync: that synchronous=FULL is
// set is asserted beside the store.
func TestCrash(t *testing.T) {
	lane.Long(t, "the crash test")
	c := newCrash(t, newWorld(t))
	c.t.Logf("%d kills", *kills)
	c.rounds()
	c.settle()
	c.check()
}

// manager is the one person whom mail goes to.
const manager = "manager@shop.example"

// newCrash makes the people and programs that use the server.
func newCrash(t *testing.T, w *world) *crash {
	t.Helper()
	c := &crash{world: w, seed: uint64(time.Now().UnixNano()), acked: map[string]string{}, notes: map[string]bool{}}
	t.Logf("seed %d", c.seed)
	must(t, c.args("user", "add", manager, "--role", "manager")...)
	token := func(name, scope string) string {
		return strings.TrimSpace(must(t, c.args("token", "add", name, "--scope", scope)...))
	}
	c.ingest, c.triage, c.read = token("posts", "ingest"), token("desk", "triage"), token("look", "read")
	return c
}

type crash struct {
	*world
	seed                 uint64
	ingest, triage, read string

	base    atomic.Pointer[string] // of the doors that live now
	desk    atomic.Pointer[string] // of the pages that live now; the same server, unless roles run apart
	serial  atomic.Int64
	stopped atomic.Bool
	outages bool // servers go away: commands may fail, and are tried again

	mu     sync.Mutex
	acked  map[string]string // native id → door, answered accepted or duplicate
	notes  map[string]bool   // text of notes answered 2xx
	mails  []string          // Message-IDs delivered to the mailbox
	review []string
	files  []string // native ids (order refs) in imported files
}

func (c *crash) rounds() {
	r := rand.New(rand.NewPCG(c.seed, 1))
	wait := c.feed()
	for round := 0; round < *kills; round++ {
		s, err := tryStart(c.t, c.args("run")...)
		if err != nil {
			c.t.Errorf("round %d: %v", round, err)
			break
		}
		c.base.Store(&s.url)
		c.desk.Store(&s.url)
		time.Sleep(time.Duration(20+r.IntN(330)) * time.Millisecond) // the moment of the kill is the point
		s.kill()
	}
	wait()
}

// feed uses every door at once until the answered function is called, which
// waits for the end of it.
func (c *crash) feed() (stop func()) {
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { c.post(i) })
	}
	wg.Go(c.hooks)
	wg.Go(c.mailAndReviews)
	wg.Go(c.work)
	wg.Go(func() { c.imports(rand.New(rand.NewPCG(c.seed, 2))) })
	return func() {
		c.stopped.Store(true)
		wg.Wait()
	}
}

// until retries one item until some server acknowledged it, or answers false
// once the last server is gone.
func (c *crash) until(where *atomic.Pointer[string], try func(base string) bool) bool {
	for !c.stopped.Load() {
		if base := where.Load(); base != nil && try(*base) {
			return true
		}
		time.Sleep(3 * time.Millisecond)
	}
	return false
}

func (c *crash) ack(id, door string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked[id] = door
}

func (c *crash) event(source, id string, n int64) []byte {
	customer := map[string]any{"ref": fmt.Sprintf("C%d", n%40), "email": fmt.Sprintf("c%d@mail.example", n%40)}
	switch n % 4 {
	case 0:
		return cloudEvent(source, id, "order.cancelled", map[string]any{"order_ref": id, "customer": customer, "caused_by": "customer",
			"total": map[string]any{"amount": 5000, "currency": "EUR"}})
	case 1:
		return cloudEvent(source, id, "feedback.survey.answered", map[string]any{"source_type": "survey", "submission_id": id, "field_type": "nps",
			"value_number": 1, "scale_min": 0, "scale_max": 10, "customer": customer, "value_text": "My daughter was hurt by your ladder. I have called a lawyer."})
	case 2:
		return cloudEvent(source, id, "order.placed", map[string]any{"order_ref": id, "customer": customer,
			"total": map[string]any{"amount": 9000, "currency": "EUR"}})
	}
	return cloudEvent(source, id, "feedback.survey.answered", map[string]any{"source_type": "survey", "submission_id": id, "field_type": "nps",
		"value_number": 10, "scale_min": 0, "scale_max": 10, "customer": customer})
}

// answered reads whether a 202 took the one event in.
func answered(code int, body []byte) (bool, error) {
	if code != http.StatusAccepted {
		return false, nil
	}
	var a struct {
		Results []struct{ Status, Reason string }
	}
	if err := json.Unmarshal(body, &a); err != nil || len(a.Results) != 1 {
		return false, fmt.Errorf("answer %s: %v", body, err)
	}
	if s := a.Results[0].Status; s != "accepted" && s != "duplicate" {
		return false, fmt.Errorf("a good event was %s: %s", s, a.Results[0].Reason)
	}
	return true, nil
}

func (c *crash) post(worker int) {
	for !c.stopped.Load() {
		n := c.serial.Add(1)
		id := fmt.Sprintf("api-%d", n)
		body := c.event("posts", id, n)
		if c.until(&c.base, func(base string) bool {
			code, b, err := request(base, http.MethodPost, "/v1/events", c.ingest, "application/cloudevents+json", body)
			return err == nil && c.taken(code, b)
		}) {
			c.ack(id, "api")
		}
	}
}

func (c *crash) taken(code int, b []byte) bool {
	ok, err := answered(code, b)
	if err != nil {
		c.t.Error(err)
	}
	return ok
}

func (c *crash) hooks() {
	for !c.stopped.Load() {
		n := c.serial.Add(1)
		id := fmt.Sprintf("hook-%d", n)
		body := c.event("shop", id, n)
		if c.until(&c.base, func(base string) bool {
			code, b, err := c.hook(base, "shop", "msg-"+id, body)
			return err == nil && c.taken(code, b)
		}) {
			c.ack(id, "hook")
		}
	}
}

func (c *crash) mailAndReviews() {
	for i := 0; !c.stopped.Load() && i < 400; i++ {
		id := fmt.Sprintf("<m%d@mail.example>", i)
		c.deliver("INBOX", fmt.Sprintf("From: C %d <c%d@mail.example>\r\nTo: care@shop.example\r\nSubject: My order\r\nMessage-ID: %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis is the third time I am asking. Nobody called back and I want my money back.\r\n",
			i%40, i%40, id, time.Now().Format(time.RFC1123Z)))
		c.mu.Lock()
		c.mails = append(c.mails, id)
		c.mu.Unlock()
		if i%4 == 0 {
			rid := fmt.Sprintf("r%d", i)
			c.world.review(rid, 1, "Never again. They broke the door and left.")
			c.mu.Lock()
			c.review = append(c.review, rid)
			c.mu.Unlock()
		}
		time.Sleep(60 * time.Millisecond) // mails trickle in
	}
}

// imports runs the import of growing files beside the server and kills most of
// the attempts in the middle.
func (c *crash) imports(r *rand.Rand) {
	dir := c.t.TempDir()
	for f := 0; !c.stopped.Load(); f++ {
		name := filepath.Join(dir, fmt.Sprintf("orders-%d.csv", f))
		refs := writeOrders(c.t, name, f)
		for attempt := 0; !c.stopped.Load(); attempt++ {
			cmd := exec.Command(binary, c.args("import", "orders", name, "--source", "file")...)
			cmd.Env = cleanEnv()
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				c.t.Error(err)
				return
			}
			if attempt < 2 {
				time.AfterFunc(time.Duration(30+r.IntN(200))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
			if err := cmd.Wait(); err == nil {
				c.mu.Lock()
				c.files = append(c.files, refs...)
				c.mu.Unlock()
				break
			} else if cmd.ProcessState.ExitCode() > 0 && !c.outages {
				c.t.Errorf("import failed by itself: %v\n%s", err, errs.String())
				return
			}
		}
	}
}

func writeOrders(t testing.TB, name string, f int) (refs []string) {
	t.Helper()
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := csv.NewWriter(out)
	_ = w.Write([]string{"order_ref", "customer_ref", "placed_at", "total", "currency"})
	for i := range 400 {
		ref := fmt.Sprintf("F%d-%d", f, i)
		refs = append(refs, ref)
		_ = w.Write([]string{ref, fmt.Sprintf("C%d", i%40), time.Now().Add(-time.Duration(i) * time.Hour).UTC().Format(time.RFC3339), "45.00", "EUR"})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
	return refs
}

// work claims cases and writes notes, as staff would, across kills.
func (c *crash) work() {
	for i := 0; !c.stopped.Load(); i++ {
		var page struct {
			Items []struct {
				ID      string
				Version int64
				State   string
			}
		}
		ok := c.until(&c.desk, func(base string) bool {
			code, b, err := request(base, http.MethodGet, "/v1/cases?limit=50", c.read, "", nil)
			return err == nil && code == http.StatusOK && json.Unmarshal(b, &page) == nil && len(page.Items) > 0
		})
		if !ok {
			return
		}
		one := page.Items[i%len(page.Items)]
		text := fmt.Sprintf("note %d", i)
		body, _ := json.Marshal(map[string]any{"version": one.Version, "text": text})
		if base := c.desk.Load(); base != nil {
			if code, _, err := request(*base, http.MethodPost, "/v1/cases/"+one.ID+"/notes", c.triage, "application/json", body); err == nil && code/100 == 2 {
				c.mu.Lock()
				c.notes[text] = true
				c.mu.Unlock()
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// settle lets a last server collect what waits outside, then works off the
// rest and stops.
func (c *crash) settle() {
	s := start(c.t, c.args("run")...)
	eventually(c.t, 90*time.Second, "every mail and review collected", func() bool {
		have := map[string]int{}
		for _, e := range c.export("events") {
			have[str(e, "source")]++
		}
		return have["care"] >= len(c.mails) && have["town"] >= len(c.review)
	})
	s.stop()
	must(c.t, c.args("run", "--drain")...)
	// A mail that was on its way at the last kill is taken again when its lease
	// of five minutes has run out.
	must(c.t, c.args("tick", "--at", time.Now().Add(10*time.Minute).UTC().Format(time.RFC3339))...)
}
