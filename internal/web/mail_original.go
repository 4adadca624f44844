package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // mail in any charset
	"github.com/microcosm-cc/bluemonday"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
)

// Caps of what is read out of one mail for the page.
const (
	maxMailParts = 200
	maxMailDepth = 20
	maxMailHTML  = 2 << 20
)

// mailAttachment is one file of a mail.
type mailAttachment struct {
	N    int
	Name string
	URL  string
}

// mailEntity is one part of a mail.
type mailEntity = message.Entity

var errEnough = errors.New("enough")

// walkMail calls visit for each leaf of a mail, at most maxMailParts of them,
// no deeper than maxMailDepth. What is broken beyond repair ends the walk
// silently: the text that was scored is on the page anyway.
func walkMail(raw []byte, visit func(n int, e *mailEntity) error) {
	root, err := message.ReadWithOptions(bytes.NewReader(raw), &message.ReadOptions{MaxHeaderBytes: 1 << 20})
	if err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) || root == nil {
		return
	}
	n := 0
	_ = root.Walk(func(path []int, e *message.Entity, err error) error {
		if err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) || e == nil {
			return nil
		}
		if n++; n > maxMailParts || len(path) > maxMailDepth {
			return errEnough
		}
		if t, _, _ := e.Header.ContentType(); strings.HasPrefix(t, "multipart/") {
			return nil
		}
		return visit(n, e)
	})
}

// fileName names an attachment; "" for the parts that are the message itself.
func fileName(e *message.Entity) string {
	disp, params, _ := e.Header.ContentDisposition()
	_, ct, _ := e.Header.ContentType()
	name := params["filename"]
	if name == "" {
		name = ct["name"]
	}
	if name == "" && disp == "attachment" {
		name = "attachment"
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\"`, r) {
			return '_'
		}
		return r
	}, name)
	return shorten(name, 100)
}

// mailEvent finds a mail of a case the actor may see, with its raw bytes.
func (s *Server) mailEvent(r *http.Request) ([]byte, error) {
	c, err := s.seeCase(r.Context(), actorOf(r), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("event")
	if !slices.Contains(c.EventIDs, id) {
		audit, err := s.Cases.Audit(r.Context(), c.ID)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(audit, func(a schemas.CaseEvent) bool { return a.EventID == id }) {
			return nil, alerting.ErrNotFound
		}
	}
	found, err := s.Records.Scored(r.Context(), []string{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || found[0].Event.RawSHA256 == "" || found[0].Event.Type != schemas.EmailReceived {
		return nil, errNoPage
	}
	return s.Blobs.Get(r.Context(), found[0].Event.RawSHA256)
}

var mailPolicy = func() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowDataURIImages()
	p.AllowStyling()
	p.AllowStyles("color", "background-color", "font-weight", "font-style", "text-align", "text-decoration").Globally()
	p.AllowElements("font", "center")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	p.AllowURLSchemes("mailto", "http", "https", "tel")
	return p
}()

// mailHTML shows the HTML of a mail, sanitised, for a sandboxed frame: no
// script, no form, nothing loaded from outside.
func (s *Server) mailHTML(w http.ResponseWriter, r *http.Request) error {
	raw, err := s.mailEvent(r)
	if err != nil {
		return err
	}
	var html []byte
	walkMail(raw, func(_ int, e *message.Entity) error {
		if t, _, _ := e.Header.ContentType(); t != "text/html" || fileName(e) != "" {
			return nil
		}
		html, _ = io.ReadAll(io.LimitReader(e.Body, maxMailHTML)) // what is readable is shown
		return errEnough
	})
	h := w.Header()
	h.Set("Content-Security-Policy", sandboxPolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Content-Type", "text/html; charset=utf-8")
	body := mailPolicy.SanitizeBytes(html)
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("<p>This mail has no formatted version.</p>")
	}
	_, err = fmt.Fprintf(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mail</title><style>body{font:15px/1.5 system-ui,sans-serif;margin:16px;color:#1b1f24;background:#fff;overflow-wrap:anywhere}img{max-width:100%%;height:auto}</style></head><body>%s</body></html>`, body)
	return err
}

// attachments lists the files of a mail; none when the raw mail is not there.
func (s *Server) attachments(ctx context.Context, ev schemas.Event, caseURL string) []mailAttachment {
	raw, err := s.Blobs.Get(ctx, ev.RawSHA256)
	if err != nil {
		if !errors.Is(err, ingest.ErrNotFound) {
			s.Log.Warn("raw mail cannot be read", "event", ev.ID, "err", err)
		}
		return nil
	}
	var out []mailAttachment
	walkMail(raw, func(n int, e *message.Entity) error {
		if name := fileName(e); name != "" {
			out = append(out, mailAttachment{N: n, Name: name, URL: caseURL + "/events/" + ev.ID + "/files/" + strconv.Itoa(n)})
		}
		return nil
	})
	return out
}

// mailFile sends one attachment, always as a download and never with a type a
// browser would run.
func (s *Server) mailFile(w http.ResponseWriter, r *http.Request) error {
	raw, err := s.mailEvent(r)
	if err != nil {
		return err
	}
	want, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		return errNoPage
	}
	sent := false
	walkMail(raw, func(n int, e *message.Entity) error {
		if n != want || fileName(e) == "" {
			return nil
		}
		sent = true
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(e)}))
		_, err = io.Copy(w, e.Body)
		return errEnough
	})
	if !sent {
		return errNoPage
	}
	if err != nil {
		s.Log.Debug("attachment cut off", "err", err)
	}
	return nil
}
