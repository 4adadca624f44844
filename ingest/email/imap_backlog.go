package email

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"redalert/ingest"
	"redalert/schemas"
)

// box is one mailbox being collected.
type box struct {
	name     string
	sent     bool
	validity uint32    // UIDVALIDITY; changes only while nothing is read ahead
	done     uint32    // the last UID acknowledged
	next     uint32    // UIDNEXT when it was last listed, 0 = not told
	queue    []entry   // listed and not yet fetched, by UID
	seen     uint32    // UIDs up to here are listed
	newest   time.Time // when the last mail listed was received
}

// entry is a mail known by its metadata.
type entry struct {
	uid      uint32
	size     int64
	received time.Time
}

// fetched is a batch read ahead.
type fetched struct {
	b     *box
	items []made
	last  uint32
	err   error
}

// made is an item with the mail it was made of, for its thread.
type made struct {
	item ingest.Item
	mail Mail
}

// backlog answers the next batch of any mailbox; found is false when all have
// been read to their end.
func (c *IMAP) backlog(ctx context.Context) (del ingest.Delivery, found bool, err error) {
	got, ok, err := c.nextBatch(ctx)
	if err != nil || !ok {
		return ingest.Delivery{}, false, err
	}
	if err := c.threads(ctx, got.items); err != nil {
		return ingest.Delivery{}, false, err
	}
	return c.delivery(got), true, nil
}

func (c *IMAP) delivery(got fetched) ingest.Delivery {
	b := got.b
	del := ingest.Delivery{Items: make([]ingest.Item, len(got.items))}
	for i := range got.items {
		del.Items[i] = got.items[i].item
	}
	if len(b.queue) > 0 || len(c.ahead) > 0 {
		del.Newest = b.newest
	}
	p := position{Validity: b.validity, UID: got.last}
	c.unacked = true
	del.Ack = func(ctx context.Context) error {
		if err := c.saveCursor(ctx, b, p); err != nil {
			return err
		}
		b.done, c.unacked = p.UID, false
		return nil
	}
	return del
}

// aheadMax is how many batches are read ahead: with two, the server sends one
// while the command for the next is on its way.
const aheadMax = 2

// nextBatch takes the next batch read ahead, listing mails first when none is,
// and starts reading those after it.
func (c *IMAP) nextBatch(ctx context.Context) (got fetched, ok bool, err error) {
	if len(c.ahead) == 0 {
		b, err := c.listed()
		if err != nil || b == nil {
			return got, false, err
		}
		c.readAhead(b)
	}
	select {
	case got = <-c.ahead[0]:
		c.ahead = c.ahead[1:]
	case <-ctx.Done():
		return got, false, ctx.Err()
	}
	if got.err != nil {
		return got, false, got.err
	}
	c.turn++
	c.readAhead(got.b)
	if len(c.ahead) == 0 && c.turnOver(got.b) {
		c.at, c.turn = 0, 0
	}
	return got, true, nil
}

// turnOver reports whether the inbox is due again.
func (c *IMAP) turnOver(b *box) bool {
	return b != c.boxes[0] && c.turn+len(c.ahead) >= c.pace.sentTurn
}

func (c *IMAP) readAhead(b *box) {
	s := c.s
	for len(c.ahead) < aheadMax && len(b.queue) > 0 && !c.turnOver(b) {
		batch, out := c.take(b), make(chan fetched, 1)
		c.ahead = append(c.ahead, out)
		go func() { out <- c.fetch(s, b, batch) }()
	}
}

// listed answers the mailbox in turn that has something to fetch, nil when
// none has.
func (c *IMAP) listed() (*box, error) {
	for ; c.at < len(c.boxes); c.at, c.turn = c.at+1, 0 {
		b := c.boxes[c.at]
		if len(b.queue) == 0 || c.s.selected != b.name {
			if err := c.list(b); err != nil {
				return nil, err
			}
		}
		if len(b.queue) > 0 {
			return b, nil
		}
	}
	c.at, c.turn = 0, 0
	return nil, nil
}

// list opens a mailbox and lists what comes after its cursor, one window of
// UIDs at a time. Gaps between UIDs may be huge: empty windows grow.
func (c *IMAP) list(b *box) error {
	c.s.drain()
	next, validity, count, err := c.s.examine(b.name)
	if b != c.boxes[0] && isRefusal(err) {
		// The inbox goes on without it; doctor names the fault.
		c.log.Warn("the mailbox of sent mail cannot be opened; answers written elsewhere are not seen: check sent_mailbox", "mailbox", b.name, "error", err)
		b.queue = nil
		return nil
	}
	if err != nil {
		return err
	}
	if b.validity != validity {
		if b.validity != 0 {
			c.log.Info("the server renumbered a mailbox; it is read again, known mails are left out", "mailbox", b.name)
		}
		b.validity, b.done = validity, 0
	}
	b.next, b.queue, b.seen = next, nil, b.done
	if count == 0 {
		return nil
	}
	for width := c.pace.window; ; width = min(width*4, 1<<30) {
		from := b.seen + 1
		if from == 0 || (next != 0 && from >= next) {
			return nil
		}
		to := from + width - 1
		if last := next == 0 || to < from || to >= next-1; last {
			to = 0 // "*"
		}
		if b.queue, err = c.s.metadata(from, to); err != nil {
			return err
		}
		if n := len(b.queue); n > 0 {
			b.newest = b.queue[n-1].received
		}
		if len(b.queue) > 0 || to == 0 {
			return nil
		}
		b.seen = to
	}
}

// take cuts the next batch off a mailbox's queue.
func (c *IMAP) take(b *box) []entry {
	n, bytes := 0, int64(0)
	for n < len(b.queue) && n < c.pace.batchMails {
		size := b.queue[n].size
		if size > MaxMailBytes {
			size = MaxHeaderBytes
		}
		if bytes += size; n > 0 && bytes > c.pace.batchBytes {
			break
		}
		n++
	}
	batch := b.queue[:n:n]
	b.queue = b.queue[n:]
	return batch
}

// decoders is how many mails are decoded at the same time.
const decoders = 4

// fetch reads a batch and makes items of it while more of it arrives.
func (c *IMAP) fetch(s *session, b *box, batch []entry) fetched {
	out := fetched{b: b, last: batch[len(batch)-1].uid}
	var wg sync.WaitGroup
	var mu sync.Mutex
	all := make(map[uint32]made, len(batch))
	work := make(chan rawMail, decoders)
	for range decoders {
		wg.Go(func() {
			for r := range work {
				d := c.decode(b, r)
				mu.Lock()
				all[r.uid] = d
				mu.Unlock()
			}
		})
	}
	out.err = s.bodies(b.name, batch, func(r rawMail) { work <- r })
	close(work)
	wg.Wait()
	for _, e := range batch { // in the mailbox's order; expunged ones are missing
		if d, ok := all[e.uid]; ok {
			out.items = append(out.items, d)
		}
	}
	return out
}

func (c *IMAP) decode(b *box, r rawMail) made {
	var d made
	switch {
	case r.refused != "":
		d.item = ingest.Item{Source: c.cfg.Name, Type: schemas.EmailReceived, NativeID: locator(b.name, b.validity, r.uid, b.sent),
			OccurredAt: r.received, Broken: &ingest.Broken{Code: schemas.QUnreadable, Reason: "the mail server does not hand this mail out: " + r.refused}}
	case r.headerOnly:
		d.item, d.mail = c.dec.oversized(c.cfg.Name, r.raw, r.size, b.sent, b.name, r.received)
	default:
		d.item, d.mail = c.dec.decode(c.cfg.Name, r.raw, b.sent, b.name, r.received)
	}
	d.item.Locator = locator(b.name, b.validity, r.uid, b.sent)
	return d
}

// threads looks up the thread of each mail: of all at once where the store
// offers that. Elsewhere mails that name one another go one after the other, and
// the others at the same time, so that a store that commits in groups commits
// few times.
func (c *IMAP) threads(ctx context.Context, ds []made) error {
	switch store := c.dec.Threads.(type) {
	case nil:
		return nil
	case ingest.ManyThreads:
		return threadAll(ctx, store, ds)
	}
	errs := make([]error, len(ds))
	var wg sync.WaitGroup
	for _, group := range related(ds) {
		wg.Go(func() {
			for _, i := range group {
				if errs[i] = c.dec.thread(ctx, &ds[i].item, ds[i].mail); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func threadAll(ctx context.Context, store ingest.ManyThreads, ds []made) error {
	mails := make([]ingest.ThreadMail, len(ds))
	for i := range ds {
		mails[i] = ingest.ThreadMail{MessageID: ds[i].mail.MessageID, References: ds[i].mail.References}
	}
	threads, err := store.ThreadAll(ctx, mails)
	if err == nil && len(threads) != len(ds) {
		err = fmt.Errorf("the store answered %d threads for %d mails", len(threads), len(ds))
	}
	if err != nil {
		return fmt.Errorf("find the threads of mails: %w", err)
	}
	for i, id := range threads {
		if id != "" {
			ds[i].item.ThreadID = id
		}
	}
	return nil
}

// related groups mails that share a Message-ID among their own and those they
// refer to; each group keeps the order.
func related(ds []made) [][]int {
	parent := make([]int, len(ds))
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	byID := map[string]int{}
	for i := range ds {
		parent[i] = i
		for _, id := range append([]string{ds[i].mail.MessageID}, ds[i].mail.References...) {
			if id == "" {
				continue
			}
			if j, ok := byID[id]; ok {
				parent[find(i)] = find(j)
			} else {
				byID[id] = i
			}
		}
	}
	groups := map[int][]int{}
	for i := range ds {
		r := find(i)
		groups[r] = append(groups[r], i)
	}
	out := make([][]int, 0, len(groups))
	for _, g := range groups {
		out = append(out, g)
	}
	sort.Slice(out, func(i, j int) bool { return out[i][0] < out[j][0] })
	return out
}

func uidSet(es []entry) imap.UIDSet {
	var set imap.UIDSet
	for _, e := range es {
		set.AddNum(imap.UID(e.uid))
	}
	return set
}

func refusal(err error) string { return fmt.Sprintf("%.200s", err.Error()) }
