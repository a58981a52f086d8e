"""What the list of models shows. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from app.console.frame.site import Reader
from app.console.frame.words import Told
from app.services.standing import OutcomeStanding
from app.serving.slot import ServedModel
from models.gate_record import (
    NO_RECORD,
    OTHER_BUNDLE,
    OTHER_KEY,
    OVERRIDDEN,
    PASSED,
    UNREADABLE,
    Standing,
)
from models.vocabulary import BranchPoint, Vocabulary

SYNTHETIC = "synthetic"
RULE = "models.rule_"
DOUBTS = {
    NO_RECORD: "no_record", UNREADABLE: "unreadable", OTHER_BUNDLE: "other_bundle",
    OTHER_KEY: "other_key",
}  # fmt: skip
# How the parts of a group are written in an evaluation (training/cohort.py).
FLAGS = {"True": "yes", "False": "no"}
FROM_UPWARDS = re.compile(r"(\S+) and over")
BELOW = re.compile(r"under (\S+)")
SHORT = 12
"""Signs of a digest that tell versions apart at a glance."""


def list_view(
    points: Sequence[tuple[BranchPoint, Sequence[OutcomeStanding]]],
    chosen: str | None,
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:
    """Served models, and by name those that are not, of all branch points or of the chosen one."""
    shown = [one for one in points if chosen is None or one[0].id == chosen]
    rows, unserved = [], []
    for point, outcomes in shown:
        title = getattr(point, f"title_{reader.language}")
        for one in outcomes:
            label = reader.words.label(vocabulary.outcomes[one.outcome])
            if one.served is None:
                unserved.append({"name": one.name, "label": f"{title}: {label}"})
            else:
                rows.append(
                    {
                        "name": one.name,
                        "point": point.id,
                        "point_title": title,
                        "label": label,
                        "challenger": None if one.challenger is None else one.challenger["version"],
                        **served_in_short(one.served, reader),
                    }
                )
    return {
        "models": rows,
        "unserved": unserved,
        "chosen": chosen,
        "points": [(p.id, getattr(p, f"title_{reader.language}")) for p, _ in points],
        "synthetic": any(row["synthetic"] for row in rows),
    }


def served_in_short(served: ServedModel, reader: Reader) -> dict[str, Any]:
    """Version, digest, gate and training data of a served model."""
    data = served.model.training_data
    return {
        "version": served.version,
        "digest": short(served.digest),
        "gate": gate_in_words(served.gate, reader),
        "training_data": data_in_words(data, reader),
        "synthetic": data == SYNTHETIC,
    }


def gate_in_words(gate: Standing, reader: Reader) -> dict[str, Any]:
    """The gate's decision: a word, how loud it is, and its reasons."""
    record = gate.record
    if gate.doubt is not None:
        state, tone = ("failed" if record is not None else "none"), "bad"
    elif record is not None and record.verdict == OVERRIDDEN:
        state, tone = OVERRIDDEN, "warn"
    else:
        state, tone = PASSED, "plain"
    return {
        "state": state,
        "word": reader.texts(f"models.gate_{state}"),
        "tone": tone,
        # What a record that can be believed says follows as its rules.
        "doubt": _doubt(gate.doubt, reader) if record is None and gate.doubt else None,
        "failed": []
        if record is None
        else [(one, rule_in_words(one, reader)) for one in record.failed],
        "reason": None if record is None else record.reason,
        "decided_at": None if record is None else moment(record.decided_at),
        "decided_by": None if record is None else record.decided_by,
        "rules": None if record is None else short(record.rules),
    }


def rule_in_words(name: str, reader: Reader) -> Told | None:
    """What a rule of the gate demands; None for a rule that a site made.

    Examples
    --------
    >>> from app.cds_hooks.wording import load_wording
    >>> from app.console.frame.numbers import Numbers
    >>> from app.console.frame.words import load_texts
    >>> sv = Reader(None, load_texts()["sv"], load_wording()["sv"], Numbers("sv"), "auto")
    >>> rule_in_words("calibration-slope", sv), rule_in_words("our-own-rule", sv)
    (Told(text='kalibreringslutning', language='sv'), None)
    """
    key = f"{RULE}{name}"
    return Told(reader.texts(key), reader.language) if key in reader.texts.texts else None


def all_rules_in_words(reader: Reader) -> list[str]:
    """What the rules that come with the product demand."""
    told = reader.texts.texts
    return list(dict.fromkeys(told[key] for key in told if key.startswith(RULE)))


def _doubt(doubt: str, reader: Reader) -> Told:
    known = DOUBTS.get(doubt)
    if known is None:
        return Told(doubt, "en")
    return Told(reader.texts(f"models.doubt_{known}"), reader.language)


def group_in_words(divided_by: str, part: str, vocabulary: Vocabulary, reader: Reader) -> str:
    """A group of patients that was judged for itself.

    Examples
    --------
    >>> from app.cds_hooks.wording import load_wording
    >>> from app.console.frame.numbers import Numbers
    >>> from app.console.frame.words import load_texts
    >>> from models.vocabulary import load_vocabulary
    >>> sv = Reader(None, load_texts()["sv"], load_wording()["sv"], Numbers("sv"), "auto")
    >>> words = load_vocabulary()
    >>> group_in_words("sex", "female", words, sv), group_in_words("age", "under 45", words, sv)
    ('Kön: kvinna', 'Ålder: under 45')
    """
    feature = vocabulary.features.get(divided_by)
    if feature is None:
        return f"{divided_by.replace('_', ' ')}: {part}"
    if found := FROM_UPWARDS.fullmatch(part):
        shown = reader.texts("models.from_upwards", limit=found[1])
    elif found := BELOW.fullmatch(part):
        shown = reader.texts("models.below", limit=found[1])
    elif part in FLAGS:
        shown = reader.texts(f"frame.{FLAGS[part]}")
    else:
        shown = feature.category_label(part, reader.language)
    return f"{reader.words.label(feature)}: {shown}"


def data_in_words(data: str | None, reader: Reader) -> str:
    """What kind of patients a version was fitted on; another word of a site's stays as it is."""
    known = {"real": "real_patients", SYNTHETIC: "simulated"}
    if data is None:
        return reader.texts("models.not_stated")
    return reader.texts(f"models.{known[data]}") if data in known else data


def short(digest: str | None) -> str:
    """The beginning of a digest.

    Examples
    --------
    >>> short("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return (digest or "–").removeprefix("sha256:")[:SHORT]


def moment(told: str) -> str:
    """An RFC 3339 time to the minute.

    Examples
    --------
    >>> moment("2026-11-22T21:22:54.505876Z")
    '2026-11-22 21:22 UTC'
    """
    return f"{told[:10]} {told[11:16]} UTC"
