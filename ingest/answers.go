package ingest

import (
	"context"
	"errors"
	"time"
)

// Answers remembers, across processes, what was answered under an
// Idempotency-Key, scoped by whoever sent it, for at least AnswersFor.
//
// Whoever serves a request claims its key before anything of it is taken in,
// and finishes the claim with the answer before giving it. So a key belongs to
// one body from the first moment, and of two who serve the same body at once,
// by whatever mishap, both give the one answer that stands. Times are the
// caller's. Every method may be repeated.
type Answers interface {
	// Claim takes a key for a request, or says why not; see Claim.Meets. The
	// Answer is that of KeyAnswered, else zero. Of claims at the same time
	// exactly one is KeyClaimed, unless their holder is the same.
	Claim(ctx context.Context, scope, key string, c Claim) (KeyState, Answer, error)
	// Finish keeps the answer to a claimed request and returns the answer that
	// stands: this one, or an earlier one to the same body. ErrKeyLost when the
	// key has passed to another body since.
	Finish(ctx context.Context, scope, key string, a Answer) (Answer, error)
	// Release gives back an unfinished claim of holder, any other it leaves
	// alone. The key stays bound to its body, which may be sent again at once;
	// with forget, for a request of which nothing was kept, the key is free.
	Release(ctx context.Context, scope, key, holder string, forget bool) error
}

// AnswersFor is how long a key stands, counted from its answer or, while there
// is none, from its last claim; afterwards it may be used anew.
const AnswersFor = 24 * time.Hour

// ErrKeyLost is returned by Finish when the key belongs to another body now.
var ErrKeyLost = errors.New("this Idempotency-Key belongs to another body now")

// Answer is a stored HTTP answer.
type Answer struct {
	BodySHA256 string // of the request
	Status     int    // never 0
	Response   []byte
	At         time.Time
}

// Claim is how a request asks for its key.
type Claim struct {
	BodySHA256 string
	Holder     string // one text for each request served; never ""
	At         time.Time
	// Until is when the claim lapses if it is neither finished nor released,
	// because its process died: the same body may take it over from then on.
	// The zero time lets it do so at once.
	Until time.Time
}

// KeyState is what a claim met.
type KeyState int

// What a claim may meet.
const (
	KeyClaimed  KeyState = iota // the key is the caller's: take in, then Finish or Release
	KeyAnswered                 // the same body was answered
	KeyBusy                     // the same body is being worked on; ask again in a moment
	KeyOther                    // the key came with another body
)

// Keyed is what a store holds under a key.
type Keyed struct {
	Answer Answer // Status 0 until it is finished, At then that of the claim
	Holder string
	Until  time.Time
}

// Meets says what becomes of a claim where a store holds k. Stores with
// nothing under the key, or KeyClaimed, keep the claim in its place.
func (c Claim) Meets(k Keyed) KeyState {
	switch {
	case k.Answer.At.Before(c.At.Add(-AnswersFor)):
		return KeyClaimed
	case k.Answer.BodySHA256 != c.BodySHA256:
		return KeyOther
	case k.Answer.Status != 0:
		return KeyAnswered
	case k.Holder == c.Holder, !k.Until.After(c.At):
		return KeyClaimed
	}
	return KeyBusy
}

// Settles reports whether an answer is kept where a store holds k.
func (a Answer) Settles(k Keyed) bool {
	return k.Answer.At.Before(a.At.Add(-AnswersFor)) || k.Answer.Status == 0 && k.Answer.BodySHA256 == a.BodySHA256
}
