"""What `$assess` is asked: Parameters, or a Bundle with the branch point beside it.

Parameters: `branchPoint`, `bundle` or `resource` (each any number of times), and if wanted `patient`,
`indexTime`, `outcome` and `include` (any number of times), `episode`, `unit`, `protectedIdentity`.
Without `patient` the one Patient among the resources is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from app.errors import InputError, Problem
from app.fhir.bundle import unpack
from app.fhir.times import read_time
from app.schemas.assessment_request import INCLUDES, LONGEST_NAME, MOST_FAULTS, refused
from app.schemas.strict_json import parse_quickly

LONGEST_REFERENCE = 512
RESOURCES = ("bundle", "resource")


class _Parameter(NamedTuple):
    """How a parameter may be written: the `value[x]` it takes, and whether it may be repeated."""

    types: tuple[str, ...]
    repeated: bool = False


PARAMETERS = {
    "branchPoint": _Parameter(("valueCode", "valueId", "valueString")),
    "patient": _Parameter(("valueReference", "valueId", "valueString", "valueUri")),
    "indexTime": _Parameter(("valueDateTime", "valueInstant")),
    "outcome": _Parameter(("valueCode", "valueString"), repeated=True),
    "include": _Parameter(("valueCode", "valueString"), repeated=True),
    "episode": _Parameter(("valueString", "valueId")),
    "unit": _Parameter(("valueCode", "valueString")),
    "protectedIdentity": _Parameter(("valueBoolean",)),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in FHIR, checked for its form; identifiers are still in it."""

    branch_point: str
    resources: tuple[Mapping[str, Any], ...] = field(repr=False)
    patient: str = field(repr=False)
    index_time: datetime | None = None
    outcomes: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    episode: str | None = field(default=None, repr=False)
    unit: str | None = field(default=None, repr=False)
    protected_identity: bool = False


def read_assess_operation(body: bytes, branch_point: str | None) -> Asked:
    """Read the body of `$assess`.

    Parameters
    ----------
    branch_point : str or None
        From the query; in Parameters it stands inside.

    Raises
    ------
    Problem
        400 when it is not JSON or no Bundle or Parameters; 413 when it has too many parts; 422
        with all faults.
    """
    document = parse_quickly(body)
    kind = document.get("resourceType") if isinstance(document, dict) else None
    values: dict[str, Any] = {}
    resources: list[Mapping[str, Any]] = []
    faults: list[InputError] = []
    if kind == "Bundle":
        resources.append(document)
    elif kind == "Parameters":
        values, resources, faults = _parameters(document)
    else:
        raise Problem(400, "The body is neither a Parameters nor a Bundle resource.")
    values.setdefault("branchPoint", branch_point)
    if values.get("branchPoint") is None and not faults:
        detail = "needs `branchPoint` in Parameters, or `?branch-point=` beside a Bundle"
        faults.append(InputError("", "required", detail))
    patient = values.get("patient") or (None if faults else _only_patient(resources, faults))
    if faults:
        raise refused(faults)
    return Asked(
        branch_point=values["branchPoint"],
        resources=tuple(resources),
        patient=patient or "",
        index_time=values.get("indexTime"),
        outcomes=tuple(values.get("outcome", ())),
        include=tuple(values.get("include", ())),
        episode=values.get("episode"),
        unit=values.get("unit"),
        protected_identity=values.get("protectedIdentity", False),
    )


def _parameters(
    document: Mapping[str, Any],
) -> tuple[dict[str, Any], list[Mapping[str, Any]], list[InputError]]:
    values: dict[str, Any] = {}
    resources: list[Mapping[str, Any]] = []
    faults: list[InputError] = []
    given = document.get("parameter", [])
    if not isinstance(given, list):
        faults.append(InputError("/parameter", "invalid_value", "expects a list"))
        given = []
    for position, item in enumerate(given):
        if len(faults) >= MOST_FAULTS:
            break
        pointer = f"/parameter/{position}"
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str) and name in RESOURCES:
            resource = item.get("resource")
            if isinstance(resource, dict):
                resources.append(resource)
            else:
                faults.append(InputError(pointer, "invalid_value", "expects a `resource`"))
        elif not isinstance(name, str) or name not in PARAMETERS:
            known = ", ".join([*RESOURCES, *PARAMETERS])
            faults.append(
                InputError(pointer, "unknown_field", f"unknown parameter; known: {known}")
            )
        else:
            _take(name, item, pointer, values, faults)
    return values, resources, faults


def _take(
    name: str,
    item: Mapping[str, Any],
    pointer: str,
    values: dict[str, Any],
    faults: list[InputError],
) -> None:
    declared = PARAMETERS[name]
    types = [key for key in item if key.startswith("value")]
    if len(types) != 1 or types[0] not in declared.types:
        expected = f"`{name}` expects one of: {', '.join(declared.types)}"
        faults.append(InputError(pointer, "invalid_value", expected))
        return
    value, wrong = _checked(name, types[0], item[types[0]])
    if wrong is not None:
        faults.append(InputError(f"{pointer}/{types[0]}", "invalid_value", wrong))
    elif declared.repeated:
        values.setdefault(name, []).append(value)
    elif name in values:
        faults.append(InputError(pointer, "invalid_value", f"`{name}` may stand once only"))
    else:
        values[name] = value


def _checked(name: str, kind: str, value: Any) -> tuple[Any, str | None]:
    """The value as it is used, or what is expected instead."""
    if kind == "valueBoolean":
        return (value, None) if isinstance(value, bool) else (None, "expects true or false")
    text = value
    if kind == "valueReference":
        text = value.get("reference") if isinstance(value, dict) else None
    longest = LONGEST_REFERENCE if name == "patient" else LONGEST_NAME
    if not isinstance(text, str) or not 0 < len(text) <= longest:
        return None, f"expects a string of 1 to {longest} characters"
    if name == "include" and text not in INCLUDES:
        return None, f"expects one of: {', '.join(INCLUDES)}"
    if name != "indexTime":
        return text, None
    span = read_time(text)
    if span is None or "T" not in text:
        return None, "expects a time with seconds and offset, such as 2026-11-21T08:15:00Z"
    return span.earliest, None


def _only_patient(resources: list[Mapping[str, Any]], faults: list[InputError]) -> str | None:
    """The one Patient that was sent; the one who was meant must not be guessed."""
    found = set()
    for entry in unpack(list(resources)).entries:
        if entry.resource["resourceType"] == "Patient":
            identity = entry.resource.get("id")
            found.add(identity if isinstance(identity, str) else entry.full_url)
    if len(found) == 1 and (patient := found.pop()):
        return patient[:LONGEST_REFERENCE]
    detail = "needs `patient`, unless exactly one Patient is among the resources"
    faults.append(InputError("", "required", detail))
    return None
