package signals

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"redalert/schemas"
)

// manyUnanswered in one hour, and no reply seen for weeks, looks like answers that
// are written where Redalert does not look.
const manyUnanswered = 5

// wordsPage is how many messages the clock looks at at once.
const wordsPage = 500

// unanswered raises signal.unanswered for mail that a person wrote, that calls
// for an answer, and that has had none by the time set for the first response
// (in opening hours, by the message's priority, counted from when it reached us).
// Answered is a message by a reply.sent to the customer, in its thread or to its
// Message-ID since it was written, or by what CaredFor knows of cases. What was
// due more than OpenCasesFor ago, or was older than that when it came in, is left
// alone.
//
// It keeps in memory whom we answered within three times OpenCasesFor, about 300
// bytes each, and one page of messages.
func (c *Clock) unanswered(ctx context.Context, now time.Time) (raised int, err error) {
	if c.c.AnswerDue == nil || c.c.CaredFor == nil {
		return 0, nil
	}
	due, err := c.c.AnswerDue(ctx)
	if err != nil {
		return 0, fmt.Errorf("when answers are due: %w", err)
	}
	// It may take up to OpenCasesFor until an answer is due, and that may have been
	// OpenCasesFor ago; a message may be as old again when it comes in.
	since := now.Add(-2 * c.c.OpenCasesFor)
	answers, err := c.answers(ctx, since.Add(-c.c.OpenCasesFor), now)
	if err != nil {
		return 0, err
	}
	err = c.words(ctx, schemas.EmailReceived, since, now, func(page []schemas.Scored) error {
		var found []signal
		for _, m := range page {
			s, ok, err := c.waiting(ctx, m, due, answers, now)
			if err != nil {
				return err
			}
			if ok {
				found = append(found, s)
			}
		}
		if found, err = c.cared(ctx, found, page); err != nil {
			return err
		}
		n, err := c.raise(ctx, found, now)
		raised += n
		return err
	})
	if raised >= manyUnanswered && len(answers) == 0 {
		c.c.Log.Info("mail is called unanswered, but no reply of ours was seen for weeks: if you answer elsewhere, collect the Sent mailbox, or set alerting.unanswered to false", "raised", raised)
	}
	return raised, err
}

// words calls fn with the messages of a type collected in [since, now], some at
// a time.
func (c *Clock) words(ctx context.Context, t schemas.EventType, since, now time.Time, fn func([]schemas.Scored) error) error {
	q := schemas.ListQuery{Since: since, Until: now.Add(time.Millisecond), Limit: wordsPage}
	for {
		page, err := c.c.Rounds.Words(ctx, t, q)
		if err != nil {
			return fmt.Errorf("messages of the last weeks: %w", err)
		}
		if err := fn(page.Items); err != nil {
			return err
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// answers are the times of our last replies: by customer id as the reply carries
// it, by "thread:" and the thread, and by the Message-ID replied to.
type answers map[string]time.Time

func (c *Clock) answers(ctx context.Context, since, now time.Time) (answers, error) {
	a := answers{}
	err := c.words(ctx, schemas.ReplySent, since, now, func(page []schemas.Scored) error {
		for _, x := range page {
			a.learn(x.Event)
		}
		return nil
	})
	return a, err
}

func (a answers) learn(e schemas.Event) {
	keys := []string{e.CustomerID}
	if e.ThreadID != "" {
		keys = append(keys, "thread:"+e.ThreadID)
	}
	if r, err := e.Reply(); err == nil {
		keys = append(keys, r.InReplyTo)
	}
	for _, k := range keys {
		if k != "" && e.OccurredAt.After(a[k]) {
			a[k] = e.OccurredAt
		}
	}
}

// since reports whether one of keys was answered at or after a time.
func (a answers) since(at time.Time, keys ...string) bool {
	for _, k := range keys {
		if t, ok := a[k]; ok && k != "" && !t.Before(at) {
			return true
		}
	}
	return false
}

// waiting reports whether a message is due and was not answered, by replies
// alone.
func (c *Clock) waiting(ctx context.Context, m schemas.Scored, due func(time.Time, string, schemas.Priority) (time.Time, bool), a answers, now time.Time) (s signal, ok bool, err error) {
	e := m.Event
	f, ok := callsForAnswer(m)
	if !ok || e.CollectedAt.Sub(e.OccurredAt) > c.c.OpenCasesFor {
		return s, false, nil
	}
	from := e.CollectedAt // nobody could answer before
	if e.OccurredAt.After(from) {
		from = e.OccurredAt
	}
	at, limited := due(from, e.Location, schemas.PriorityOf(m.Verdict.Severity, false))
	if !limited || !c.current(at, now) {
		return s, false, nil
	}
	keys := []string{e.CustomerID, f.MetaString(schemas.MetaMessageID)}
	if e.ThreadID != "" {
		keys = append(keys, "thread:"+e.ThreadID)
	}
	if e.CustomerID != "" && !a.since(e.OccurredAt, keys...) {
		all, err := c.c.Aliases.Keys(ctx, e.CustomerID)
		if err != nil {
			return s, false, fmt.Errorf("ids of a customer: %w", err)
		}
		keys = append(keys, all...)
		if len(all) > 0 {
			e.CustomerID = all[0] // the id of the signal follows from the present one
		}
	}
	if a.since(e.OccurredAt, keys...) {
		return s, false, nil
	}
	return signal{kind: schemas.Unanswered, customer: e.CustomerID, thread: threadOf(e), location: e.Location, orderRef: e.OrderRef,
		at: at, about: e.ID, messageID: f.MetaString(schemas.MetaMessageID), subject: f.MetaString(schemas.MetaSubject),
		detail: c.waited(e.OccurredAt, at)}, true, nil
}

// threadOf is the thread that the case of a message is known by while the customer
// is not.
func threadOf(e schemas.Event) string {
	if e.CustomerID == "" {
		return e.PartitionKey()
	}
	return e.ThreadID
}

// waited says it in numbers: "wrote on 3 March at 09:12, no answer by 4 March at
// 15:12".
func (c *Clock) waited(wrote, due time.Time) string {
	const minute = "2 January at 15:04"
	zone := c.c.Business.Timezone
	return fmt.Sprintf("wrote on %s, no answer by %s", wrote.In(zone).Format(minute), due.In(zone).Format(minute))
}

// cared leaves out signals whose message somebody deals with, and those that
// were raised before, of which cases need not be asked.
func (c *Clock) cared(ctx context.Context, found []signal, page []schemas.Scored) ([]signal, error) {
	if len(found) == 0 {
		return nil, nil
	}
	ids := make([]string, len(found))
	for i, s := range found {
		ids[i] = SignalID(s.whom(), s.kind, c.c.Business.LocalDate(s.at))
	}
	known, err := c.known(ctx, ids)
	if err != nil {
		return nil, err
	}
	events := make(map[string]schemas.Event, len(page))
	for _, m := range page {
		events[m.Event.ID] = m.Event
	}
	var out []signal
	for i, s := range found {
		if known[ids[i]] {
			continue
		}
		cared, err := c.c.CaredFor(ctx, events[s.about])
		if err != nil {
			return nil, fmt.Errorf("case of a message: %w", err)
		}
		if !cared {
			out = append(out, s)
		}
	}
	return out, nil
}

// callsForAnswer reports whether a message waits for an answer: mail that a
// person wrote (no auto-reply, newsletter, bounce or mail of our own), unless it
// only says thanks. Reviews and surveys are not meant: nothing tells us that one
// was answered, and where one is red its case has timers of its own.
func callsForAnswer(m schemas.Scored) (f schemas.Feedback, ok bool) {
	if m.Event.Type != schemas.EmailReceived || m.Verdict.ModelVersion == schemas.Unscored {
		return f, false
	}
	f, err := m.Event.Feedback()
	if err != nil || f.MetaString(schemas.MetaMailKind) != "" {
		return f, false
	}
	return f, m.Verdict.Level != schemas.LevelNone || !onlyThanks(f.ValueText)
}

// maxThanks is how many words a message of thanks has at most.
const maxThanks = 15

// thanks begin the words that make a short message one of thanks; asks turn it
// into one that wants something.
var (
	thanks = []string{"thank", "thanks", "thx", "cheers", "danke", "dankeschön", "dank", "merci", "gracias", "grazie", "bedankt"}
	asks   = []string{"but", "however", "please", "could", "can", "when", "still", "yet", "not", "no", "never",
		"aber", "bitte", "könnten", "können", "wann", "noch", "nicht", "kein", "keine", "mais", "quand", "pero", "cuando"}
)

// onlyThanks reports whether a text says thanks and nothing that asks for
// anything: few words, one of thanks, no question, no "but". "Thanks in advance"
// is a request.
func onlyThanks(s string) bool {
	lower := strings.ToLower(s)
	if strings.ContainsAny(lower, "?¿") || strings.Contains(lower, "in advance") || strings.Contains(lower, "im voraus") {
		return false
	}
	words := strings.FieldsFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' })
	if len(words) == 0 || len(words) > maxThanks {
		return false
	}
	grateful := false
	for _, w := range words {
		if slices.Contains(asks, w) || strings.HasSuffix(w, "n't") {
			return false
		}
		grateful = grateful || slices.Contains(thanks, w)
	}
	return grateful
}
