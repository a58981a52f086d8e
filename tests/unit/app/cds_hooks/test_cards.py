"""The card as pure text: lengths, indicators, fallbacks, languages, whatever the answer holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cds_hooks.agreement import NOTHING_AGREED
from app.cds_hooks.cards import LONGEST_SUMMARY, CardMaker
from app.cds_hooks.wording import load_override_reasons, load_wording
from models.vocabulary import load_vocabulary
from tests.lib.hooks import empties
from tests.lib.properties import LAW

WORDS = load_vocabulary()
WORDING = load_wording()
REASONS = load_override_reasons()
CARD = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
Json = dict


def maker(point: str = "icu-review", language: str = "en") -> CardMaker:
    declared = WORDS.branch_points[point]
    return CardMaker(declared, WORDS, WORDING[language], REASONS, NOTHING_AGREED)


def answer(*outcomes: Json, **changed: object) -> Json:
    return {
        "assessment_id": CARD,
        "outcomes": list(outcomes),
        "missing": [],
        "warnings": [],
        "suggestions": [],
        **changed,
    }


def binary(outcome: str, risk: float, band: str, **changed: object) -> Json:
    return {
        "outcome": outcome,
        "kind": "binary",
        "status": "answered",
        "probability": risk,
        "cohort_probability": 0.4,
        "band": band,
        "link": "logit",
        "interval": {"lower": risk / 2, "upper": (1 + risk) / 2, "level": 0.9},
        "attributions": [],
        "model": {"name": f"icu-review.{outcome}", "version": "3", "training_data": "real"},
        **changed,
    }


def abstained(outcome: str, reason: str, *features: str) -> Json:
    kind = WORDS.outcomes[outcome].kind
    body = {"outcome": outcome, "kind": kind, "status": "abstained", "reason": reason}
    return body | ({"features": list(features)} if features else {})


def card(given: Json, **of: str) -> Json:
    made = maker(**of).card(given)
    assert made is not None
    return made


@pytest.mark.parametrize("language", ["en", "sv"])
@pytest.mark.parametrize("risk", [0.0, 0.00049, 0.0449, 0.099999, 0.5, 0.99501, 1.0])
@pytest.mark.parametrize("outcome", sorted(WORDS.outcomes))
def test_a_summary_is_never_too_long(outcome: str, risk: float, language: str):
    body = binary(outcome, risk, "intermediate")
    if WORDS.outcomes[outcome].kind == "numeric":
        interval = {"lower": 0.0, "upper": 1e7, "level": 0.9}
        unit = WORDS.outcomes[outcome].unit
        body = body | {
            "kind": "numeric", "value": 1234567.0, "unit": unit, "cohort_value": 123456.0,
            "band": None, "link": "identity", "interval": interval,
        }  # fmt: skip
    summary = card(answer(body), language=language)["summary"]
    assert 0 < len(summary) <= LONGEST_SUMMARY


@pytest.mark.parametrize("language", ["en", "sv"])
def test_a_long_list_of_missing_inputs_is_cut(language: str):
    features = WORDS.branch_points["icu-review"].features
    summary = card(answer(abstained("death_60d", "missing_required", *features)), language=language)
    assert len(summary["summary"]) == LONGEST_SUMMARY
    assert summary["summary"].endswith("…")


# What each summary should read, worked out by hand from the rule in the module's head.
@pytest.mark.parametrize(
    ("body", "language", "expected"),
    [
        (
            binary("death_180d", 0.312, "elevated", interval={"lower": 0.26, "upper": 0.37, "level": 0.9}, cohort_probability=0.468),
            "en",
            "Risk of death within 180 days 31 % (26–37 %): elevated; cohort 47 %",
        ),
        (
            binary("death_180d", 0.0449, "low", interval={"lower": 0.0002, "upper": 0.0801, "level": 0.9}, cohort_probability=0.468),
            "sv",
            "Risk för död inom 180 dagar 4,5 % (<0,1–8,0 %): låg; kohort 47 %",
        ),
        (abstained("death_60d", "missing_required", "age"), "en", "No risk can be given: a required value is missing: age"),
        (abstained("death_60d", "out_of_distribution"), "sv", "Ingen risk kan anges: patienten liknar inte dem som modellen tränats på"),
    ],
)  # fmt: skip
def test_the_summary_reads(body: Json, language: str, expected: str):
    assert card(answer(body), language=language)["summary"] == expected


@pytest.mark.parametrize(
    ("bands", "indicator"),
    [
        ({"death_60d": "low"}, "info"),
        ({"death_60d": "intermediate", "prolonged_stay": "low"}, "info"),
        ({"death_60d": "elevated"}, "warning"),
        ({"prolonged_stay": "elevated"}, "warning"),
        ({"prolonged_stay": "high"}, "warning"),
        ({"poor_recovery_90d": "high", "death_60d": "low"}, "warning"),
        ({"death_60d": "high"}, "critical"),
        ({"sepsis": "high", "death_60d": "low"}, "critical"),
        ({}, "info"),
    ],
)
def test_the_indicator_follows_the_bands(bands: Json, indicator: str):
    told = [binary(outcome, 0.5, band) for outcome, band in bands.items()]
    assert maker().indicator(told) == indicator


def test_the_summary_tells_the_highest_band_and_of_equals_the_first():
    outcomes = [binary(name, 0.5, band) for name, band in (
        ("death_in_hospital", "low"), ("death_60d", "high"), ("sepsis", "high"),
    )]  # fmt: skip
    assert card(answer(*outcomes))["summary"].startswith("Risk of death within 60 days")


def test_without_any_model_there_is_no_card_and_with_one_reason_there_is():
    nothing = [abstained(name, "no_model") for name in ("death_60d", "sepsis")]
    assert maker().card(answer(*nothing)) is None
    told = card(answer(*nothing, abstained("delirium", "missing_required", "age")))
    assert "Death within 60 days, Sepsis within 30 days: no model is in use" in told["detail"]
    assert "Delirium within 7 days: a required value is missing: age" in told["detail"]


def test_a_published_score_is_marked_and_has_neither_interval_nor_cohort():
    fallback = {
        "outcome": "death_30d", "kind": "binary", "status": "fallback", "reason": "no_model",
        "probability": 0.10138, "log_odds": -2.182, "link": "logit", "base_value": -7.366,
        "attributions": [], "horizon_days": 30, "band": "elevated",
        "reference": {"title": {"en": "Score A", "sv": "Skala A"}},
    }  # fmt: skip
    told = card(answer(fallback), point="surgery-decision")
    assert told["summary"] == "Risk of death within 30 days 10 %: elevated (published score)"
    row = "| Death within 30 days (published score, no model: Score A) | 10 % | – | – | elevated |"
    assert row in told["detail"]
    assert "links" not in told


def test_synthetic_training_data_is_said_at_the_top():
    model = {"name": "icu-review.death_60d", "version": "1", "training_data": "synthetic"}
    lines = card(answer(binary("death_60d", 0.5, "high", model=model)))["detail"].split("\n\n")
    assert lines[1] == "**Fitted on synthetic training data: not for patient care.**"
    swedish = card(answer(binary("death_60d", 0.5, "high", model=model)), language="sv")
    assert "syntetiska data" in swedish["detail"]


def test_reasons_are_the_strongest_with_value_unit_and_direction():
    names = ["age", "creatinine", "temperature", "sex", "diabetes", "sodium", "platelets"]
    shown: list = [71, 124.0, 38.1, "male", True, 139.0, 200.0]
    units = ["a", "umol/L", "Cel", None, None, "mmol/L", "10*9/L"]
    attributions = [
        {"feature": name, "value": value, "unit": unit, "contribution": (-1) ** i * (0.9 - i / 10), "present": i != 5}
        for i, (name, value, unit) in enumerate(zip(names, shown, units, strict=True))
    ]  # fmt: skip
    detail = card(answer(binary("death_60d", 0.5, "high", attributions=attributions)))["detail"]
    listed = [line for line in detail.splitlines() if "log-odds" in line]
    assert listed == [
        "- Age 71 years: raises it (+0.90 log-odds)",
        "- Creatinine 124 µmol/L: lowers it (-0.80 log-odds)",
        "- Body temperature 38.1 °C: raises it (+0.70 log-odds)",
        "- Sex male: lowers it (-0.60 log-odds)",
        "- Diabetes mellitus yes: raises it (+0.50 log-odds)",
    ]


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "- Disease group (SUPPORT) lung cancer: raises it (+0.40 log-odds)"),
        ("sv", "- Sjukdomsgrupp (SUPPORT) lungcancer: höjer (+0,40 i log-odds)"),
    ],
)
def test_a_category_is_told_by_its_label(language: str, line: str):
    reason = {"feature": "disease_group", "value": "lung_cancer", "unit": None,
              "contribution": 0.4, "present": True}  # fmt: skip
    told = card(answer(binary("death_60d", 0.5, "high", attributions=[reason])), language=language)
    assert line in told["detail"].splitlines()


def test_every_reason_to_set_a_value_aside_has_words():
    from app.schemas.assessment_request import SET_ASIDE

    for language in ("en", "sv"):
        for code in SET_ASIDE:
            warning = {"code": code, "feature": "sodium", "detail": "…"}
            detail = card(
                answer(binary("death_60d", 0.5, "high"), warnings=[warning]), language=language
            )["detail"]
            assert f"- {WORDING[language].label(WORDS.features['sodium'])}: " in detail


@LAW
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(WORDS.branch_points["icu-review"].outcomes)),
            st.floats(0, 1),
            st.sampled_from(["low", "intermediate", "elevated", "high"]),
        ),
        min_size=1,
        unique_by=lambda item: item[0],
    ),
    st.sampled_from(["en", "sv"]),
)
def test_no_card_is_empty_anywhere_and_none_changes(outcomes: list, language: str):
    given = answer(*(binary(*outcome) for outcome in outcomes))
    first, again = card(given, language=language), card(given, language=language)
    assert first == again
    assert list(empties({"cards": [first]})) == []
