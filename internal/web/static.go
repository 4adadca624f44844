package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
)

//go:embed static icons
var assets embed.FS

// staticFile is one embedded file, compressed once at start.
type staticFile struct {
	plain, gz []byte // gz nil when compression does not help
	mime      string
	etag      string
}

// staticFiles serves the embedded assets. A URL with the file's own hash (?v=)
// may be cached for ever, any other is revalidated.
type staticFiles struct {
	files map[string]staticFile
	icons map[string]template.HTML
}

var iconBody = regexp.MustCompile(`(?s)<svg[^>]*>(.*)</svg>`)

func newStaticFiles() (*staticFiles, error) {
	out := &staticFiles{files: map[string]staticFile{}, icons: map[string]template.HTML{}}
	err := fs.WalkDir(assets, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := assets.ReadFile(p)
		if err != nil {
			return err
		}
		if name, ok := strings.CutPrefix(p, "static/"); ok {
			out.files[name] = newStaticFile(p, raw)
			return nil
		}
		if path.Ext(p) != ".svg" {
			return nil
		}
		m := iconBody.FindSubmatch(raw)
		if m == nil {
			return fmt.Errorf("icon %s holds no svg element", p)
		}
		body := strings.Join(strings.Fields(string(m[1])), " ")
		out.icons[strings.TrimSuffix(path.Base(p), ".svg")] = template.HTML(body) // ours, embedded
		return nil
	})
	return out, err
}

func newStaticFile(name string, raw []byte) staticFile {
	sum := sha256.Sum256(raw)
	f := staticFile{plain: raw, mime: mime.TypeByExtension(path.Ext(name)), etag: hex.EncodeToString(sum[:8])}
	switch path.Ext(name) {
	case ".js":
		f.mime = "text/javascript; charset=utf-8"
	case ".css":
		f.mime = "text/css; charset=utf-8"
	case "", ".md":
		f.mime = "text/plain; charset=utf-8"
	}
	var b bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = zw.Write(raw)                                   // to memory
	_ = zw.Close()
	if b.Len() < len(raw)*9/10 {
		f.gz = b.Bytes()
	}
	return f
}

// url answers the address of an asset, with its hash.
func (s *staticFiles) url(name string) (string, error) {
	f, ok := s.files[name]
	if !ok {
		return "", fmt.Errorf("no asset static/%s", name)
	}
	return "/static/" + name + "?v=" + f.etag, nil
}

// icon answers a Lucide icon as an inline SVG, hidden from screen readers:
// words stand beside every icon.
func (s *staticFiles) icon(name string) (template.HTML, error) {
	body, ok := s.icons[name]
	if !ok {
		return "", fmt.Errorf("no icon %s; add it to vendor-assets.sh", name)
	}
	return `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` + body + `</svg>`, nil
}

// favicon leads browsers that ask without being told to the icon.
func (s *Server) favicon(w http.ResponseWriter, r *http.Request) error {
	icon, err := s.static.url("favicon.svg")
	if err == nil {
		http.Redirect(w, r, icon, http.StatusSeeOther)
	}
	return err
}

func (s *Server) staticFile(w http.ResponseWriter, r *http.Request) error {
	f, ok := s.static.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		return errNoPage
	}
	h := w.Header()
	h.Set("Content-Type", f.mime)
	h.Set("ETag", `"`+f.etag+`"`)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == f.etag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := f.plain
	if f.gz != nil && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.gz
	}
	_, err := w.Write(body)
	return err
}

func acceptsGzip(r *http.Request) bool {
	for enc := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(enc), ";")
		if name == "gzip" && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}
