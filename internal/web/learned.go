package web

import (
	"fmt"
	"net/http"
	"strconv"

	"redalert/alerting"
	"redalert/schemas"
)

// learnedView is the page that answers: what has the scorer learned from us, and
// is it better for it?
type learnedView struct {
	Shell
	Lead     string // the answer, in one sentence
	Now      string // which model scores
	Since    *moment
	By       string
	Pinned   bool // chosen by a person; newer layers do not replace it
	Own      bool // a layer is in use
	Stale    bool // the layer in use was learned on an older model: as shipped until the next night
	CanLearn bool
	Recall   int // per cent
	Sources  []sourceFit
	Layers   []layerRow
	Uses     []layerUse
}

// sourceFit is what was learned of one source, in per cent.
type sourceFit struct {
	Source               string
	Decisions, Confirmed int
	Share, Before, After int
}

// layerRow is one layer of the history.
type layerRow struct {
	Number    int
	Name      string
	At        *moment
	By        string
	Decisions int
	Precision string
	Why       string // why it is not used, in words
	InUse     bool
	CanUse    bool
}

// layerUse is one line of the audit.
type layerUse struct {
	Text string
	By   string
	At   *moment
}

// ownName is how people call a layer.
func ownName(number int) string {
	if number == 0 {
		return "the model as it ships"
	}
	return "own-" + strconv.Itoa(number)
}

func (s *Server) learned(w http.ResponseWriter, r *http.Request) error {
	if s.Lessons == nil {
		return errNoPage
	}
	layers, err := s.Lessons.Layers(r.Context())
	if err != nil {
		return err
	}
	uses, err := s.Lessons.LayerUses(r.Context(), 50)
	if err != nil {
		return err
	}
	l, err := s.lookup(r)
	if err != nil {
		return err
	}
	v := s.learnedView(layers, uses, l, s.clock(s.zone(r)))
	v.Shell = s.shell(w, r, "What we learned", "settings")
	s.render(w, r, http.StatusOK, "learned", v)
	return nil
}

func (s *Server) learnedView(layers []schemas.Layer, uses []schemas.LayerUse, l *lookup, clock reader) learnedView {
	v := learnedView{CanLearn: s.Learn != nil, Now: s.ModelVersion}
	number := 0
	if len(uses) > 0 {
		number, v.Pinned = uses[0].Number, uses[0].Pinned
		v.Since, v.By = clock.ago(&uses[0].At), l.name(uses[0].By)
	}
	for _, x := range layers {
		row := layerRow{Number: x.Number, Name: ownName(x.Number), At: clock.ago(&x.At), By: l.name(x.By), Decisions: x.Report.Decisions, Why: x.Report.Why,
			Precision: precisionText(x.Report), InUse: x.Number == number, CanUse: x.Report.Accepted && x.Base == s.ModelVersion}
		if x.Report.Accepted && x.Base != s.ModelVersion {
			row.Why = "Learned on an older model of ours (" + x.Base + ")."
		}
		if row.InUse {
			v.Own, v.Stale = row.CanUse, !row.CanUse
			if v.Own {
				v.Now += "+" + row.Name
			}
		}
		v.Layers = append(v.Layers, row)
	}
	shown := shownLayer(layers, number)
	v.Lead = lead(shown, v.Own)
	if shown != nil {
		v.Recall, v.Sources = perCent(shown.Report.Recall), sourceFits(shown.Report)
	}
	for _, u := range uses {
		line := layerUse{Text: "put " + ownName(u.Number) + " to work", By: l.name(u.By), At: clock.ago(&u.At)}
		if u.Pinned {
			line.Text += ", to stay"
		}
		v.Uses = append(v.Uses, line)
	}
	return v
}

// shownLayer is the one in use, else the newest; nil when there is none.
func shownLayer(layers []schemas.Layer, number int) *schemas.Layer {
	for i := range layers {
		if layers[i].Number == number {
			return &layers[i]
		}
	}
	if len(layers) > 0 {
		return &layers[0]
	}
	return nil
}

func precisionText(r schemas.LayerReport) string {
	return fmt.Sprintf("%.2f → %.2f", r.Shipped.Precision, r.Taught.Precision)
}

func lead(l *schemas.Layer, own bool) string {
	switch {
	case l == nil:
		return "Nothing yet. From 30 decisions about messages on, the scorer learns from them every night."
	case own:
		return fmt.Sprintf("Learned from %s: precision %s.", plural(l.Report.Decisions, "decision", "decisions"), precisionText(l.Report))
	case l.Report.Accepted:
		return fmt.Sprintf("The model scores as it ships. What %s taught (precision %s) is not in use.", plural(l.Report.Decisions, "decision", "decisions"), precisionText(l.Report))
	}
	return fmt.Sprintf("The model scores as it ships: what %s taught was not better.", plural(l.Report.Decisions, "decision", "decisions"))
}

func perCent(x float64) int { return int(x*100 + 0.5) }

func sourceFits(r schemas.LayerReport) []sourceFit {
	var out []sourceFit
	for _, f := range r.BySource {
		out = append(out, sourceFit{Source: f.Source, Decisions: f.Decisions, Confirmed: f.Confirmed,
			Share: perCent(float64(f.Confirmed) / float64(max(f.Decisions, 1))), Before: perCent(f.Before), After: perCent(f.After)})
	}
	return out
}

// learnNow fits a layer at the press of a button.
func (s *Server) learnNow(w http.ResponseWriter, r *http.Request) error {
	if s.Lessons == nil || s.Learn == nil {
		return errNoPage
	}
	l, err := s.Learn(r.Context(), actorOf(r).Email)
	if err != nil {
		s.Log.Error("learning from decisions failed", "error", err)
		return s.redirect(w, r, learnedPath, flash{Bad: true, Text: "That did not work: " + err.Error() + "."})
	}
	f := flash{Text: "Learned from " + plural(l.Report.Decisions, "decision", "decisions") + ": precision " + precisionText(l.Report) + "."}
	if l.Report.Why != "" {
		f.Text = l.Report.Why
	}
	return s.redirect(w, r, learnedPath, f)
}

const learnedPath = "/settings/learned"

// useLayer is the rollback: it puts a layer, or the model as it ships, to work
// and keeps it there; newest=1 lets the newest good one work again.
func (s *Server) useLayer(w http.ResponseWriter, r *http.Request) error {
	if s.Lessons == nil {
		return errNoPage
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	u := schemas.LayerUse{By: actorOf(r).Email, At: s.Now().UTC(), Pinned: true}
	layers, err := s.Lessons.Layers(r.Context())
	if err != nil {
		return err
	}
	if r.PostForm.Get("newest") != "" {
		u.Pinned = false
		if len(layers) > 0 && layers[0].Report.Accepted && layers[0].Base == s.ModelVersion {
			u.Number = layers[0].Number
		}
	} else if u.Number, err = strconv.Atoi(r.PostForm.Get("number")); err != nil || u.Number < 0 {
		return &inputError{"number", "the form lacks the number; open the page again"}
	}
	if u.Number > 0 && !usable(layers, u.Number, s.ModelVersion) {
		return alerting.ErrNotFound
	}
	if err := s.Lessons.UseLayer(r.Context(), u); err != nil {
		return err
	}
	text := "From the next message on, " + ownName(u.Number) + " scores. Verdicts that are there stay as they are."
	return s.redirect(w, r, learnedPath, flash{Text: text})
}

// usable reports whether a layer was better on held-back decisions and fits the
// model that ships.
func usable(layers []schemas.Layer, number int, base string) bool {
	for _, l := range layers {
		if l.Number == number {
			return l.Report.Accepted && l.Base == base
		}
	}
	return false
}
