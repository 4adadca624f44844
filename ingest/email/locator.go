package email

import (
	"fmt"
	"strings"
)

// locator says where a mail lies, in the manner of an IMAP URL (RFC 5092):
// MAILBOX;UIDVALIDITY=1;UID=2, with ;SENT for a mailbox of sent mail.
func locator(mailbox string, validity, uid uint32, sent bool) string {
	s := fmt.Sprintf("%s;UIDVALIDITY=%d;UID=%d", mailbox, validity, uid)
	if sent {
		s += ";SENT"
	}
	return s
}

func parseLocator(l string) (mailbox string, sent bool) {
	if i := strings.LastIndex(l, ";UIDVALIDITY="); i >= 0 {
		return l[:i], strings.HasSuffix(l, ";SENT")
	}
	return l, false
}
