package web_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"redalert/internal/memstore"
	"redalert/internal/web"
	"redalert/schemas"
)

// teaching is a site that keeps marks, with a message the scorer is unsure about
// in each location.
func teaching(t *testing.T, learn func(ctx context.Context, by string) (schemas.Layer, error)) *site {
	t.Helper()
	s := newSite(t, func(d *web.Deps) {
		d.ModelVersion, d.Learn = "text-9", learn
		d.Lessons = d.Records.(*memstore.Store).Lessons()
	})
	for _, where := range []string{"North", "East"} {
		ev := s.event("unsure-"+where, schemas.SurveyAnswered, schemas.Feedback{SourceType: schemas.SourceSurvey, FieldType: schemas.FieldText, ValueText: "Not what I had hoped in the " + where})
		ev.Location = where
		s.store(ev, schemas.LevelReview, 0.6)
	}
	old := s.event("unsure-old", schemas.SurveyAnswered, schemas.Feedback{SourceType: schemas.SourceSurvey, FieldType: schemas.FieldText, ValueText: "Long ago"})
	old.CollectedAt = monday.AddDate(-1, 0, 0)
	s.store(old, schemas.LevelReview, 0.6) // scored just now: history was scored again
	return s
}

func (s *site) store(ev schemas.Event, level schemas.Level, p float64) {
	s.t.Helper()
	by := schemas.FlaggedByModel
	v := schemas.Verdict{EventID: ev.ID, ModelVersion: "text-9", Level: level, Probability: p, Severity: schemas.SeverityLow, FlaggedBy: &by,
		Reasons: []schemas.Reason{{Code: "text_unhappy", Message: "sounds unhappy", Weight: 1}}, Categories: []schemas.Category{schemas.CatOther}, ScoredAt: monday}
	if _, err := s.st.Store(s.t.Context(), []schemas.Scored{{Event: ev, Verdict: v}}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) said(id string) string {
	s.t.Helper()
	marks, err := s.st.Lessons().MarksOf(s.t.Context(), []string{id})
	if err != nil {
		s.t.Fatal(err)
	}
	m, ok := marks[id]
	if !ok {
		return ""
	}
	return m.By + " " + string(m.Cause) + " " + strconv.FormatBool(m.Red)
}

func TestReviewIsJudgedWithOneClick(t *testing.T) {
	s := teaching(t, nil)
	b := s.as("staff")
	b.get("/triage?tab=review").want(t, 200, "hoped in the North", "hoped in the East", "A red alert?", "!Long ago")
	b.post("/marks", "event", "unsure-North", "red", "yes", "back", "/triage?tab=review").leadsTo(t, "/triage?tab=review")
	b.get("/triage?tab=review").want(t, 200, "the scorer learns from it", "Undo", "a red alert", "said Sasha Brook", "Take back")
	if got := s.said("unsure-North"); got != "staff@example.com said true" {
		t.Errorf("said %q", got)
	}
	b.post("/marks", "event", "unsure-North", "red", "no").leadsTo(t, "/triage?tab=review")
	b.get("/triage?tab=review").want(t, 200, "!hoped in the North", "hoped in the East")
	b.post("/marks", "event", "unsure-North", "red", "", "back", "https://evil.example/").leadsTo(t, "/triage?tab=review")
	if got := s.said("unsure-North"); got != "" {
		t.Errorf("taken back, but %q", got)
	}
	b.post("/marks", "event", "unsure-North", "red", "perhaps").want(t, 422)
	b.post("/marks", "event", "nobody's", "red", "yes").want(t, 404)
	s.as("east").post("/marks", "event", "unsure-North", "red", "yes").want(t, 404)
	s.as("east").post("/marks", "event", "unsure-East", "red", "yes").leadsTo(t, "/triage?tab=review")
	b.postFrom("cross-site", "/marks", nil, "event", "unsure-North", "red", "yes").want(t, 403)
}

func TestDismissedAsNoAlertTeaches(t *testing.T) {
	s := teaching(t, nil)
	b := s.as("manager")
	b.get("/cases/"+s.maria.ID).want(t, 200, "It was no red alert", "!A red alert?") // a rule flagged it: nothing to ask
	b.command(s.maria, "move", "to", "dismissed", "reason", "a joke", "no_alert", "1").leadsTo(t, "/cases/"+s.maria.ID)
	if got := s.said("e-mail"); got != "manager@example.com dismissed false" {
		t.Errorf("said %q", got)
	}
	b.get("/triage").want(t, 200, "Dismissed.")
	b.command(s.reviewed, "move", "to", "dismissed", "reason", "twice").leadsTo(t, "/cases/"+s.reviewed.ID)
	if got := s.said("e-review"); got != "" {
		t.Errorf("dismissed for another reason, but %q", got)
	}
}

func aLayer(accepted bool) schemas.Layer {
	l := schemas.Layer{Base: "text-9", At: monday.Add(-time.Hour), By: schemas.SystemActor, Slope: 1, Report: schemas.LayerReport{Decisions: 212, Confirmed: 150, Accepted: accepted,
		Recall: 0.84, Shipped: schemas.LayerScores{Precision: 0.81, LogLoss: 0.5}, Taught: schemas.LayerScores{Precision: 0.9, LogLoss: 0.4},
		BySource: []schemas.SourceFit{{Source: "google-reviews", Decisions: 200, Confirmed: 100, Before: 0.71, After: 0.52}}}}
	if !accepted {
		l.Report.Why = "On decisions held back it was no surer than the model that ships."
	}
	return l
}

func TestWhatWeLearned(t *testing.T) {
	s := teaching(t, nil)
	b := s.as("manager")
	b.get("/settings/learned").want(t, 200, "Nothing yet", "Thirty such decisions", "text-9", "!Learn now", "!own-1")
	s.as("staff").get("/settings/learned").want(t, 403)
	l := s.st.Lessons()
	for _, x := range []schemas.Layer{aLayer(true), aLayer(true), aLayer(false)} {
		if _, err := l.AddLayer(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/settings/learned").want(t, 200, "scores as it ships", "own-3", "no surer than the model")
	if err := l.UseLayer(t.Context(), schemas.LayerUse{Number: 2, By: schemas.SystemActor, At: monday}); err != nil {
		t.Fatal(err)
	}
	b.get("/settings/learned").want(t, 200, "Learned from 212 decisions: precision 0.81 → 0.90.", "text-9&#43;own-2", "by Redalert", "google-reviews", "100 (50 %)", "71 %", "52 %", "84 %",
		"Back to the model as it ships", "Use own-1", "!Use own-3", "in use", "Hard rules are not up for learning")
	b.post("/settings/learned/use", "number", "1").leadsTo(t, "/settings/learned")
	b.get("/settings/learned").want(t, 200, "own-1 scores", "text-9&#43;own-1", "stays until you change it", "Martin Reed", "Use own-2")
	b.post("/settings/learned/use", "number", "0").leadsTo(t, "/settings/learned")
	b.get("/settings/learned").want(t, 200, "<strong>text-9</strong>", "put the model as it ships to work, to stay", "!Back to the model")
	for _, n := range []string{"3", "9", "-1", "", "x"} {
		if p := b.post("/settings/learned/use", "number", n); p.status < 400 {
			t.Errorf("number %q: %d", n, p.status)
		}
	}
	b.post("/settings/learned/use", "newest", "1").leadsTo(t, "/settings/learned") // the newest was not better
	uses, err := l.LayerUses(t.Context(), 0)
	if err != nil || len(uses) != 4 || uses[0].Number != 0 || uses[0].Pinned || !uses[1].Pinned || uses[1].By != "manager@example.com" {
		t.Errorf("%v %+v", err, uses)
	}
	s.as("staff").post("/settings/learned/use", "number", "1").want(t, 403)
	b.postFrom("cross-site", "/settings/learned/use", nil, "number", "1").want(t, 403)
	b.post("/settings/learned/fit").want(t, 404) // left to the night
}

func TestLearnNow(t *testing.T) {
	var answer error
	s := teaching(t, func(_ context.Context, by string) (schemas.Layer, error) {
		if by != "owner@example.com" {
			t.Errorf("by %q", by)
		}
		return aLayer(answer == nil), answer
	})
	b := s.as("owner")
	b.get("/settings/learned").want(t, 200, "Learn now", "Settings")
	b.post("/settings/learned/fit").leadsTo(t, "/settings/learned")
	b.get("/settings/learned").want(t, 200, "Learned from 212 decisions: precision 0.81 → 0.90.")
	answer = errors.New("the store is away")
	b.post("/settings/learned/fit").leadsTo(t, "/settings/learned")
	b.get("/settings/learned").want(t, 200, "the store is away")
}

func TestLearnedAPI(t *testing.T) {
	s := teaching(t, nil)
	b, boss := s.as("staff"), s.as("manager")
	b.get("/v1/learned").want(t, 403)
	boss.get("/v1/learned").want(t, 200, `"model_version":"text-9","number":0,"pinned":false,"layers":[],"uses":[]`)
	if _, err := s.st.Lessons().AddLayer(t.Context(), aLayer(true)); err != nil {
		t.Fatal(err)
	}
	boss.get("/v1/learned").want(t, 200, `"number":1,"base":"text-9"`, `"accepted":true`)
	put := func(body string) page {
		req, err := http.NewRequest("PUT", s.srv.URL+"/v1/events/unsure-North/mark", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		return b.send(req)
	}
	put(`{"red":true}`).want(t, 200, `"red":true,"cause":"said","by":"staff@example.com"`)
	put(`{"red":false}`).want(t, 200, `"red":false`)
	put(`{"red":null}`).want(t, 200, "null")
	put(`{"red":"yes"}`).want(t, 400)
	put(`{}`).want(t, 400)
	put(`[`).want(t, 400)
	site := newSite(t)
	plain := site.as("staff")
	site.as("manager").get("/v1/learned").want(t, 404)
	plain.get("/settings/learned").want(t, 403)
	plain.post("/marks", "event", "e-mail", "red", "yes").want(t, 404)
}
