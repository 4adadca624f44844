package config

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Secret is text that is never printed: String, JSON, YAML and logs show
// "[redacted]".
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText hides the secret from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Reveal is the secret itself; only for handing it to a library.
func (s Secret) Reveal() string { return string(s) }

// Duration is a time.Duration that also reads days: 14d, 1h, 90s, 1d12h.
type Duration time.Duration

// ParseDuration reads Go durations and a leading number of days.
func ParseDuration(s string) (Duration, error) {
	text := strings.TrimSpace(s)
	var days int64
	if i := strings.IndexByte(text, 'd'); i > 0 {
		n, err := strconv.ParseInt(text[:i], 10, 32)
		if err != nil || n < 0 {
			return 0, badDuration(s)
		}
		days, text = n, text[i+1:]
		if text == "" {
			text = "0s"
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, badDuration(s)
	}
	return Duration(time.Duration(days)*24*time.Hour + d), nil
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a duration such as 14d, 1h or 30s", s)
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	*d = v
	return err
}

// String writes days where they divide evenly.
func (d Duration) String() string {
	day := 24 * time.Hour
	if t := time.Duration(d); t >= day && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	return time.Duration(d).String()
}
