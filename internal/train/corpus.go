package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"redalert/schemas"
)

// Label is what one reading of a message says.
type Label struct {
	Level      schemas.Level      `json:"level"`
	Categories []schemas.Category `json:"categories"` // most important first; empty where level is none
}

// Message is one line of the corpus: what a customer wrote and what it means by
// docs/labelling.md. Level and Categories are the settled label; First is its
// writer's, Second that of a reader who saw neither the label nor the brief.
type Message struct {
	ID         string             `json:"id"`
	Text       string             `json:"text"`
	Channel    string             `json:"channel"` // email, survey, review, order
	Business   string             `json:"business"`
	Level      schemas.Level      `json:"level"`
	Categories []schemas.Category `json:"categories"`
	Words      []string           `json:"words"`    // stretches of Text that decide
	Group      string             `json:"group"`    // messages that differ by a small edit share it; "" = none
	Question   string             `json:"question"` // of a survey
	Writer     string             `json:"writer"`
	First      Label              `json:"first"`
	Second     Label              `json:"second"`
}

// Flagged reports whether the message is for review or red: label 1.
func (m Message) Flagged() bool { return m.Level != schemas.LevelNone }

// About answers how sure it is that the message is about c: 1 where both readings
// say so, 0.5 where one does, else 0. Where a third reading settled the message,
// its word stands.
func (m Message) About(c schemas.Category) float64 {
	if m.First.Level != m.Second.Level {
		return oneIf(slices.Contains(m.Categories, c))
	}
	return (oneIf(slices.Contains(m.First.Categories, c)) + oneIf(slices.Contains(m.Second.Categories, c))) / 2
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Part names the brief that a message was written to: everyday messages are
// what customers mostly write (requests among them), subtle ones were written to be hard.
func (m Message) Part() string {
	if len(m.ID) > 0 && strings.Contains("ijklmnouxyCGN", m.ID[:1]) {
		return "everyday"
	}
	return "subtle"
}

// ReadCorpus reads a file of the corpus; an unknown field or channel is an error.
func ReadCorpus(path string) ([]Message, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ms []Message
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		var m Message
		dec := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if _, err := m.event(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		ms = append(ms, m)
	}
	return ms, sc.Err()
}
