package review

import "encoding/json"

// maxSeen bounds how many reviews are remembered; far more than a page shows.
const maxSeen = 5000

// state is what a collector remembers between polls: the validators of the
// last answer, and each review's content, oldest first.
type state struct {
	ETag     string      `json:"etag,omitempty"`
	Modified string      `json:"modified,omitempty"`
	Seen     [][2]string `json:"seen"` // short hash of the id, hash of the content

	at map[string]int
}

// readState takes an unreadable cursor for none: everything on the page is then
// posted once more, and known already.
func readState(cursor string) *state {
	s := &state{}
	if json.Unmarshal([]byte(cursor), s) != nil {
		s = &state{}
	}
	s.index()
	return s
}

func (s *state) index() {
	s.at = make(map[string]int, len(s.Seen))
	for i, e := range s.Seen {
		s.at[e[0]] = i
	}
}

// content answers what is remembered of a review; "" = never seen.
func (s *state) content(id string) string {
	if i, ok := s.at[short(id)]; ok {
		return s.Seen[i][1]
	}
	return ""
}

// with is the state after a page: its reviews at the end, the oldest of the
// others forgotten beyond maxSeen.
func (s *state) with(page []found) *state {
	next := &state{Seen: make([][2]string, 0, len(s.Seen)+len(page))}
	now := make(map[string]bool, len(page))
	for i := range page {
		now[short(page[i].id)] = true
	}
	for _, e := range s.Seen {
		if !now[e[0]] {
			next.Seen = append(next.Seen, e)
		}
	}
	for i := range page {
		next.Seen = append(next.Seen, [2]string{short(page[i].id), page[i].content()})
	}
	if over := len(next.Seen) - maxSeen; over > 0 {
		next.Seen = next.Seen[over:]
	}
	next.index()
	return next
}

func (s *state) cursor() (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}
