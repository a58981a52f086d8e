"""Which models answered an assessment, told from the ledger's small columns.

The column `models` holds names and digests; a version stands in the answer alone, which is large. So
the version of a digest is read again from one answer in every so many rows of the ledger. It is wrong
only where the very same bytes get a second version: there what has matured counts for the earlier
version for a few rows more. What is counted always has the version of its own answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson

from models.vocabulary import Vocabulary
from monitoring.ledger.matured import DAY_US

ROWS_OF_A_VERSION = 256


class Panelist(NamedTuple):
    """A model that answered a binary outcome."""

    outcome: str
    model: str
    digest: str
    horizon_us: int


class Panels:
    """Models by what an assessment's row says; each different row is taken apart once.

    Outcomes that are numbers are left out, and those that are not declared: nobody knows their
    horizon.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._horizons = {
            outcome.name: int(outcome.matures_after_days * DAY_US)
            for outcome in vocabulary.outcomes.values()
            if outcome.kind == "binary"
        }
        self._known: dict[tuple[str, str], tuple[Panelist, ...]] = {}

    def of(self, branch_point: str, models: str) -> tuple[Panelist, ...]:
        """The models of one row, in the order of its outcomes."""
        key = branch_point, models
        if (panel := self._known.get(key)) is None:
            panel = self._known[key] = tuple(self._read(branch_point, models))
        return panel

    def _read(self, branch_point: str, models: str) -> Iterable[Panelist]:
        try:
            named = orjson.loads(models)
        except ValueError:
            return
        for model, digest in named.items() if isinstance(named, dict) else ():
            point, _, outcome = model.rpartition(".")
            if point == branch_point and outcome in self._horizons:
                yield Panelist(outcome, model, digest, self._horizons[outcome])


class Said(NamedTuple):
    """What a model said of an outcome in a stored answer."""

    model: str
    version: str
    digest: str
    p: float


def said(answer: str) -> Mapping[str, Said]:
    """What models said of binary outcomes, by outcome; also in an answer that nobody was told.

    Examples
    --------
    >>> told = '{"silent":true,"outcomes":[{"outcome":"sepsis","status":"answered","probability":0.25,'
    >>> told += '"model":{"name":"icu-review.sepsis","version":"3","digest":"sha256:00"}},'
    >>> told += '{"outcome":"stroke","status":"fallback","probability":0.5}]}'
    >>> said(told)
    {'sepsis': Said(model='icu-review.sepsis', version='3', digest='sha256:00', p=0.25)}
    """
    try:
        return {
            body["outcome"]: Said(
                body["model"]["name"],
                str(body["model"]["version"]),
                body["model"]["digest"],
                float(body["probability"]),
            )
            for body in orjson.loads(answer)["outcomes"]
            if body["status"] == "answered" and "probability" in body
        }
    except (ValueError, TypeError, KeyError):
        return {}  # not as it was written: for `verify` to find, no reason to count nobody any more


class Versions:
    """Versions of digests, as answers told them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[int, str]] = {}

    def wanted(self, rows: Iterable[tuple[int, tuple[Panelist, ...]]]) -> set[int]:
        """Of which rows, lowest number first, the answer must be read."""
        found, known = set(), {key: block for key, (block, _) in self._known.items()}
        for seq, panel in rows:
            for one in panel:
                if known.get((one.model, one.digest)) != seq // ROWS_OF_A_VERSION:
                    known[one.model, one.digest] = seq // ROWS_OF_A_VERSION
                    found.add(seq)
        return found

    def of(
        self, seq: int, panel: tuple[Panelist, ...], told: Mapping[str, Said] | None
    ) -> tuple[tuple[str, str], ...]:
        """Model and version of each model of a row; `told` is given where it was wanted."""
        found = []
        for one in panel:
            key = one.model, one.digest
            if told is not None and (body := told.get(one.outcome)) is not None:
                self._known[key] = (seq // ROWS_OF_A_VERSION, body.version)
            version = self._known.get(key, (0, ""))[1]
            found.append((one.model, version))
        return tuple(found)
