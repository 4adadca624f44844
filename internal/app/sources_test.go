package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redalert/internal/config"
	"redalert/internal/memstore"
	"redalert/schemas"
)

// TestSendersDoNotChooseHowManySeriesThereAre: whoever may post events names
// their source, a new one each time if they like. What is configured keeps its
// name, and no event is missing from the sums.
func TestSendersDoNotChooseHowManySeriesThereAre(t *testing.T) {
	a := overStores(inMemory(t))
	a.Stores.Statuses = memstore.New() // which knows of no source yet
	a.Config.Sources = []config.Source{{Name: "zz-shop", Kind: "webhook"}}
	const senders = mostSources + 100
	success := time.Unix(1_700_000_000, 0)
	names := []string{"zz-shop", "other", strings.Repeat("x", longestSource+1), "not\xffutf8"}
	for i := range senders {
		names = append(names, fmt.Sprintf("sender-%04d", i))
	}
	for i, name := range names {
		at := success.Add(time.Duration(i) * time.Second)
		err := a.Stores.Statuses.Report(t.Context(), schemas.CollectorStatus{Name: name, Accepted: 1, Quarantined: 2, LastSuccess: &at})
		if err != nil {
			t.Fatal(err)
		}
		a.storing.duplicate(name)
	}
	r := a.newMetrics()
	for name, each := range map[string]float64{"redalert_accepted_total": 1, "redalert_quarantined_total": 2, "redalert_duplicates_total": 1} {
		got := byLabel(t, r, name)
		if len(got) > mostSources+2 { // what is configured, and the others
			t.Errorf("%s has %d series", name, len(got))
		}
		if got["zz-shop"] != each {
			t.Errorf("%s of what is configured: %v, want %v", name, got["zz-shop"], each)
		}
		var sum float64
		for _, n := range got {
			sum += n
		}
		if want := each * float64(len(names)); sum != want {
			t.Errorf("%s adds up to %v, want %v", name, sum, want)
		}
	}
	latest := float64(success.Add(time.Duration(len(names)-1) * time.Second).Unix())
	if got := byLabel(t, r, "redalert_collector_last_success_timestamp_seconds"); got["other"] != latest {
		t.Errorf("others were last heard of at %v, want %v", got["other"], latest)
	}
}
