package schemas

import "time"

// MarkCause says how we know what staff decided about an event.
type MarkCause string

// Every cause. Said is a click on the event itself; the others follow from what
// became of its case.
const (
	MarkSaid      MarkCause = "said"
	MarkDismissed MarkCause = "dismissed"
	MarkRecovered MarkCause = "recovered"
	MarkLost      MarkCause = "lost"
)

// Mark is what staff decided about one event: whether it was a red alert.
// There is at most one of each event; the last one said counts, and what was
// said counts more than what follows from a case.
type Mark struct {
	EventID string    `json:"event_id"`
	Red     bool      `json:"red"` // yes, this was one
	Cause   MarkCause `json:"cause"`
	By      string    `json:"by"` // e-mail address
	At      time.Time `json:"at"`
}

// Layer is what this business's decisions add to the text model that ships:
// logit' = Bias + Slope × logit + the source's and the topics' weights (a
// logistic regression; package signals/learn fits and applies it). It holds for
// the shipped model named by Base alone.
type Layer struct {
	Number  int                `json:"number"` // own-1, own-2 …; 0 is the shipped model alone
	Base    string             `json:"base"`   // model version of the shipped model
	At      time.Time          `json:"at"`
	By      string             `json:"by"` // e-mail address, or SystemActor for the clock
	Bias    float64            `json:"bias"`
	Slope   float64            `json:"slope"` // above 0: what the model finds worse stays worse
	Sources map[string]float64 `json:"sources"`
	Topics  map[string]float64 `json:"topics"`
	Report  LayerReport        `json:"report"`
}

// LayerReport is how a layer did on decisions held back from fitting it
// (cross-validation), beside the shipped model on the same ones.
type LayerReport struct {
	Decisions int         `json:"decisions"` // that count: judged by the text alone, no hard rule
	Confirmed int         `json:"confirmed"` // of them: yes, a red alert
	Marks     int         `json:"marks"`     // all decisions of staff, hard rules too
	Digest    string      `json:"digest"`    // of the decisions; equal ones need no new layer
	Accepted  bool        `json:"accepted"`  // may be used: it was better
	Why       string      `json:"why"`       // in words, when it was not
	Recall    float64     `json:"recall"`    // at which the precisions are compared
	Shipped   LayerScores `json:"shipped"`
	Taught    LayerScores `json:"taught"`
	BySource  []SourceFit `json:"by_source"`
}

// LayerScores are figures on held-back decisions.
type LayerScores struct {
	Precision float64 `json:"precision"` // at LayerReport.Recall
	LogLoss   float64 `json:"log_loss"`  // mean, natural logarithm
}

// SourceFit is what was learned of one source.
type SourceFit struct {
	Source    string  `json:"source"`
	Decisions int     `json:"decisions"`
	Confirmed int     `json:"confirmed"`
	Before    float64 `json:"before"` // mean probability that the shipped model gave
	After     float64 `json:"after"`  // mean probability with the layer, held back
}

// LayerUse says which layer scores from At on. The last one counts; together
// they are the audit.
type LayerUse struct {
	Seq    int64     `json:"seq"`
	Number int       `json:"number"` // 0 = the shipped model alone
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Pinned bool      `json:"pinned"` // chosen by a person: a newer layer does not replace it by itself
}
