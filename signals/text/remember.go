package text

import "sync"

// Customers say "fine", "ok" and "nobody came" again and again, and reading
// takes twenty milliseconds: predictions of short messages are remembered. Since a
// prediction depends on the message alone, nobody can tell.
const (
	rememberedTexts = 2048 // in each of two generations
	rememberedBytes = 512  // of a message with its question
)

// heard is what a prediction depends on.
type heard struct{ question, text string }

// memory keeps the predictions of the last texts: when the younger generation is
// full it becomes the older one, whose texts are forgotten. Safe for concurrent
// use; the zero value is empty.
type memory struct {
	mu         sync.Mutex
	young, old map[heard]Prediction
}

func (m *memory) get(key heard) (Prediction, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.young[key]; ok {
		return p, true
	}
	p, ok := m.old[key]
	if ok {
		m.put(key, p)
	}
	return p, ok
}

func (m *memory) keep(key heard, p Prediction) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, p)
}

func (m *memory) put(key heard, p Prediction) {
	if m.young == nil || len(m.young) >= rememberedTexts {
		m.old, m.young = m.young, make(map[heard]Prediction)
	}
	m.young[key] = p
}
