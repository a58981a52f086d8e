"""Whatever a Bundle holds: no 5xx, and no value but the patient's own, of the past, with its unit.

Every kind of resource has values of a range of its own, so that the answer tells where each came from:
`attributions` name what every feature was taken to be. Both doors are asked, over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lib.fhir import bundle, condition, observation, patient
from tests.lib.hooks import hook_call
from tests.lib.properties import LAW
from tests.lib.service import Service

POINT = "icu-review"
INDEX = datetime(2026, 11, 21, 8, tzinfo=UTC)
# LOINC: feature, unit, where the patient's own values begin, where all others begin, width of both
RANGES = {
    "8867-4": ("heart_rate", "/min", 80, 100, 20),
    "8478-0": ("map", "mm[Hg]", 65, 80, 15),
    "9279-1": ("resp_rate", "/min", 14, 20, 6),
    "8310-5": ("temperature", "Cel", 37.0, 38.0, 1),
    "2160-0": ("creatinine", "umol/L", 100, 150, 50),
    "2951-2": ("sodium", "mmol/L", 135, 141, 6),
}
REQUIRED = tuple(RANGES)[:4]
Json = dict[str, Any]


def own(code: str, share: float, minutes_ago: int, /, **other: Any) -> Json:
    """A good Observation of the patient; `share` places its value in the range."""
    _, unit, begin, _, width = RANGES[code]
    value = round(begin + share * (width - 0.1), 1 if width == 1 else 0)
    return observation(code, value, unit, **{"effectiveDateTime": at(minutes_ago), **other})


def strange(code: str, share: float, /, **other: Any) -> Json:
    """One whose value must never be used, newer than every good one."""
    _, unit, _, begin, width = RANGES[code]
    value = round(begin + share * (width - 0.1), 1 if width == 1 else 0)
    return observation(code, value, unit, **{"effectiveDateTime": at(1), **other})


def at(minutes_ago: int) -> str:
    return (INDEX - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


BASE = (patient(), *(own(code, 0.5, 300) for code in REQUIRED))
"""All that is required, five hours old."""
DIAGNOSIS = condition("E11.9")
FAILURE = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
codes, shares = st.sampled_from(sorted(RANGES)), st.floats(0, 1)


@st.composite
def of_others(draw: st.DrawFn) -> list[Json]:
    """Another patient's, nobody's, or about something else than the patient."""
    about = draw(
        st.sampled_from(
            [{"subject": {"reference": "Patient/2"}},
             {"subject": {"reference": "Patient/11"}},
             {"subject": {"reference": "Group/1"}},
             {"subject": {"reference": "Observation/o-1"}},
             {"subject": {"display": "Patient/1"}},
             {"subject": {"identifier": {"value": "1"}}},
             {"subject": "Patient/1"},
             {"subject": None},
             {"focus": [{"reference": "RelatedPerson/fetus"}]},
             {"subject": {"reference": "Patient/2"}, "performer": [{"reference": "Patient/1"}]},
             {"patient": {"reference": "Patient/2"}}]
        )
    )  # fmt: skip
    found = [strange(draw(codes), draw(shares), **about)]
    return [patient(id="2", birthDate="1931-01-01"), *found] if draw(st.booleans()) else found


@st.composite
def of_the_future(draw: st.DrawFn) -> list[Json]:
    """Taken, or reported, after the index time; or nobody can say whether."""
    when = draw(
        st.one_of(
            st.integers(1, 10**6).map(lambda m: {"effectiveDateTime": at(-m)}),
            st.integers(1, 10**6).map(lambda m: {"effectiveDateTime": at(9), "issued": at(-m)}),
            st.sampled_from(["2999-01-01", "2026-11-21", "2026-11-21T07:59:00", "2026", "soon", 7])
            .map(lambda text: {"effectiveDateTime": text}),
            st.just({"effectiveDateTime": None}),
        )
    )  # fmt: skip
    return [strange(draw(codes), draw(shares), **when)]


@st.composite
def without_unit(draw: st.DrawFn) -> list[Json]:
    """A number without a unit, or in one that the feature does not have."""
    made = strange(draw(codes), draw(shares))
    unit = draw(st.sampled_from([{}, {"unit": ""}, {"code": "mg"}, {"unit": "stones"},
                                 {"code": "/min/min"}, {"unit": 7},
                                 {"system": "http://example.org/units", "code": "mmol/L"}]))  # fmt: skip
    made["valueQuantity"] = {"value": made["valueQuantity"]["value"], **unit}
    return [made]


@st.composite
def of_another_kind(draw: st.DrawFn) -> list[Any]:
    """Not final, not readable, absent, or the value is no number."""
    made = strange(draw(codes), draw(shares))
    number = made["valueQuantity"]["value"]
    changed: Json = draw(
        st.sampled_from(
            [{"status": "entered-in-error"}, {"status": "cancelled"}, {"status": "preliminary"},
             {"status": ["final"]}, {"status": None}, {"code": None}, {"code": "8867-4"},
             {"code": {"coding": {"code": "8867-4"}}}, {"resourceType": "Observations"},
             {"resourceType": ["Observation"]}, {"valueQuantity": [made["valueQuantity"]]},
             {"valueQuantity": {**made["valueQuantity"], "value": str(number)}},
             {"valueQuantity": {**made["valueQuantity"], "value": [number]}},
             {"valueQuantity": {**made["valueQuantity"], "value": True}},
             {"valueQuantity": {**made["valueQuantity"], "comparator": "<"}},
             {"valueQuantity": str(number)}, {"dataAbsentReason": {"text": "?"}}]
        )
    )  # fmt: skip
    return [made | changed]


@st.composite
def going_round(draw: st.DrawFn) -> list[Any]:
    """References, Bundles and contained resources that lead back to where they began."""
    one = strange(draw(codes), draw(shares), id="a", subject={"reference": "Observation/b"})
    other = strange(draw(codes), draw(shares), id="b", subject={"reference": "Observation/a"})
    one |= {"hasMember": [{"reference": "Observation/b"}], "contained": [other, one | {}]}
    other |= {"derivedFrom": [{"reference": "Observation/a"}, {"reference": "#a"}]}
    circle: Any = bundle(one, other, id="circle")
    for _ in range(draw(st.integers(0, 12))):
        circle = bundle(circle, one, id="circle")
    linked = patient(id="2", link=[{"other": {"reference": "Patient/1"}, "type": "replaced-by"}])
    own_link = patient(id="3", link=[{"other": {"reference": "Patient/3"}, "type": "seealso"}])
    return [circle, linked, own_link, FAILURE]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["Patient/1", "Patient/2", "final", at(60), "2999-01-01", "mmol/L", "2951-2",
                     "http://loinc.org", "Observation", "Bundle", "OperationOutcome"]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["resourceType", "id", "status", "code", "coding", "system", "subject",
                             "reference", "entry", "resource", "fullUrl", "link", "total", "type",
                             "effectivePeriod", "component", "meta", "period", "class"]),
            inner, max_size=6,
        ),
    ),
    max_leaves=20,
)  # fmt: skip


@st.composite
def charts(draw: st.DrawFn) -> tuple[list[Any], dict[str, float]]:
    """A patient's chart among everything else, and what each feature is: the newest good value."""
    newest = {RANGES[code][0]: (300, own(code, 0.5, 300)) for code in REQUIRED}
    resources: list[Any] = list(BASE)
    moments = draw(st.lists(st.integers(2, 290), unique=True, max_size=8))
    for minutes_ago in moments:
        code = draw(codes)
        made = own(code, draw(shares), minutes_ago, id=f"own-{minutes_ago}")
        resources.append(made)
        feature = RANGES[code][0]
        if feature not in newest or minutes_ago < newest[feature][0]:
            newest[feature] = (minutes_ago, made)
    kinds = [of_others(), of_the_future(), without_unit(), of_another_kind(), going_round()]
    for strangers in draw(st.lists(st.one_of(kinds), max_size=8)):
        resources += strangers
    resources += draw(st.lists(ANYTHING.filter(lambda one: not _is_patient(one)), max_size=3))
    if draw(st.booleans()):
        resources.append(FAILURE)
    expected = {name: made["valueQuantity"]["value"] for name, (_, made) in newest.items()}
    return draw(st.permutations(resources)), expected


def _is_patient(one: Any) -> bool:
    return isinstance(one, dict) and one.get("resourceType") == "Patient"


# ---------------------------------------------------------------- the doors


def through_fhir(url: str, resources: Sequence[Any], whose: str = "Patient/1") -> httpx.Response:
    given = [
        {"name": "branchPoint", "valueCode": POINT},
        {"name": "indexTime", "valueDateTime": at(0)},
        {"name": "patient", "valueString": whose},
        {"name": "bundle", "resource": bundle(*resources)},
    ]
    body = {"resourceType": "Parameters", "parameter": given}
    return httpx.post(f"{url}/fhir/$assess", json=body, timeout=30)


def through_prefetch(url: str, resources: Sequence[Any], whose: str = "1") -> httpx.Response:
    keys: Json = dict.fromkeys(("encounter", "conditions", "procedures", "medications"))
    halves = {"vital-signs": bundle(*resources[::2]), "laboratory": bundle(*resources[1::2])}
    keys |= {"patient": patient(), **halves, "observations": FAILURE}
    call = hook_call(
        prefetch=keys,
        context={"userId": "Practitioner/p7", "patientId": whose},
        extension={"se.complication-risk.index-time": at(0)},
    )
    return httpx.post(f"{url}/cds-services/{POINT}", json=call, timeout=30)


DOORS = {"assess": through_fhir, "prefetch": through_prefetch}


def used(url: str, answer: Any) -> Iterator[Json]:
    """What the answer's outcomes took every feature to be."""
    number = answer["cards"][0]["uuid"] if "cards" in answer else _id(answer)
    stored = httpx.get(f"{url}/v1/assessments/{number}").json()
    for outcome in stored["outcomes"]:
        yield from outcome.get("attributions", ())


def _id(answer: Any) -> str:
    return str(answer["entry"][0]["resource"]["id"])


def check(
    service: Service, door: Callable[..., Any], sent: list[Any], expected: Json
) -> list[Json]:
    """Ask, compare what was used, and give it; nothing where no model answered."""
    response = door(service.url, sent)
    assert response.status_code == 200, response.text
    found = list(used(service.url, response.json()))
    for reason in found:
        if reason["feature"] in {feature for feature, *_ in RANGES.values()}:
            assert reason["present"] == (reason["feature"] in expected)
            assert reason["value"] == expected.get(reason["feature"])
    return found


@pytest.mark.parametrize("door", DOORS)
@given(drawn=charts())
@LAW
def test_only_the_patients_own_past_is_used_whatever_else_is_sent(
    service: Service, door: str, drawn: tuple[list[Any], dict[str, float]]
):
    """Wrong types, missing units, other patients, OperationOutcomes, circles, future dates."""
    check(service, DOORS[door], *drawn)


@pytest.mark.parametrize("door", DOORS)
def test_five_thousand_entries_of_others_do_not_hide_the_patients_own(service: Service, door: str):
    others = [{"subject": {"reference": "Patient/2"}}, {"effectiveDateTime": at(-5)}]
    crowd = [
        strange(sorted(RANGES)[number % 6], number / 5000, id=f"s{number}", **others[number % 2])
        for number in range(5000 - len(BASE))
    ]
    expected = {RANGES[code][0]: own(code, 0.5, 300)["valueQuantity"]["value"] for code in REQUIRED}
    found = check(service, DOORS[door], [*crowd, *BASE], expected)
    assert found, "a model must answer, or nothing is proved"


@st.composite
def broken(draw: st.DrawFn) -> list[Any]:
    """Good resources with some part of some of them replaced by anything, others in between."""
    made: list[Any] = []
    for good in draw(st.lists(st.sampled_from([*BASE, DIAGNOSIS]), max_size=6)):
        resource = dict(good)
        for key in draw(st.lists(st.sampled_from(sorted(resource)), max_size=2)):
            resource[key] = draw(ANYTHING)
        made.append(resource)
    return [*made, *draw(st.lists(ANYTHING, max_size=3))]


@pytest.mark.parametrize("door", DOORS)
@given(sent=broken(), whose=st.sampled_from(["Patient/1", "1", "urn:uuid:1", "\x00"]))
@settings(LAW, max_examples=30)
def test_nothing_that_is_sent_is_a_fault_of_the_service(
    service: Service, door: str, sent: list[Any], whose: str
):
    response = DOORS[door](service.url, sent, whose)
    assert response.status_code in (200, 400, 412, 422), response.text
    told = response.json()
    assert "cards" in told or told["resourceType"] in ("Bundle", "OperationOutcome")
