package auth

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ErrThrottled: too many sign-ins failed; try again after RetryAfter.
type ErrThrottled struct {
	RetryAfter time.Duration
}

func (e *ErrThrottled) Error() string {
	return fmt.Sprintf("too many failed sign-ins; try again in %s", e.RetryAfter.Round(time.Second))
}

// limit is a token bucket: burst failures at once, then one every interval.
type limit struct {
	every time.Duration
	burst int
}

// Failed sign-ins are limited three ways: per person from one address (somebody
// guessing), per address (somebody guessing many people's), and per person over
// all addresses, far wider, so that a stranger cannot lock a person out cheaply.
var (
	perPair    = limit{every: 30 * time.Second, burst: 5}
	perAddress = limit{every: 500 * time.Millisecond, burst: 100}
	perEmail   = limit{every: 10 * time.Second, burst: 100}
)

// maxBuckets bounds the memory of each kind of limit.
const maxBuckets = 10_000

type throttle struct {
	mu                      sync.Mutex
	byAddress, byPair, byEm *buckets
}

func newThrottle() *throttle {
	return &throttle{byAddress: newBuckets(perAddress), byPair: newBuckets(perPair), byEm: newBuckets(perEmail)}
}

// take counts an attempt before it is made; giveBack uncounts one that
// succeeded. An address that is over its limit makes no further buckets.
func (t *throttle) take(now time.Time, addr, email string) (giveBack func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var taken []*rate.Reservation
	undo := func() {
		for _, r := range taken {
			r.CancelAt(now)
		}
	}
	for _, c := range []struct {
		b   *buckets
		key string
	}{{t.byAddress, addr}, {t.byPair, addr + "\x00" + email}, {t.byEm, email}} {
		r := c.b.get(now, c.key).ReserveN(now, 1)
		if d := r.DelayFrom(now); d > 0 {
			r.CancelAt(now)
			undo()
			return nil, &ErrThrottled{RetryAfter: d}
		}
		taken = append(taken, r)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		undo()
	}, nil
}

type buckets struct {
	limit limit
	m     map[string]*rate.Limiter
}

func newBuckets(l limit) *buckets { return &buckets{limit: l, m: map[string]*rate.Limiter{}} }

func (b *buckets) get(now time.Time, key string) *rate.Limiter {
	if l, ok := b.m[key]; ok {
		return l
	}
	if len(b.m) >= maxBuckets {
		b.shrink(now)
	}
	l := rate.NewLimiter(rate.Every(b.limit.every), b.limit.burst)
	b.m[key] = l
	return l
}

// shrink forgets buckets that are full again (they say nothing), and if that
// does not help, any half of them.
func (b *buckets) shrink(now time.Time) {
	for k, l := range b.m {
		if l.TokensAt(now) >= float64(b.limit.burst) {
			delete(b.m, k)
		}
	}
	if len(b.m) < maxBuckets/2 {
		return
	}
	for k := range b.m {
		if delete(b.m, k); len(b.m) < maxBuckets/2 {
			return
		}
	}
}
