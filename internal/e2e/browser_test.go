package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redalert/internal/lane"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// need skips a lane whose prerequisite is missing.
func need(t testing.TB, ok bool, what string) {
	t.Helper()
	if !ok {
		lane.Missing(t, what+" is missing; scripts/prerequisites.sh installs it on Debian")
	}
}

// browser is one headless Chromium.
type browser struct {
	t   testing.TB
	ctx context.Context
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	need(t, path != "", "Chromium")
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true))
	actx, cancelA := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(actx)
	t.Cleanup(func() { cancel(); cancelA() })
	b := &browser{t, ctx}
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as this context
		t.Fatalf("start %s: %v", path, err)
	}
	return b
}

type step = chromedp.Action[chromedp.Void]

func (b *browser) do(what string, steps ...step) {
	b.t.Helper()
	run(b, what, chromedp.Steps(steps...))
}

// run runs one action within thirty seconds and answers its value.
func run[T any](b *browser, what string, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		page, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1500)`))
		b.t.Fatalf("%s: %v\n%s", what, err, page)
	}
	return v
}

// js evaluates an expression.
func js[T any](b *browser, expr string) T {
	b.t.Helper()
	return run(b, expr, chromedp.Evaluate[T](expr))
}

// size sets the viewport and the colour scheme.
func (b *browser) size(width, height int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do("viewport", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

func (b *browser) visit(url string) {
	b.t.Helper()
	b.do("visit "+url, chromedp.Navigate(url), chromedp.WaitReady("main"))
}

// keys types, as a person at a keyboard would: once the page is there, its
// script included.
func (b *browser) keys(what, keys string) {
	b.t.Helper()
	b.wait("the page before "+what, `document.readyState === "complete"`)
	b.do(what, chromedp.KeyEvent(keys))
}

// wait waits until an expression is true in the page.
func (b *browser) wait(what, expr string) {
	b.t.Helper()
	eventually(b.t, time.Minute, what, func() bool {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expr+")"))
		return err == nil && ok
	})
}

// signInDemo signs in by one click.
func (b *browser) signInDemo(base, role string) {
	b.t.Helper()
	b.visit(base + "/login")
	b.do("sign in as "+role, chromedp.Click(fmt.Sprintf(`//button[contains(., "Sign in as %s")]`, role)))
	b.wait("the queue", `document.querySelector("#queue")`)
}

// axe reports what axe-core finds against WCAG A and AA on the page as it is.
func (b *browser) axe(where string) {
	b.t.Helper()
	script := axeScript(b.t)
	js[bool](b, script+"; typeof axe === 'object'")
	found := run(b, "axe on "+where, chromedp.Evaluate[string](`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).then(r =>
		JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 160) + " — " + (n.any.concat(n.all)[0]||{}).message)}))))`,
		chromedp.EvalAwaitPromise))
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatalf("axe on %s: %v: %s", where, err, found)
	}
	for _, v := range violations {
		b.t.Errorf("%s: %s (%s)\n  %s", where, v.Help, v.ID, strings.Join(v.Nodes, "\n  "))
	}
}

// axeScript reads axe-core, which make fetches from npm. Set up by make test.
func axeScript(t testing.TB) string {
	t.Helper()
	name := os.Getenv("REDALERT_AXE")
	if name == "" {
		if found, _ := filepath.Glob("../../.cache/axe/*/axe.min.js"); len(found) > 0 {
			name = found[len(found)-1]
		}
	}
	b, err := os.ReadFile(name)
	need(t, err == nil, "axe-core (REDALERT_AXE, set by make test)")
	return string(b)
}
