package app

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"redalert/internal/web"
)

// TestReady: it is answered before redalert health gives up, whichever server
// is silent and however, and names all that cannot be used.
func TestReady(t *testing.T) {
	refused := errors.New("connection refused")
	answers := func(context.Context) error { return nil }
	refuses := func(context.Context) error { return refused }
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, tc := range map[string]struct {
		postgres, clickhouse, kafka func(context.Context) error
		deaf                        bool // and clickhouse heeds no context
		away                        []string
		within                      time.Duration
	}{
		"all answer":      {answers, answers, answers, false, nil, 0},
		"one refuses":     {answers, answers, refuses, false, []string{"kafka"}, 0},
		"one is silent":   {silent, answers, answers, false, []string{"postgres"}, 2500 * time.Millisecond},
		"all are silent":  {silent, silent, silent, false, []string{"postgres", "clickhouse", "kafka"}, 2500 * time.Millisecond},
		"one also deaf":   {answers, nil, answers, true, []string{"clickhouse"}, 2500 * time.Millisecond},
		"mixed and sound": {silent, answers, refuses, false, []string{"postgres", "kafka"}, 2500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tc.deaf {
					never := make(chan struct{})
					defer close(never)
					tc.clickhouse = func(context.Context) error { <-never; return nil }
				}
				s := Stores{Servers: []Server{{Name: "postgres", Ping: tc.postgres}, {Name: "clickhouse", Ping: tc.clickhouse}, {Name: "kafka", Ping: tc.kafka}}}
				began := time.Now()
				err := s.Ready(t.Context())
				if took := time.Since(began); took > tc.within {
					t.Errorf("it took %v, want at most %v", took, tc.within)
				}
				var not *web.NotReady
				if errors.As(err, &not) != (tc.away != nil) || (not != nil && !slices.Equal(not.Parts, tc.away)) {
					t.Errorf("%v, want %v away", err, tc.away)
				}
				if slices.Contains(tc.away, "kafka") && tc.within == 0 && !errors.Is(err, refused) {
					t.Errorf("%v does not say why", err)
				}
			})
		})
	}
}
