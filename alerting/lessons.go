package alerting

import (
	"context"

	"redalert/schemas"
)

// Lessons keeps what staff said of events beyond what became of their cases,
// and what was learned from it.
type Lessons interface {
	// Mark stores what was said of an event, in place of what was said before.
	Mark(ctx context.Context, m schemas.Mark) error
	// Unmark forgets what was said of an event; nothing said is no error.
	Unmark(ctx context.Context, eventID string) error
	// Marks lists what was said by (at, event id). Locations of q are not looked at:
	// a mark has none.
	Marks(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Mark], error)
	// MarksOf answers what was said of these events; others are left out.
	MarksOf(ctx context.Context, eventIDs []string) (map[string]schemas.Mark, error)
	// AddLayer stores a layer under the next number (from 1 on) and answers it.
	AddLayer(ctx context.Context, l schemas.Layer) (schemas.Layer, error)
	// Layers lists all of them, newest first.
	Layers(ctx context.Context) ([]schemas.Layer, error)
	// Layer finds one by number; ErrNotFound.
	Layer(ctx context.Context, number int) (schemas.Layer, error)
	// UseLayer makes a layer the one that scores, 0 the shipped model alone;
	// ErrNotFound when there is no such layer. Seq is the store's to give.
	UseLayer(ctx context.Context, u schemas.LayerUse) error
	// LayerUses lists the last uses, newest first; the first is the one that
	// counts. None: the shipped model has always scored. limit ≤ 0 = 100.
	LayerUses(ctx context.Context, limit int) ([]schemas.LayerUse, error)
}
