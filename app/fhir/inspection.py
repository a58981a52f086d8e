"""What was taken of every resource that was sent, what was not, and why; by the code that reads charts.

Each resource is read alone, beside the Patient resources, by `read_chart` itself; then each of its
elements is left out in turn. An element without which the reading is the same was not read. Nothing
of this is on the way of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.deid.inspection import form_of_value
from app.fhir.bundle import DEEPEST, Entry
from app.fhir.candidates import basis_of
from app.fhir.chart import HISTORIES, Chart

Resource = Mapping[str, Any]
Read = Callable[[list[Resource]], Chart]
PATIENT = "Patient"
KINDS = (PATIENT, "Observation", "OperationOutcome", *HISTORIES)
"""Types that are named; the name of another one is the sender's text."""
_NAMED = """
id meta implicitRules language text contained extension modifierExtension identifier active name
telecom gender birthDate deceasedBoolean deceasedDateTime address maritalStatus photo contact
communication generalPractitioner managingOrganization link multipleBirthBoolean status
statusReason category code subject patient encounter focus effectiveDateTime effectivePeriod
effectiveInstant issued performer valueQuantity valueCodeableConcept valueString valueBoolean
valueInteger valueDateTime dataAbsentReason interpretation note bodySite method specimen device
referenceRange component hasMember derivedFrom clinicalStatus verificationStatus severity
onsetDateTime onsetPeriod abatementDateTime recordedDate recorder asserter evidence intent
medicationCodeableConcept medicationReference authoredOn requester dosageInstruction dosage
dateAsserted doNotPerform performedDateTime performedPeriod class type period participant
diagnosis hospitalization location serviceProvider priority reasonCode reasonReference
"""
ELEMENTS = frozenset(_NAMED.split())
"""Elements that are named; another one is pointed at by its position."""
SUPERSEDED, NOT_ASKED = "superseded", "not_asked_here"
READ, KEYED, NOT_READ = "read", "keyed", "not_read"
MOST = 300
"""Resources that are looked into one by one."""


class Element(NamedTuple):
    """One element of a resource.

    Attributes
    ----------
    came : str
        The form of its value and the kinds of identifiers seen in it, never the value.
    use : str
        `read` (an input follows from it), `keyed` (a pseudonym is made of it), or `not_read`.
    """

    pointer: str
    came: str
    use: str


@dataclass(frozen=True, slots=True)
class InspectedResource:
    """What became of one resource.

    Attributes
    ----------
    kind : str or None
        Its type, where it is one that charts are read from.
    taken : tuple of str
        The features that were read from it.
    reasons : tuple of (feature name or None, str)
        Why nothing, or not all of it, was taken.
    """

    pointer: str
    kind: str | None
    taken: tuple[str, ...]
    reasons: tuple[tuple[str | None, str], ...]
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    pointer: str
    resource: Resource = field(repr=False)
    full_url: str | None = field(repr=False)

    @property
    def kind(self) -> str:
        return str(self.resource["resourceType"])

    def entry(self, resource: Resource | None = None) -> dict[str, Any]:
        url = {} if self.full_url is None else {"fullUrl": self.full_url}
        return {**url, "resource": resource or self.resource}


def inspect_chart(sent: Sequence[tuple[str, object]], read: Read) -> tuple[InspectedResource, ...]:
    """Look into every resource; the first `MOST` of them.

    Parameters
    ----------
    sent : sequence of (JSON pointer, Bundle or resource)
    read : callable
        `read_chart` for the patient, the branch point and the time that are meant.
    """
    placed: list[_Placed] = []
    marked = [_marked(given, pointer, None, 0, placed) for pointer, given in sent]
    whole = read([one for one in marked if isinstance(one, dict)])
    source: dict[str, list[str]] = {}
    for feature, basis in whole.basis:
        source.setdefault(basis, []).append(feature)
    people = [one for one in placed if one.kind == PATIENT]
    return tuple(_inspected(one, people, source, read) for one in placed[:MOST])


def _marked(
    given: object, pointer: str, full_url: str | None, depth: int, placed: list[_Placed]
) -> object:
    """The same with a number for every resource but Patients', so that its reading can be traced."""
    if not isinstance(given, dict) or not isinstance(given.get("resourceType"), str):
        return given
    if given["resourceType"] != "Bundle":
        resource = given
        if given["resourceType"] != PATIENT:
            resource = {**given, "id": f"n{len(placed)}"}
        placed.append(_Placed(pointer, resource, full_url))
        return resource
    inside = given.get("entry")
    if depth >= DEEPEST or not isinstance(inside, list):
        return given
    rows = []
    for position, row in enumerate(inside):
        if isinstance(row, dict) and row.get("resource") is not None:
            at, url = f"{pointer}/entry/{position}/resource", row.get("fullUrl")
            known = url if isinstance(url, str) else None
            rows.append({**row, "resource": _marked(row["resource"], at, known, depth + 1, placed)})
        else:
            rows.append(row)
    return {**given, "entry": rows}


def _inspected(
    one: _Placed, people: list[_Placed], source: Mapping[str, list[str]], read: Read
) -> InspectedResource:
    others = [] if one.kind == PATIENT else [person.entry() for person in people]

    def alone(resource: Resource | None = None) -> Chart:
        entries = [*others, one.entry(resource)]
        return read([{"resourceType": "Bundle", "entry": entries}])

    chart, without = alone(), read([{"resourceType": "Bundle", "entry": others}])
    mine = {m.feature.name for m in chart.measurements}
    if one.kind != PATIENT:
        mine -= {m.feature.name for m in without.measurements}
    basis = basis_of(Entry(one.resource))
    taken = tuple(name for name in source.get(basis, ()) if name in mine or one.kind != PATIENT)
    reasons = [pair for pair in chart.set_aside if pair not in without.set_aside]
    found: list[tuple[str | None, str]] = [*reasons]
    found += [
        (None, why)
        for why, count in chart.ignored.items()
        if count > without.ignored.get(why, 0)
    ]  # fmt: skip
    found += [(name, SUPERSEDED) for name in sorted(mine.difference(taken))]
    if not found and not taken and one.kind != PATIENT:
        found.append((None, NOT_ASKED))
    read_from = bool(mine) or chart.subject != without.subject
    elements = tuple(_elements(one, chart, alone if read_from else None))
    kind = one.kind if one.kind in KINDS else None
    return InspectedResource(one.pointer, kind, taken, tuple(found), elements)


def _elements(
    one: _Placed, chart: Chart, alone: Callable[[Resource], Chart] | None
) -> Iterator[Element]:
    for position, (name, value) in enumerate(one.resource.items()):
        if name == "resourceType" or (name == "id" and one.kind != PATIENT):
            continue
        known = name in ELEMENTS
        came = form_of_value(value, "" if known else name)
        use = NOT_READ
        if alone is not None:
            left = alone({key: kept for key, kept in one.resource.items() if key != name})
            use = _use(chart, left)
        yield Element(f"{one.pointer}/{name if known else position}", came, use)


def _use(chart: Chart, left: Chart) -> str:
    """What an element is for, by what its absence changes."""
    if (chart.measurements, chart.times, chart.deceased, chart.protected) != (
        left.measurements, left.times, left.deceased, left.protected,
    ):  # fmt: skip
        return READ
    return NOT_READ if chart.subject == left.subject else KEYED
