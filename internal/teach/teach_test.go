package teach_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/internal/memstore"
	"redalert/internal/teach"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// echo gives every text the same probability.
type echo struct {
	version string
	p       float64
}

func (e echo) Version() string                            { return e.version }
func (e echo) Predict(string, text.Hints) text.Prediction { return text.Prediction{Probability: e.p} }

var day = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

type school struct {
	*testing.T
	st *memstore.Store
	n  int
}

func (s *school) teacher(version string) *teach.Teacher {
	return teach.New(teach.Config{Lessons: s.st.Lessons(), Lists: s.st.Lists(), Records: s.st, Model: echo{version, 0.85}, Now: func() time.Time { return day }})
}

// decide stores messages of a source and says what they were.
func (s *school) decide(source, words string, red bool, n int) {
	s.Helper()
	for range n {
		s.n++
		data, err := json.Marshal(schemas.Feedback{SourceType: schemas.SourceSurvey, FieldType: schemas.FieldText, ValueText: words})
		if err != nil {
			s.Fatal(err)
		}
		ev := schemas.Event{ID: fmt.Sprintf("event-%d", s.n), Source: source, Type: schemas.SurveyAnswered, OccurredAt: day, CollectedAt: day, LocalDate: "2026-03-02", Data: data}
		if _, err := s.st.Store(s.Context(), []schemas.Scored{{Event: ev, Verdict: schemas.Verdict{ScoredAt: day}}}); err != nil {
			s.Fatal(err)
		}
		if err := s.st.Lessons().Mark(s.Context(), schemas.Mark{EventID: ev.ID, Red: red, Cause: schemas.MarkSaid, At: day}); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *school) fit(version, by string) schemas.Layer {
	s.Helper()
	l, err := s.teacher(version).Fit(s.Context(), by)
	if err != nil {
		s.Fatal(err)
	}
	return l
}

// using answers the layer in use, and how often that has changed.
func (s *school) using() (number, changes int) {
	s.Helper()
	uses, err := s.st.Lessons().LayerUses(s.Context(), 0)
	if err != nil {
		s.Fatal(err)
	}
	if len(uses) == 0 {
		return 0, 0
	}
	return uses[0].Number, len(uses)
}

const grumble = "Well, that was something."

func TestFitUsesWhatIsBetter(t *testing.T) {
	s := &school{T: t, st: memstore.New()}
	if l := s.fit("m1", "ana"); l.Number != 0 || l.Report.Why == "" {
		t.Errorf("of nothing: %+v", l)
	}
	s.decide("kiosk", grumble, false, 20)
	s.decide("desk", "I want my money back.", true, 20) // a hard rule: teaches nothing
	if l := s.fit("m1", "ana"); l.Number != 0 || l.Report.Decisions != 20 || l.Report.Marks != 40 {
		t.Errorf("of hard rules: %+v", l)
	}
	s.decide("desk", grumble, true, 20)
	l := s.fit("m1", "ana")
	if l.Number != 1 || !l.Report.Accepted || l.Report.Decisions != 40 || l.Report.Marks != 60 || l.By != "ana" || l.Base != "m1" {
		t.Fatalf("%+v", l)
	}
	if n, changes := s.using(); n != 1 || changes != 1 {
		t.Errorf("layer %d is in use after %d changes", n, changes)
	}
	if again := s.fit("m1", "system"); again.Number != 1 {
		t.Errorf("nothing new was decided, but %+v", again)
	}
	if newer := s.fit("m2", "system"); newer.Number != 2 || newer.Base != "m2" {
		t.Errorf("on a new model: %+v", newer)
	}
}

func TestWhatIsNoBetterGivesWay(t *testing.T) {
	s := &school{T: t, st: memstore.New()}
	s.decide("kiosk", grumble, false, 20)
	s.decide("desk", grumble, true, 20)
	s.fit("m1", "system")
	s.decide("kiosk", grumble, true, 113) // by now 85 % of either source are red alerts,
	s.decide("desk", grumble, true, 93)   // as the shipped model says
	s.decide("desk", grumble, false, 20)
	if l := s.fit("m1", "system"); l.Number != 2 || l.Report.Accepted || l.Report.Why == "" {
		t.Fatalf("the shipped model is right as it is, but %+v", l.Report)
	}
	if n, _ := s.using(); n != 0 {
		t.Errorf("layer %d goes on although the newest decisions speak against it", n)
	}
}

func TestPinnedStays(t *testing.T) {
	s := &school{T: t, st: memstore.New()}
	s.decide("kiosk", grumble, false, 20)
	s.decide("desk", grumble, true, 20)
	s.fit("m1", "system")
	if err := s.st.Lessons().UseLayer(t.Context(), schemas.LayerUse{Number: 0, By: "ana", At: day, Pinned: true}); err != nil {
		t.Fatal(err)
	}
	s.decide("kiosk", grumble, false, 10)
	if l := s.fit("m1", "system"); l.Number != 2 || !l.Report.Accepted {
		t.Fatalf("%+v", l)
	}
	if n, changes := s.using(); n != 0 || changes != 2 {
		t.Errorf("the owner's choice was replaced by layer %d", n)
	}
}

// TestCasesTeach: what became of a case is a decision about each of its events,
// and what somebody said of one counts more.
func TestCasesTeach(t *testing.T) {
	s := &school{T: t, st: memstore.New()}
	s.decide("desk", grumble, true, 40)
	closed := day
	var ids []string
	for i := 1; i <= 40; i++ {
		ids = append(ids, fmt.Sprintf("event-%d", i))
	}
	for _, id := range ids[:30] {
		if err := s.st.Lessons().Unmark(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	c := schemas.Case{ID: "c", Key: "k", State: schemas.StateDismissed, CloseReason: "false alarm", ClosedAt: &closed, OpenedAt: day, EventIDs: ids, Episode: 1}
	if _, err := s.st.Cases().Apply(t.Context(), alerting.Change{Case: c, Audit: []schemas.CaseEvent{{At: day, Actor: "ana", Kind: schemas.AuditOpened}}}); err != nil {
		t.Fatal(err)
	}
	if l := s.fit("m1", "system"); l.Report.Decisions != 40 || l.Report.Confirmed != 10 {
		t.Errorf("%+v", l.Report)
	}
}

// failing is a store that is away.
type failing struct {
	alerting.Lessons
	away bool
}

func (f *failing) LayerUses(ctx context.Context, limit int) ([]schemas.LayerUse, error) {
	if f.away {
		return nil, errors.New("away")
	}
	return f.Lessons.LayerUses(ctx, limit)
}

func TestFollower(t *testing.T) {
	s := &school{T: t, st: memstore.New()}
	store := &failing{s.st.Lessons(), true}
	f := &teach.Follower{Lessons: store, Model: echo{"m1", 0.85}}
	want := func(version string) {
		t.Helper()
		m, err := f.Current(t.Context())
		if err != nil || m.Version() != version {
			t.Errorf("%v, %v; want %s", m, err, version)
		}
	}
	if m, err := f.Current(t.Context()); err == nil {
		t.Errorf("nobody knows which layer scores, but %v", m)
	}
	store.away = false
	want("m1")
	s.decide("kiosk", grumble, false, 20)
	s.decide("desk", grumble, true, 20)
	s.fit("m1", "system")
	want("m1+own-1")
	store.away = true
	want("m1+own-1")
	if err := s.st.Lessons().UseLayer(t.Context(), schemas.LayerUse{Number: 0, At: day}); err != nil {
		t.Fatal(err)
	}
	want("m1+own-1")
	store.away = false
	want("m1")
	f = &teach.Follower{Lessons: store, Model: echo{"m2", 0.85}} // a new version of the program
	if err := s.st.Lessons().UseLayer(t.Context(), schemas.LayerUse{Number: 1, At: day}); err != nil {
		t.Fatal(err)
	}
	want("m2")
	var _ signals.TextModel = echo{}
}
