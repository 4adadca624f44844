package web

import (
	"net/http"
	"strings"
	"time"

	"redalert/schemas"
)

const (
	reviewSince = 30 * 24 * time.Hour
	reviewMax   = 100
)

// reviewRow is one message that may be a complaint.
type reviewRow struct {
	Who, Text, Location string
	CustomerID          string
	Source              schemas.SourceType
	SourceIcon          string
	Why                 []string
	At                  *moment
	Chance              int // per cent
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
	clock := s.clock(s.zone(r))
	for _, sc := range scored {
		ev := sc.Event
		src := schemas.SourceTypeOf(ev.Type)
		if f.Location != "" && ev.Location != f.Location || f.Source != "" && string(src) != f.Source {
			continue
		}
		row := reviewRow{Text: shorten(eventText(ev).Text, 280), Location: ev.Location, CustomerID: ev.CustomerID, Source: src,
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

// reviews answers the newest events of level review, newest first.
func (s *Server) reviews(r *http.Request) ([]schemas.Scored, error) {
	q := schemas.ListQuery{Since: s.Now().Add(-reviewSince), Limit: 1000, Locations: visible(actorOf(r))}
	var ids []string
	for range 50 {
		page, err := s.History.Verdicts(r.Context(), q)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Items {
			if v.Level == schemas.LevelReview {
				ids = append(ids, v.EventID)
			}
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if len(ids) > reviewMax {
		ids = ids[len(ids)-reviewMax:]
	}
	found, err := s.Records.Scored(r.Context(), ids)
	if err != nil {
		return nil, err
	}
	var out []schemas.Scored
	for i := len(found) - 1; i >= 0; i-- {
		if actorOf(r).Sees(found[i].Event.Location) {
			out = append(out, found[i])
		}
	}
	return out, nil
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n])) + "…"
	}
	return s
}
