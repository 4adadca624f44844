package memstore

import (
	"testing"

	"redalert/internal/storetest"
)

func openPipeline(*testing.T) storetest.Pipeline {
	s := New()
	return storetest.Pipeline{
		Publisher: s, Receipts: s, Cursors: s.Cursors(), Quarantine: s.Quarantine(), Blobs: s.Blobs(), Identities: s, Threads: s, Answers: s, Statuses: s,
		Consumer: s.Consumer, Alerts: s, AlertReader: s.AlertReader, History: s, Records: s, Context: s, Rounds: s, People: s,
	}
}

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
