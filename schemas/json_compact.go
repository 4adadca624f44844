package schemas

// compactJSON reports whether data is JSON that encoding/json would write just
// so: no space between tokens, nothing that HTML or JavaScript would mistake. It
// looks at each byte once. A false answer says nothing: data nested deeper than
// maxNesting is left to that package, too.
func compactJSON(data []byte) bool {
	end, ok := compactValue(data, 0, maxNesting)
	return ok && end == len(data)
}

const maxNesting = 100

// compactValue answers where the value at i ends. The functions it calls do the
// same for what they are named after.
func compactValue(b []byte, i, depth int) (end int, ok bool) {
	if i >= len(b) || depth == 0 {
		return i, false
	}
	switch c := b[i]; {
	case c == '"':
		return compactText(b, i)
	case c == '{':
		return compactObject(b, i, depth-1)
	case c == '[':
		return compactArray(b, i, depth-1)
	case c == '-' || c >= '0' && c <= '9':
		return compactNumber(b, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word), true
		}
	}
	return i, false
}

func compactObject(b []byte, i, depth int) (end int, ok bool) {
	if i++; i < len(b) && b[i] == '}' {
		return i + 1, true
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return i, false
		}
		if i, ok = compactText(b, i); !ok || i >= len(b) || b[i] != ':' {
			return i, false
		}
		if i, ok = compactValue(b, i+1, depth); !ok || i >= len(b) {
			return i, false
		}
		if b[i] == '}' {
			return i + 1, true
		}
		if b[i] != ',' {
			return i, false
		}
		i++
	}
}

func compactArray(b []byte, i, depth int) (end int, ok bool) {
	if i++; i < len(b) && b[i] == ']' {
		return i + 1, true
	}
	for {
		if i, ok = compactValue(b, i, depth); !ok || i >= len(b) {
			return i, false
		}
		if b[i] == ']' {
			return i + 1, true
		}
		if b[i] != ',' {
			return i, false
		}
		i++
	}
}

// stops marks the bytes of a text at which compactText has to think.
var stops = func() (t [256]bool) {
	for c := range ' ' {
		t[c] = true
	}
	for _, c := range []byte{'"', '\\', '<', '>', '&', 0xe2} {
		t[c] = true
	}
	return t
}()

func compactText(b []byte, i int) (end int, ok bool) {
	for i++; i < len(b); i++ {
		if !stops[b[i]] {
			continue
		}
		switch b[i] {
		case '"':
			return i + 1, true
		case '\\':
			n := escaped(b[i+1:])
			if n == 0 {
				return i, false
			}
			i += n
		case 0xe2: // U+2028 and U+2029
			if i+2 < len(b) && b[i+1] == 0x80 && b[i+2]&^1 == 0xa8 {
				return i, false
			}
		default:
			return i, false
		}
	}
	return i, false
}

// escaped is how many bytes behind a backslash belong to it, 0 when it is wrong.
func escaped(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
	default:
		return 0
	}
	if len(b) < 5 {
		return 0
	}
	for _, c := range b[1:5] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return 0
		}
	}
	return 5
}

func compactNumber(b []byte, i int) (end int, ok bool) {
	if b[i] == '-' {
		i++
	}
	whole := digits(b, i)
	if whole == i || b[i] == '0' && whole > i+1 {
		return i, false
	}
	if i = whole; i < len(b) && b[i] == '.' {
		if end := digits(b, i+1); end == i+1 {
			return i, false
		} else {
			i = end
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := digits(b, i)
		return end, end > i
	}
	return i, true
}

// digits answers where a run of digits at i ends.
func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}
