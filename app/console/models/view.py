"""What the list of models shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.console.frame.site import Reader
from app.services.standing import OutcomeStanding
from app.serving.slot import ServedModel
from models.gate_record import OVERRIDDEN, PASSED, Standing
from models.vocabulary import BranchPoint, Vocabulary

SYNTHETIC = "synthetic"
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
        state, tone = PASSED, "good"
    return {
        "state": state,
        "word": reader.texts(f"models.gate_{state}"),
        "tone": tone,
        "doubt": gate.doubt,
        "failed": [] if record is None else list(record.failed),
        "reason": None if record is None else record.reason,
        "decided_at": None if record is None else moment(record.decided_at),
        "decided_by": None if record is None else record.decided_by,
        "rules": None if record is None else short(record.rules),
    }


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
