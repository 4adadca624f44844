package web_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTriageShowsWhoNeedsUs(t *testing.T) {
	s := newSite(t)
	b := s.as("manager")
	b.get("/triage").want(t, 200, "Maria Keller", "wants the money back", "€1,240", "North", "Anonymous reviewer", "<b>2</b> open", "Claim the case of Maria Keller")
	b.get("/triage?location=East").want(t, 200, "Anonymous reviewer", "!Maria Keller")
	b.get("/triage?source=email").want(t, 200, "!Anonymous reviewer", "Maria Keller")
	b.get("/triage?q=RH-1").want(t, 200, "Maria Keller", "!Anonymous reviewer")
	b.get("/triage?q=zzz").want(t, 200, "Nothing matches")
	b.get("/triage?tab=mine").want(t, 200, "You have no open case")
	b.get("/triage?tab=bogus").want(t, 404)
	b.get("/triage", "HX-Request", "true", "HX-Target", "queue").want(t, 200, `id="queue"`, "!<html", "Maria Keller")
	s.as("east").get("/triage").want(t, 200, "!Maria Keller", "Anonymous reviewer", "<b>1</b> open")
	late := monday.Add(30 * time.Hour)
	s.now.Store(&late)
	b.get("/triage").want(t, 200, "<b>2</b> overdue", "late")
}

func TestClaimFromTheList(t *testing.T) {
	s := newSite(t)
	v := strconv.FormatInt(s.maria.Version, 10)
	path := "/cases/" + s.maria.ID + "/claim"
	s.as("staff").post(path, "version", v, "back", "/triage?tab=unassigned").leadsTo(t, "/triage?tab=unassigned")
	if c := s.stored(s.maria); c.Assignee != "staff@example.com" || c.State != schemas.StateAcknowledged {
		t.Fatalf("claimed: %+v", c)
	}
	other := s.as("other")
	other.postFrom("same-origin", path, map[string][]string{"Hx-Request": {"true"}}, "version", v, "back", "/triage").
		want(t, 409, "Sasha Brook was faster", `id="queue"`, "!<html")
	other.post(path, "version", v).want(t, 409, "Sasha Brook was faster")
}

func TestClaimCanBeUndone(t *testing.T) {
	s := newSite(t)
	b := s.as("staff")
	b.command(s.maria, "claim", "back", "/triage").leadsTo(t, "/triage")
	p := b.get("/triage").want(t, 200, "The case is yours.", "Undo")
	form := p.body[strings.Index(p.body, "The case is yours."):]
	b.post("/cases/"+s.maria.ID+"/assign", "version", page{body: form}.version(t), "assignee", "", "back", "/triage").leadsTo(t, "/triage")
	if c := s.stored(s.maria); c.Assignee != "" {
		t.Fatalf("still %s's", c.Assignee)
	}
}

func TestCasePageTellsTheStory(t *testing.T) {
	s := newSite(t)
	b := s.as("staff")
	b.get("/cases/"+s.maria.ID).want(t, 200, "Maria Keller", "Still waiting", `<mark title="wants the money back">money back</mark>`,
		"&lt;b&gt;nobody&lt;/b&gt;", "!<b>nobody</b>", "Get in touch", "0 of 4 done", mariaMail, "opened the case", "Claim", "invoice.html", "order RH-1")
	b.get("/cases/"+s.reviewed.ID).want(t, 200, "Anonymous reviewer", "1 of 5", "Nobody knows yet who this is")
	b.get("/cases/none").want(t, 404)
}

func TestCaseOfAnotherLocationIsNotThere(t *testing.T) {
	s := newSite(t)
	b := s.as("east")
	b.get("/cases/"+s.maria.ID).want(t, 404, "!Maria")
	b.post("/cases/"+s.maria.ID+"/claim", "version", "1").want(t, 404)
	b.post("/cases/"+s.maria.ID+"/note", "version", "1", "text", "hello").want(t, 404)
	b.get("/cases/"+s.maria.ID+"/events/e-mail/html").want(t, 404)
	b.get("/customers/"+s.maria.CustomerID).want(t, 404)
	b.get("/customers").want(t, 200, "!Maria")
}

func TestWholeRecovery(t *testing.T) {
	s := newSite(t)
	b := s.as("staff")
	c, page := s.maria, "/cases/"+s.maria.ID
	b.command(c, "claim").leadsTo(t, page)
	b.get(page).want(t, 200, "Start recovery")
	b.command(c, "move", "to", "recovered").want(t, 422, "these steps are open: Get in touch, Listen, Put it right, Put it in writing")
	b.command(c, "move", "to", "in_recovery").leadsTo(t, page)
	b.command(c, "call", "outcome", "reached", "note", "She is upset about the wait.").leadsTo(t, page)
	b.command(c, "steps/contact", "evidence", "").leadsTo(t, page) // the call is the evidence
	b.command(c, "steps/listen", "evidence", "").want(t, 422, "Say what was done", `aria-invalid="true"`)
	b.command(c, "steps/listen", "evidence", "Three mails lost.").leadsTo(t, page)
	b.command(c, "steps/resolve", "evidence", "Money returned.").leadsTo(t, page)
	b.command(c, "steps/written_proof", "evidence", "called her").want(t, 422, "A phone call is no written proof")
	b.command(c, "reply", "subject", "", "text", "We are sorry. Your money is on its way.").leadsTo(t, page)
	b.get(page).want(t, 200, "wrote to the customer: Re: Still waiting", "The reply to the customer is on its way.")
	b.command(c, "steps/written_proof", "evidence", "").leadsTo(t, page)
	b.get(page).want(t, 200, "4 of 4 done", "Won back")
	b.command(c, "move", "to", "recovered").leadsTo(t, page)
	b.get(page).want(t, 200, "won the customer back", "Open again", "!Send reply")
	if got := s.stored(c); got.State != schemas.StateRecovered {
		t.Fatalf("state %s", got.State)
	}
	b.get("/triage?tab=closed").want(t, 200, "Maria Keller", "Won back")
}

func TestFault_12_StaffClosingWhatOnlyAManagerMay(t *testing.T) {
	s := newSite(t)
	b := s.as("staff")
	b.command(s.maria, "move", "to", "lost", "reason", "gone").want(t, 403, "Only a manager may mark a case as lost.")
	b.command(s.maria, "steps/listen/override", "reason", "no need").want(t, 403)
	b.get("/cases/"+s.maria.ID).want(t, 200, "tried to mark a case as lost, which needs a manager")
	audit, err := s.st.Cases().Audit(t.Context(), s.maria.ID)
	if err != nil {
		t.Fatal(err)
	}
	denied := 0
	for _, a := range audit {
		if a.Kind == schemas.AuditDenied && a.Actor == "staff@example.com" {
			denied++
		}
	}
	if denied != 2 || s.stored(s.maria).State != schemas.StateNew {
		t.Fatalf("%d denied attempts in the audit, state %s", denied, s.stored(s.maria).State)
	}
	s.as("manager").command(s.maria, "steps/listen/override", "reason", "She told all of it in the mail.").leadsTo(t, "/cases/"+s.maria.ID)
}

func TestConflictKeepsWhatWasTyped(t *testing.T) {
	s := newSite(t)
	staff, other := s.as("staff"), s.as("other")
	v := staff.get("/cases/" + s.maria.ID).version(t)
	other.command(s.maria, "note", "text", "I know her.").leadsTo(t, "/cases/"+s.maria.ID)
	p := staff.post("/cases/"+s.maria.ID+"/reply", "version", v, "subject", "Re: Still waiting", "text", "Dear Maria, <i>sorry</i>").
		want(t, 409, "Ana Weir changed this case", "Dear Maria, &lt;i&gt;sorry&lt;/i&gt;", "I know her.")
	staff.post("/cases/"+s.maria.ID+"/reply", "version", p.version(t), "text", "Dear Maria").leadsTo(t, "/cases/"+s.maria.ID)
}

func TestOtherCommandsOfACase(t *testing.T) {
	s := newSite(t)
	b, page := s.as("manager"), "/cases/"+s.maria.ID
	b.command(s.maria, "assign", "assignee", "east@example.com").want(t, 422, "does not work at the case", "location")
	b.command(s.maria, "assign", "assignee", "other@example.com", "reason", "you know her").leadsTo(t, page)
	b.command(s.maria, "snooze", "until", "2026-03-03T09:00:00Z").leadsTo(t, page)
	b.get("/triage?tab=snoozed").want(t, 200, "Maria Keller", "back tomorrow 09:00")
	b.command(s.maria, "snooze", "until", "yesterday").want(t, 422, "Choose a time")
	b.command(s.maria, "kind", "kind", "mistake", "reason", "we lost the mails").leadsTo(t, page)
	b.get(page).want(t, 200, "Own up in person", "Our mistake", "gave the case to Ana Weir", "snoozed it until")
	b.command(s.maria, "call", "outcome", "").want(t, 422, "Say how the call ended")
	b.command(s.maria, "call", "outcome", "voicemail", "note", "left word", "next_attempt_at", "2026-03-02T15:00").leadsTo(t, page)
	b.command(s.maria, "call", "outcome", "voicemail", "note", "kept text", "next_attempt_at", "soon").want(t, 422, "kept text", "Write the time as")
	b.command(s.maria, "move", "to", "dismissed", "reason", "").want(t, 422, "Say why")
	b.command(s.maria, "move", "to", "dismissed", "reason", "a joke").leadsTo(t, page)
	p := b.get(page).want(t, 200, "Dismissed.", "Undo", "a joke")
	b.post(page+"/move", "version", p.version(t), "to", "new", "reason", "taken back").leadsTo(t, page)
	b.post(page+"/note", "text", "no version").want(t, 422)
	b.command(s.reviewed, "merge", "into", "999").want(t, 422, "There is no open case with this number")
	b.command(s.reviewed, "merge", "into", strconv.FormatInt(s.maria.Number, 10)).leadsTo(t, page)
	b.get("/cases/"+s.reviewed.ID).leadsTo(t, page)
	b.get(page).want(t, 200, "merged another case into this one", "Split a part off")
	split := b.command(s.maria, "split", "event", "e-review").want(t, 303)
	b.get(split.header.Get("Location")).want(t, 200, "split this case off", "Rude on the phone.")
}

func TestOriginalOfAMailIsInert(t *testing.T) {
	s := newSite(t)
	b, page := s.as("staff"), "/cases/"+s.maria.ID+"/events/e-mail"
	p := b.get(page+"/html").want(t, 200, "<b>time</b>", "!<script", "!onclick", "!onload", "!steal")
	csp := p.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "sandbox") || !strings.Contains(csp, "img-src data:") || strings.Contains(csp, "script-src") {
		t.Fatalf("policy %s", csp)
	}
	file := ""
	for _, m := range strings.Split(b.get("/cases/"+s.maria.ID).body, `href="`) {
		if strings.HasPrefix(m, page+"/files/") {
			file, _, _ = strings.Cut(m, `"`)
		}
	}
	d := b.get(file).want(t, 200)
	if cd := d.header.Get("Content-Disposition"); !strings.HasPrefix(cd, "attachment") || strings.Contains(cd, "/") {
		t.Fatalf("disposition %s", cd)
	}
	if d.header.Get("Content-Type") != "application/octet-stream" || d.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("headers %v", d.header)
	}
	b.get(page+"/files/1").want(t, 404)
	b.get(page+"/files/x").want(t, 404)
	b.get("/cases/"+s.maria.ID+"/events/e-review/html").want(t, 404)
	b.get("/cases/"+s.reviewed.ID+"/events/e-review/html").want(t, 404)
}

func TestCustomerPages(t *testing.T) {
	s := newSite(t)
	b := s.as("manager")
	b.get("/customers?q=keller").want(t, 200, "Maria Keller", mariaMail)
	b.get("/customers?q=79460018").want(t, 200, "Maria Keller")
	b.get("/customers?q=nobody").want(t, 200, "Nobody matches")
	b.get("/customers/"+s.maria.CustomerID).want(t, 200, "Maria Keller", "wants the money back", "No orders in the last 12 months.")
	b.get("/customers/none").want(t, 404)
}

func TestTrendsAndCollectors(t *testing.T) {
	s := newSite(t)
	b := s.as("manager")
	for _, by := range []string{"", "source", "location", "category"} {
		b.get("/trends?by="+by).want(t, 200, "Red alerts by week", `type="application/json"`, "Show numbers", "not over yet", "Open cases")
	}
	b.get("/collectors").want(t, 200, "Nothing is connected yet")
	ok, old := monday.Add(-time.Minute), monday.Add(-50*time.Hour)
	for _, c := range []schemas.CollectorStatus{
		{Name: "mailbox", Kind: "imap", LastSuccess: &ok, Accepted: 3}, {Name: "reviews", Kind: "review", LastSuccess: &old, QuietAfter: 3600},
		{Name: "shop", Kind: "webhook", LastErrorAt: &ok, LastError: "wrong signature"},
	} {
		if err := s.st.Report(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/collectors").want(t, 200, "2 sources are not arriving", "Gone quiet", "wrong signature", "1 min ago")
}

func TestQuarantinePage(t *testing.T) {
	s := newSite(t)
	sums, err := s.st.Blobs().Put(t.Context(), [][]byte{[]byte("{\"broken\x00\xff<script>")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.st.Quarantine().Put(t.Context(), []schemas.Quarantined{
		{ID: "q1", Source: "orders.csv", Code: schemas.QCurrency, Reason: "no rate for USD", Locator: "orders.csv:12", At: monday, State: schemas.QuarantineOpen},
		{ID: "q2", Source: "survey", Code: schemas.QInvalid, Reason: "score 11", At: monday, State: schemas.QuarantineOpen, RawSHA256: sums[0]},
	}); err != nil {
		t.Fatal(err)
	}
	staff, manager := s.as("staff"), s.as("manager")
	staff.get("/quarantine").want(t, 200, "2 items could not be read", "No rate for USD.", "Unknown currency", `!value="drop"`)
	staff.get("/quarantine/q2").want(t, 200, "&lt;script&gt;", "!<script>{")
	staff.get("/quarantine/none").want(t, 404)
	staff.post("/quarantine", "do", "drop", "id", "q1").want(t, 403)
	manager.post("/quarantine", "do", "drop", "id", "q1").leadsTo(t, "/quarantine")
	manager.get("/quarantine").want(t, 200, "1 item dropped", "Undo", "!Unknown currency")
	manager.post("/quarantine", "do", "restore", "id", "q1").leadsTo(t, "/quarantine")
	s.replay = func(id string) (ingest.Result, error) {
		if id == "q2" {
			return ingest.Result{Status: ingest.InQuarantine, Reason: "score 11 again"}, nil
		}
		return ingest.Result{Status: ingest.Accepted}, nil
	}
	staff.post("/quarantine", "do", "replay", "id", "q1", "id", "q2").leadsTo(t, "/quarantine")
	staff.get("/quarantine").want(t, 200, "1 taken in, 1 still not: score 11 again")
	staff.post("/quarantine", "do", "replay").leadsTo(t, "/quarantine")
	staff.post("/quarantine", "do", "burn", "id", "q1").want(t, 422)
	s.as("east").get("/quarantine").want(t, 403)
}

func TestReviewTab(t *testing.T) {
	s := newSite(t)
	ev := s.event("e-unsure", schemas.SurveyAnswered, schemas.Feedback{SourceType: schemas.SourceSurvey, FieldType: schemas.FieldText, ValueText: "It was fine, I suppose."})
	ev.Location = "North"
	model := schemas.FlaggedByModel
	if _, err := s.st.Store(t.Context(), []schemas.Scored{{Event: ev, Verdict: schemas.Verdict{EventID: ev.ID, ModelVersion: "test", Level: schemas.LevelReview,
		Probability: 0.62, Severity: schemas.SeverityLow, FlaggedBy: &model, Reasons: []schemas.Reason{}, Categories: []schemas.Category{}, ScoredAt: monday}}}); err != nil {
		t.Fatal(err)
	}
	s.as("manager").get("/triage?tab=review").want(t, 200, "It was fine, I suppose.", "62 %", "1 may be")
	s.as("east").get("/triage?tab=review").want(t, 200, "!I suppose", "Nothing to review")
}
