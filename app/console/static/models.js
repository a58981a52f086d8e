// While the workers follow an alias that was moved, look again until they serve it; without this, one reloads.
"use strict";

const SOON_MS = 1000, LATER_MS = 5000, SOON = 30, AT_MOST = 150;

async function standingNow() {
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.getElementById("standing");
  } catch {
    return null; // a service that is restarted or overloaded is asked again
  }
}

async function follow() {
  for (let looked = 0; looked < AT_MOST; looked += 1) {
    const place = document.getElementById("standing");
    if (!place || place.dataset.following !== "yes") return;
    await new Promise((done) => setTimeout(done, looked < SOON ? SOON_MS : LATER_MS));
    const found = await standingNow();
    if (!found) continue;
    if (found.dataset.following !== "yes") { location.reload(); return; }
    place.replaceWith(document.adoptNode(found));
  }
}

follow();
