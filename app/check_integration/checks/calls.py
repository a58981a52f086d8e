"""Each service, called as EHRs call: with everything, with nothing, with a server, with errors.

The same patient comes by prefetch and by reading, so the card must say the same both ways. A value
that did not come must be named, whichever way the service answers: a silent card would be one that
takes missing for normal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from app.check_integration.door import Answer, Door, at, empties, objects
from app.check_integration.ehr import Given, Visit, issues, send, the_card
from app.check_integration.findings import Notes
from app.settings import is_loopback

OK, DATA_MISSING = 200, 412
NAMED = "412 whose OperationOutcome names what is missing, or a card that names it"
OTHER = {"resourceType": "Patient", "id": "integration-check-patient-0", "birthDate": "1901-01-01"}
HIGHER = 1.3
"""How much higher another patient's values are than the patient's own: enough to change a risk."""
EXTRAS: Mapping[str, Any] = {"anything": {"new": [1, 2]}}
FAILURE = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception"}],
}


def check_calls(
    door: Door, visits: tuple[Visit, ...], champions: Callable[[str], list[str]], notes: Notes
) -> tuple[Given, ...]:
    """Call every service in every way; the cards of the good calls."""
    given = []
    for visit in visits:
        card = _with_prefetch(door, visit, champions(visit.service.id), notes)
        given.append(Given(visit, card))
        _without_prefetch(door, visit, card, notes)
        _with_failure(door, visit, card, notes)
        _with_extras(door, visit, card, notes)
        _with_strangers(door, visit, card, notes)
        _with_server(door, visit, card, notes)
    if visits:
        _with_stranger(door, visits[0], notes)
        _with_wrong_hook(door, visits[0], notes)
    return tuple(given)


def _with_prefetch(
    door: Door, visit: Visit, champions: list[str], notes: Notes
) -> Mapping[str, Any] | None:
    answer = send(door, visit)
    faults = _unfit(answer)
    card = the_card(answer) if answer.status == OK else None
    left_out = visit.patient.left_out
    if not faults and card is None and champions:
        faults.append("no card, although a model is in use")
    told = "200, no card: no model is in use, or it answers in silence"
    if card is not None:
        told = f"200: {card.get('summary')}"
        if left_out:
            told += f" (has no code in the dictionary: {', '.join(left_out)})"
    notes.judge(
        "call.prefetch", "a call with prefetch made from its templates",
        "200, JSON, a card where a model is in use", faults, told, visit.service.id,
    )  # fmt: skip
    return card


def _without_prefetch(
    door: Door, visit: Visit, card: Mapping[str, Any] | None, notes: Notes
) -> None:
    if not visit.service.prefetch:
        return
    answer = send(door, visit, prefetch=None)
    keys = list(visit.service.prefetch)
    faults, told = _names(answer, keys, card)
    notes.judge(
        "call.no-prefetch", "a call without prefetch and without a server", NAMED, faults, told,
        visit.service.id,
    )  # fmt: skip


def _with_failure(door: Door, visit: Visit, card: Mapping[str, Any] | None, notes: Notes) -> None:
    prefetch = visit.prefetch()
    if not prefetch:
        return
    key = next(iter(prefetch))
    answer = send(door, visit, prefetch={**prefetch, key: FAILURE})
    faults, told = _names(answer, [key], card)
    notes.judge(
        "call.operation-outcome", f"an OperationOutcome in place of `{key}`", NAMED, faults, told,
        visit.service.id,
    )  # fmt: skip


def _with_extras(door: Door, visit: Visit, card: Mapping[str, Any] | None, notes: Notes) -> None:
    good = visit.call()
    answer = send(
        door, visit, **EXTRAS,
        prefetch={**good["prefetch"], "unheard-of": OTHER},
        context={**good["context"], "unheardOf": "x"},
        extension={**good["extension"], "com.example.unheard-of": {"a": 1}},
    )  # fmt: skip
    faults = _unfit(answer)
    if not faults:
        faults = _differences(card, the_card(answer))
    notes.judge(
        "call.unknown-fields",
        "unknown fields, extension and prefetch key, with another patient's record in it",
        "ignored: the same card", faults, "the same card" if card else "200, no card",
        visit.service.id,
    )  # fmt: skip


def _with_strangers(door: Door, visit: Visit, card: Mapping[str, Any] | None, notes: Notes) -> None:
    """Another patient's later, higher values in the same Bundles: none of them may be used."""
    asked = "another patient's observations among the patient's own"
    expected = "not used: every line of the card is the same"
    prefetch, strangers = _among_strangers(visit)
    if card is None or not strangers:
        why = "no card came" if card is None else "the patient has no observations"
        notes.skip("call.other-patient", asked, expected, why, visit.service.id)
        return
    answer = send(door, visit, prefetch=prefetch)
    faults = _unfit(answer)
    if not faults:
        other = the_card(answer) or {}
        said = set(str(other.get("detail")).splitlines())
        if set(str(card.get("detail")).splitlines()) - said or _lead(card) != _lead(other):
            faults.append("another patient's values changed the card")
    told = f"none of {strangers} was used"
    notes.judge("call.other-patient", asked, expected, faults, told, visit.service.id)


def _among_strangers(visit: Visit) -> tuple[dict[str, Any], int]:
    """The prefetch with a stranger's observation beside each of the patient's; how many."""
    made, strangers = {}, 0
    for key, answered in visit.prefetch().items():
        own = objects(at(answered, "entry"))
        added: list[dict[str, Any]] = []
        for entry in own:
            number = at(entry, "resource", "valueQuantity", "value")
            if number is None:
                continue
            quantity = {**entry["resource"]["valueQuantity"], "value": number * HIGHER}
            stranger = {
                **entry["resource"],
                "id": f"{OTHER['id']}-{strangers + len(added)}",
                "subject": {"reference": f"Patient/{OTHER['id']}"},
                "effectiveDateTime": visit.patient.moment,
                "valueQuantity": quantity,
            }
            added.append({"resource": stranger})
        made[key] = {**answered, "entry": [*added, *own]} if added else answered
        strangers += len(added)
    return made, strangers


def _lead(card: Mapping[str, Any]) -> tuple[Any, Any]:
    return card.get("summary"), card.get("indicator")


def _with_server(door: Door, visit: Visit, card: Mapping[str, Any] | None, notes: Notes) -> None:
    asked, expected = "a call without prefetch, with the EHR's FHIR server", "the same card"
    name, store = visit.service.id, visit.store
    if not is_loopback(urlsplit(door.url).hostname or ""):
        why = "the service runs elsewhere and cannot reach this machine's loopback address"
        notes.skip("call.fhir-server", asked, expected, why, name)
        return
    if not visit.service.prefetch:
        notes.skip("call.fhir-server", asked, expected, "it asks for nothing", name)
        return
    store.asked.clear()
    answer = send(door, visit, prefetch=None, **visit.access())
    if not store.asked:
        faults, _ = _names(answer, list(visit.service.prefetch), card)
        if faults:
            notes.judge("call.fhir-server", asked, expected, faults, "", name)
            return
        why = (
            f"not agreed upon, and rightly not asked; to try it list {store.base} in "
            "RISK_FHIR_SERVERS (or `fhir_servers` of the tenant) and give its --fhir-server-port"
        )
        notes.skip("call.fhir-server", asked, expected, why, name)
        return
    faults = _unfit(answer) or _differences(card, the_card(answer))
    bearer = f"Bearer {store.token}"
    if any(authorization != bearer for _, authorization in store.asked):
        faults.append("a request came without the access token")
    told = f"the same, after {len(store.asked)} requests" if card else "200, no card"
    notes.judge("call.fhir-server", asked, expected, faults, told, name)


def _with_stranger(door: Door, visit: Visit, notes: Notes) -> None:
    visit.store.asked.clear()
    answer = send(door, visit, prefetch=None, **visit.access(f"{visit.store.base}-not-agreed"))
    faults = ["it was asked, with the token"] if visit.store.asked else []
    if answer.status >= 500:
        faults.append(f"answered {answer.status}")
    notes.judge(
        "call.strange-server", "a FHIR server that nobody agreed upon", "it is not asked",
        faults, f"not asked; answered {answer.status}", visit.service.id,
    )  # fmt: skip


def _with_wrong_hook(door: Door, visit: Visit, notes: Notes) -> None:
    answer = send(door, visit, hook="order-select-of-another-kind")
    faults = [] if 400 <= answer.status < 500 else [f"answered {answer.status}"]
    notes.judge(
        "call.wrong-hook", "a hook that the service does not list", "refused with 4xx", faults,
        f"{answer.status}", visit.service.id,
    )  # fmt: skip


def _unfit(answer: Answer) -> list[str]:
    """What is wrong with an answer that should hold cards, apart from the cards themselves."""
    if answer.status != OK:
        return [f"answered {answer.status} {issues(answer)[:200]}".strip()]
    if not isinstance(answer.at("cards"), list):
        return ["no array `cards`"]
    faults = [f"{path} is empty or null" for path in empties(answer.document)]
    if answer.media_type != "application/json":
        faults.append(f"content type {answer.media_type or 'missing'}")
    if "no-store" not in answer.headers.get("cache-control", ""):
        faults.append("may be kept by a cache: no `cache-control: no-store`")
    return faults


def _names(
    answer: Answer, keys: list[str], good: Mapping[str, Any] | None
) -> tuple[list[str], str]:
    """Whether an answer says which keys did not come; and what it is.

    Where the good call was given a card, no card at all says nothing.
    """
    if answer.status == DATA_MISSING:
        said = issues(answer) or " ".join(
            str(at(row, "expression")) for row in answer.at("issue") or ()
        )
        silent = [key for key in keys if key not in said]
        return [f"412 that does not name `{key}`" for key in silent], "412, named"
    faults = _unfit(answer)
    card = None if faults else the_card(answer)
    if card is None:
        if not faults and good is not None:
            faults = ["no card, and nothing says what is missing"]
        return faults, "200, no card"
    told = f"{card.get('summary')} {card.get('detail')}"
    silent = [key for key in keys if key not in told]
    return [f"a card that does not say that `{key}` is missing" for key in silent], "card, named"


def _differences(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[str]:
    if one is None or other is None:
        return [] if one is other else ["a card one way and none the other"]
    parts = ("summary", "indicator", "detail")
    return [
        f"another {part} for the same patient" for part in parts if one.get(part) != other.get(part)
    ]
