package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"redalert/ingest"
)

// keys asks a store of Answers and says what it should have answered.
type keys struct {
	*testing.T
	s ingest.Answers
}

// claimOf is a claim of a body by a holder, n minutes into the tests, for five
// minutes.
func claimOf(body, holder string, n int) ingest.Claim {
	return ingest.Claim{BodySHA256: "sum of " + body, Holder: holder, At: mark(n), Until: mark(n + 5)}
}

func answerTo(body, text string, n int) ingest.Answer {
	return ingest.Answer{BodySHA256: "sum of " + body, Status: 202, Response: []byte(text), At: mark(n)}
}

func (k keys) claim(scope, key string, c ingest.Claim, want ingest.KeyState, standing ingest.Answer) {
	k.Helper()
	state, a, err := k.s.Claim(k.Context(), scope, key, c)
	must(k.T, "Claim", err)
	same(k.T, fmt.Sprintf("state of %s/%s", scope, key), state, want)
	same(k.T, "standing answer", a, standing)
}

func (k keys) finish(scope, key string, a, stands ingest.Answer) {
	k.Helper()
	got, err := k.s.Finish(k.Context(), scope, key, a)
	must(k.T, "Finish", err)
	same(k.T, "answer that stands", got, stands)
}

func (k keys) release(scope, key, holder string, forget bool) {
	k.Helper()
	must(k.T, "Release", k.s.Release(k.Context(), scope, key, holder, forget))
}

var noAnswer ingest.Answer

// Answers: a key belongs to one body, from its claim on and for a day; of a
// body, one at a time is at work, and one answer stands.
func Answers(t *testing.T, open func(t *testing.T) Pipeline) {
	with := func(run func(k keys)) func(*testing.T, Pipeline) {
		return func(t *testing.T, s Pipeline) { run(keys{t, s.Answers}) }
	}
	suite{
		{"claim and answer", false, with(keyAnswered)},
		{"a claim given back", false, with(keyReleased)},
		{"a claim that lapsed", false, with(keyLapsed)},
		{"a day", false, with(keyForADay)},
		{"many at once", false, with(keyAtOnce)},
		{"finished at once", false, with(keyFinishedAtOnce)},
		{"crash", true, func(t *testing.T, s Pipeline) {
			k := keys{t, s.Answers}
			k.claim("a", "k", claimOf("one", "h1", 0), ingest.KeyClaimed, noAnswer)
			k.s = s.Reopen(t).Answers
			k.claim("a", "k", claimOf("one", "h2", 1), ingest.KeyBusy, noAnswer)
			k.claim("a", "k", claimOf("two", "h2", 1), ingest.KeyOther, noAnswer)
			k.claim("a", "k", claimOf("one", "h2", 5), ingest.KeyClaimed, noAnswer)
			k.finish("a", "k", answerTo("one", "late", 6), answerTo("one", "late", 6))
			k.s = s.Reopen(t).Answers
			k.claim("a", "k", claimOf("one", "h3", 7), ingest.KeyAnswered, answerTo("one", "late", 6))
		}},
	}.run(t, open)
}

func keyAnswered(k keys) {
	k.claim("a", "k", claimOf("one", "h1", 0), ingest.KeyClaimed, noAnswer)
	k.claim("a", "k", claimOf("one", "h1", 0), ingest.KeyClaimed, noAnswer) // repeated: the first reply was lost
	k.claim("a", "k", claimOf("one", "h2", 1), ingest.KeyBusy, noAnswer)
	k.claim("a", "k", claimOf("two", "h2", 1), ingest.KeyOther, noAnswer)
	k.claim("b", "k", claimOf("two", "h2", 1), ingest.KeyClaimed, noAnswer) // another sender's
	k.claim("a", "K", claimOf("two", "h2", 1), ingest.KeyClaimed, noAnswer) // another key
	k.release("a", "k", "h2", true)                                         // not his
	k.finish("a", "k", answerTo("one", "yes", 2), answerTo("one", "yes", 2))
	k.finish("a", "k", answerTo("one", "no", 3), answerTo("one", "yes", 2))
	k.release("a", "k", "h1", true) // nothing is left to give back
	k.claim("a", "k", claimOf("one", "h3", 4), ingest.KeyAnswered, answerTo("one", "yes", 2))
	k.claim("a", "k", claimOf("two", "h3", 4), ingest.KeyOther, noAnswer)
	if _, err := k.s.Finish(k.Context(), "a", "k", answerTo("two", "no", 5)); !errors.Is(err, ingest.ErrKeyLost) {
		k.Errorf("Finish of another body: %v, want ErrKeyLost", err)
	}
	k.claim("a", "k", claimOf("one", "h3", 5), ingest.KeyAnswered, answerTo("one", "yes", 2))
	empty := ingest.Answer{BodySHA256: "sum of one", Status: 202, Response: []byte{}, At: mark(1)}
	k.finish("c", "unclaimed", ingest.Answer{BodySHA256: "sum of one", Status: 202, At: mark(1)}, empty)
}

func keyReleased(k keys) {
	k.claim("a", "k", claimOf("one", "h1", 0), ingest.KeyClaimed, noAnswer)
	k.release("a", "k", "h1", false)
	k.release("a", "k", "h1", false)
	k.claim("a", "k", claimOf("two", "h2", 0), ingest.KeyOther, noAnswer) // it may be half taken in
	k.claim("a", "k", claimOf("one", "h2", 0), ingest.KeyClaimed, noAnswer)
	k.release("a", "k", "h1", true) // no longer his
	k.claim("a", "k", claimOf("one", "h3", 0), ingest.KeyBusy, noAnswer)
	k.release("a", "k", "h2", true)
	k.release("a", "k", "h2", true)
	k.claim("a", "k", claimOf("two", "h3", 0), ingest.KeyClaimed, noAnswer)
	k.release("a", "nothing", "h1", true)
}

func keyLapsed(k keys) {
	k.claim("a", "k", claimOf("one", "h1", 0), ingest.KeyClaimed, noAnswer)
	k.claim("a", "k", claimOf("one", "h2", 4), ingest.KeyBusy, noAnswer)
	k.claim("a", "k", claimOf("two", "h2", 5), ingest.KeyOther, noAnswer)
	k.claim("a", "k", claimOf("one", "h2", 5), ingest.KeyClaimed, noAnswer)
	k.claim("a", "k", claimOf("one", "h3", 9), ingest.KeyBusy, noAnswer)
	k.finish("a", "k", answerTo("one", "of the first, who lives", 9), answerTo("one", "of the first, who lives", 9))
	k.finish("a", "k", answerTo("one", "of the second", 9), answerTo("one", "of the first, who lives", 9))

	none := claimOf("one", "h1", 0)
	none.Until = time.Time{}
	k.claim("a", "free at once", none, ingest.KeyClaimed, noAnswer)
	k.claim("a", "free at once", claimOf("two", "h2", 0), ingest.KeyOther, noAnswer)
	k.claim("a", "free at once", claimOf("one", "h2", 0), ingest.KeyClaimed, noAnswer)
}

func keyForADay(k keys) {
	const day = 24 * 60
	k.claim("a", "k", claimOf("one", "h1", 0), ingest.KeyClaimed, noAnswer)
	k.finish("a", "k", answerTo("one", "yes", 2), answerTo("one", "yes", 2))
	k.claim("a", "k", claimOf("two", "h2", day+2), ingest.KeyOther, noAnswer)
	k.claim("a", "k", claimOf("one", "h2", day+2), ingest.KeyAnswered, answerTo("one", "yes", 2))
	k.claim("a", "k", claimOf("two", "h2", day+3), ingest.KeyClaimed, noAnswer)
	k.finish("a", "k", answerTo("two", "again", day+4), answerTo("two", "again", day+4))
	k.claim("a", "k", claimOf("one", "h3", day+5), ingest.KeyOther, noAnswer)
	k.finish("a", "k", answerTo("one", "years", 2*day+5), answerTo("one", "years", 2*day+5))
}

// keyAtOnce: of many processes that claim one key at once, with two bodies
// among them, exactly one has it.
func keyAtOnce(k keys) {
	ctx := context.WithoutCancel(k.Context())
	for _, key := range []string{"new", "lapsed"} {
		if key == "lapsed" {
			k.claim("a", key, claimOf("body 0", "dead", -9), ingest.KeyClaimed, noAnswer)
		}
		var count [4]atomic.Int64
		states := make([]ingest.KeyState, 20)
		atOnce(len(states), func(i int) {
			state, _, err := k.s.Claim(ctx, "a", key, claimOf(fmt.Sprint("body ", i%2), fmt.Sprint("h", i), 0))
			if err != nil {
				k.Errorf("Claim: %v", err)
			}
			states[i] = state
			count[state].Add(1)
		})
		same(k.T, key+": claimed, busy, other", []int64{count[ingest.KeyClaimed].Load(), count[ingest.KeyBusy].Load(), count[ingest.KeyOther].Load()}, []int64{1, 9, 10})
		for i, state := range states {
			if state == ingest.KeyClaimed && key == "lapsed" && i%2 != 0 {
				k.Errorf("a lapsed claim went to another body")
			}
		}
	}
}

// keyFinishedAtOnce: two who worked on one body both give one answer.
func keyFinishedAtOnce(k keys) {
	ctx := context.WithoutCancel(k.Context())
	k.claim("a", "k", claimOf("one", "h1", 0), ingest.KeyClaimed, noAnswer)
	k.claim("a", "k", claimOf("one", "h2", 6), ingest.KeyClaimed, noAnswer)
	got := make([]ingest.Answer, 10)
	atOnce(len(got), func(i int) {
		var err error
		if got[i], err = k.s.Finish(ctx, "a", "k", answerTo("one", fmt.Sprint("answer ", i), 7)); err != nil {
			k.Errorf("Finish: %v", err)
		}
	})
	for _, a := range got {
		same(k.T, "answer", a, got[0])
	}
	k.claim("a", "k", claimOf("one", "h3", 8), ingest.KeyAnswered, got[0])
}
