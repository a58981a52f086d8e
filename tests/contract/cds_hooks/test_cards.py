"""Sections F and G: what a card holds, in English and in Swedish, and what an answer may create."""

from __future__ import annotations

import json
import re
from uuid import UUID

import pytest
from markdown_it import MarkdownIt

from app.cds_hooks.cards import INDICATORS, LONGEST_SUMMARY
from tests.lib.fhir import bundle, observation, patient
from tests.lib.hooks import (
    PERSONNUMMER,
    Ehr,
    card_faults,
    hook_call,
    prefetch,
    risks,
    searchset,
)
from tests.lib.tokens import BASE_URL

GRAVE = hook_call(
    prefetch=prefetch(
        patient=patient(birthDate="1936-03-02"),
        vital_signs=searchset(
            observation("8867-4", 150, "/min"),
            observation("8478-0", 48, "mm[Hg]"),
            observation("9279-1", 40, "/min"),
            observation("8310-5", 35.0, "Cel"),
        ),
        laboratory=searchset(
            observation("2160-0", 380, "umol/L"), observation("1751-7", 15, "g/L")
        ),
        observations=searchset(observation("9269-2", 3, "{score}")),
    )
)
"""Old, in shock, unconscious: bands that raise suggestions."""


def test_f1_every_card_has_summary_indicator_and_source(ehr: Ehr):
    for body in (hook_call(), GRAVE, hook_call(prefetch=prefetch(vital_signs=None))):
        card = ehr.card(body)
        assert 0 < len(card["summary"]) <= LONGEST_SUMMARY == 139
        assert card["indicator"] in INDICATORS
        assert card["source"]["label"]


def test_f1_the_summary_tells_the_risk_in_plain_words(ehr: Ehr, southern: Ehr):
    number = r"[<>]?\d+(\.\d)?"
    english = ehr.card(hook_call())["summary"]
    assert re.fullmatch(
        rf"Risk of death within 60 days {number} % \({number}–{number} %\): elevated; cohort 35 %",
        english,
    )
    swedish = southern.card(hook_call())["summary"]
    assert swedish.startswith("Risk för död inom 60 dagar ")
    assert swedish.endswith(": förhöjd; kohort 35 %")


def test_f1_the_indicator_follows_the_bands(ehr: Ehr):
    """Elevated is a warning, a high risk of death is critical, an abstention is information."""
    assert ehr.card(hook_call())["indicator"] == "warning"
    assert ehr.card(GRAVE)["indicator"] == "critical"
    assert ehr.card(hook_call(prefetch=prefetch(vital_signs=None)))["indicator"] == "info"


def test_f2_the_detail_is_markdown_whose_table_survives(ehr: Ehr):
    detail = ehr.card(hook_call())["detail"]
    page = MarkdownIt().enable("table").render(detail)
    assert page.count("<tr>") == 1 + len(risks({"detail": detail})) == 6
    assert page.count("<td") == 5 * 5
    assert not re.search(r"<(?!/?(p|table|thead|tbody|tr|th|td|ul|li|strong|code)\b)", page)
    assert "<" not in re.sub(r"&lt;", "", detail)


def test_f2_the_detail_tells_outcomes_reasons_gaps_and_models(ehr: Ehr):
    detail = ehr.card(hook_call())["detail"]
    for part in (
        "| Outcome | Risk | Interval | Cohort | Band |",
        "**Strongest reasons: death within 60 days**",
        "Age 71 years: raises it (+",
        "38.1 °C",
        "**Not known:** ",
        "`icu-review.death_60d`, version 1",
        "Decision support only",
        "no model is in use",
    ):
        assert part in detail, part


def test_f2_what_was_set_aside_is_said(ehr: Ehr):
    wrong = observation("2160-0", 124, "mg/dL")  # a creatinine of 10 961 umol/L
    later = observation("2951-2", 139, "mmol/L", effectiveDateTime="2026-11-21T09:00:00Z")
    detail = ehr.card(hook_call(prefetch=prefetch(laboratory=searchset(wrong, later))))["detail"]
    assert "Creatinine: an implausible value was set aside" in detail
    assert "Sodium: a value from after the time of assessment was set aside" in detail
    assert "124" not in detail


def test_f3_every_card_has_a_uuid_of_its_own(ehr: Ehr):
    cards = [ehr.card(hook_call()) for _ in range(5)]
    assert len({UUID(card["uuid"]) for card in cards}) == 5


def test_f4_suggestions_come_with_a_selection_behaviour(ehr: Ehr):
    grave, plain = ehr.card(GRAVE), ehr.card(hook_call())
    assert grave["selectionBehavior"] == "any"
    assert grave["suggestions"]
    assert not {"suggestions", "selectionBehavior"} & plain.keys()


def test_f5_none_is_recommended_above_the_others(ehr: Ehr):
    """Ours are `any`: several may be accepted, and none is recommended. `Ehr` holds every answer to
    the row; here it is shown what it would say of a card that breaks it."""
    card = ehr.card(GRAVE)
    assert not any("isRecommended" in suggestion for suggestion in card["suggestions"])
    two = [{**card["suggestions"][0], "isRecommended": True}] * 2
    assert list(card_faults({**card, "selectionBehavior": "any", "suggestions": two})) == []
    broken = {**card, "selectionBehavior": "at-most-one", "suggestions": two}
    assert list(card_faults(broken)) == ["F5"]


def test_f6_every_suggestion_has_label_uuid_and_actions(ehr: Ehr):
    suggestions = ehr.card(GRAVE)["suggestions"]
    assert len({UUID(suggestion["uuid"]) for suggestion in suggestions}) == len(suggestions)
    for suggestion in suggestions:
        assert suggestion["label"].startswith("Consider ")
        assert len(suggestion["actions"]) == 1


def test_f7_actions_create_proposals(ehr: Ehr, southern: Ehr):
    for client in (ehr, southern):
        for suggestion in client.card(GRAVE)["suggestions"]:
            (action,) = suggestion["actions"]
            assert action["type"] == "create"
            assert action["description"]
            assert "resourceId" not in action
            task = action["resource"]
            assert task["resourceType"] == "Task"
            assert (task["status"], task["intent"]) == ("draft", "proposal")
            assert task["description"] == suggestion["label"]
            named = {"reference": "Patient/1"} if client is southern else None
            assert task.get("for") == named


def test_f8_no_field_of_version_3_is_sent(ehr: Ehr):
    """Nobody can say in version 2 that a client supports it, so no client gets it."""
    card = ehr.card(GRAVE)
    for suggestion in card["suggestions"]:
        assert suggestion.keys() == {"label", "uuid", "actions"}
    chosen = {**card["suggestions"][0], "actionSelectionBehavior": "any"}
    assert list(card_faults({**card, "suggestions": [chosen]})) == ["F8"]


def test_f9_override_reasons_have_code_system_and_display(ehr: Ehr, southern: Ehr):
    english = ehr.card(hook_call())["overrideReasons"]
    swedish = southern.card(hook_call())["overrideReasons"]
    assert all(reason.keys() == {"code", "system", "display"} for reason in english)
    assert [r["code"] for r in english] == [r["code"] for r in swedish]
    assert english[0]["display"] == "Already considered or done"
    assert swedish[0]["display"] == "Redan övervägt eller gjort"


def test_f10_links_are_absolute_and_lead_to_explanation_and_model_card(ehr: Ehr):
    card = ehr.card(hook_call())
    explanation, link = card["links"]
    assert explanation == {
        "label": "Why: reasons, values, certainty",
        "url": f"{BASE_URL}/console/assessments/{card['uuid']}",
        "type": "absolute",
    }
    assert link == {
        "label": "Model card",
        "url": f"{BASE_URL}/v1/models/icu-review.death_60d/card",
        "type": "absolute",
    }


def test_f11_the_source_has_an_absolute_url(ehr: Ehr):
    assert ehr.card(hook_call())["source"]["url"].startswith("https://")


def test_f12_the_source_has_a_topic(ehr: Ehr):
    topic = ehr.card(hook_call())["source"]["topic"]
    assert topic["code"] == "icu-review"
    assert topic["display"] == "Intensive care review"
    assert topic["system"].startswith("urn:")


@pytest.mark.parametrize("where", ["patientId", "encounterId", "userId"])
def test_f13_no_card_holds_an_identifier(ehr: Ehr, southern: Ehr, where: str):
    """`Ehr` looks at every answer of the suite; here the number stands where an EHR might put it."""
    value = f"Practitioner/{PERSONNUMMER}" if where == "userId" else PERSONNUMMER
    context = {**hook_call()["context"], where: value}
    for client in (ehr, southern):
        answer = client.call({**hook_call(context=context), "prefetch": prefetch(patient=None)})
        assert answer.status_code == 200
    named = patient(name=[{"family": "Kanariefågelsson", "given": ["Åsa"]}])
    assert "Kanarie" not in str(ehr.card(hook_call(prefetch=prefetch(patient=named))))


def test_f13_a_fhir_id_that_is_a_personal_number_is_not_repeated(southern: Ehr):
    named = json.loads(json.dumps(GRAVE).replace("Patient/1", f"Patient/{PERSONNUMMER}"))
    named["context"]["patientId"] = named["prefetch"]["patient"]["id"] = PERSONNUMMER
    answer = southern.call(named)
    assert answer.json()["cards"][0]["suggestions"]
    assert PERSONNUMMER not in answer.text
    assert "systemActions" not in answer.json()


def test_f14_the_same_input_gives_the_same_card(ehr: Ehr):
    def without_uuids(card: dict) -> str:
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "uuid", str(card))

    assert len({without_uuids(ehr.card(GRAVE)) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("accepted", "word"),
    [("sv-SE,sv;q=0.9,en;q=0.8", "Risk för"), ("de", "Risk of"), ("en;q=0.1,sv;q=0", "Risk of")],
)
def test_the_language_is_the_tenants_or_what_the_client_accepts(
    ehr: Ehr, southern: Ehr, accepted: str, word: str
):
    assert ehr.card(hook_call(), accept_language=accepted)["summary"].startswith(word)
    assert southern.card(hook_call(), accept_language=accepted)["summary"].startswith("Risk för")


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_protected_identity_gets_a_card_and_no_pseudonym(ehr: Ehr, wrapped: bool):
    """A key's patient may come bare, or as the Bundle of a search."""
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    hidden = patient(meta={"security": [label]})
    sent = bundle(hidden) if wrapped else hidden
    card = ehr.card(hook_call(prefetch=prefetch(patient=sent)))
    assert "Protected identity: no pseudonym was made" in card["detail"]


# ---------------------------------------------------------------- G. system actions


def test_g1_system_actions_are_left_out_where_there_are_none(ehr: Ehr):
    assert ehr.call(hook_call()).json().keys() == {"cards"}


def test_g2_system_actions_come_by_agreement_only(ehr: Ehr, southern: Ehr):
    assert "systemActions" not in ehr.call(GRAVE).json()
    answer = southern.call(GRAVE).json()
    (action,) = answer["systemActions"]
    assert action["type"] == "create"
    assessment = action["resource"]
    assert assessment["resourceType"] == "RiskAssessment"
    assert assessment["status"] == "final"
    assert assessment["subject"]["reference"] == "Patient/1"
    for prediction in assessment["prediction"]:
        assert 0 <= prediction.get("probabilityDecimal", 0) <= 100
        assert prediction["outcome"]
    assert any(p["probabilityDecimal"] > 1 for p in assessment["prediction"])
    assert answer["cards"][0]["uuid"] in str(assessment["identifier"])
