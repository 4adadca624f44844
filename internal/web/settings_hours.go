package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"redalert/schemas"
)

func pathEscape(s string) string { return url.PathEscape(s) }

// dayKey is the name of a weekday in forms: "mon".
func dayKey(d time.Weekday) string { return strings.ToLower(d.String()[:3]) }

// blocksText writes opening times as people type them: "08:00-12:00, 13:00-18:00".
func blocksText(blocks []schemas.Block) string {
	out := make([]string, len(blocks))
	for i, b := range blocks {
		out[i] = b.From + "-" + b.To
	}
	return strings.Join(out, ", ")
}

// readBlocks reads what blocksText writes; "" and "closed" are no block. The
// blocks come out in order and do not overlap. 24:00 is the end of the day.
func readBlocks(s string) ([]schemas.Block, error) {
	s = strings.TrimSpace(strings.ReplaceAll(s, "–", "-"))
	if s == "" || strings.EqualFold(s, "closed") {
		return nil, nil
	}
	var out []schemas.Block
	for part := range strings.SplitSeq(s, ",") {
		from, to, ok := strings.Cut(part, "-")
		a, errA := readClock(from)
		b, errB := readClock(to)
		if !ok || errA != nil || errB != nil || a >= b {
			return nil, fmt.Errorf("%q is no stretch of time; write it as 08:00-18:00", strings.TrimSpace(part))
		}
		out = append(out, schemas.Block{From: clockText(a), To: clockText(b)})
	}
	slices.SortFunc(out, func(a, b schemas.Block) int { return strings.Compare(a.From, b.From) })
	for i := 1; i < len(out); i++ {
		if out[i].From < out[i-1].To {
			return nil, fmt.Errorf("%s-%s and %s-%s overlap", out[i-1].From, out[i-1].To, out[i].From, out[i].To)
		}
	}
	return out, nil
}

// readClock reads "8", "8:30" or "24:00" as minutes of the day.
func readClock(s string) (int, error) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	if !ok {
		m = "0"
	}
	hour, errH := strconv.Atoi(h)
	minute, errM := strconv.Atoi(m)
	if errH != nil || errM != nil || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return 0, fmt.Errorf("%q is no time of day", s)
	}
	return hour*60 + minute, nil
}

func clockText(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// weekText writes a location's own week: "mon 08:00-12:00; tue 09:00-17:00".
func weekText(h schemas.Hours) string {
	var out []string
	for d := range 7 {
		day := time.Weekday((d + 1) % 7)
		if len(h[day]) > 0 {
			out = append(out, dayKey(day)+" "+blocksText(h[day]))
		}
	}
	return strings.Join(out, "; ")
}

// readWeek reads what weekText writes; "" is an empty week (the business's).
func readWeek(s string) (schemas.Hours, error) {
	var h schemas.Hours
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, blocks, _ := strings.Cut(part, " ")
		day := -1
		for d := range 7 {
			if strings.EqualFold(name, dayKey(time.Weekday(d))) || strings.EqualFold(name, time.Weekday(d).String()) {
				day = d
			}
		}
		if day < 0 {
			return h, fmt.Errorf("%q is no weekday; write it as mon 08:00-18:00; tue 09:00-17:00", name)
		}
		b, err := readBlocks(blocks)
		if err != nil {
			return h, err
		}
		h[day] = b
	}
	return h, nil
}

// hoursText writes business minutes as hours: "1", "1.5".
func hoursText(m schemas.Minutes) string {
	return strconv.FormatFloat(float64(m)/60, 'f', -1, 64)
}

// readHours reads hours of business time, a quarter of an hour to 1,000.
func readHours(s string) (schemas.Minutes, error) {
	h, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(s), ",", ".", 1), 64)
	if err != nil || !(h >= 0.25 && h <= 1000) {
		return 0, fmt.Errorf("write hours between 0.25 and 1000")
	}
	return schemas.Minutes(h*60 + 0.5), nil
}
