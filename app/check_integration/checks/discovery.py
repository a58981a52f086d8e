"""The discovery document holds what CDS Hooks 2.0 asks, and only the right browsers get it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from app.cds_hooks.template_rules import lint_prefetch
from app.check_integration.door import Answer, Door, empties, objects
from app.check_integration.ehr import KNOWN_HOOKS, Service
from app.check_integration.findings import Notes

PATH = "/cds-services"
STRANGER = "https://stranger.invalid"
ALLOWED_ORIGIN = "access-control-allow-origin"
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
        prefetch = row.get("prefetch", {})
        templates = len(prefetch) if isinstance(prefetch, dict) else 0
        notes.judge(
            "discovery.service", "its row", "id, hook, title, description, good templates",
            faults, f"hook {row.get('hook')}, {templates} templates", name,
        )  # fmt: skip
        if not faults:
            good.append(Service(str(name), str(row["hook"]), prefetch))
    ids = [service.id for service in good]
    notes.judge(
        "discovery.ids", "ids of all services", "each once: clients keep one service a URL",
        [f"{name} occurs twice" for name in sorted({i for i in ids if ids.count(i) > 1})],
        f"{len(ids)} ids",
    )  # fmt: skip
    _check_stability(door, answer, notes)
    _check_browsers(door, [PATH, *(f"{PATH}/{name}" for name in ids[:1])], notes, origin)
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


def _check_browsers(door: Door, paths: list[str], notes: Notes, origin: str | None) -> None:
    """Preflights for discovery, one service and its feedback."""
    asked = {path: "GET" if path == PATH else "POST" for path in paths}
    asked |= {f"{path}/feedback": "POST" for path in paths[1:]}
    named = [
        f"{path} allows it" for path, method in asked.items()
        if ALLOWED_ORIGIN in _preflight(door, path, method, STRANGER).headers
    ]  # fmt: skip
    notes.judge(
        "discovery.cors-stranger", "browsers' preflights from a made-up origin",
        f"no {ALLOWED_ORIGIN}", named, f"none on {len(asked)} paths",
    )  # fmt: skip
    what = "browsers' preflights with Authorization: discovery, a service, its feedback"
    expected = "2xx that allows origin, method, Authorization and Content-Type"
    if origin is None:
        why = "--origin was not given; clients in a browser also need RISK_CORS_ORIGINS"
        notes.skip("discovery.cors", what, expected, why)
        return
    parts = urlsplit(origin)
    bare = f"{parts.scheme}://{parts.netloc}"
    faults = [
        f"{path}: {fault}"
        for path, method in asked.items()
        for fault in _preflight_faults(_preflight(door, path, method, bare), method, bare)
    ]
    notes.judge("discovery.cors", what, expected, faults, "all allowed")


def _preflight(door: Door, path: str, method: str, origin: str) -> Answer:
    wanted = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
    }
    return door.ask("OPTIONS", path, headers=wanted, credentials={})


def _preflight_faults(answer: Answer, method: str, origin: str) -> Iterator[str]:
    given = answer.headers
    if not 200 <= answer.status < 300:
        yield f"answered {answer.status}"
    if given.get(ALLOWED_ORIGIN) not in (origin, "*"):
        yield "the origin is not allowed; RISK_CORS_ORIGINS lists those that are"
    if method not in given.get("access-control-allow-methods", "").upper():
        yield f"{method} is not allowed"
    names = given.get("access-control-allow-headers", "").lower().split(",")
    for name in {"authorization", "content-type"} - {name.strip() for name in names}:
        yield f"{name} is not allowed"
