package signals

import (
	"encoding/json"
	"fmt"
	"time"

	"redalert/schemas"
)

// Message is a customer's message on its own, outside any history: pasted,
// labelled, or of the corpus.
type Message struct {
	Text     string
	Question string   // of a survey; "" = none
	Channel  string   // email, survey, review or order; "" = survey
	Rating   *float64 // given with it, from 0 (worst) to 1 (best); nil = none
}

var messageChannels = map[string]struct {
	source schemas.SourceType
	event  schemas.EventType
}{
	"":       {schemas.SourceSurvey, schemas.SurveyAnswered},
	"survey": {schemas.SourceSurvey, schemas.SurveyAnswered},
	"email":  {schemas.SourceEmail, schemas.EmailReceived},
	"review": {schemas.SourceReview, schemas.ReviewPosted},
	"order":  {schemas.SourceSurvey, schemas.SurveyAnswered}, // the customer's words beside an order
}

// Event is the message as it would arrive, for Score. All messages get the same
// id and time. It fails on an unknown channel and on a rating outside 0 to 1.
func (m Message) Event() (schemas.Event, error) {
	c, known := messageChannels[m.Channel]
	switch {
	case !known:
		return schemas.Event{}, fmt.Errorf("channel %q; one of email, survey, review, order", m.Channel)
	case m.Rating != nil && !(*m.Rating >= 0 && *m.Rating <= 1):
		return schemas.Event{}, fmt.Errorf("rating %v; from 0 (worst) to 1 (best)", *m.Rating)
	}
	fb := schemas.Feedback{SourceType: c.source, FieldType: schemas.FieldText, FieldLabel: m.Question, ValueText: m.Text}
	if m.Rating != nil {
		lo, hi := 0.0, 1.0
		fb.FieldType, fb.ValueNumber, fb.ScaleMin, fb.ScaleMax = schemas.FieldRating, m.Rating, &lo, &hi
	}
	data, err := json.Marshal(fb)
	return schemas.Event{ID: "message", Source: "message", Type: c.event, NativeID: "message", OccurredAt: time.Unix(0, 0).UTC(), Data: data}, err
}
