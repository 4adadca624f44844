package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

const (
	reviewSince = 30 * 24 * time.Hour
	reviewMax   = 100
)

// reviewRow is one message that may be a complaint.
type reviewRow struct {
	Who, Text, Location string
	Kind, Score         string
	CustomerID          string
	Source              schemas.SourceType
	SourceIcon          string
	Why                 []string
	At                  *moment
	Chance              int // per cent
	Mark                markView
}

// reviewQueue lists what the scorer was not sure about in the last 30 days,
// newest first.
func (s *Server) reviewQueue(r *http.Request, f triageFilter, v queueView) (queueView, error) {
	v.IsReview = true
	scored, err := s.reviews(r)
	if err != nil {
		return v, err
	}
	l, err := s.lookup(r)
	if err != nil {
		return v, err
	}
	ids := make([]string, len(scored))
	for i, sc := range scored {
		ids[i] = sc.Event.ID
	}
	marks, err := s.marksOf(r.Context(), ids)
	if err != nil {
		return v, err
	}
	clock := s.clock(s.zone(r))
	for _, sc := range scored {
		ev := sc.Event
		src, told := schemas.SourceTypeOf(ev.Type), eventText(ev)
		if f.Location != "" && ev.Location != f.Location || f.Source != "" && string(src) != f.Source {
			continue
		}
		said, answered := marks[ev.ID]
		if answered && !said.Red {
			continue // dealt with
		}
		row := reviewRow{Mark: s.markView(ev.ID, v.URL, marks, l), Text: shorten(oneLine(told.Text), 280), Kind: told.Kind, Score: told.Score, Location: ev.Location, CustomerID: ev.CustomerID, Source: src,
			SourceIcon: sourceIcons[src], At: clock.ago(&ev.OccurredAt), Why: reasonTexts(sc.Verdict.Reasons, 3),
			Chance: int(sc.Verdict.Probability*100 + 0.5)}
		if row.Who, err = l.who(schemas.Case{CustomerID: ev.CustomerID, SourceType: src}); err != nil {
			return v, err
		}
		if f.Search != "" && !strings.Contains(strings.ToLower(row.Who+" "+row.Text), strings.ToLower(f.Search)) {
			continue
		}
		v.Review = append(v.Review, row)
	}
	v.Total = len(v.Review)
	return v, nil
}

// reviewIndex remembers which events the scorer was not sure about, so that
// the page reads only verdicts that are new since it was last looked at.
type reviewIndex struct {
	mu    sync.Mutex
	since time.Time
	at    map[string]time.Time // event id → scored at
}

// newest answers the ids of review level, newest first.
func (x *reviewIndex) newest(ctx context.Context, h signals.History, now time.Time) ([]string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	oldest := now.Add(-reviewSince)
	if x.at == nil || x.since.Before(oldest) {
		x.since = oldest
	}
	if x.at == nil {
		x.at = map[string]time.Time{}
	}
	q := schemas.ListQuery{Since: x.since, Limit: 1000}
	for {
		page, err := h.Verdicts(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Items {
			if x.since = v.ScoredAt; v.Level == schemas.LevelReview {
				x.at[v.EventID] = v.ScoredAt
			} else {
				delete(x.at, v.EventID) // scored anew
			}
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	maps.DeleteFunc(x.at, func(_ string, at time.Time) bool { return at.Before(oldest) })
	ids := slices.Collect(maps.Keys(x.at))
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(x.at[b].Compare(x.at[a]), cmp.Compare(a, b)) })
	return ids, nil
}

// reviews answers the newest events of level review that the actor may see.
func (s *Server) reviews(r *http.Request) ([]schemas.Scored, error) {
	ids, err := s.unsure.newest(r.Context(), s.History, s.Now())
	if err != nil {
		return nil, err
	}
	var out []schemas.Scored
	for batch := range slices.Chunk(ids, 2*reviewMax) {
		found, err := s.Records.Scored(r.Context(), batch)
		if err != nil {
			return nil, err
		}
		for _, sc := range found {
			old := sc.Event.CollectedAt.Before(s.Now().Add(-reviewSince)) // scored again
			if sc.Verdict.Level == schemas.LevelReview && !old && actorOf(r).Sees(sc.Event.Location) && len(out) < reviewMax {
				out = append(out, sc)
			}
		}
		if len(out) == reviewMax {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b schemas.Scored) int { return b.Event.OccurredAt.Compare(a.Event.OccurredAt) })
	return out, nil
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n])) + "…"
	}
	return s
}
