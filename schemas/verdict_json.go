package schemas

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// AppendJSON appends what json.Marshal makes of v, for a fifth of the time.
func (v Verdict) AppendJSON(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text(`{"event_id":`, v.EventID)
	w.text(`,"model_version":`, v.ModelVersion)
	w.text(`,"level":`, string(v.Level))
	w.bool(`,"red":`, v.Red)
	w.number(`,"probability":`, v.Probability)
	w.text(`,"severity":`, string(v.Severity))
	if v.FlaggedBy == nil {
		w.raw(`,"flagged_by":null`)
	} else {
		w.text(`,"flagged_by":`, string(*v.FlaggedBy))
	}
	w.raw(`,"reasons":`)
	list(&w, v.Reasons, w.reason)
	w.raw(`,"categories":`)
	list(&w, v.Categories, func(c Category) { w.text("", string(c)) })
	w.time(`,"scored_at":`, v.ScoredAt)
	w.raw("}")
	return w.b, w.err
}

// AppendJSON appends what json.Marshal makes of n.
func (n Notice) AppendJSON(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text(`{"kind":`, string(n.Kind))
	event, err := n.Event.MarshalJSON()
	if err != nil {
		return b, err
	}
	w.raw(`,"event":`)
	w.b = append(w.b, event...)
	w.raw(`,"verdict":`)
	if w.b, err = n.Verdict.AppendJSON(w.b); err != nil {
		return b, err
	}
	if n.Priority != "" {
		w.text(`,"priority":`, string(n.Priority))
	}
	w.raw(`,"value_at_risk":{"amount":`)
	w.b = strconv.AppendInt(w.b, n.ValueAtRisk.Amount, 10)
	w.text(`,"currency":`, n.ValueAtRisk.Currency)
	w.raw("}")
	if n.Mistake {
		w.bool(`,"mistake":`, true)
	}
	w.raw("}")
	return w.b, w.err
}

// writer appends JSON as encoding/json writes it, and leaves to it what has to
// be escaped or written otherwise. name is written in front as it is.
type writer struct {
	b   []byte
	err error // the first
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) text(name, s string) {
	w.raw(name)
	if !plainText(s) {
		w.other(s)
		return
	}
	w.b = append(append(append(w.b, '"'), s...), '"')
}

func (w *writer) bool(name string, v bool) {
	w.raw(name)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *writer) number(name string, x float64) {
	w.raw(name)
	if a := math.Abs(x); a != 0 && !(a >= 1e-6 && a < 1e21) { // also NaN
		w.other(x)
		return
	}
	w.b = strconv.AppendFloat(w.b, x, 'f', -1, 64)
}

func (w *writer) time(name string, t time.Time) {
	w.raw(name)
	w.b = append(w.b, '"')
	b, err := t.AppendText(w.b)
	if err != nil {
		w.fail(err)
		return
	}
	w.b = append(b, '"')
}

func (w *writer) reason(r Reason) {
	w.text(`{"code":`, r.Code)
	w.text(`,"message":`, r.Message)
	if r.Span == nil {
		w.raw(`,"span":null`)
	} else {
		w.raw(`,"span":{"start":`)
		w.b = strconv.AppendInt(w.b, int64(r.Span.Start), 10)
		w.raw(`,"end":`)
		w.b = strconv.AppendInt(w.b, int64(r.Span.End), 10)
		w.raw("}")
	}
	w.number(`,"weight":`, r.Weight)
	w.raw("}")
}

// other writes a value that is out of the ordinary.
func (w *writer) other(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		w.fail(err)
	}
	w.b = append(w.b, b...)
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func list[T any](w *writer, all []T, each func(T)) {
	if all == nil {
		w.raw("null")
		return
	}
	w.raw("[")
	for i, x := range all {
		if i > 0 {
			w.raw(",")
		}
		each(x)
	}
	w.raw("]")
}
