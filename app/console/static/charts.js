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

// What a specification measures in pixels is for letters of 16: other letters, other pixels.
const LENGTHS = new Set(["height", "step", "strokeWidth", "strokeDash", "fontSize", "dx", "dy", "lineHeight", "xOffset", "yOffset",
                         "labelLimit", "labelPadding", "padding"]);
const AREAS = new Set(["size", "symbolSize"]);

function enlarged(value, by, key = "") {
  if (typeof value === "number") return LENGTHS.has(key) ? value * by : AREAS.has(key) ? value * by * by : value;
  if (Array.isArray(value)) return value.map((one) => enlarged(one, by, key));
  if (value && typeof value === "object") {
    // The range of a scale is measured as what it is the scale of; its domain is data.
    return Object.fromEntries(Object.entries(value).map(([k, v]) =>
      [k, k === "values" || k === "domain" ? v : enlarged(v, by, k === "scale" || k === "range" || key === "padding" ? key : k)]));
  }
  return value;
}

// Axes write numbers as the page does: 0,5 and 20 % in Swedish.
function numbers() {
  const swedish = document.documentElement.lang === "sv";
  return { decimal: swedish ? "," : ".", thousands: swedish ? "\u202f" : ",", grouping: [3], currency: ["", ""],
           percent: "\u202f%", minus: "\u2212" };
}

function theme(width, height) {
  const by = scale(), size = 13 * by, narrow = width < 600 * by, limit = Math.max(90, (narrow ? 0.55 : 0.42) * width);
  const ink = colour("--ink"), faint = colour("--line"), soft = colour("--ink-soft");
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: soft, gridColor: faint, domainColor: soft, tickColor: soft,
            labelFontSize: size, titleFontSize: size, titleFontWeight: "normal", labelLimit: limit,
            labelPadding: 5 * by, tickSize: 5 * by, domainWidth: by, gridWidth: by, tickWidth: by },
    // A title longer than its axis would squeeze the picture to nothing.
    axisLeft: { titleLimit: height ? 0.9 * height : limit },
    // Beside long names an axis is shorter than its title, which then reaches in beneath the names.
    axisBottom: { titleLimit: 0.9 * width, titleAnchor: narrow ? "end" : null,
                  labelFlush: 24 * by },
    legend: { labelColor: ink, titleColor: soft, labelFontSize: size, titleFontSize: size, orient: "top",
              symbolLimit: 0, labelLimit: 300 * by, symbolSize: 100 * by * by, symbolStrokeWidth: 1.5 * by },
    header: { labelColor: ink, titleColor: soft, labelFontSize: size },
    title: { color: ink, anchor: "start", fontSize: 1.1 * size },
    // With a rim in the colour of the paper words are read across lines too.
    text: { color: ink, fontSize: size, stroke: colour("--panel"), strokeWidth: 4 * by },
    mark: { color: colour("--mark") },
    line: { strokeWidth: 2 * by },
    rule: { color: soft, strokeWidth: by },
    view: { stroke: null },
    range: { category: ["--mark", "--mark-2", "--mark-3", "--mark-4", "--mark-5"].map(colour),
             ordinal: { scheme: "viridis" } },
    locale: { number: numbers() },
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

// Beside a narrow picture long names would leave it no room: they are written above its rows instead.
function withNamesAbove(spec, width) {
  const name = spec.usermeta && spec.usermeta.namesAbove;
  if (!name || width >= 600 * scale()) return spec;
  const below = (layer) => ({ ...layer, mark: { ...layer.mark, yOffset: 12 } });
  const names = { mark: { type: "text", align: "left", yOffset: -16, limit: { expr: "width" } }, encoding: { x: { value: 0 }, text: { field: name } } };
  return { ...spec, height: { step: spec.height.step + 26 },
           encoding: { ...spec.encoding, y: { ...spec.encoding.y, axis: null } },
           layer: [...spec.layer.map(below), names] };
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
  const own = enlarged(coloured(withNamesAbove(spec, place.clientWidth)), scale());
  const height = typeof own.height === "number" ? own.height : 0;
  own.config = { ...theme(place.clientWidth, height), ...(own.config || {}) };
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
