// Redalert's own script: keyboard, announcements, small comforts. Every page
// works without it.
(() => {
  "use strict";
  const $ = (s, root = document) => root.querySelector(s);
  const $$ = (s, root = document) => [...root.querySelectorAll(s)];
  const say = (text) => { const el = $("#announce"); if (el) el.textContent = text; };

  // Lists: j and k move, Enter opens (the row's link has the focus), c claims.
  const rows = () => $$("[data-list] [data-row]");
  const current = () => document.activeElement && document.activeElement.closest("[data-row]");
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(current());
    const row = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    const link = $("[data-open]", row) || row;
    link.focus();
    row.scrollIntoView({ block: "nearest" });
  };
  const claim = () => { const b = $("[data-claim]", current() || document); if (b) b.click(); };
  const focusKey = (key) => {
    const el = $(`[data-key="${key}"]`);
    if (!el) return;
    el.scrollIntoView({ block: "center" });
    el.focus();
  };
  const help = () => { const d = $("#help"); if (d && d.showModal && !d.open) d.showModal(); };

  let g = 0;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    const t = e.target instanceof Element ? e.target : document.body;
    if (t.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]")) {
      if (e.key === "Escape") t.blur();
      return;
    }
    if ($("dialog[open]")) return;
    const now = Date.now();
    if (g && now - g < 1500 && e.key === "t") { g = 0; location.href = "/triage"; return; }
    g = e.key === "g" ? now : 0;
    const act = {
      j: () => move(1), k: () => move(-1), c: claim, r: () => focusKey("r"), n: () => focusKey("n"),
      "/": () => { const s = $("input[type=search]"); if (s) { s.focus(); s.select(); } }, "?": help,
    }[e.key];
    if (act) { e.preventDefault(); act(); }
  });
  $$("[data-help]").forEach((b) => { b.hidden = false; b.addEventListener("click", help); });

  // A menu closes when something else is clicked or Escape is pressed.
  document.addEventListener("click", (e) => $$("details.menu[open]").forEach((d) => { if (!d.contains(e.target)) d.open = false; }));
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") $$("details.menu[open]").forEach((d) => { d.open = false; $("summary", d).focus(); }); });

  // Selects of filters apply at once.
  $$("form[data-autosubmit] select").forEach((s) => s.addEventListener("change", () => s.form.requestSubmit()));

  // Bulk choice.
  $$("[data-check-all]").forEach((b) => {
    b.hidden = false;
    b.addEventListener("click", () => {
      const boxes = $$("input[type=checkbox]", b.form);
      const on = boxes.some((x) => !x.checked);
      boxes.forEach((x) => { x.checked = on; });
    });
  });

  // The original of a mail is fetched only when somebody asks for it.
  $$("details[data-frame]").forEach((d) => d.addEventListener("toggle", () => {
    const f = $("iframe", d);
    if (d.open && f && !f.src) f.src = f.dataset.src;
  }));

  // Drafts survive a closed tab: they are kept in this tab's storage until sent.
  $$("form[data-draft]").forEach((form) => {
    const key = "draft:" + form.dataset.draft;
    const area = $("textarea", form);
    if (!area) return;
    try {
      if (!area.value) area.value = sessionStorage.getItem(key) || "";
      area.addEventListener("input", () => sessionStorage.setItem(key, area.value));
      form.addEventListener("submit", () => sessionStorage.removeItem(key));
    } catch { /* storage is off: the form works all the same */ }
  });

  // One click, one command: a form is sent once.
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) { e.preventDefault(); return; }
    form.dataset.sent = "1";
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });
  addEventListener("pageshow", () => $$("form[data-sent]").forEach((f) => { delete f.dataset.sent; }));

  // The polled list: say what changed, and keep the reader's place.
  let summary = $("#queue") && $("#queue").dataset.summary;
  let lost = false;
  document.addEventListener("htmx:afterSwap", () => {
    const q = $("#queue");
    if (q && q.dataset.summary !== summary) { summary = q.dataset.summary; say(summary); }
    if (lost) { lost = false; say("Connected again"); document.body.classList.remove("offline"); }
  });
  for (const ev of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(ev, () => {
      if (lost) return;
      lost = true;
      document.body.classList.add("offline");
      say("The list is not being updated. Check the connection; it goes on by itself.");
    });
  }

  // What a refused form says is where the reader starts.
  const bad = $("[aria-invalid=true]");
  if (bad) bad.focus();
})();
