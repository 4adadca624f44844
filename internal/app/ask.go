package app

import (
	"context"
	"time"
)

// outcome is what came of one question.
type outcome[T any] struct {
	value T
	err   error
}

// grace is how long after its bound an answer is still taken: who heeds its
// context tells then why there is none.
const grace = 100 * time.Millisecond

// askAll asks all at the same time, each with a context that ends after bound,
// and answers what came, in the order of the questions, after bound and grace
// at the latest. What had not come by then has the context's error. Who does
// not heed the context is not waited for: it ends by itself some time, and what
// it says then is lost.
func askAll[T any](ctx context.Context, bound time.Duration, questions ...func(context.Context) (T, error)) []outcome[T] {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	came := make([]chan outcome[T], len(questions))
	for i, ask := range questions {
		came[i] = make(chan outcome[T], 1)
		go func() {
			v, err := ask(ctx)
			came[i] <- outcome[T]{v, err}
		}()
	}
	late := make(chan struct{})
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, func() { close(late) }) })()
	answers := make([]outcome[T], len(questions))
	for i := range came {
		select {
		case answers[i] = <-came[i]:
		case <-late:
			select { // it may have come while another was waited for
			case answers[i] = <-came[i]:
			default:
				answers[i].err = ctx.Err()
			}
		}
	}
	return answers
}
