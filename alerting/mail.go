package alerting

import "time"

// Mail is one message before it is composed into RFC 5322 bytes. Text is
// always set; HTML may be empty. Header values must hold no CR or LF; a
// Composer removes them.
type Mail struct {
	From       string // "Name <address>" or a bare address; "" = the Composer's own
	To         string
	ToName     string
	Subject    string
	Text       string
	HTML       string
	MessageID  string // with angle brackets
	InReplyTo  string // with angle brackets; "" = a new thread
	References []string
	Headers    map[string]string // further ones, such as X-Redalert-Notification
	Date       time.Time
	// Auto marks mail nobody typed: Auto-Submitted: auto-generated.
	Auto bool
}

// Composer turns a Mail into a complete RFC 5322 message; package
// alerting/email holds the one there is. An error is about the Mail itself
// (an address that is none); trying again does not help.
type Composer interface {
	Compose(m Mail) ([]byte, error)
}
