package web_test

import (
	"testing"

	"redalert/internal/web"
	"redalert/signals"
)

// TestWhyThisPriority: the case page shows what each part brought.
func TestWhyThisPriority(t *testing.T) {
	s := newSite(t)
	s.as("staff").get("/cases/"+s.maria.ID).want(t, 200, "Why this priority", "<dt>Rules</dt><dd>Wants the money back <span class=\"tag\">3 steps</span>",
		"The words alone would not have been enough", "€1,240 in the year before", "Not known: no orders", "<dt>Together</dt><dd>High</dd>")
	s = newSite(t, func(d *web.Deps) { d.Standing = &signals.Standing{Context: d.History.(signals.Context), Now: d.Now} })
	s.as("staff").get("/cases/"+s.maria.ID).want(t, 200, "€1,240 in the year before")
}
