package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// tabTo presses Tab until the focused element fulfils a condition (el is the
// element), as somebody without a mouse would.
func (b *browser) tabTo(what, condition string) {
	b.t.Helper()
	for range 150 {
		b.keys("Tab", "\t")
		if js[bool](b, fmt.Sprintf(`(el => !!el && !!(%s))(document.activeElement)`, condition)) {
			return
		}
	}
	b.t.Fatalf("%s cannot be reached by Tab on %s", what, js[string](b, "location.href"))
}

func (b *browser) pressButton(label string) {
	b.t.Helper()
	b.tabTo("the button "+label, fmt.Sprintf(`el.tagName === "BUTTON" && el.innerText.trim().startsWith(%q)`, label))
	b.keys(label, "\r")
}

// keysUntil presses keys until what they are for has happened: on a busy machine
// a page may be slow to hear the first time, or two keys come too far apart.
func (b *browser) keysUntil(what, keys, expr string) {
	b.t.Helper()
	var pressed time.Time
	eventually(b.t, time.Minute, what, func() bool {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expr+")"))
		if err == nil && ok {
			return true
		}
		if time.Since(pressed) > 3*time.Second {
			b.keys(what, keys)
			pressed = time.Now()
		}
		return false
	})
}

// TestKeyboard works a case from the queue to won back without a mouse.
func TestKeyboard(t *testing.T) {
	b := newBrowser(t)
	s := startDemo(t, t.TempDir())
	b.size(1280, 900, false)
	b.visit(s.url + "/login")
	b.pressButton("Sign in as staff")
	b.wait("the queue", `document.querySelector("#queue")`)
	b.visit(s.url + "/triage?tab=unassigned")
	b.keys("to the first case", "j")
	b.wait("a case is focused", `document.activeElement?.closest("[data-row]")`)
	b.keys("open it", "\r")
	b.wait("the case page", `location.pathname.startsWith("/cases/")`)
	b.wait("it can be claimed", `document.querySelector("button[data-claim]")`)
	b.keysUntil("it is mine", "c", `document.querySelector("h1") && !document.querySelector("button[data-claim]")`)
	b.pressButton("Start recovery")
	steps := js[int](b, `document.querySelectorAll("textarea[name=evidence]").length`)
	if steps < 4 {
		b.wait("the playbook", `document.querySelectorAll("textarea[name=evidence]").length >= 4`)
		steps = js[int](b, `document.querySelectorAll("textarea[name=evidence]").length`)
	}
	for left := steps; left > 0; left-- {
		b.tabTo("the next step's evidence", `el.name === "evidence"`)
		b.keys("say what was done", "Said it was our mistake, put it right and wrote to them what we changed.")
		b.pressButton("Mark")
		b.wait(fmt.Sprintf("%d steps are left", left-1), fmt.Sprintf(`document.readyState === "complete" && document.querySelectorAll("textarea[name=evidence]").length === %d`, left-1))
	}
	b.pressButton("Won back")
	b.wait("the case is won back", `/won back/i.test(document.querySelector("main").innerText) && !document.querySelector("textarea[name=evidence]")`)
	if href := js[string](b, "location.pathname"); !strings.HasPrefix(href, "/cases/") {
		t.Errorf("ended on %s", href)
	}
	b.keysUntil("triage", "gt", `location.pathname === "/triage" && document.readyState === "complete"`)
	b.keysUntil("the list of keys", "?", `document.querySelector("#help")?.open`)
}
