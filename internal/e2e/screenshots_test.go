//go:build screenshots

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestScreenshots writes the pages of the demo to the folder REDALERT_SCREENSHOTS.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("REDALERT_SCREENSHOTS")
	if dir == "" {
		t.Fatal("REDALERT_SCREENSHOTS names no folder; make screenshots sets it")
	}
	b := newBrowser(t)
	s := startDemo(t, t.TempDir())
	b.size(1280, 900, false)
	b.visit(s.url + "/login")
	b.shot(filepath.Join(dir, "login-wide-light.png"), false)
	b.signInDemo(s.url, "owner")
	for _, form := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{"wide-light", 1280, 900, false}, {"wide-dark", 1280, 900, true}, {"phone-light", 390, 844, false}} {
		b.size(form.width, form.height, form.dark)
		for _, p := range pages {
			b.visit(b.resolve(s.url, p.path))
			time.Sleep(400 * time.Millisecond) // charts draw themselves
			b.shot(filepath.Join(dir, p.name+"-"+form.name+".png"), p.name == "case" || p.name == "trends")
		}
	}
	b.size(700, 1000, false)
	b.visit(s.url + "/demo/mail")
	b.shot(filepath.Join(dir, "mail-list.png"), false)
}

// shot writes a screenshot of the viewport, or of the whole page.
func (b *browser) shot(name string, full bool) {
	b.t.Helper()
	png := run(b, "screenshot "+name, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &full})
		if err != nil {
			return nil, err
		}
		return r.Data, nil
	})
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(name, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
