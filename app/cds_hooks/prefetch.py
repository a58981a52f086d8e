"""Prefetch templates, made from the features of a branch point.

The fewest questions that bring what the models read: one read of the patient, one search for each
kind of record, the codes of all features of a kind in one comma list. Codes stand without their
system, which keeps the URL short; a reader must compare code and system exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from urllib.parse import quote

from app.cds_hooks.hooks import Hook
from app.cds_hooks.template_rules import DATE_PARAMETERS, MOST_KEYS, lint_prefetch
from models.errors import ContentInvalid
from models.vocabulary import BranchPoint, Feature, Vocabulary

PATIENT = "patient"
LARGEST_PAGE = 250
LABORATORY, OTHER_OBSERVED = "laboratory", "observations"
ANSWERS = "coded-answers"
"""Observations that are known by their answer alone, whatever code their question has."""
OBSERVED = MappingProxyType(
    {"vital_sign": "vital-signs", "laboratory": LABORATORY, "blood_gas": LABORATORY}
)
"""Groups of the dictionary that are asked for apart: a stream of one must not crowd out another."""
RECORDED = MappingProxyType(
    {
        "condition": ("conditions", "Condition"),
        "procedure": ("procedures", "Procedure"),
        "medication": ("medications", "MedicationStatement"),
    }
)
ENCOUNTER = "encounter"
PANELS = MappingProxyType({"8480-6": "85354-9", "8462-4": "85354-9", "8478-0": "85354-9"})
"""LOINC of what also comes as a component, and of the whole it is a component of."""


def templates(
    point: BranchPoint,
    hook: Hook,
    vocabulary: Vocabulary,
    recorded: Mapping[str, Collection[str]],
    answered: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Mapping[str, str]:
    """The templates of one service, in a fixed order; the same content gives the same text.

    Parameters
    ----------
    recorded : mapping
        Kind of record (`condition`, `procedure`, `medication`, `encounter`) to the features that it
        can tell.
    answered : mapping
        Feature name to the codes of coded answers that tell it whatever was asked. A search asks for
        codes of questions or of answers, never for either, so these need a key of their own; where
        that would be one too many, the other observations are asked for with the laboratory's.

    Raises
    ------
    ContentInvalid
        When what the branch point asks for breaks a rule of `template_rules`.

    Examples
    --------
    >>> from app.cds_hooks.hooks import load_hooks
    >>> from models.vocabulary import load_vocabulary
    >>> words = load_vocabulary()
    >>> point = words.branch_points["recovery-follow-up"]
    >>> list(templates(point, load_hooks().get(point.hook), words, {"condition": ["cancer"]}))
    ['patient', 'laboratory', 'observations', 'conditions']
    """
    found = {PATIENT: "Patient/{{context.patientId}}"}
    if "encounterId" in hook.tokens and not set(recorded.get(ENCOUNTER, ())).isdisjoint(
        point.features
    ):
        found[ENCOUNTER] = "Encounter/{{context.encounterId}}"
    coded: dict[str, list[str]] = {}
    for name in point.features:
        feature = vocabulary.features[name]
        if codes := _codes(feature):
            coded.setdefault(OBSERVED.get(feature.group, OTHER_OBSERVED), []).extend(codes)
    answers = [code for name in point.features for code in answered.get(name, ())]
    records = {
        key: _search(resource)
        for kind, (key, resource) in RECORDED.items()
        if not set(recorded.get(kind, ())).isdisjoint(point.features)
    }
    if len(found) + len(coded) + bool(answers) + len(records) > MOST_KEYS:
        coded[LABORATORY] = coded.get(LABORATORY, []) + coded.pop(OTHER_OBSERVED, [])
    for key in (*dict.fromkeys(OBSERVED.values()), OTHER_OBSERVED):
        if key in coded:
            found[key] = _search("Observation", code=coded[key])
    if answers:
        found[ANSWERS] = _search("Observation", value_concept=answers)
    found |= records
    if faults := lint_prefetch(found, hook.tokens):
        raise ContentInvalid(f"{point.id}.toml", "prefetch", "; ".join(faults))
    return MappingProxyType(found)


def fill(template: str, context: Mapping[str, str]) -> str | None:
    """A template with its tokens replaced; None when the context lacks one.

    Examples
    --------
    >>> fill("Patient/{{context.patientId}}", {"patientId": "a b"})
    'Patient/a%20b'
    """
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        token, _, rest = piece.partition("}}")
        value = context.get(token.removeprefix("context."))
        if value is None:
            return None
        filled += [quote(value, safe=""), rest]
    return "".join(filled)


def _codes(feature: Feature) -> tuple[str, ...]:
    loinc = feature.codes.get("loinc", ())
    panels = (PANELS[code] for code in loinc if code in PANELS)
    return (*loinc, *panels, *feature.codes.get("npu", ()), *feature.codes.get("snomed", ()))


def _search(kind: str, **asked: Collection[str]) -> str:
    coded = "".join(
        f"&{name.replace('_', '-')}={','.join(dict.fromkeys(codes))}"
        for name, codes in asked.items()
    )
    newest_first = f"_sort=-{DATE_PARAMETERS[kind]}&_count={LARGEST_PAGE}"
    return f"{kind}?patient={{{{context.patientId}}}}{coded}&{newest_first}"
