// Draws every specification of the page with the theme's colours; without scripts the tables remain.
"use strict";

const drawn = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// A picture grows with the page's letters, and its labels leave room for the picture.
function scale() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}

function theme(width) {
  const size = 13 * scale(), limit = Math.max(90, (width < 600 ? 0.55 : 0.42) * width);
  const ink = colour("--ink"), faint = colour("--line"), soft = colour("--ink-soft");
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: soft, gridColor: faint, domainColor: soft, tickColor: soft,
            labelFontSize: size, titleFontSize: size, titleFontWeight: "normal", labelLimit: limit },
    legend: { labelColor: ink, titleColor: soft, labelFontSize: size, titleFontSize: size, orient: "top",
              symbolLimit: 0, labelLimit: 300 },
    header: { labelColor: ink, titleColor: soft, labelFontSize: size },
    title: { color: ink, anchor: "start", fontSize: 1.1 * size },
    text: { color: ink, fontSize: size },
    mark: { color: colour("--mark") },
    rule: { color: soft },
    view: { stroke: null },
    range: { category: ["--mark", "--mark-2", "--mark-3", "--mark-4", "--mark-5"].map(colour),
             ordinal: { scheme: "viridis" } },
    locale: {},
  };
}

// A specification names meanings, "@raises" or "@ink": the theme says which colour that is.
function coloured(value) {
  if (typeof value === "string") return value.startsWith("@") ? colour("--" + value.slice(1)) : value;
  if (Array.isArray(value)) return value.map(coloured);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === "values" ? v : coloured(v)]));
  }
  return value;
}

async function draw(place) {
  const data = place.querySelector("script[type='application/json']");
  const spec = data ? JSON.parse(data.textContent) : place.spec;
  place.spec = spec;
  let target = place.querySelector(".drawing");
  if (!target) {
    target = document.createElement("div");
    target.className = "drawing";
    place.append(target);
  }
  const own = coloured(spec);
  if (own.height && own.height.step) own.height = { step: own.height.step * scale() };
  own.config = { ...theme(place.clientWidth), ...(own.config || {}) };
  // `ast`: expressions are interpreted, never made into code; the page's policy forbids the latter.
  await vegaEmbed(target, own, { ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip: false });
  place.dataset.drawn = "yes";
}

function drawAll(within = document) {
  for (const place of within.querySelectorAll(".chart")) {
    drawn.push(draw(place).catch((error) => { place.dataset.drawn = "no"; console.error(error); }));
  }
}

if (typeof vegaEmbed === "function") {
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
}
window.drawCharts = drawAll;
