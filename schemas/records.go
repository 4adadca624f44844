package schemas

import "time"

// SourceType is the kind of door a feedback record came through.
type SourceType string

// Every source type.
const (
	SourceSurvey   SourceType = "survey"
	SourceEmail    SourceType = "email"
	SourceReview   SourceType = "review"
	SourceOrder    SourceType = "order"
	SourceInternal SourceType = "internal"
)

// SourceTypeOf tells which kind of door an event type belongs to.
func SourceTypeOf(t EventType) SourceType {
	switch t {
	case SurveyAnswered:
		return SourceSurvey
	case EmailReceived, ReplySent:
		return SourceEmail
	case ReviewPosted, ReviewChanged:
		return SourceReview
	case MistakeReported, Unanswered:
		return SourceInternal
	}
	return SourceOrder
}

// FieldType is the kind of answer a feedback record holds.
type FieldType string

// Every field type (after Formbricks Hub).
const (
	FieldText        FieldType = "text"
	FieldNPS         FieldType = "nps"
	FieldCSAT        FieldType = "csat"
	FieldCES         FieldType = "ces"
	FieldRating      FieldType = "rating"
	FieldNumber      FieldType = "number"
	FieldCategorical FieldType = "categorical"
	FieldBoolean     FieldType = "boolean"
	FieldDate        FieldType = "date"
)

// CustomerRef is how a sender names a customer. Only Ref survives into a
// published event; the rest is moved to the customers store at the door.
type CustomerRef struct {
	Ref   string `json:"ref,omitempty"`   // the business's own customer number
	Email string `json:"email,omitempty"` //
	Phone string `json:"phone,omitempty"` //
	Name  string `json:"name,omitempty"`  //
}

// Known reports whether the reference identifies anybody: a name alone does not.
func (c CustomerRef) Known() bool { return c.Ref != "" || c.Email != "" || c.Phone != "" }

// Feedback is the data of feedback.* events: one answer, mail or review.
type Feedback struct {
	SourceType     SourceType     `json:"source_type,omitempty"`
	SourceName     string         `json:"source_name,omitempty"`
	SubmissionID   string         `json:"submission_id,omitempty"`
	FieldID        string         `json:"field_id,omitempty"`
	FieldLabel     string         `json:"field_label,omitempty"`
	FieldType      FieldType      `json:"field_type,omitempty"`
	ValueText      string         `json:"value_text,omitempty"`
	ValueNumber    *float64       `json:"value_number,omitempty"`
	ScaleMin       *float64       `json:"scale_min,omitempty"`
	ScaleMax       *float64       `json:"scale_max,omitempty"`
	HigherIsBetter *bool          `json:"higher_is_better,omitempty"` // nil = true
	OccurredAt     *time.Time     `json:"occurred_at,omitempty"`
	Language       string         `json:"language,omitempty"` // BCP 47; "" = not said
	Customer       *CustomerRef   `json:"customer,omitempty"`
	Location       string         `json:"location,omitempty"`
	OrderRef       string         `json:"order_ref,omitempty"`
	Metadata       map[string]any `json:"metadata,omitempty"`
	CustomerID     string         `json:"customer_id,omitempty"` // set at the door
	LocalDate      string         `json:"local_date,omitempty"`  // set at the door
}

// Metadata keys that collectors set and others read.
const (
	MetaSubject   = "subject"    // of a mail or review
	MetaMessageID = "message_id" // RFC 5322, with angle brackets
	MetaInReplyTo = "in_reply_to"
	MetaMailKind  = "mail_kind" // one of the MailKind… constants; absent or "" = a person wrote it
	MetaMailbox   = "mailbox"
	MetaURL       = "url"    // of a review
	MetaAuthor    = "author" // display name of an anonymous review's author
	MetaFlags     = "flags"  // e.g. "unknown_charset", "truncated"
)

// Mail that is kept but never scored.
const (
	MailAutoReply  = "auto_reply"
	MailBounce     = "bounce"
	MailNewsletter = "newsletter"
	MailOwn        = "own"
)

// MetaString reads a metadata value as text; "" when absent or not text.
func (f Feedback) MetaString(key string) string {
	s, _ := f.Metadata[key].(string)
	return s
}

// NormalisedRating maps the answer to 0 (worst) … 1 (best):
// (value − min)/(max − min), inverted where lower is better. ok is false when
// there is no number, no usable scale, or the value lies outside the scale.
// NPS defaults to 0–10, CSAT to 1–5 when the record states no scale.
func (f Feedback) NormalisedRating() (v float64, ok bool) {
	if f.ValueNumber == nil {
		return 0, false
	}
	lo, hi, ok := f.Scale()
	x := *f.ValueNumber
	if !ok || !(lo < hi) || !(x >= lo && x <= hi) {
		return 0, false
	}
	v = (x - lo) / (hi - lo)
	if f.HigherIsBetter != nil && !*f.HigherIsBetter {
		v = 1 - v
	}
	return v, true
}

// OnFive reports whether the answer is on the usual CSAT scale from 1 to 5,
// higher being better.
func (f Feedback) OnFive() bool {
	lo, hi, ok := f.Scale()
	return ok && lo == 1 && hi == 5 && (f.HigherIsBetter == nil || *f.HigherIsBetter)
}

// Scale is the scale the record states, or the usual one of its field type
// (NPS 0–10, CSAT 1–5); ok is false when there is none.
func (f Feedback) Scale() (lo, hi float64, ok bool) {
	if f.ScaleMin != nil && f.ScaleMax != nil {
		return *f.ScaleMin, *f.ScaleMax, true
	}
	switch f.FieldType {
	case FieldNPS:
		return 0, 10, true
	case FieldCSAT:
		return 1, 5, true
	}
	return 0, 0, false
}

// CausedBy says who brought a change of an order about.
type CausedBy string

// Who may cause a change of an order; "" reads as unknown.
const (
	ByCustomer CausedBy = "customer"
	BySeller   CausedBy = "seller"
	ByUnknown  CausedBy = "unknown"
)

// OrderLine is one position of an order.
type OrderLine struct {
	SKU         string `json:"sku,omitempty"`
	Description string `json:"description,omitempty"`
	Quantity    int64  `json:"quantity"`
	UnitPrice   *Money `json:"unit_price,omitempty"`
}

// Order is the data of order.* events: the order as it stands after the event.
type Order struct {
	OrderRef      string       `json:"order_ref"`
	Customer      *CustomerRef `json:"customer,omitempty"`
	OccurredAt    *time.Time   `json:"occurred_at,omitempty"`
	PlacedAt      *time.Time   `json:"placed_at,omitempty"`
	Total         *Money       `json:"total,omitempty"`
	PreviousTotal *Money       `json:"previous_total,omitempty"`
	Lines         []OrderLine  `json:"lines,omitempty"`
	Tip           *Money       `json:"tip,omitempty"`
	Reason        string       `json:"reason,omitempty"`
	CausedBy      CausedBy     `json:"caused_by,omitempty"`
	Location      string       `json:"location,omitempty"`
	CustomerID    string       `json:"customer_id,omitempty"` // set at the door
	LocalDate     string       `json:"local_date,omitempty"`  // set at the door
}

// Mistake is the data of service.mistake_reported: staff own up before the
// customer complains.
type Mistake struct {
	ReportedBy   string       `json:"reported_by"`
	WhatHappened string       `json:"what_happened"`
	Customer     *CustomerRef `json:"customer,omitempty"`
	OrderRef     string       `json:"order_ref,omitempty"`
	Location     string       `json:"location,omitempty"`
	OccurredAt   *time.Time   `json:"occurred_at,omitempty"`
	CustomerID   string       `json:"customer_id,omitempty"` // set at the door
	LocalDate    string       `json:"local_date,omitempty"`  // set at the door
}

// Reply is the data of reply.sent: our own answer to a customer.
type Reply struct {
	MessageID  string       `json:"message_id,omitempty"`
	InReplyTo  string       `json:"in_reply_to,omitempty"`
	Subject    string       `json:"subject,omitempty"`
	Text       string       `json:"text,omitempty"`
	SentBy     string       `json:"sent_by,omitempty"` // our address
	CaseID     string       `json:"case_id,omitempty"` // when sent from a case page
	Customer   *CustomerRef `json:"customer,omitempty"`
	Location   string       `json:"location,omitempty"`
	OrderRef   string       `json:"order_ref,omitempty"`
	OccurredAt *time.Time   `json:"occurred_at,omitempty"`
	CustomerID string       `json:"customer_id,omitempty"` // set at the door
	LocalDate  string       `json:"local_date,omitempty"`  // set at the door
}

// Signal is the data of signal.* events, raised by the clock.
type Signal struct {
	Due        string       `json:"due"` // YYYY-MM-DD, business time zone
	Detail     string       `json:"detail,omitempty"`
	About      string       `json:"about,omitempty"`      // event id of the message that has no answer
	MessageID  string       `json:"message_id,omitempty"` // of that message, so that an answer finds its thread
	Subject    string       `json:"subject,omitempty"`    // of that message
	Customer   *CustomerRef `json:"customer,omitempty"`
	OrderRef   string       `json:"order_ref,omitempty"`
	Location   string       `json:"location,omitempty"`
	OccurredAt *time.Time   `json:"occurred_at,omitempty"`
	CustomerID string       `json:"customer_id,omitempty"`
	LocalDate  string       `json:"local_date,omitempty"`
}
