package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// EventType names what happened. The list is closed: an unknown type is
// quarantined at the door.
type EventType string

// Every event type there is.
const (
	SurveyAnswered  EventType = "feedback.survey.answered"
	EmailReceived   EventType = "feedback.email.received"
	ReviewPosted    EventType = "feedback.review.posted"
	ReviewChanged   EventType = "feedback.review.changed"
	OrderPlaced     EventType = "order.placed"
	OrderChanged    EventType = "order.changed"
	OrderCancelled  EventType = "order.cancelled"
	OrderRefunded   EventType = "order.refunded"
	OrderFulfilled  EventType = "order.fulfilled"
	MistakeReported EventType = "service.mistake_reported"
	ReplySent       EventType = "reply.sent"
	OrderOverdue    EventType = "signal.order_overdue"
	Unanswered      EventType = "signal.unanswered"
)

// EventTypes lists every known type, in the order of the documentation.
func EventTypes() []EventType {
	return []EventType{
		SurveyAnswered, EmailReceived, ReviewPosted, ReviewChanged,
		OrderPlaced, OrderChanged, OrderCancelled, OrderRefunded, OrderFulfilled,
		MistakeReported, ReplySent, OrderOverdue, Unanswered,
	}
}

// Known reports whether t is one of EventTypes.
func (t EventType) Known() bool {
	for _, k := range EventTypes() {
		if t == k {
			return true
		}
	}
	return false
}

// IsRevision reports whether an event of this type is a new state of a thing
// that keeps its native id (an edited review, a changed order). Only for these
// does other content under the same id mean a new event; for all others it is
// a conflict.
func (t EventType) IsRevision() bool { return strings.HasSuffix(string(t), ".changed") }

// IsFeedback reports whether the data of t is a Feedback record.
func (t EventType) IsFeedback() bool { return strings.HasPrefix(string(t), "feedback.") }

// IsOrder reports whether the data of t is an Order record.
func (t EventType) IsOrder() bool { return strings.HasPrefix(string(t), "order.") }

// Event is one accepted fact, as it is published, stored and exported. It
// never carries an e-mail address, phone number or name of a customer outside
// the text the customer wrote; those stand in the customers store only.
//
// Its JSON form is a CloudEvents 1.0 structured-mode object: id is the
// deterministic event id, nativeid the sender's own.
type Event struct {
	ID          string          // UUIDv5(source, type, native id, revision)
	Source      string          // CloudEvents source: the collector's, hook's or --source name
	Type        EventType       //
	NativeID    string          // the sender's id of the thing
	Revision    string          // set for …changed types only, else ""
	OccurredAt  time.Time       // the source's own time, fixed at first acceptance
	CollectedAt time.Time       // when the door accepted it
	LocalDate   string          // YYYY-MM-DD of OccurredAt in the business time zone
	CustomerID  string          // opaque; "" while unknown. Readers map it through the alias table
	ThreadID    string          // the source's thread, while the customer is unknown and for mail
	Location    string          // "" = none
	OrderRef    string          // "" = none
	RawSHA256   string          // blob with the raw bytes, hex; "" = none
	Trace       string          // W3C traceparent of what brought it; the log may carry it, nothing stores it
	Data        json.RawMessage // Feedback, Order, Mistake, Reply or Signal, by Type
}

// MaxEventBytes caps the JSON form of one event.
const MaxEventBytes = 256 << 10

// PartitionKey is what keeps the order of one customer's events in a
// partitioned log: the customer, else the thread, else the event itself.
func (e Event) PartitionKey() string {
	switch {
	case e.CustomerID != "":
		return e.CustomerID
	case e.ThreadID != "":
		return e.ThreadID
	}
	return e.ID
}

// CaseKey is what a case is opened for: the customer, or "thread:"+thread (or
// event) while the customer is unknown.
func (e Event) CaseKey() string {
	if e.CustomerID != "" {
		return e.CustomerID
	}
	return "thread:" + e.PartitionKey()
}

type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        EventType       `json:"type"`
	Time        string          `json:"time"`
	Subject     string          `json:"subject,omitempty"`
	ContentType string          `json:"datacontenttype"`
	NativeID    string          `json:"nativeid"`
	Revision    string          `json:"revision,omitempty"`
	CollectedAt string          `json:"collectedat"`
	LocalDate   string          `json:"localdate"`
	CustomerID  string          `json:"customerid,omitempty"`
	ThreadID    string          `json:"threadid,omitempty"`
	Location    string          `json:"location,omitempty"`
	OrderRef    string          `json:"orderref,omitempty"`
	RawSHA256   string          `json:"rawsha256,omitempty"`
	Data        json.RawMessage `json:"data"`
}

// MarshalJSON encodes e as a CloudEvents 1.0 object.
func (e Event) MarshalJSON() ([]byte, error) {
	c := e.envelope()
	if b, ok := appendEnvelope(make([]byte, 0, len(c.Data)+envelopeRoom), &c); ok {
		return b, nil
	}
	return json.Marshal(c)
}

func (e Event) envelope() cloudEvent {
	return cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type,
		Time: FormatTime(e.OccurredAt), Subject: e.CustomerID, ContentType: "application/json",
		NativeID: e.NativeID, Revision: e.Revision, CollectedAt: FormatTime(e.CollectedAt),
		LocalDate: e.LocalDate, CustomerID: e.CustomerID, ThreadID: e.ThreadID,
		Location: e.Location, OrderRef: e.OrderRef, RawSHA256: e.RawSHA256, Data: e.Data,
	}
}

// envelopeRoom is what an event's JSON takes beside its data, as a rule.
const envelopeRoom = 640

// UnmarshalJSON reads what MarshalJSON wrote. It is not the door for foreign
// CloudEvents: those are read, checked and normalised by package ingest.
func (e *Event) UnmarshalJSON(b []byte) error { return e.Read(bytes.Clone(b)) }

// Read is UnmarshalJSON without a copy: the event's data is part of b, which
// nobody may change from then on.
func (e *Event) Read(b []byte) error {
	c, ok := decodeEnvelope(b)
	if !ok {
		c = cloudEvent{}
		if err := json.Unmarshal(b, &c); err != nil {
			return err
		}
	}
	occurred, err := ParseTime(c.Time)
	if err != nil {
		return fmt.Errorf("event %s: time: %w", c.ID, err)
	}
	collected, err := ParseTime(c.CollectedAt)
	if err != nil {
		return fmt.Errorf("event %s: collectedat: %w", c.ID, err)
	}
	*e = Event{
		ID: c.ID, Source: c.Source, Type: c.Type, NativeID: c.NativeID, Revision: c.Revision,
		OccurredAt: occurred, CollectedAt: collected, LocalDate: c.LocalDate,
		CustomerID: c.CustomerID, ThreadID: c.ThreadID, Location: c.Location,
		OrderRef: c.OrderRef, RawSHA256: c.RawSHA256, Data: c.Data,
	}
	return nil
}

// ErrWrongData is returned when an event's data is asked for as a record that
// its type does not carry.
var ErrWrongData = errors.New("event type carries another record")

func decodeData[T any](e Event, ok bool) (T, error) {
	var v T
	if !ok {
		return v, fmt.Errorf("%s %s: %w", e.Type, e.ID, ErrWrongData)
	}
	if r, ok := any(&v).(record); ok && readRecord(e.Data, r) {
		return v, nil
	}
	v = *new(T) // readRecord may have begun
	if err := json.Unmarshal(e.Data, &v); err != nil {
		return v, fmt.Errorf("%s %s: data: %w", e.Type, e.ID, err)
	}
	return v, nil
}

// Feedback decodes the data of a feedback.* event.
func (e Event) Feedback() (Feedback, error) { return decodeData[Feedback](e, e.Type.IsFeedback()) }

// Order decodes the data of an order.* event.
func (e Event) Order() (Order, error) { return decodeData[Order](e, e.Type.IsOrder()) }

// Mistake decodes the data of a service.mistake_reported event.
func (e Event) Mistake() (Mistake, error) { return decodeData[Mistake](e, e.Type == MistakeReported) }

// Reply decodes the data of a reply.sent event.
func (e Event) Reply() (Reply, error) { return decodeData[Reply](e, e.Type == ReplySent) }

// Signal decodes the data of a signal.* event.
func (e Event) Signal() (Signal, error) {
	return decodeData[Signal](e, e.Type == OrderOverdue || e.Type == Unanswered)
}

const timeLayout = "2006-01-02T15:04:05.999Z07:00"

// FormatTime writes t in UTC, RFC 3339, at millisecond precision; "" for the
// zero time.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Millisecond).Format(timeLayout)
}

// ParseTime reads an RFC 3339 time and answers it in UTC; "" is the zero time.
func ParseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not an RFC 3339 time such as 2026-03-01T09:00:00Z", s)
	}
	return t.UTC(), nil
}

// OpenCases reports whether the event asks for a case however old it is: the
// key "open_cases" of its data is true (import --open-cases).
func (e Event) OpenCases() bool {
	if !bytes.Contains(e.Data, []byte(`"open_cases"`)) {
		return false
	}
	var d struct {
		OpenCases bool `json:"open_cases"`
	}
	return json.Unmarshal(e.Data, &d) == nil && d.OpenCases
}
