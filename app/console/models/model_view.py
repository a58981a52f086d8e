"""What the page of one model shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.console.frame.site import Reader
from app.console.frame.words import told_in
from app.console.models.view import (
    SYNTHETIC,
    all_rules_in_words,
    data_in_words,
    gate_in_words,
    group_in_words,
    moment,
    served_in_short,
    short,
)
from app.console.pictures.evaluation import pictures_of
from app.services.champions import UNGATED, Versions, VersionStanding
from app.services.standing import OutcomeStanding
from app.serving.worker_group import WorkerRow
from models.card.said import number
from models.gate_record import RECORD_TAG
from models.vocabulary import BranchPoint, Vocabulary

FIGURES = (
    ("auroc",), ("auprc",), ("brier",), ("log_loss",), ("mae",), ("rmse",), ("r2",), ("spearman",),
    ("calibration", "observed_expected"), ("calibration", "slope"),
    ("calibration", "in_the_large"), ("calibration", "ici"), ("calibration", "e90"),
)  # fmt: skip
OF_MLFLOW = "mlflow."


def model_view(
    standing: OutcomeStanding,
    point: BranchPoint,
    versions: Versions | None,
    workers: Sequence[WorkerRow],
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:
    """Everything that the page shows; `versions` is None while the registry does not answer."""
    served = standing.served
    champion = None if versions is None else versions.champion
    of_workers = [(row.worker, _served_by(row, standing.name)) for row in workers]
    serving = {version for _, version in of_workers}
    return {
        "name": standing.name,
        "label": reader.words.label(vocabulary.outcomes[standing.outcome]),
        "definition": told_in(reader.language, vocabulary.outcomes[standing.outcome], "definition"),
        "point": point.id,
        "point_title": getattr(point, f"title_{reader.language}"),
        "served": None if served is None else served_in_short(served, reader),
        "synthetic": served is not None and served.model.training_data == SYNTHETIC,
        "workers": of_workers,
        "refused": [
            (row.worker, version, why)
            for row in workers
            for name, version, why in row.refused
            if name == standing.name
        ],
        "away": versions is None,
        "champion": champion,
        "following": champion is not None and serving != {champion},
        "versions": [] if versions is None else [_version(v, reader) for v in versions.versions],
        "back_to": None
        if versions is None or versions.back_to is None
        else _version(versions.back_to, reader),
        "moves": [] if versions is None else [_move(move, reader) for move in versions.moves[::-1]],
        "checks": all_rules_in_words(reader),
        "may": reader.may("operate"),
        "challenger": None
        if standing.challenger is None
        else challenger_in_words(standing.challenger, reader),
        **_evaluation({} if served is None else served.evaluation, vocabulary, reader),
        "lineage": [] if served is None or versions is None else _lineage(versions, served.version),
    }


def move_view(
    versions: Versions, wanted: VersionStanding, how: str, label: str, reader: Reader
) -> dict[str, Any]:
    """What stands before the button: what moves, and what the gate said."""
    return {
        "name": versions.name,
        "label": label,
        "how": how,
        "champion": versions.champion,
        "wanted": _version(wanted, reader),
        "synthetic": wanted.training_data == SYNTHETIC,
    }


def challenger_in_words(row: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """How the challenger does beside the champion, as far as it was asked."""
    n, both = reader.numbers, row["both"]
    figures = row.get("figures") or {}
    sides = ("champion", "challenger")
    return {
        "version": row["version"],
        "set_aside": row["set_aside"],
        "begun": row["begun"],
        "answered": n.plain(row["answered"]),
        "abstained": n.plain(row["abstained"]),
        "both": n.plain(both),
        "apart": None if not both else n.plain(round(row["apart"] / both, 4)),
        "other_band": n.plain(row["other_band"]),
        "outcomes": n.plain(row["outcomes"]),
        "figures": [
            (reader.texts(f"models.{figure}"), *(_three(number(figures, s, figure), reader) for s in sides))
            for figure in ("auroc", "brier", "net_benefit")
            if any(number(figures, side, figure) is not None for side in sides)
        ],
    }  # fmt: skip


def _served_by(row: WorkerRow, name: str) -> str | None:
    return next((version for model, version, _, _ in row.models if model == name), None)


def _version(one: VersionStanding, reader: Reader) -> dict[str, Any]:
    hindrance = None
    if one.hindrance is not None:
        doubt = one.gate.doubt if one.hindrance == UNGATED else None
        hindrance = {"why": reader.texts(f"models.hindrance_{one.hindrance}"), "doubt": doubt}
    return {
        "version": one.version,
        "digest": short(one.digest),
        "whole_digest": one.digest or "",
        "aliases": list(one.aliases),
        "gate": gate_in_words(one.gate, reader),
        "training_data": data_in_words(one.training_data, reader),
        "synthetic": one.training_data == SYNTHETIC,
        "hindrance": hindrance,
    }


def _move(move: Any, reader: Reader) -> dict[str, Any]:
    known = {"promoted": "promoted", "overridden": "overridden", "rolled back": "rolled_back"}
    how = reader.texts(f"models.how_{known[move.how]}") if move.how in known else move.how
    return {
        "at": moment(move.at), "before": move.before or "–", "after": move.after, "how": how,
        "by": move.by, "reason": move.reason or "",
    }  # fmt: skip


def _evaluation(
    evaluation: Mapping[str, Any], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    n = reader.numbers
    figures = []
    for path in FIGURES:
        value = number(evaluation, *path, "value")
        value = number(evaluation, *path) if value is None else value
        if value is None:
            continue
        lower, upper = (number(evaluation, *path, end) for end in ("lower", "upper"))
        between = "" if lower is None or upper is None else f"{n.fixed(lower)}–{n.fixed(upper)}"
        label = reader.texts(f"models.{path[-1]}")
        figures.append((path[-1], label, n.fixed(value), between))

    def named(divided_by: str, part: str) -> str:
        return group_in_words(divided_by, part, vocabulary, reader)

    pictures = pictures_of(evaluation, reader.texts, n, named) if evaluation else []
    drawn = {one.title for one in pictures}
    wanted = ["roc", "precision_recall", "calibration", "decision_curve", "subgroups"]
    if evaluation.get("kind") == "numeric":
        wanted = ["calibration", "subgroups"]
    lacking = [one for one in wanted if reader.texts(f"pictures.{one}") not in drawn]
    told = [reader.texts(f"pictures.{one}") for one in lacking]
    rows, events = number(evaluation, "rows"), number(evaluation, "events")
    return {
        "figures": figures,
        "pictures": pictures,
        "lacking": told if evaluation else [],
        "rows": None if rows is None else n.plain(rows),
        "events": None if events is None else n.plain(events),
    }


def _lineage(versions: Versions, version: str) -> list[tuple[str, str]]:
    found = versions.of(version)
    if found is None:
        return []
    return sorted(
        (key, value)
        for key, value in found.tags.items()
        if key != RECORD_TAG and not key.startswith(OF_MLFLOW)
    )


def _three(value: float | None, reader: Reader) -> str:
    return "–" if value is None else reader.numbers.fixed(value)
