package schemas

import "time"

// NotificationKind says why we write.
type NotificationKind string

// Every kind of notification.
const (
	NotifyCritical NotificationKind = "critical"
	NotifyAssigned NotificationKind = "assigned"
	NotifyOverdue  NotificationKind = "overdue"
	NotifyDigest   NotificationKind = "digest"
	NotifyReply    NotificationKind = "reply"          // our answer to a customer
	NotifyAnswer   NotificationKind = "customer_wrote" // the customer answered; to the assignee
)

// ChannelEmail is the one channel there is so far.
const ChannelEmail = "email"

// NotificationState is where a notification stands.
type NotificationState string

// Queued: waits for its turn. Sending: an attempt is under way (exported as
// queued). Sent. Failed: given up. Uncertain: a mail to a customer whose
// attempt was cut off; a person decides, it is never repeated by itself.
const (
	NotificationQueued    NotificationState = "queued"
	NotificationSending   NotificationState = "sending"
	NotificationSent      NotificationState = "sent"
	NotificationFailed    NotificationState = "failed"
	NotificationUncertain NotificationState = "uncertain"
)

// NotificationKey makes a notification unique: a second one with the same key
// is the same notification.
type NotificationKey struct {
	CaseID    string           `json:"case_id"`
	Episode   int              `json:"episode"`
	Kind      NotificationKind `json:"kind"`
	Cause     string           `json:"cause"` // "" critical · timer · audit seq · reply id · day
	Recipient string           `json:"recipient"`
	Channel   string           `json:"channel"`
}

// Notification is one row of the outbox and, once sent, of the notification
// log. ID and MessageID are derived from the key alone. Body is a complete
// RFC 5322 message, rendered when it was queued.
type Notification struct {
	ID         string            `json:"id"`
	Key        NotificationKey   `json:"key"`
	MessageID  string            `json:"message_id"`
	State      NotificationState `json:"state"`
	ToCustomer bool              `json:"to_customer"` // at most once instead of at least once
	Attempts   int               `json:"attempts"`
	At         time.Time         `json:"at"`       // last change of state
	NotBefore  time.Time         `json:"-"`        // next attempt
	Error      string            `json:"error"`    // of the last attempt, without secrets
	Body       []byte            `json:"-"`        //
	EventID    string            `json:"event_id"` // what caused it, if an event did
}
