package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"redalert/ingest"
)

const (
	// keyLease is how long a request has its key to itself before another
	// process may take it for dead. One that is slower is not harmed: of two at
	// work the answer of the first to finish stands, for both.
	keyLease = 15 * time.Second
	// keyWait is how long a request waits for another one that works on the same
	// key and body: long enough to outlast a lease. Then it answers 503.
	keyWait = 20 * time.Second
	// keyRest is the first pause between two looks; each is twice the one
	// before, to keyRestMost.
	keyRest, keyRestMost = 50 * time.Millisecond, time.Second
	// keyAfter is how long the store may take to hear the end of a request,
	// whose sender may have gone.
	keyAfter = 10 * time.Second
)

var errKeyBusy = refuse(http.StatusServiceUnavailable, "in_progress", "another request with this Idempotency-Key and body is being worked on; send the same request again for its answer")

// once answers what was answered under the key before, or claims the key, takes
// the events in, and keeps the answer before giving it.
func (d *Doors) once(r *http.Request, s sender, key string, body []byte) (ingest.Answer, error) {
	unlock, err := d.keys.lock(r.Context(), s.scope+"\x00"+key)
	if err != nil {
		return ingest.Answer{}, err
	}
	defer unlock()
	sum := sha256.Sum256(body)
	c := ingest.Claim{BodySHA256: hex.EncodeToString(sum[:]), Holder: rand.Text()}
	a, err := d.claim(r.Context(), s.scope, key, c)
	if err != nil || a.Status != 0 {
		return a, err
	}
	done, forget := false, false
	defer func() { // also when it panics
		if !done {
			d.release(r.Context(), s.scope, key, c.Holder, forget)
		}
	}()
	response, err := d.take(r, s, body)
	if err != nil {
		var no *refusal
		forget = errors.As(err, &no) // nothing was kept
		return a, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keyAfter)
	defer cancel()
	a, err = d.Answers.Finish(ctx, s.scope, key, ingest.Answer{BodySHA256: c.BodySHA256, Status: http.StatusAccepted, Response: response, At: d.now().UTC()})
	if err != nil {
		return a, fmt.Errorf("answers: %w", err)
	}
	done = true
	return a, nil
}

// claim takes the key, which the zero answer says, or finds the answer that
// stands. It waits for whoever works on the same body.
func (d *Doors) claim(ctx context.Context, scope, key string, c ingest.Claim) (ingest.Answer, error) {
	rest := keyRest
	for waited := time.Duration(0); ; waited += rest {
		c.At = d.now().UTC()
		if d.Apart { // else whoever has it is dead: the lock is ours
			c.Until = c.At.Add(keyLease)
		}
		state, a, err := d.Answers.Claim(ctx, scope, key, c)
		switch {
		case err != nil:
			return a, fmt.Errorf("answers: %w", err)
		case state == ingest.KeyOther:
			return a, refuse(http.StatusConflict, "idempotency_key_reused", "this Idempotency-Key came with another body before; use a new key for a new request")
		case state != ingest.KeyBusy:
			return a, nil
		case waited >= keyWait:
			return a, errKeyBusy
		}
		if waited > 0 {
			rest = min(2*rest, keyRestMost)
		}
		if err := d.pause(ctx, rest); err != nil {
			return a, err
		}
	}
}

func (d *Doors) pause(ctx context.Context, t time.Duration) error {
	if d.rest != nil {
		return d.rest(ctx, t)
	}
	return ingest.Sleep(ctx, t)
}

// release gives a claim back. If the store does not hear of it, the claim
// lapses by itself.
func (d *Doors) release(ctx context.Context, scope, key, holder string, forget bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyAfter)
	defer cancel()
	if err := d.Answers.Release(ctx, scope, key, holder, forget); err != nil {
		d.log().Warn("an Idempotency-Key is not given back; it is free for the same body again in a while", "after", keyLease, "error", err)
	}
}

// keyLocks serialises the requests of this process that carry the same
// Idempotency-Key, so that of two at once the second finds the answer of the
// first without asking the store for it all the time. The zero value is ready.
type keyLocks struct {
	mu   sync.Mutex
	held map[string]*keyLock
}

type keyLock struct {
	turn  chan struct{} // holds one while somebody has the lock
	users int
}

// lock holds key until the function it answers is called. It gives up, with
// errKeyBusy, after keyWait, and when ctx ends.
func (k *keyLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	l := k.join(key)
	ctx, cancel := context.WithTimeoutCause(ctx, keyWait, errKeyBusy)
	defer cancel()
	select {
	case l.turn <- struct{}{}:
		return func() {
			<-l.turn
			k.leave(key, l)
		}, nil
	case <-ctx.Done():
		k.leave(key, l)
		return nil, context.Cause(ctx)
	}
}

func (k *keyLocks) join(key string) *keyLock {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		k.held = map[string]*keyLock{}
	}
	l := k.held[key]
	if l == nil {
		l = &keyLock{turn: make(chan struct{}, 1)}
		k.held[key] = l
	}
	l.users++
	return l
}

func (k *keyLocks) leave(key string, l *keyLock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(k.held, key)
	}
}
