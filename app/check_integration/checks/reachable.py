"""It is there, it is ready, and the way to it is safe."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.check_integration.door import Door, objects
from app.check_integration.findings import Notes
from app.settings import is_loopback


@dataclass(frozen=True, slots=True)
class Standing:
    """What the service says of itself.

    Attributes
    ----------
    open : bool
        Whether it says that it lets everybody in.
    """

    open: bool


def check_reachable(door: Door, notes: Notes) -> Standing:
    """Liveness, readiness, and whether the address is one that patient data may travel to.

    Raises
    ------
    NoAnswer
        When there is nobody.
    """
    alive = door.ask("GET", "/livez")
    notes.judge(
        "reachable.livez", "GET /livez", "200",
        [] if alive.status == 200 else [f"{alive.status}"], "200",
    )  # fmt: skip
    ready = door.ask("GET", "/readyz")
    asked, expected = "GET /readyz", "200: every champion is loaded"
    if ready.status in (401, 403):
        notes.skip(
            "reachable.readyz", asked, expected,
            f"answered {ready.status}: readiness is not for this credential (RISK_OPERATIONS)",
        )  # fmt: skip
    else:
        points = sorted(
            {str(model.get("name")).partition(".")[0] for model in objects(ready.at("models"))}
        )
        faults = [] if ready.status == 200 else [f"{ready.status}: {ready.at('reason')}"]
        told = f"200; with a champion: {', '.join(points) or 'none'}"
        notes.judge("reachable.readyz", asked, expected, faults, told)
    is_open = ready.at("open") is True
    _look_at_address(door.url, notes, is_open=is_open)
    return Standing(is_open)


def _look_at_address(url: str, notes: Notes, *, is_open: bool) -> None:
    parts = urlsplit(url)
    local = is_loopback(parts.hostname or "")
    faults = []
    if not local and parts.scheme != "https":
        faults.append("plain http to another machine: patient data would travel readable")
    if not local and is_open:
        faults.append("open development mode at an address that others can reach")
    told = "loopback" if local and parts.scheme != "https" else "https"
    notes.judge("reachable.tls", "the address itself", "https, or a loopback address", faults, told)
