package email

import (
	"regexp"
	"slices"
	"strings"

	"redalert/schemas"
)

// Headers by which mail of ours is known when it comes back. The alerting
// stage writes the same names.
const (
	headerNotification = "X-Redalert-Notification"
	headerCase         = "X-Redalert-Case"
	ownIDMark          = ".redalert@" // in the Message-ID of everything we send
)

// Classify says what kind of sender wrote a mail: one of the schemas.Mail…
// kinds, "" for a person. own are our addresses in lower case. It goes by the
// top-level header alone, and in doubt answers "": a person's mail taken for a
// machine's would go unanswered.
func Classify(m Mail, own []string) string {
	fromOwn := slices.Contains(own, m.From.Email)
	switch {
	case isOurs(m):
		return schemas.MailOwn
	case isBounce(m):
		return schemas.MailBounce
	case isAutoReply(m, own):
		return schemas.MailAutoReply
	case isNewsletter(m, own):
		return schemas.MailNewsletter
	case fromOwn && !writtenByForm(m, own):
		return schemas.MailOwn
	}
	return ""
}

func isOurs(m Mail) bool {
	return m.Header.Get(headerNotification) != "" || strings.Contains(m.MessageID, ownIDMark)
}

// writtenByForm recognises mail of a web form: sent by ourselves or by a
// no-reply address, to be answered to somebody else.
func writtenByForm(m Mail, own []string) bool {
	if m.ReplyTo.Email == "" || m.ReplyTo.Email == m.From.Email || slices.Contains(own, m.ReplyTo.Email) {
		return false
	}
	return slices.Contains(own, m.From.Email) || robotRE.MatchString(m.From.Email)
}

var (
	robotRE    = regexp.MustCompile(`^(no-?reply|do-?not-?reply|wordpress|www(-data)?|web(site|form|master)?|form[a-z]*|contact-?form|kontakt-?formular|mailer|notification[a-z]*|notify|hello\+form)([-+._][^@]*)?@`)
	daemonRE   = regexp.MustCompile(`^(mailer-daemon|postmaster|mail-daemon|mdaemon|bounces?([-+][^@]*)?)@`)
	bounceRE   = regexp.MustCompile(`(?i)^(undeliver(ed|able)( mail)?\b|delivery status notification \(fail|mail delivery (failed|failure|subsystem)|delivery (failure|has failed)|returned mail\b|failure notice$|unzustellbar|nicht zustellbar|non remis|mail non distribu|no se puede entregar|consegna (del messaggio )?non riuscita|niet te bezorgen)`)
	subjectRE  = regexp.MustCompile(`(?i)^\s*((re|aw|wg|fw|fwd|tr|rv|rif|sv|vs|antw|odp|res|enc|回复|答复|转发)(\[\d+\])?\s*[:：]\s*)+`)
	priorityRE = regexp.MustCompile(`(?i)^(bulk|list|junk)$`)
)

// How subjects of out-of-office notices begin, lower case.
var absences = []string{
	"out of office", "out of the office", "out-of-office", "automatic reply", "automatic response", "auto reply", "auto-reply", "autoreply",
	"auto response", "auto-response", "autoresponse", "autoresponder", "on leave", "on annual leave", "on parental leave", "on vacation",
	"on holiday", "abwesenheitsnotiz", "abwesenheitsbenachrichtigung", "abwesenheitsnachricht", "abwesenheit", "automatische antwort",
	"nicht im büro", "réponse automatique", "absence du bureau", "absent du bureau", "respuesta automática", "fuera de oficina",
	"fuera de la oficina", "risposta automatica", "fuori sede", "fuori ufficio", "automatisch antwoord", "afwezigheid",
	"resposta automática", "ausência temporária", "autosvar", "automatiskt svar", "frånvaro", "automatyczna odpowiedź", "poza biurem",
	"automaattinen vastaus", "автоответ", "автоматический ответ", "自动回复", "自動返信",
}

// saysAbsent reports whether a subject is that of an out-of-office notice: it
// begins with one of the phrases, and nothing follows but a colon and the like
// or a time. "On holiday your plumber broke the tap" is a complaint.
func saysAbsent(subject string) bool {
	low := strings.TrimLeft(strings.ToLower(cut(subject, 120)), " [(*")
	for _, lead := range []string{"i am ", "i'm ", "currently "} {
		low = strings.TrimPrefix(low, lead)
	}
	return slices.ContainsFunc(absences, func(a string) bool {
		rest, ok := strings.CutPrefix(low, a)
		return ok && endsNotice(rest)
	})
}

func endsNotice(rest string) bool {
	rest = strings.TrimLeft(rest, " ")
	if rest == "" || strings.ContainsAny(rest[:1], ":-([])!.,;|/") {
		return true
	}
	for _, w := range []string{"–", "：", "re:", "aw:", "until", "till", "from", "bis", "vom", "jusqu", "du ", "hasta", "fino", "tot ", "do ", "till "} {
		if strings.HasPrefix(rest, w) {
			return true
		}
	}
	return false
}

func isBounce(m Mail) bool {
	kind, params, _ := m.Header.ContentType()
	report := strings.ToLower(params["report-type"])
	switch {
	case kind == "multipart/report" && report != "disposition-notification":
		return true
	case m.Header.Get("X-Failed-Recipients") != "":
		return true
	case daemonRE.MatchString(m.From.Email) && (bounceRE.MatchString(m.Subject) || strings.HasPrefix(m.From.Email, "mailer-daemon@")):
		return true
	}
	// An empty Return-Path is a machine's; whether it bounces or answers, the
	// other headers tell.
	return emptyReturnPath(m) && !saysAuto(m) && !saysAbsent(m.Subject)
}

func emptyReturnPath(m Mail) bool {
	return m.Header.Has("Return-Path") && strings.Trim(m.Header.Get("Return-Path"), " \t") == "<>"
}

func autoSubmitted(m Mail) string {
	word, _, _ := strings.Cut(m.Header.Get("Auto-Submitted"), ";")
	return strings.ToLower(strings.TrimSpace(word))
}

func saysAuto(m Mail) bool {
	a := autoSubmitted(m)
	return (a != "" && a != "no") || m.Header.Has("X-Autoreply") || m.Header.Has("X-Autorespond") ||
		strings.EqualFold(strings.TrimSpace(m.Header.Get("Precedence")), "auto_reply")
}

// isAutoReply knows answers of machines. What a form generated on behalf of a
// customer is no answer.
func isAutoReply(m Mail, own []string) bool {
	kind, params, _ := m.Header.ContentType()
	if kind == "multipart/report" && strings.EqualFold(params["report-type"], "disposition-notification") {
		return true
	}
	if saysAuto(m) {
		return autoSubmitted(m) != "auto-generated" || !writtenByForm(m, own)
	}
	// A customer may write "Re: Automatic reply: …" by hand; the notice itself
	// begins with the words.
	return saysAbsent(m.Subject) && !subjectRE.MatchString(m.Subject)
}

// isNewsletter knows mail to many. A list of our own domain (a shared inbox
// run as a group) is none.
func isNewsletter(m Mail, own []string) bool {
	h := m.Header
	if h.Get("List-Unsubscribe") == "" && h.Get("List-Id") == "" && !priorityRE.MatchString(strings.TrimSpace(h.Get("Precedence"))) {
		return false
	}
	id := strings.ToLower(h.Get("List-Id"))
	for _, a := range own {
		_, domain, _ := strings.Cut(a, "@")
		if domain != "" && id != "" && !freeMail[domain] && strings.HasSuffix(strings.TrimRight(id, "> "), "."+domain) {
			return false
		}
	}
	return true
}

var freeMail = set("gmail.com", "googlemail.com", "googlegroups.com", "outlook.com", "hotmail.com", "yahoo.com", "gmx.de", "gmx.net", "web.de", "icloud.com")
