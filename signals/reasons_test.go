package signals_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// TestEachCategoryIsHeardAndItsLookAlikeStaysQuiet: for every category a message
// as customers write them, what must be marked in it, and one that uses the same
// words and is nobody's trouble.
func TestEachCategoryIsHeardAndItsLookAlikeStaysQuiet(t *testing.T) {
	m, err := text.LoadCascade()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		category schemas.Category
		said     string
		marked   string // a word of a marked stretch
		quiet    string
	}{
		{schemas.CatLate, "Your driver came four hours late and our guests had gone home.", "late", "The delivery came right on time, thank you."},
		{schemas.CatQuality, "You repaired the dishwasher on Monday and it is leaking again already.", "leaking", "You repaired the dishwasher on Monday and it has not leaked since, great job."},
		{schemas.CatDamaged, "The lamp arrived smashed, the box was crushed on one side.", "smashed", "The lamp arrived safe and sound, very well packed."},
		{schemas.CatWrongItem, "I ordered the blue jacket and you sent me a green one in the wrong size.", "wrong", "I ordered the blue jacket and it fits perfectly."},
		{schemas.CatMissedAppointment, "We waited in all morning and your technician never turned up.", "turned", "Your technician turned up early and was very kind."},
		{schemas.CatNoReply, "This is my third email about the invoice and I still have not had an answer.", "third", "Thanks for the quick answer to my email about the invoice."},
		{schemas.CatRude, "The man at the front desk shouted at my mother in front of everyone.", "shouted", "The receptionist was kind and patient with my mother, thank you."},
		{schemas.CatBilling, "You have charged me twice for the same visit.", "twice", "The invoice arrived this morning and I have paid it, thank you."},
		{schemas.CatPrice, "You have put the price up again and it is simply too expensive for us now.", "expensive", "What is the price for a family ticket?"},
		{schemas.CatRefundRequest, "It does not work and I would like my money back please.", "money", "The refund arrived today, thank you for sorting it."},
		{schemas.CatCancellation, "Please cancel our weekly clean from the end of the month.", "cancel", "Please move our weekly clean to Friday this month."},
		{schemas.CatReduction, "From now on we only need two boxes a week instead of five.", "two", "Please send us the same five boxes as last week."},
		{schemas.CatChurnThreat, "We have decided to go with another company from January.", "another", "We tried another company once and came straight back to you, thank you."},
		{schemas.CatPublicWarning, "I will be telling everyone I know to stay away from this place.", "everyone", "I will be telling everyone I know how good you are."},
		{schemas.CatOther, "I need help making a complaint.", "complaint", "I need help choosing a colour."},
		{schemas.CatLegalSafety, "My son was burnt by your hair dryer and our solicitor will be in touch.", "solicitor", "My son is a solicitor and loves your haircuts."},
	} {
		v := verdict(t, m, tc.said)
		if v.Level == schemas.LevelNone || !slices.Contains(v.Categories, tc.category) {
			t.Errorf("%s: %s at %.2f, %v: %s", tc.category, v.Level, v.Probability, v.Categories, tc.said)
		}
		if !slices.ContainsFunc(v.Reasons, func(r schemas.Reason) bool {
			return r.Span != nil && strings.Contains(tc.said[r.Span.Start:r.Span.End], tc.marked)
		}) {
			t.Errorf("%s: %q is not marked in %s: %v", tc.category, tc.marked, tc.said, spans(tc.said, v))
		}
		if v := verdict(t, m, tc.quiet); v.Level != schemas.LevelNone {
			t.Errorf("like %s: %s at %.2f, %v: %s", tc.category, v.Level, v.Probability, spans(tc.quiet, v), tc.quiet)
		}
	}
}

// TestEachReasonMarksItsOwnWords: of a message about several things.
func TestEachReasonMarksItsOwnWords(t *testing.T) {
	m, err := text.LoadCascade()
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]map[string]string{
		"You charged me twice, and we are moving to another firm.":                 {"billing": "charged me twice", "churn_threat": "moving to another firm"},
		"Nobody turned up on Tuesday and the man on the phone shouted at me.":      {"missed_appointment": "Nobody turned", "rude": "shouted at me"},
		"The parcel arrived crushed, it is the wrong colour, and I want a refund.": {"damaged": "crushed", "wrong_item": "wrong colour", "refund_request": "I want a refund"},
	} {
		v := verdict(t, m, said)
		for code, words := range want {
			if !slices.ContainsFunc(v.Reasons, func(r schemas.Reason) bool {
				return r.Code == code && r.Span != nil && strings.Contains(said[r.Span.Start:r.Span.End], words)
			}) {
				t.Errorf("%s is not said by %q: %q", code, words, spans(said, v))
			}
		}
	}
}

func verdict(t *testing.T, m signals.TextModel, msg string) schemas.Verdict {
	t.Helper()
	data, err := json.Marshal(schemas.Feedback{SourceType: schemas.SourceEmail, FieldType: schemas.FieldText, ValueText: msg})
	if err != nil {
		t.Fatal(err)
	}
	return signals.Score(schemas.Event{ID: "m", Type: schemas.EmailReceived, Data: data}, signals.CustomerContext{}, m)
}

// spans is what a verdict marks, with the reason's code.
func spans(msg string, v schemas.Verdict) (out []string) {
	for _, r := range v.Reasons {
		s := r.Code
		if r.Span != nil {
			s += ": " + msg[r.Span.Start:r.Span.End]
		}
		out = append(out, s)
	}
	return out
}
