package clickhouse

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"redalert/internal/sqlite"
	"redalert/internal/storetest"
)

var worlds = flag.Int("worlds", 2, "random histories of TestSameAsSQLite")

// TestSameAsSQLite: on random histories both stores answer everything alike.
func TestSameAsSQLite(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati", "UTC"}
	for seed := range *worlds {
		name := zones[seed%len(zones)]
		t.Run(fmt.Sprint(seed, " in ", name), func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			d, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "r.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			embedded := storetest.Pipeline{History: d, Records: d, Context: d, Rounds: d, Identities: d, People: d}
			storetest.SameAnswers(t, embedded, openPipeline(t), uint64(seed), zone)
		})
	}
}
