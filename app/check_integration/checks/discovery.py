"""The discovery document holds what CDS Hooks 2.0 asks, and only the right browsers get it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from app.cds_hooks.template_rules import lint_prefetch
from app.check_integration.door import Answer, Door, at, empties, objects
from app.check_integration.ehr import KNOWN_HOOKS, Service
from app.check_integration.findings import Notes

PATH = "/cds-services"
STRANGER = "https://stranger.invalid"
TEXTS = ("hook", "description", "id", "title")


def check_discovery(door: Door, notes: Notes, origin: str | None) -> tuple[Service, ...]:
    """Look at the document, how it may be kept, and who may read it from a page.

    Parameters
    ----------
    origin : str or None
        Of the EHR's pages; None when nothing of it runs in a browser.

    Returns
    -------
    tuple of Service
        Those rows that can be called.
    """
    answer = door.ask("GET", PATH)
    rows = objects(answer.at("services"))
    faults = [] if answer.status == 200 else [f"answered {answer.status}"]
    if not faults and not isinstance(answer.at("services"), list):
        faults.append("no array `services`")
    if not faults:
        faults += [f"{path} is empty or null" for path in empties(answer.document)]
    if answer.media_type != "application/json":
        faults.append(f"content type {answer.media_type or 'missing'}")
    notes.judge(
        "discovery.document", f"GET {PATH}", "200, JSON with `services`, nothing empty in it",
        faults, f"200; {len(rows)} services",
    )  # fmt: skip
    if answer.status != 200:
        return ()
    good = []
    for row in rows:
        faults = _row_faults(row)
        name = row.get("id") if isinstance(row.get("id"), str) else None
        notes.judge(
            "discovery.service", "its row", "id, hook, title, description, good templates",
            faults, f"hook {row.get('hook')}, {len(at(row, 'prefetch') or {})} templates", name,
        )  # fmt: skip
        if not faults:
            good.append(Service(str(name), str(row["hook"]), row.get("prefetch") or {}))
    ids = [service.id for service in good]
    notes.judge(
        "discovery.ids", "ids of all services", "each once: clients keep one service a URL",
        [f"{name} occurs twice" for name in sorted({i for i in ids if ids.count(i) > 1})],
        f"{len(ids)} ids",
    )  # fmt: skip
    _check_stability(door, answer, notes)
    _check_browsers(door, notes, origin)
    return tuple(good)


def _row_faults(row: dict[str, Any]) -> list[str]:
    faults = [f"no `{key}`" for key in TEXTS if not isinstance(row.get(key), str) or not row[key]]
    if any(sign in str(row.get("id")) for sign in "/?#% "):
        faults.append("`id` does not fit into a URL")
    hook = KNOWN_HOOKS.get(str(row.get("hook")))
    if "hook" in row and hook is None:
        faults.append("`hook` is neither HL7's nor a reverse-domain name")
    if "prefetch" not in row:
        return faults
    prefetch = row["prefetch"]
    if not isinstance(prefetch, dict) or not all(isinstance(t, str) for t in prefetch.values()):
        return [*faults, "`prefetch` is no object of texts"]
    return faults + list(lint_prefetch(prefetch, hook.tokens if hook else ()))


def _check_stability(door: Door, first: Answer, notes: Notes) -> None:
    again = door.ask("GET", PATH)
    faults = [] if again.document == first.document else ["another document the second time"]
    slashed = door.ask("GET", f"{PATH}/")
    redirected = slashed.status in (307, 308)
    if not redirected and slashed.document != first.document:
        faults.append(f"with a trailing slash: {slashed.status}")
    notes.judge(
        "discovery.stable", f"GET {PATH} again, and with a trailing slash",
        "the same document; or a 307 or 308 for the slash", faults, "the same",
    )  # fmt: skip
    kept = first.headers.get("cache-control", "")
    faults = []
    if "no-store" in kept:
        faults.append(f"cache-control: {kept}")
    if "public" in kept and door.credential.headers(door.url):
        faults.append("`public`, although what is listed depends on who asks")
    notes.judge(
        "discovery.cacheable", f"cache-control of GET {PATH}", "a client may keep it", faults,
        kept or "no header: a client may choose",
    )  # fmt: skip


def _check_browsers(door: Door, notes: Notes, origin: str | None) -> None:
    wanted = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    stranger = door.ask(
        "OPTIONS", PATH, headers={**wanted, "origin": STRANGER}, credentials={}
    ).headers.get("access-control-allow-origin")
    notes.judge(
        "discovery.cors-stranger", "a browser's preflight from a made-up origin",
        "no access-control-allow-origin",
        [] if stranger is None else [f"access-control-allow-origin: {stranger}"], "none",
    )  # fmt: skip
    asked = "a browser's preflight with Authorization"
    expected = "2xx that allows origin, POST, Authorization and Content-Type"
    if origin is None:
        notes.skip(
            "discovery.cors", asked, expected,
            "--origin was not given; clients in a browser also need RISK_CORS_ORIGINS",
        )  # fmt: skip
        return
    parts = urlsplit(origin)
    bare = f"{parts.scheme}://{parts.netloc}"
    answer = door.ask("OPTIONS", PATH, headers={**wanted, "origin": bare}, credentials={})
    faults = [] if 200 <= answer.status < 300 else [f"answered {answer.status}"]
    if answer.headers.get("access-control-allow-origin") not in (bare, "*"):
        faults.append("the origin is not allowed; RISK_CORS_ORIGINS lists those that are")
    methods = answer.headers.get("access-control-allow-methods", "").upper()
    faults += [f"{method} is not allowed" for method in ("GET", "POST") if method not in methods]
    allowed = {
        name.strip()
        for name in answer.headers.get("access-control-allow-headers", "").lower().split(",")
    }
    faults += [
        f"{name} is not allowed"
        for name in ("authorization", "content-type")
        if name not in allowed
    ]
    notes.judge("discovery.cors", asked, expected, faults, f"{answer.status}, all allowed")
