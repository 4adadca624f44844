// Package memstore keeps everything in memory: the fakes that tests of the
// stages use in place of a store. They pass the same conformance suites as the
// real adapters (package storetest), and keep nothing when the process ends.
package memstore

import (
	"sync"

	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals/churn"
)

// Store implements the ports of every stage. Its methods may be called
// concurrently. Fields by area; each area locks for itself.
type Store struct {
	log     logs
	doors   doors
	people  people
	history history
	caseState
	authState
}

// New makes an empty store.
func New() *Store {
	return &Store{
		log:     logs{offsets: map[string]int{}, wake: make(chan struct{})},
		doors:   newDoors(),
		people:  people{owner: map[ingest.CustomerKey]string{}, alias: map[string]string{}, said: map[string]int64{}, rows: map[string]*person{}},
		history: history{byID: map[string]int{}, orderEvents: map[string][]churn.OrderEvent{}, orders: map[string]churn.Folded{}},
	}
}

type doors struct {
	mu         sync.Mutex
	receipts   map[string]*receipt
	reserved   []string // event ids in order
	cursors    map[string]string
	blobs      map[string][]byte
	quarantine map[string]schemas.Quarantined
	threads    map[string]string
	answers    map[[2]string]ingest.Keyed
	collectors map[string]schemas.CollectorStatus
}

func newDoors() doors {
	return doors{
		receipts: map[string]*receipt{}, cursors: map[string]string{}, blobs: map[string][]byte{},
		quarantine: map[string]schemas.Quarantined{}, threads: map[string]string{},
		answers: map[[2]string]ingest.Keyed{}, collectors: map[string]schemas.CollectorStatus{},
	}
}
