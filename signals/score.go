package signals

import (
	"redalert/schemas"
	"redalert/signals/text"
)

// TextModel predicts from a text whether it is a red alert. Predict is pure,
// deterministic and safe for concurrent use; it may panic on no input, but
// whoever calls it for foreign text recovers all the same.
type TextModel interface {
	Version() string
	Predict(s string, h text.Hints) text.Prediction
}

// Score says of one event how loud it is. STUB, being written.
func Score(ev schemas.Event, ctx CustomerContext, m TextModel) schemas.Verdict {
	return schemas.Verdict{EventID: ev.ID}
}
