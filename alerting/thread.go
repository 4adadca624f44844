package alerting

import (
	"strings"

	"redalert/schemas"
)

// thread is where the next reply to the customer belongs.
type thread struct {
	messageID string // of the last mail they sent
	root      string // thread id: the first mail's Message-ID
	subject   string
}

// lastThread finds the customer's last mail in the audit, or the one that a
// signal says has no answer.
func lastThread(history []schemas.CaseEvent) thread {
	for i := len(history) - 1; i >= 0; i-- {
		ev := history[i]
		id, of := detailString(ev, "message_id"), schemas.EventType(detailString(ev, "event_type"))
		if id == "" || of != schemas.EmailReceived && of != schemas.Unanswered {
			continue
		}
		return thread{messageID: id, root: detailString(ev, "thread_id"), subject: detailString(ev, "subject")}
	}
	return thread{}
}

// references is the References header of a reply in the thread.
func (t thread) references() []string {
	var out []string
	if isMessageID(t.root) && t.root != t.messageID {
		out = append(out, t.root)
	}
	if t.messageID != "" {
		out = append(out, t.messageID)
	}
	return out
}

func isMessageID(s string) bool {
	return strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") && !strings.ContainsAny(s, " \r\n\t")
}

// replySubject is the draft's own subject, else that of the thread with one
// "Re: " before it.
func replySubject(own, thread string) string {
	s := oneLine(own)
	if s != "" {
		return s
	}
	if s = oneLine(thread); s == "" {
		return "Your message to us"
	}
	if len(s) >= 3 && strings.EqualFold(s[:3], "re:") {
		return s
	}
	return "Re: " + s
}

// oneLine folds all white space, CR and LF included, to single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
