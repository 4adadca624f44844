package schemas

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Every event is read several times on its way, so reading its common form has
// code of its own: encoding/json, made for any type, takes three times as long.
// Whatever is out of the ordinary is left to it, and a test holds one against
// the other.

type envelopeText struct {
	name     string
	text     *string
	optional bool // left out while empty
}

// texts lists what stands before the data, in the order it is written.
func (c *cloudEvent) texts() [16]envelopeText {
	return [16]envelopeText{
		{"specversion", &c.SpecVersion, false}, {"id", &c.ID, false}, {"source", &c.Source, false},
		{"type", (*string)(&c.Type), false}, {"time", &c.Time, false}, {"subject", &c.Subject, true},
		{"datacontenttype", &c.ContentType, false}, {"nativeid", &c.NativeID, false}, {"revision", &c.Revision, true},
		{"collectedat", &c.CollectedAt, false}, {"localdate", &c.LocalDate, false}, {"customerid", &c.CustomerID, true},
		{"threadid", &c.ThreadID, true}, {"location", &c.Location, true}, {"orderref", &c.OrderRef, true},
		{"rawsha256", &c.RawSHA256, true},
	}
}

const dataName = `,"data":`

// plainText reports whether a text between quotes is JSON, and stands for itself.
func plainText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// decodeEnvelope reads what MarshalJSON writes; ok is false for any other form,
// which may be JSON all the same. The data is part of b.
func decodeEnvelope(b []byte) (c cloudEvent, ok bool) {
	// The texts in front hold no quotes: the first such name is the data's.
	at := bytes.Index(b, []byte(dataName))
	if at < 0 || b[0] != '{' || b[len(b)-1] != '}' {
		return c, false
	}
	data := b[at+len(dataName) : len(b)-1]
	if !compactJSON(data) && (!json.Valid(data) || data[0] == ' ') {
		return c, false
	}
	head, next := string(b[1:at]), 0
	texts := c.texts()
	for {
		var name, text string
		if name, head, ok = cutText(head, `":"`); !ok {
			return c, false
		}
		for next < len(texts) && texts[next].name != name {
			next++
		}
		if next == len(texts) {
			return c, false
		}
		end := strings.IndexByte(head, '"')
		if end < 0 {
			return c, false
		}
		if text, head = head[:end], head[end+1:]; !plainText(text) {
			return c, false
		}
		*texts[next].text = text
		next++
		if head == "" {
			break
		}
		if head[0] != ',' {
			return c, false
		}
		head = head[1:]
	}
	c.Data = data[:len(data):len(data)]
	return c, true
}

// cutText cuts a quoted name and what follows it off a text.
func cutText(s, end string) (name, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	return strings.Cut(s[1:], end)
}
