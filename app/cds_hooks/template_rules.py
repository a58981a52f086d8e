"""What a prefetch template may hold, so that every CDS Hooks 2.0 client can resolve it.

A client that meets what it cannot resolve skips the key, and the patient is then assessed on less
than there is. So the rules are narrower than the specification's recommendation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

MOST_KEYS = 8
LONGEST = 2000
"""Characters; what every proxy and server on the way takes as a URL."""
LARGEST_COUNT = 1000
USER_TOKENS = frozenset(
    {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}
)
DATE_PARAMETERS: Mapping[str, str] = {
    "Observation": "date",
    "Condition": "recorded-date",
    "Procedure": "date",
    "Encounter": "date",
    "MedicationStatement": "effective",
    "MedicationRequest": "authoredon",
    "AllergyIntolerance": "date",
    "DiagnosticReport": "date",
}
"""The search parameter by which each type is sorted, newest first (FHIR R4)."""

_TOKEN = re.compile(r"\{\{([^{}]*)\}\}")
_READ = re.compile(r"[A-Z][A-Za-z]{2,40}/\{\{[^{}]*\}\}")
_SEARCH = re.compile(r"([A-Z][A-Za-z]{2,40})\?(\S+)")
_WHOSE = re.compile(r"(Patient/)?\{\{[^{}]*\}\}")
_DATE = re.compile(r"(eq|lt|gt|ge|le)\d{4}(-\d\d(-\d\d)?)?")
_KEY = re.compile(r"[a-z][a-z0-9-]{0,40}")


def lint_prefetch(prefetch: Mapping[str, str], tokens: Collection[str]) -> tuple[str, ...]:
    """Faults of one service's templates, each led by its key; none for a good set.

    Parameters
    ----------
    tokens : collection of str
        Fields of the hook's context that a template may hold.

    Examples
    --------
    >>> lint_prefetch({"patient": "Patient/{{context.patientId}}"}, ["patientId"])
    ()
    """
    faults = [f"{key}: {fault}" for key, template in prefetch.items()
              for fault in lint_template(template, tokens)]  # fmt: skip
    faults += [f"{key}: not a key" for key in prefetch if not _KEY.fullmatch(key)]
    if not prefetch:
        faults.append("no key; leave `prefetch` out")
    if len(prefetch) > MOST_KEYS:
        faults.append(f"more than {MOST_KEYS} keys")
    return tuple(faults)


def lint_template(template: str, tokens: Collection[str]) -> tuple[str, ...]:
    """Say what is wrong with a template.

    Examples
    --------
    >>> lint_template("Observation?patient={{context.patientId}}", ["patientId"])
    ('needs `_count`', 'needs `_sort=-date`')
    >>> lint_template("Encounter/{{context.draftOrders.entry}}", ["patientId"])
    ('`context.draftOrders.entry` is no token of this hook',)
    """
    faults = []
    if len(template) > LONGEST:
        faults.append(f"longer than {LONGEST} characters")
    for token in _TOKEN.findall(template):
        field = token.removeprefix("context.")
        if token not in USER_TOKENS and (field == token or field not in tokens):
            faults.append(f"`{token}` is no token of this hook")
    if re.search(r"[{}%]", _TOKEN.sub("", template)):
        faults.append("holds a token in another form than {{context.<field>}}")
    if _READ.fullmatch(template):
        return tuple(faults)
    search = _SEARCH.fullmatch(template)
    if search is None:
        return (*faults, "is neither a read nor a search")
    return (*faults, *_lint_search(search[1], search[2].split("&")))


def _lint_search(kind: str, parameters: list[str]) -> list[str]:
    faults = []
    dated = DATE_PARAMETERS.get(kind)
    given: dict[str, str] = {}
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name in given:
            faults.append(f"`{name}` occurs twice")
        given[name] = value
        faults += _lint_parameter(name, value, dated)
    if not any(_WHOSE.fullmatch(given.get(name, "")) for name in ("patient", "subject")):
        faults.append("names no patient")
    if "_count" not in given:
        faults.append("needs `_count`")
    if "_sort" not in given and not (dated and given.get(dated, "")[:2] in ("ge", "gt")):
        faults.append(f"needs `_sort=-{dated or 'date'}`")
    return faults


def _lint_parameter(name: str, value: str, dated: str | None) -> list[str]:
    if not value:
        return [f"`{name}` has no value"]
    if name == "_count":
        good = value.isascii() and value.isdigit() and 0 < int(value) <= LARGEST_COUNT
        return [] if good else [f"`_count` must be 1 to {LARGEST_COUNT}"]
    if name == "_sort":
        return [] if value == f"-{dated}" else [f"`_sort` must be -{dated or '<a date>'}"]
    bare = name.removesuffix(":in")
    if name.startswith("_") or not re.fullmatch(r"[a-z]+(-[a-z]+)*", bare):
        return [f"`{name}` is outside the subset that clients resolve"]
    if bare == dated and not all(_DATE.fullmatch(part) for part in value.split(",")):
        return [f"`{name}` must be a date with eq, lt, gt, ge or le"]
    return []
