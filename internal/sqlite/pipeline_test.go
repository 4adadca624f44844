package sqlite

import (
	"testing"

	"redalert/internal/memstore"
	"redalert/internal/storetest"
)

func pipelineOf(d *DB) storetest.Pipeline {
	return storetest.Pipeline{
		Publisher: d, Receipts: d, Cursors: d.Cursors(), Quarantine: d.Quarantine(), Blobs: d.Blobs(), Identities: d, Threads: d, Answers: d, Statuses: d,
		Consumer: d.Consumer, Alerts: d, AlertReader: d.AlertReader, History: d, Records: d, Context: d, Rounds: d, People: d,
		Reopen: func(t *testing.T) storetest.Pipeline { return pipelineOf(reopen(t, d)) },
	}
}

func openPipeline(t *testing.T) storetest.Pipeline { return pipelineOf(open(t)) }

func TestLog(t *testing.T)        { storetest.Log(t, openPipeline) }
func TestAlertLog(t *testing.T)   { storetest.AlertLog(t, openPipeline) }
func TestReceipts(t *testing.T)   { storetest.Receipts(t, openPipeline) }
func TestCursors(t *testing.T)    { storetest.Cursors(t, openPipeline) }
func TestQuarantine(t *testing.T) { storetest.Quarantine(t, openPipeline) }
func TestBlobs(t *testing.T)      { storetest.Blobs(t, openPipeline) }
func TestIdentities(t *testing.T) { storetest.Identities(t, openPipeline) }
func TestThreads(t *testing.T)    { storetest.Threads(t, openPipeline) }
func TestAnswers(t *testing.T)    { storetest.Answers(t, openPipeline) }
func TestStatuses(t *testing.T)   { storetest.Statuses(t, openPipeline) }
func TestHistory(t *testing.T)    { storetest.History(t, openPipeline) }
func TestOrders(t *testing.T)     { storetest.Orders(t, openPipeline) }
func TestRounds(t *testing.T)     { storetest.Rounds(t, openPipeline) }
func TestTrends(t *testing.T)     { storetest.Trends(t, openPipeline) }

func TestTrendsAsInMemory(t *testing.T) {
	s := memstore.New()
	storetest.SameTrends(t, openPipeline(t), storetest.Pipeline{History: s, Identities: s, People: s})
}
