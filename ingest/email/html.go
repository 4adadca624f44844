package email

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// HTMLText turns the HTML of a mail into plain text: scripts, styles, drawings
// and hidden parts are dropped, blocks become lines, and what a mail program
// marked as quoted (Gmail, Apple Mail, Thunderbird, Outlook, Yahoo and others)
// becomes lines beginning with "> ", for Trim to take away. It never loads
// anything. Time is linear in len(src), however deep it is nested.
func HTMLText(src string) string {
	c := converter{open: map[string]int{}}
	z := html.NewTokenizer(strings.NewReader(src))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return tidy(c.out.String())
		case html.TextToken:
			c.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			c.start(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			c.end(string(name))
		}
	}
}

// role is what an element means for the text.
type role uint8

const (
	plainRole role = iota
	quoteRole      // quoted from an earlier mail
	dropRole       // nothing inside is text
)

type element struct {
	name string
	role role
}

// converter holds the elements open at a point. open counts them by name, so
// that a stray end tag costs no walk down the stack.
type converter struct {
	out     strings.Builder
	stack   []element
	open    map[string]int
	drops   int
	quotes  int
	midLine bool // something stands on the line already
	space   bool // a space is owed before the next word
}

func (c *converter) text(s string) {
	if c.drops > 0 {
		return
	}
	for i, word := range strings.Fields(s) {
		if i > 0 || strings.HasPrefix(s, " ") || (s != "" && isSpace(s[0])) {
			c.space = true
		}
		c.word(word)
	}
	if n := len(s); n > 0 && isSpace(s[n-1]) {
		c.space = true
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' || b == '\f' }

func (c *converter) word(w string) {
	if !c.midLine {
		if c.quotes > 0 {
			c.out.WriteString("> ")
		}
		c.midLine = true
	} else if c.space {
		c.out.WriteByte(' ')
	}
	c.space = false
	c.out.WriteString(w)
}

func (c *converter) newline() {
	if c.midLine {
		c.out.WriteByte('\n')
	}
	c.midLine, c.space = false, false
}

func (c *converter) blankLine() {
	c.newline()
	c.out.WriteByte('\n')
}

func (c *converter) start(z *html.Tokenizer) {
	nameBytes, hasAttr := z.TagName()
	name := string(nameBytes)
	if name == "body" && c.open["head"] > 0 {
		c.end("head") // its end tag is missing
	}
	if c.drops == 0 {
		c.before(name)
	}
	r := plainRole
	if dropped[name] {
		r = dropRole
	}
	var mark bool
	if hasAttr {
		r, mark = attributes(z, name, r)
	}
	if mark && c.drops == 0 && c.quotes == 0 {
		c.newline()
		c.out.WriteString("-----Original Message-----\n")
	}
	if void[name] {
		return
	}
	if r == quoteRole {
		c.newline()
	}
	c.stack = append(c.stack, element{name, r})
	c.open[name]++
	c.count(r, +1)
}

func (c *converter) count(r role, by int) {
	switch r {
	case dropRole:
		c.drops += by
	case quoteRole:
		c.quotes += by
	}
}

func (c *converter) before(name string) {
	switch name {
	case "br":
		if c.midLine {
			c.newline()
		} else {
			c.out.WriteByte('\n')
		}
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre":
		c.blankLine()
	case "hr":
		c.newline()
		c.out.WriteByte('\n')
	case "li":
		c.newline()
		c.word("-")
		c.space = true
	case "td", "th":
		c.space = true
	default:
		if block[name] {
			c.newline()
		}
	}
}

func (c *converter) end(name string) {
	if c.open[name] == 0 {
		if name == "p" || name == "br" {
			c.newline()
		}
		return
	}
	for {
		e := c.stack[len(c.stack)-1]
		c.stack = c.stack[:len(c.stack)-1]
		c.open[e.name]--
		if e.role == quoteRole || (block[e.name] && c.drops == 0) {
			c.newline()
		}
		if e.name == "p" && c.drops == 0 {
			c.out.WriteByte('\n')
		}
		c.count(e.role, -1)
		if e.name == name {
			return
		}
	}
}

// attributes decides by class, id and style what an element is. mark asks for
// a line that says that an earlier mail begins here.
func attributes(z *html.Tokenizer, name string, r role) (role, bool) {
	mark := false
	for {
		key, value, more := z.TagAttr()
		v := string(bytes.ToLower(value))
		switch string(key) {
		case "class":
			if quoteClass(name, v) {
				r = max(r, quoteRole)
			}
		case "id":
			switch {
			case strings.HasSuffix(v, "divrplyfwdmsg"):
				mark = true
			case strings.Contains(v, "olk_src_body_section"), strings.Contains(v, "isreplycontent"),
				strings.Contains(v, "mail-editor-reference-message-container"), strings.HasPrefix(v, "yahoo_quoted"):
				r = max(r, quoteRole)
			}
		case "type":
			if name == "blockquote" && v == "cite" {
				r = max(r, quoteRole)
			}
		case "name":
			if v == "quote" && name == "div" {
				r = max(r, quoteRole)
			}
		case "style":
			if s := strings.ReplaceAll(cut(v, 2000), " ", ""); strings.Contains(s, "display:none") || strings.Contains(s, "mso-hide:all") {
				r = dropRole
			}
		}
		if !more {
			return r, mark
		}
	}
}

// quoteClass knows the classes by which mail programs mark a quote. Gmail's
// outer div is not among them: answers between quotes stand in it.
func quoteClass(name, classes string) bool {
	for _, c := range strings.Fields(classes) {
		switch c {
		case "gmail_quote":
			if name == "blockquote" {
				return true
			}
		case "yahoo_quoted", "protonmail_quote", "tutanota_quote", "zmail_extra", "moz-forward-container",
			"gmx_quote", "webde_quote", "ms-outlook-mobile-reference-message", "mimestream_quote", "airmail_ext_on_quote", "hs_reply_quote":
			return true
		}
	}
	return false
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

var (
	dropped = set("script", "style", "head", "title", "svg", "math", "noscript", "template", "object", "embed", "iframe",
		"canvas", "audio", "video", "select", "textarea", "button", "xml")
	void = set("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")

	block = set("address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure",
		"footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
		"table", "tr", "ul")
)
