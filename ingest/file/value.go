package file

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"
)

// Micro is a decimal number in millionths: 2.55 is 2,550,000.
type Micro int64

const (
	microDigits = 6
	microOne    = 1_000_000
)

var errDecimal = errors.New("not a plain decimal number such as -12.50")

// ParseDecimal reads a plain decimal number exactly: an optional sign, digits,
// and at most six decimals (further zeros are let pass). With comma the decimal
// sign is a comma. No exponents, NaN, thousands separators or currency signs.
func ParseDecimal(b []byte, comma bool) (Micro, error) {
	b = bytes.TrimSpace(b)
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	sep := byte('.')
	if comma {
		sep = ','
	}
	var v uint64
	digits, decimals, point := 0, 0, false
	for _, c := range b {
		switch {
		case c == sep && !point:
			point = true
			continue
		case c < '0' || c > '9':
			return 0, errDecimal
		case point && decimals == microDigits:
			if c != '0' {
				return 0, fmt.Errorf("more than %d decimals", microDigits)
			}
			continue
		case v > 1<<59:
			return 0, errors.New("too large a number")
		}
		v = v*10 + uint64(c-'0')
		digits++
		if point {
			decimals++
		}
	}
	if digits == 0 {
		return 0, errDecimal
	}
	return scaled(v, decimals, neg)
}

// scaled brings digits with so many decimals to millionths.
func scaled(v uint64, decimals int, neg bool) (Micro, error) {
	for ; decimals < microDigits && v <= 1<<59; decimals++ {
		v *= 10
	}
	if decimals < microDigits || v > 1<<62 {
		return 0, errors.New("too large a number")
	}
	if neg {
		return -Micro(v), nil
	}
	return Micro(v), nil
}

// Whole answers m as a whole number; ok is false if it is none.
func (m Micro) Whole() (n int64, ok bool) { return int64(m / microOne), m%microOne == 0 }

// Float answers m for scores and scales; never for money.
func (m Micro) Float() float64 { return float64(m) / microOne }

// Times multiplies by a whole number; ok is false on overflow.
func (m Micro) Times(n int64) (p Micro, ok bool) {
	hi, lo := bits.Mul64(abs(int64(m)), abs(n))
	if hi != 0 || lo > 1<<62 {
		return 0, false
	}
	if (m < 0) != (n < 0) {
		return -Micro(lo), true
	}
	return Micro(lo), true
}

func abs(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// Minor rounds to minor units of a currency with so many decimals, half away
// from zero; exact is false when something was rounded off.
func (m Micro) Minor(digits int) (minor int64, exact bool) {
	div := int64(1)
	for range microDigits - digits {
		div *= 10
	}
	minor, rest := int64(m)/div, int64(m)%div
	if 2*rest >= div && div > 1 {
		minor++
	} else if -2*rest >= div && div > 1 {
		minor--
	}
	return minor, rest == 0
}

// AppendJSON appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func AppendJSON[T ~string | ~[]byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(string(s[i:min(i+4, len(s))])); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch {
		case c >= utf8.RuneSelf:
			dst = append(dst, "\ufffd"...)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// AppendTime appends t as a quoted RFC 3339 time in UTC.
func AppendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().Truncate(time.Millisecond).AppendFormat(dst, "2006-01-02T15:04:05.999Z07:00")
	return append(dst, '"')
}

// AppendMicro appends m as a JSON number without needless zeros.
func AppendMicro(dst []byte, m Micro) []byte {
	if n, ok := m.Whole(); ok {
		return strconv.AppendInt(dst, n, 10)
	}
	if m < 0 {
		dst = append(dst, '-')
	}
	u := abs(int64(m))
	dst = strconv.AppendUint(dst, u/microOne, 10)
	frac := fmt.Sprintf(".%06d", u%microOne)
	return append(dst, bytes.TrimRight([]byte(frac), "0")...)
}
