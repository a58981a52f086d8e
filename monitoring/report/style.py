"""How the page looks: in light, in dark and on A4."""

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #222222; --faint: #595959;
  --grid: #e2e2e2; --now: #0072B2; --then: #6b6b6b; --alarm: #C24E00; --pale: #cfe3f0; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #eaeaea; --faint: #b0b0b0;
  --grid: #383c41; --now: #5BB3EA; --then: #b5b5b5; --alarm: #FF9A52; --pale: #27445a; } }
body { font-family: "DejaVu Sans", Verdana, sans-serif; background: var(--paper); color: var(--ink);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.45; }
h2 { border-top: 3px solid var(--ink); padding-top: 0.6rem; margin-top: 2.5rem; }
h3 { margin-top: 1.8rem; }
.said { font-size: 1.08rem; border-left: 0.35rem solid var(--now); padding-left: 0.8rem; }
.warning { border-left: 0.35rem solid var(--alarm); padding-left: 0.8rem; font-weight: bold; }
.note, figcaption, caption { color: var(--faint); font-size: 0.88rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 0.8rem 1.6rem; }
figure { margin: 0.8rem 0; max-width: 30rem; break-inside: avoid; }
figure h4 { margin: 0 0 0.3rem; }
svg { max-width: 100%; height: auto; }
text { fill: var(--ink); font-size: 12px; }
text.small { font-size: 10.5px; fill: var(--faint); }
.grid { stroke: var(--grid); }
polyline { fill: none; stroke-width: 2; }
.now { fill: var(--now); }
.then { fill: none; stroke: var(--then); stroke-width: 1.5; }
.pale { fill: var(--pale); }
.line { stroke: var(--now); }
.span { stroke: var(--ink); stroke-width: 1; }
.same { stroke: var(--faint); stroke-width: 1; stroke-dasharray: 2 3; }
.limit { stroke: var(--alarm); stroke-width: 1.5; stroke-dasharray: 6 4; }
.outer { stroke: var(--alarm); stroke-width: 1.5; }
.dot { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
.dot.alarm { fill: var(--alarm); stroke: var(--alarm); }
.signal { fill: none; stroke: var(--alarm); stroke-width: 2.5; }
table { border-collapse: collapse; margin: 0.8rem 0; font-size: 0.9rem; }
caption { text-align: left; padding-bottom: 0.2rem; }
th, td { text-align: left; vertical-align: top; padding: 0.15rem 0.9rem 0.15rem 0;
  border-bottom: 1px solid var(--grid); }
tbody th { font-weight: normal; }
summary { cursor: pointer; font-size: 0.88rem; }
@page { size: A4; margin: 15mm; }
@media print {
  :root { color-scheme: light; --paper: #ffffff; --ink: #000000; --faint: #444444; --grid: #d8d8d8;
    --now: #0072B2; --then: #555555; --alarm: #B34700; --pale: #cfe3f0; }
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  rect, polyline, circle { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h3, h4 { break-after: avoid; }
  details:not([open]) { display: none; }
}
"""
