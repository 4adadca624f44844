package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

func said(id string, red bool, at time.Time) schemas.Mark {
	return schemas.Mark{EventID: id, Red: red, Cause: schemas.MarkSaid, By: "ana@example.com", At: at}
}

func aLayer() schemas.Layer {
	return schemas.Layer{Base: "text-9", At: day, By: schemas.SystemActor, Bias: -0.25, Slope: 1.125, Sources: map[string]float64{"shop": -0.5},
		Topics: map[string]float64{"late": 0.0625}, Report: schemas.LayerReport{Decisions: 40, Confirmed: 25, Accepted: true, Digest: "d",
			Recall: 0.75, Shipped: schemas.LayerScores{Precision: 0.5, LogLoss: 0.75}, BySource: []schemas.SourceFit{{Source: "shop", Decisions: 40}}}}
}

// Lessons is the conformance suite of alerting.Lessons.
func Lessons(t *testing.T, open func(t *testing.T) Alerting) {
	t.Run("marks", func(t *testing.T) { lessonsMarks(t, open(t)) })
	t.Run("layers", func(t *testing.T) { lessonsLayers(t, open(t)) })
	t.Run("uses", func(t *testing.T) { lessonsUses(t, open(t)) })
	t.Run("at once", func(t *testing.T) { lessonsAtOnce(t, open(t)) })
}

func lessonsMarks(t *testing.T, s Alerting) {
	ctx, l := t.Context(), s.Lessons
	for _, m := range []schemas.Mark{said("a", true, day), said("c", false, day.Add(time.Hour)), said("b", true, day.Add(time.Hour)),
		said("a", false, day.Add(2*time.Hour)), said("gone", true, day)} {
		must(t, "Mark", l.Mark(ctx, m))
	}
	must(t, "Unmark", l.Unmark(ctx, "gone"))
	must(t, "Unmark nothing", l.Unmark(ctx, "gone"))
	if s.Reopen != nil {
		l = s.Reopen(t).Lessons
	}
	want := []schemas.Mark{said("b", true, day.Add(time.Hour)), said("c", false, day.Add(time.Hour)), said("a", false, day.Add(2*time.Hour))}
	for _, limit := range []int{1, 2, 100} {
		same(t, "marks", pages(t, schemas.ListQuery{Limit: limit}, func(q schemas.ListQuery) (schemas.Page[schemas.Mark], error) { return l.Marks(ctx, q) }), want)
	}
	p, err := l.Marks(ctx, schemas.ListQuery{Since: day.Add(2 * time.Hour), Until: day.Add(3 * time.Hour), Locations: []string{"North"}})
	must(t, "Marks", err)
	same(t, "since", p.Items, want[2:])
	if _, err := l.Marks(ctx, schemas.ListQuery{Cursor: "?"}); !errors.Is(err, schemas.ErrBadCursor) {
		t.Errorf("a cursor of nobody's: %v", err)
	}
	of, err := l.MarksOf(ctx, []string{"a", "b", "none"})
	must(t, "MarksOf", err)
	same(t, "marks of", of, map[string]schemas.Mark{"a": want[2], "b": want[0]})
	of, err = l.MarksOf(ctx, nil)
	must(t, "MarksOf nothing", err)
	same(t, "marks of nothing", of, map[string]schemas.Mark{})
}

func lessonsLayers(t *testing.T, s Alerting) {
	ctx, l := t.Context(), s.Lessons
	none, err := l.Layers(ctx)
	must(t, "Layers", err)
	same(t, "no layers", none, []schemas.Layer{})
	one, err := l.AddLayer(ctx, aLayer())
	must(t, "AddLayer", err)
	second := aLayer()
	second.Number, second.Bias = 77, 0.5 // the store numbers
	two, err := l.AddLayer(ctx, second)
	must(t, "AddLayer", err)
	if one.Number != 1 || two.Number != 2 {
		t.Fatalf("numbered %d and %d", one.Number, two.Number)
	}
	if s.Reopen != nil {
		l = s.Reopen(t).Lessons
	}
	all, err := l.Layers(ctx)
	must(t, "Layers", err)
	same(t, "layers", all, []schemas.Layer{two, one})
	got, err := l.Layer(ctx, 1)
	must(t, "Layer", err)
	same(t, "layer 1", got, one)
	for _, n := range []int{-1, 0, 3} {
		if _, err := l.Layer(ctx, n); !errors.Is(err, alerting.ErrNotFound) {
			t.Errorf("layer %d: %v", n, err)
		}
	}
}

func lessonsUses(t *testing.T, s Alerting) {
	ctx, l := t.Context(), s.Lessons
	uses, err := l.LayerUses(ctx, 0)
	must(t, "LayerUses", err)
	same(t, "never used", uses, []schemas.LayerUse{})
	_, err = l.AddLayer(ctx, aLayer())
	must(t, "AddLayer", err)
	must(t, "UseLayer", l.UseLayer(ctx, schemas.LayerUse{Number: 1, By: schemas.SystemActor, At: day}))
	must(t, "UseLayer 0", l.UseLayer(ctx, schemas.LayerUse{Number: 0, By: "ana@example.com", At: day.Add(time.Hour), Pinned: true}))
	if err := l.UseLayer(ctx, schemas.LayerUse{Number: 2, At: day}); !errors.Is(err, alerting.ErrNotFound) {
		t.Errorf("a layer that is not there: %v", err)
	}
	if s.Reopen != nil {
		l = s.Reopen(t).Lessons
	}
	uses, err = l.LayerUses(ctx, 0)
	must(t, "LayerUses", err)
	same(t, "uses", uses, []schemas.LayerUse{{Seq: 2, Number: 0, By: "ana@example.com", At: day.Add(time.Hour), Pinned: true},
		{Seq: 1, Number: 1, By: schemas.SystemActor, At: day}})
	last, err := l.LayerUses(ctx, 1)
	must(t, "LayerUses", err)
	same(t, "the last", last, uses[:1])
}

// lessonsAtOnce: layers and uses that are added at once are numbered without a
// gap, and none is lost.
func lessonsAtOnce(t *testing.T, s Alerting) {
	const n = 8
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			l, err := s.Lessons.AddLayer(context.WithoutCancel(t.Context()), aLayer())
			if err == nil {
				err = s.Lessons.UseLayer(context.WithoutCancel(t.Context()), schemas.LayerUse{Number: l.Number, At: day})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	layers, err := s.Lessons.Layers(t.Context())
	must(t, "Layers", err)
	uses, err := s.Lessons.LayerUses(t.Context(), 0)
	must(t, "LayerUses", err)
	if len(layers) != n || len(uses) != n {
		t.Fatalf("%d layers, %d uses; want %d", len(layers), len(uses), n)
	}
	for i := range n {
		if layers[i].Number != n-i || uses[i].Seq != int64(n-i) {
			t.Fatalf("place %d: layer %d, use %d", i, layers[i].Number, uses[i].Seq)
		}
	}
}
