package schemas

import "time"

// QuarantineState is where a quarantined item stands.
type QuarantineState string

// Every state of a quarantined item.
const (
	QuarantineOpen     QuarantineState = "open"
	QuarantineReplayed QuarantineState = "replayed"
	QuarantineDropped  QuarantineState = "dropped"
)

// Codes of quarantine reasons. The reason beside a code is for people.
const (
	QInvalid     = "invalid"      // does not fit its schema
	QConflict    = "conflict"     // other content under an id already accepted
	QTooLarge    = "too_large"    // over a cap
	QCurrency    = "currency"     // no rate configured
	QTime        = "time"         // no or impossible time
	QUnreadable  = "unreadable"   // bytes that cannot be decoded
	QUnknownType = "unknown_type" //
	QStructure   = "structure"    // MIME too deep, too many parts …
	QScorer      = "scorer"       // the scorer failed on it
	QHistory     = "history"      // history can never keep it
)

// Quarantined is an item that could not be taken in (or scored), with all that
// is needed to try again.
type Quarantined struct {
	ID        string          `json:"id"` // derived from source, locator, code and raw bytes: the same failure again is the same row
	Source    string          `json:"source"`
	Code      string          `json:"code"`
	Reason    string          `json:"reason"`
	Locator   string          `json:"locator"` // file:line, mailbox UID, batch index …
	At        time.Time       `json:"at"`
	RawSHA256 string          `json:"raw_sha256"` // "" when the raw bytes were not kept
	State     QuarantineState `json:"state"`
	Replay    string          `json:"replay"` // how to read the raw bytes again: cloudevent, mail, event, row:<preset>
}
