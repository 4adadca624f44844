package postgres

import "time"

// ms is how times are stored: milliseconds since 1970, UTC. The zero time
// survives.
func ms(t time.Time) int64 { return t.UnixMilli() }

func fromMS(v int64) time.Time { return time.UnixMilli(v).UTC() }

func nullMS(t *time.Time) *int64 {
	if t == nil || t.IsZero() {
		return nil
	}
	v := ms(*t)
	return &v
}

func fromNullMS(v *int64) *time.Time {
	if v == nil {
		return nil
	}
	t := fromMS(*v)
	return &t
}

// ceilMilli rounds a bound up: stored times are whole milliseconds.
func ceilMilli(t time.Time) int64 {
	n := t.UnixMilli()
	if t.Sub(time.UnixMilli(n)) > 0 {
		n++
	}
	return n
}
