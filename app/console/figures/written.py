"""Figures and names of models as the pages of this folder write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.console.frame.numbers import TO, Numbers
from app.console.frame.site import Reader
from models.vocabulary import Feature, Vocabulary
from monitoring.counting.profile import IMPLAUSIBLE, MISSING, UNSEEN

NUMBERED = re.compile(r"^\d\d: (?:(up to|over) )?(.*)$")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
LARGE = 1000
Row = Mapping[str, Any]


def fixed(value: float | None, numbers: Numbers, decimals: int = 2) -> str:
    """A number with so many decimals; a dash where there is none.

    Examples
    --------
    >>> fixed(1.256, Numbers("en")), fixed(0.3, Numbers("sv")), fixed(None, Numbers("en"))
    ('1.26', '0,30', '–')
    """
    return TO if value is None else numbers.fixed(value, decimals)


def percent(value: float | None, numbers: Numbers) -> str:
    """A share in per cent; nobody is 0, not less than something."""
    if value is None:
        return TO
    return "0\u202f%" if value == 0 else numbers.percent(value) if value < 1 else "100\u202f%"


def bin_label(label: str, feature: Feature | None, reader: Reader) -> str:
    """A bin as people read it: without its place, in the reader's words.

    Parameters
    ----------
    feature : Feature or None
        Whose values are counted; None for risks, and for an input that is no longer declared.

    Examples
    --------
    >>> from app.cds_hooks.wording import load_wording
    >>> from app.console.frame.words import load_texts
    >>> sv = Reader(None, load_texts()["sv"], load_wording()["sv"], Numbers("sv"), "auto")
    >>> [bin_label(one, None, sv) for one in ("01: 21.755 to 24.696", "00: up to 912.5", "missing")]
    ['21,75–24,7', 'högst 912,5', 'saknas']
    >>> from models.vocabulary import load_vocabulary
    >>> bin_label("chf", load_vocabulary().features["disease_group"], sv)
    'hjärtsvikt'
    """
    if label in (MISSING, IMPLAUSIBLE, UNSEEN):
        return reader.texts(f"figures.bin_{label}")
    found = NUMBERED.match(label)
    if found is None:
        if label in ("true", "false"):
            return reader.texts(f"frame.{'yes' if label == 'true' else 'no'}")
        if feature is None:
            return label.replace("_", " ")
        return feature.category_label(label, reader.language)
    side, numbers = found.groups()
    ends = TO.join(_short(float(one), reader.numbers) for one in numbers.split(" to "))
    return ends if side is None else reader.texts(f"figures.bin_{side.replace(' ', '_')}", end=ends)


def _short(value: float, numbers: Numbers) -> str:
    """With as many digits as matter."""
    if abs(value) >= LARGE:
        return numbers.plain(round(value))
    return numbers.plain(float(f"{value:.4g}"))


def model_label(name: str, vocabulary: Vocabulary, reader: Reader) -> str:
    """Branch point and outcome of a model, in the reader's words."""
    place, _, outcome = name.partition(".")
    point, declared = vocabulary.branch_points.get(place), vocabulary.outcomes.get(outcome)
    if point is None or declared is None:
        return name
    title = point.title_sv if reader.language == "sv" else point.title_en
    return f"{title}: {reader.words.within(reader.words.label(declared))}"


def of_the_callers(rows: Sequence[Row], allowed: Collection[str] | None) -> list[Row]:
    """Rows of models at branch points that a caller may ask at; None allows all."""
    return [row for row in rows if allowed is None or row["model"].partition(".")[0] in allowed]


def chosen(models: Sequence[Row], wanted: str | None) -> Row | None:
    """The model that was asked for, else the first."""
    return next((one for one in models if one["model"] == wanted), models[0] if models else None)
