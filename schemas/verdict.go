package schemas

import "time"

// Level is how loud a verdict is. Review has a tab of its own: no case, no mail.
type Level string

// Every level.
const (
	LevelNone   Level = "none"
	LevelReview Level = "review"
	LevelRed    Level = "red"
)

// Severity orders red alerts. It comes from rules, value and history, not from
// the text model's probability.
type Severity string

// Every severity, rising.
const (
	SeverityNone     Severity = "none"
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Rank orders severities: none 0 … critical 4; an unknown one ranks 0.
func (s Severity) Rank() int {
	switch s {
	case SeverityLow:
		return 1
	case SeverityMedium:
		return 2
	case SeverityHigh:
		return 3
	case SeverityCritical:
		return 4
	}
	return 0
}

// FlaggedBy says what raised a verdict above none.
type FlaggedBy string

// What may flag; a verdict of level none has none (JSON null).
const (
	FlaggedByRule  FlaggedBy = "rule"
	FlaggedByModel FlaggedBy = "model"
	FlaggedByBoth  FlaggedBy = "both"
)

// Category is what a red alert is about.
type Category string

// The fixed list of categories.
const (
	CatLate              Category = "late"
	CatQuality           Category = "quality"
	CatDamaged           Category = "damaged"
	CatWrongItem         Category = "wrong_item"
	CatMissedAppointment Category = "missed_appointment"
	CatNoReply           Category = "no_reply"
	CatRude              Category = "rude"
	CatBilling           Category = "billing"
	CatPrice             Category = "price"
	CatRefundRequest     Category = "refund_request"
	CatCancellation      Category = "cancellation"
	CatReduction         Category = "reduction"
	CatChurnThreat       Category = "churn_threat"
	CatPublicWarning     Category = "public_warning"
	CatLegalSafety       Category = "legal_safety"
	CatOther             Category = "other"
)

// Categories lists every category.
func Categories() []Category {
	return []Category{CatLate, CatQuality, CatDamaged, CatWrongItem, CatMissedAppointment, CatNoReply, CatRude,
		CatBilling, CatPrice, CatRefundRequest, CatCancellation, CatReduction, CatChurnThreat, CatPublicWarning,
		CatLegalSafety, CatOther}
}

// Span marks the deciding words: byte offsets [Start, End) into the scored
// text (value_text, what_happened), always on rune boundaries.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Reason is one cause of a verdict in words a manager understands.
type Reason struct {
	Code    string  `json:"code"`    // stable
	Message string  `json:"message"` // plain English, without the customer's name
	Span    *Span   `json:"span"`    // nil when the reason is not in the text
	Weight  float64 `json:"weight"`  // share of the decision, 0–1
}

// Unscored is the model version of verdicts on items that are kept but not for
// scoring: bounces, auto-replies, newsletters, our own mail, reply.sent.
const Unscored = "unscored"

// RedThreshold and ReviewThreshold: red ⇔ p ≥ 0.8, review ⇔ 0.5 ≤ p < 0.8.
const (
	RedThreshold    = 0.8
	ReviewThreshold = 0.5
)

// Verdict is what the scorer says of one event. Each event has exactly one
// standing verdict; only rescore writes another version.
type Verdict struct {
	EventID      string     `json:"event_id"`
	ModelVersion string     `json:"model_version"`
	Level        Level      `json:"level"`
	Red          bool       `json:"red"`
	Probability  float64    `json:"probability"`
	Severity     Severity   `json:"severity"`
	FlaggedBy    *FlaggedBy `json:"flagged_by"`
	Reasons      []Reason   `json:"reasons"`
	Categories   []Category `json:"categories"`
	ScoredAt     time.Time  `json:"scored_at"`
}

// Scored is an event with its verdict, as history stores it.
type Scored struct {
	Event   Event
	Verdict Verdict
}
