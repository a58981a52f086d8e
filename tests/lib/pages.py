"""Pages of the console in a real Chromium, watched: what breaks the promises of every page is a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.lib.chromium import MISSING, browser

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 60_000
GRAVE = ("serious", "critical")
LOOKS = [(language, theme) for language in ("en", "sv") for theme in ("light", "dark")]
"""What every page is looked at in."""


ILL_DRAWN = """() => [...document.querySelectorAll(".chart svg")].flatMap((svg) => {
  const title = svg.closest("figure").querySelector("figcaption").textContent;
  const whole = svg.getBoundingClientRect(), slack = 1;
  if (!whole.width) return [];  // folded away
  const read = (one) => ({ words: one.textContent, box: one.getBoundingClientRect() });
  const all = [...svg.querySelectorAll("text")].filter((one) => one.textContent.trim()).map(read);
  const marks = [...svg.querySelectorAll(".mark-text.role-mark text")].map(read).filter((one) => one.words.trim());
  const cut = all.filter(({ box }) => box.left < whole.left - slack || box.right > whole.right + slack
    || box.top < whole.top - slack || box.bottom > whole.bottom + slack);
  const met = marks.flatMap((one, i) => marks.slice(i + 1).filter((other) =>
    one.box.left < other.box.right - slack && other.box.left < one.box.right - slack
    && one.box.top < other.box.bottom - 3 * slack && other.box.top < one.box.bottom - 3 * slack)
    .map((other) => `${title}: "${one.words}" covers "${other.words}"`));
  const plot = svg.querySelector(".mark-group.role-frame path.background").getBBox();
  const flat = plot.height < 40 || plot.width < 80 ? [`${title}: drawn ${plot.width} by ${plot.height}`] : [];
  return [...cut.map(({ words }) => `${title}: "${words}" is cut off`), ...met, ...flat];
})"""
"""Words cut off by a picture's edge, words of marks on each other, pictures without room to draw in."""


@dataclass
class Watched:
    """One tab, with everything in it that no page of ours may do.

    Attributes
    ----------
    faults : list of str
        Errors of the browser's console (violations of the page's policy among them), exceptions of
        scripts, and requests to other hosts.
    """

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def open(self, path: str, *, status: int = 200, pictures: bool = False) -> Page:
        """Go to a path of the service; with `pictures`, wait until all of them are drawn."""
        response = self.page.goto(self.url + path)
        assert response is not None
        assert response.status == status, response.status
        if pictures:
            self.wait_for_pictures()
        return self.page

    def wait_for_pictures(self) -> None:
        """Wait until every picture of the page is drawn; one that failed is a fault."""
        # Not `wait_for_function`: its polls are code from text, which the page's policy forbids.
        expect(self.page.locator(".chart").first).to_be_attached(timeout=PATIENCE_MS)
        expect(self.page.locator(".chart:not([data-drawn])")).to_have_count(0, timeout=PATIENCE_MS)
        undrawn = self.page.locator(".chart[data-drawn=no]").count()
        assert not undrawn, f"{undrawn} pictures could not be drawn: {self.faults}"

    def ill_drawn(self) -> list[str]:
        """What cannot be read of the page's pictures as they are drawn now."""
        found: list[str] = self.page.evaluate(ILL_DRAWN)
        return found

    def grave_violations(self) -> list[str]:
        """What axe-core finds serious or critical on the page as it is now."""
        found: Any = Axe().run(self.page).response
        return [
            f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes'][:3]]}"
            for one in found["violations"]
            if one["impact"] in GRAVE
        ]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium as long as the block lasts.

    Raises
    ------
    FileNotFoundError
        When there is none.
    """
    command = browser()
    if command is None:
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=command, args=list(ARGUMENTS))
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def watched(
    opened: Browser,
    url: str,
    *,
    language: str = "en",
    theme: str = "light",
    width: int = 1280,
    **more: Any,
) -> Iterator[Watched]:
    """A tab of its own, without cookies of others; whatever it did wrong is a failure at its end."""
    context = opened.new_context(
        locale={"en": "en-GB", "sv": "sv-SE"}[language],
        color_scheme=theme,
        viewport={"width": width, "height": 900},
        **more,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    tab = Watched(page, url)
    host = urlsplit(url).netloc

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            tab.faults.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme in ("http", "https") and target.netloc != host:
            tab.faults.append(f"asked another host: {request.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: tab.faults.append(f"script: {error}"))
    page.on("request", asked)
    try:
        yield tab
    finally:
        context.close()
    assert not tab.faults, tab.faults
