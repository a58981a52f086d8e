"""What of a report must stay in the hospital: marked, or withheld where the report goes outside.

Method
------
A row of figures stays inside where fewer than five patients, events or patients without the event are
behind it, a bin where one to four patients are. Where a total is told, what was withheld follows from
the rest: so the next smallest are withheld as well, until at least two are and together they are five
or more. Figures are rounded, since an exact index would tell the bins that it was made of.

What a chart shows is single patients, one after the other: outside, nothing of it is told but signals.

The least number is a convention of official statistics; the rounding is a product proposal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from monitoring.observed_expected import is_withheld
from monitoring.reference import SMALLEST_CELL

Document = dict[str, Any]
Row = dict[str, Any]
MARK = "inside_only"
DIGITS = 3
DIGITS_OF_INDEX = 2
"""Of PSI and divergence."""
INDICES = ("psi", "js", "prediction_psi")
OF_BIN = (("missing", "missing_ratio"), ("implausible", "implausible_ratio"), ("unseen", "unseen_ratio"))  # fmt: skip


def small_bins(counts: Sequence[int]) -> list[bool]:
    """Which bins of a distribution with a known total stay inside.

    Examples
    --------
    Two patients, and the next smallest since the total tells them; nobody is no secret:

    >>> small_bins([2, 0, 40, 7, 90])
    [True, False, False, True, False]
    >>> small_bins([20, 0, 40])
    [False, False, False]
    """
    stays = [0 < count < SMALLEST_CELL for count in counts]
    order = sorted((i for i, count in enumerate(counts) if count), key=lambda i: counts[i])
    return _until_hidden(
        stays, order, lambda chosen: sum(counts[i] for i in chosen) >= SMALLEST_CELL
    )


def small_rows(rows: Sequence[tuple[int, int]]) -> list[bool]:
    """Which rows of a table with a known total stay inside.

    Parameters
    ----------
    rows : sequence of (int, int)
        Events, and patients with and without.

    Examples
    --------
    Three events; the smaller of the others goes with it:

    >>> small_rows([(3, 60), (20, 80), (30, 90)])
    [True, True, False]
    """
    stays = [n != 0 and is_withheld(events, n) for events, n in rows]
    order = sorted((i for i, (_, n) in enumerate(rows) if n), key=lambda i: rows[i][1])

    def hidden(chosen: Sequence[int]) -> bool:
        return not is_withheld(sum(rows[i][0] for i in chosen), sum(rows[i][1] for i in chosen))

    return _until_hidden(stays, order, hidden)


def _until_hidden(
    stays: list[bool], order: Sequence[int], hidden: Callable[[Sequence[int]], bool]
) -> list[bool]:
    """Add the smallest until the total no longer tells what stays inside."""
    for i in order:
        chosen = [j for j, one in enumerate(stays) if one]
        if not chosen or hidden(chosen):  # one alone is too small to be hidden
            break
        stays[i] = True
    return stays


def marked(document: Mapping[str, Any]) -> Document:
    """The document with `inside_only` on every model, row and bin."""
    drift, told = document["drift"], document["performance"]
    return {
        **document,
        "drift": {**drift, "models": _asked(drift["models"])},
        "performance": {
            **told,
            "models": _rows(told["models"], _model_name),
            "units": _rows(told["units"], _place),
            "subgroups": _rows(told["subgroups"], lambda row: (*_place(row), _kind(row))),
            "delays": _delays(told),
            "charts": [{**one, MARK: True} for one in told["charts"]],
            "cards": [
                {**one, MARK: any(small_bins([one["accepted"], one["overridden"]]))}
                for one in told["cards"]
            ],
        },
    }


def for_outside(document: Mapping[str, Any]) -> Document:
    """What may leave the hospital: marked rows have None for numbers, and figures are rounded.

    Parameters
    ----------
    document : mapping
        From `read_report`.
    """
    found = marked(document)
    drift, told = found["drift"], found["performance"]
    drift["assessments"] = _at_least_five(drift["assessments"])
    drift["models"] = [_told_of_asked(one) for one in drift["models"]]
    for part in ("models", "units", "subgroups"):
        told[part] = [_told_of_row(one) for one in told[part]]
    told["delays"] = [
        {**one, **dict.fromkeys(("reports", "mean_s", "median_s"))} if one[MARK] else one
        for one in told["delays"]
    ]
    told["charts"] = [
        {**one, "patients": _at_least_five(one["patients"]), "vlad": None, "points": []}
        for one in told["charts"]
    ]
    told["cards"] = [
        {**one, **dict.fromkeys(("accepted", "overridden", "override_ratio"))} if one[MARK] else one
        for one in told["cards"]
    ]
    rounded: Document = _rounded({**found, "for_outside": True})
    return rounded


def _asked(models: Iterable[Row]) -> list[Row]:
    """Models of the drift: versions of one model have a total, the assessments."""
    found = []
    for _, versions in groupby(models, key=_model_name):
        own = [_with_marked_bins(one) for one in versions]
        few = small_bins([one["answered"] + one["abstained"] for one in own])
        found += [
            {**one, MARK: small or 0 < one["answered"] < SMALLEST_CELL}
            for one, small in zip(own, few, strict=True)
        ]
    return found


def _with_marked_bins(model: Row) -> Row:
    # Answers are told, and asked ones follow from any feature: abstentions are one more bin.
    counts = [one["count"] for one in model["predictions"]]
    *bins, abstained = small_bins([*counts, model["abstained"]])
    return {
        **model,
        "abstained_inside_only": abstained,
        "predictions": _marked_bins(model["predictions"], bins),
        "features": [
            {
                **one,
                "bins": _marked_bins(one["bins"], small_bins([b["count"] for b in one["bins"]])),
            }
            for one in model["features"]
        ],
    }


def _marked_bins(bins: Sequence[Row], small: Sequence[bool]) -> list[Row]:
    return [{**one, MARK: few} for one, few in zip(bins, small, strict=True)]


def _rows(rows: Iterable[Row], partition: Callable[[Row], Any]) -> list[Row]:
    """Rows that add up to something that is told, each partition apart."""
    found = []
    for _, together in groupby(rows, key=partition):
        own = list(together)
        few = small_rows([(one["figures"]["observed"], one["figures"]["n"]) for one in own])
        for one, small in zip(own, few, strict=True):
            curve = one["figures"]["curve"]
            bins = small_rows([(b["observed"], b["n"]) for b in curve])
            figures = {**one["figures"], "curve": _marked_bins(curve, bins)}
            found.append({**one, "figures": figures, MARK: small})
    return found


def _delays(told: Mapping[str, Any]) -> list[Row]:
    """As many reports as outcomes were counted: told only where those are."""
    hidden = {one["model"] for one in _rows(told["models"], _model_name) if one[MARK]}
    return [
        {
            **one,
            MARK: one["reports"] < SMALLEST_CELL
            or f"{one['branch_point']}.{one['outcome']}" in hidden,
        }
        for one in told["delays"]
    ]


def _told_of_asked(model: Row) -> Row:
    if model[MARK]:
        kept = {name: model[name] for name in ("model", "version", MARK)}
        return {**dict.fromkeys(model), **kept, "predictions": [], "features": []}
    found = {**model, "predictions": _told_bins(model["predictions"])}
    if model["abstained_inside_only"]:
        found |= {"answered": None, "abstained": None}
    # Of a few patients each: what they add up to is told, when they came is not.
    found["asked_over_time"] = []
    found["features"] = [
        {
            **one,
            "missing_over_time": [],
            **{ratio: None for name, ratio in OF_BIN if _is_marked(one["bins"], name)},
            "bins": _told_bins(one["bins"]),
        }
        for one in model["features"]
    ]
    return found


def _is_marked(bins: Sequence[Row], name: str) -> bool:
    return any(one[MARK] for one in bins if one["bin"] == name)


def _told_bins(bins: Iterable[Row]) -> list[Row]:
    return [{**one, "count": None} if one[MARK] else one for one in bins]


def _told_of_row(row: Row) -> Row:
    if row[MARK]:
        nothing = {**dict.fromkeys(row["figures"]), "few": row["figures"]["few"], "curve": []}
        return {**row, **{name: None for name in ("matured", "coverage") if name in row}, "figures": nothing}  # fmt: skip
    curve = [
        {**one, **dict.fromkeys(("n", "observed", "expected"))} if one[MARK] else one
        for one in row["figures"]["curve"]
    ]
    return {**row, "figures": {**row["figures"], "curve": curve}}


def _at_least_five(count: int) -> int | None:
    return count if count >= SMALLEST_CELL else None


def _rounded(value: Any, name: str = "") -> Any:
    if isinstance(value, float):
        return round(value, DIGITS_OF_INDEX if name in INDICES else DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(own, key) for key, own in value.items()}
    return [_rounded(own) for own in value] if isinstance(value, list) else value


def _model_name(row: Row) -> str:
    return str(row["model"])


def _place(row: Row) -> tuple[str, str]:
    return row["branch_point"], row["outcome"]


def _kind(row: Row) -> str:
    """Subgroups of one feature add up; `sex: female` is of `sex`."""
    return str(row["subgroup"]).partition(":")[0]
