"""Those are kept out who should be."""

from __future__ import annotations

from app.check_integration.checks.reachable import Standing
from app.check_integration.door import Door
from app.check_integration.ehr import Visit
from app.check_integration.findings import Notes

EXPECTED = "401 with WWW-Authenticate"


def check_tokens(door: Door, visits: tuple[Visit, ...], standing: Standing, notes: Notes) -> None:
    """Call with nothing and with every forgery of what was given."""
    asked = "calls without and with forged credentials"
    if standing.open:
        why = "open development mode: the service says in /readyz that it lets everybody in"
        notes.skip("token.forged", asked, EXPECTED, why)
        return
    if not visits:
        notes.skip("token.forged", asked, EXPECTED, "no service to call")
        return
    visit = visits[0]
    path, body = visit.service.path, visit.call()
    for name, headers in door.credential.forgeries(door.url + path).items():
        answer = door.ask("POST", path, body, credentials=headers)
        faults = []
        if answer.status != 401:
            faults.append(f"answered {answer.status}")
        elif "www-authenticate" not in answer.headers:
            faults.append("401 without WWW-Authenticate")
        if answer.at("cards") is not None:
            faults.append("cards were given")
        notes.judge(
            "token.forged", f"a call with {name}", EXPECTED, faults, "401", visit.service.id
        )
