package schemas

import "encoding/json"

// appendEnvelope writes what encoding/json would make of c; ok is false when
// something in it has to be escaped or made compact: that is left to that
// package. A test holds one against the other.
func appendEnvelope(b []byte, c *cloudEvent) (_ []byte, ok bool) {
	if !compactJSON(c.Data) {
		return nil, false
	}
	b = append(b, '{')
	for i, t := range c.texts() {
		text := *t.text
		if !plainText(text) {
			return nil, false
		}
		if text == "" && t.optional {
			continue
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), t.name...), `":"`...)
		b = append(append(b, text...), '"')
	}
	return append(append(append(b, dataName...), c.Data...), '}'), true
}

// compactJSON reports whether data is JSON that encoding/json would write just
// so: no space between tokens, nothing that HTML or JavaScript would mistake.
func compactJSON(data []byte) bool {
	inText := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '<' || c == '>' || c == '&':
			return false
		case c == 0xe2 && i+2 < len(data) && data[i+1] == 0x80 && data[i+2]&^1 == 0xa8: // U+2028 and U+2029
			return false
		case c == '\\' && inText:
			i++
		case c == '"':
			inText = !inText
		case !inText && c <= ' ':
			return false
		}
	}
	return json.Valid(data)
}
