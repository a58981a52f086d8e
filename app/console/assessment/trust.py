"""What stands between an answer and relying on it. Pure.

From whom its models learned, how often they were right on patients they had not seen, who judged them,
and what the patient's record does not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.console.frame.site import Reader
from app.console.frame.words import Told, told_in
from app.console.models.view import gate_in_words
from app.schemas.statuses import ANSWERED
from app.serving.slot import ServedModel
from models.card.said import HELD_OUT_ONLY, number, one_cohort, text, texts
from models.gate_record import PASSED
from models.vocabulary import BranchPoint, Vocabulary

Answer = Mapping[str, Any]
SYNTHETIC = "synthetic"


def verdict(answer: Answer, gates: Sequence[Mapping[str, Any]], reader: Reader) -> dict[str, str]:
    """Whether one may rely on the models, in a sentence, and how loud it is: the gravest doubt decides.

    It is never the green of all's well: that models passed their checks does not say that they are right
    for this patient, or in this hospital.

    Parameters
    ----------
    gates : sequence of mapping
        `gate_in_words` of every model that answered and still answers.
    """
    answered = [one for one in answer["outcomes"] if one["status"] == ANSWERED]
    doubted = sum(one["state"] != PASSED for one in gates)
    if any(one["model"].get("training_data") == SYNTHETIC for one in answered):
        tone, key = "bad", "verdict_invented"
    elif len(gates) < len(answered):
        tone, key = "warn", "verdict_replaced"
    elif doubted:
        tone = "bad"
        key = "verdict_none_approved" if doubted == len(gates) else "verdict_some_not_approved"
    else:
        tone, key = "plain", "verdict_approved"
    said = reader.texts(f"assessment.{key}", count=doubted, all=len(gates))
    return {"tone": tone, "said": said}


def trust_view(
    answer: Answer,
    served: Mapping[str, ServedModel],
    point: BranchPoint,
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any] | None:
    """What is said of all models together, and a row for each; None where no model answered.

    Parameters
    ----------
    served : mapping
        Outcome to the model that answered, where it still answers.
    """
    answered = [one for one in answer["outcomes"] if one["status"] == ANSWERED]
    if not answered:
        return None
    known = [served[one["outcome"]] for one in answered if one["outcome"] in served]
    cohorts = {
        (text(one.card, "cohort", "title"), number(one.card, "cohort", "rows_fitted"))
        for one in known
    }
    gates = [gate_in_words(one.gate, reader) for one in known]
    doubted = [one for one in gates if one["state"] != PASSED]
    read = {one["feature"] for outcome in answered for one in outcome.get("attributions", ())}
    return {
        "verdict": verdict(answer, gates, reader),
        "learned": [
            (title, None if rows is None else reader.numbers.plain(rows))
            for title, rows in sorted(cohorts, key=str)
            if title is not None
        ],
        "limits": list(dict.fromkeys(one for s in known for one in _limits(s.card, reader))),
        "doubts": list(dict.fromkeys(one["doubt"] or one["word"] for one in doubted)),
        "missing": (len(read & set(answer["missing"])), len(read)),
        "purpose": told_in(reader.language, point, "intended_purpose"),
        "rows": [_row(one, served.get(one["outcome"]), vocabulary, reader) for one in answered],
    }


def _limits(card: Mapping[str, Any], reader: Reader) -> list[Told]:
    """A card's limits: those of every card of ours in the reader's words, others as they were written."""
    said = {
        HELD_OUT_ONLY: "limit_held_out",
        one_cohort(text(card, "cohort", "title") or ""): "limit_one_cohort",
    }
    return [
        Told(reader.texts(f"assessment.{said[one]}"), reader.language)
        if one in said
        else Told(one, "en")
        for one in texts(card, "limits")
    ]


def _row(
    outcome: Answer, served: ServedModel | None, vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    found = {} if served is None else served.evaluation
    return {
        "label": reader.words.label(vocabulary.outcomes[outcome["outcome"]]),
        "model": outcome["model"],
        "right": _right(outcome, found, vocabulary, reader),
        "ratio": _ratio(found, reader),
        "tried_on": None
        if (rows := number(found, "rows")) is None
        else reader.numbers.plain(rows),
        "gate": None if served is None else gate_in_words(served.gate, reader),
    }  # fmt: skip


def _right(
    outcome: Answer, found: Mapping[str, Any], vocabulary: Vocabulary, reader: Reader
) -> str | None:
    """How well patients were told apart: pairs in the right order, or how far off a number was."""
    numbers = reader.numbers
    if outcome["kind"] == "binary":
        pairs = [number(found, "auroc", bound) for bound in ("value", "lower", "upper")]
        value, lower, upper = pairs
        if value is None or lower is None or upper is None:
            return None
        share, interval = numbers.percent(value, 0), numbers.percents(lower, upper)
        return reader.texts("assessment.pairs", share=share, interval=interval)
    off, explained = number(found, "mae", "value"), number(found, "r2", "value")
    if off is None or explained is None:
        return None
    unit = vocabulary.outcomes[outcome["outcome"]].unit
    much = f"{numbers.decimal(off)} {reader.words.unit(unit)}".strip()
    return reader.texts("assessment.off_by", much=much, share=numbers.percent(explained, 0))


def _ratio(found: Mapping[str, Any], reader: Reader) -> str | None:
    ends = [
        number(found, "calibration", "observed_expected", bound)
        for bound in ("value", "lower", "upper")
    ]
    if any(end is None for end in ends):
        return None
    value, lower, upper = (reader.numbers.fixed(end or 0.0, 2) for end in ends)
    return f"{value} ({lower}–{upper})"
