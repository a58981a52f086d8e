// A picture drawn while it is folded away has no width: draw it when it is unfolded.
"use strict";

for (const fold of document.querySelectorAll("details[data-pictures]")) {
  fold.addEventListener("toggle", () => { if (fold.open) window.drawCharts(fold); });
}
