package schemas

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
