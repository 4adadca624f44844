// Draws every chart of a page from the JSON beside it. The same numbers stand
// in the table below; bars of a period that still runs are hatched.
(() => {
  "use strict";
  if (!window.Chart) return;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (i) => css(`--series-${i % 8}`);

  const hatch = (c) => {
    const t = document.createElement("canvas");
    t.width = t.height = 8;
    const x = t.getContext("2d");
    x.strokeStyle = c;
    x.lineWidth = 2;
    for (const d of [-8, 0, 8]) { x.beginPath(); x.moveTo(d, 8); x.lineTo(d + 8, 0); x.stroke(); }
    return x.createPattern(t, "repeat");
  };

  const draw = (box) => {
    const id = box.dataset.chart;
    const d = JSON.parse(document.getElementById("data-" + id).textContent);
    const canvas = document.getElementById("chart-" + id);
    const line = d.kind === "line";
    const money = d.unit && d.unit !== "%";
    const show = (v) => money ? d.unit + Number(v).toLocaleString("en") : v + (d.unit ? " " + d.unit : "");
    const datasets = d.series.map((s) => {
      const c = colour(s.colour);
      return line
        ? { label: s.name, data: s.values, borderColor: c, backgroundColor: c, borderWidth: 2, pointRadius: 2, tension: 0,
            segment: { borderDash: (p) => d.done[p.p1DataIndex] ? undefined : [4, 4] } }
        : { label: s.name, data: s.values, borderColor: c, borderWidth: 1, borderRadius: 2, maxBarThickness: 28,
            backgroundColor: d.done.map((done) => done ? c : hatch(c)) };
    });
    const text = css("--muted"), grid = css("--line");
    return new window.Chart(canvas, {
      type: line ? "line" : "bar",
      data: { labels: d.labels, datasets },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { stacked: d.kind === "stacked", grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 12 } },
          y: { stacked: d.kind === "stacked", beginAtZero: true, border: { display: false }, grid: { color: grid },
               ticks: { color: text, precision: d.unit === "%" ? 1 : 0, maxTicksLimit: 6, callback: show } },
        },
        plugins: {
          legend: { display: d.series.length > 1, position: "bottom", labels: { color: text, boxWidth: 12, boxHeight: 12 } },
          tooltip: { callbacks: {
            title: (it) => it[0].label + (d.done[it[0].dataIndex] ? "" : " (not over yet)"),
            label: (it) => (d.series.length > 1 ? it.dataset.label + ": " : "") + show(it.parsed.y),
          } },
        },
      },
    });
  };

  const font = getComputedStyle(document.body).fontFamily;
  window.Chart.defaults.font.family = font;
  window.Chart.defaults.font.size = 12;
  let charts = [];
  const all = () => {
    charts.forEach((c) => c.destroy());
    charts = [...document.querySelectorAll("[data-chart]")].map(draw);
  };
  all();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
})();
