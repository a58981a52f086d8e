"""`python -m app.serving.shadow.scoring`: asks challengers about what the ledger has recorded.

Lines of JSON in both directions. The first line in says where the ledger and the site's content are;
every `challengers` line says whom to ask from now on. A line out says what is being done (whoever
watches knows by it which challenger hangs) or hands over the rows of one batch; the next batch begins
when a `recorded` line has said that they are durable. When the pipe closes, the process ends.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.serving.memory import settle_memory
from app.serving.slot import ServedModel, load_served_model
from models.bundle import read_bundle
from models.errors import BundleRefused
from models.registry import CHALLENGER, CHAMPION
from models.risk.assessment import Answered
from models.vocabulary import BranchPoint, Vocabulary, load_vocabulary, restored, settle
from monitoring.ledger.engine import open_engine
from monitoring.ledger.errors import LedgerUnavailable
from monitoring.ledger.tail import Asked, Place, asked_after, newest, reached, scored
from monitoring.shadow import figures, matched, of_newest_champion, pairs, said_of

BATCH = 16
RESTS, LONGEST_REST_S = 9.0, 0.5
"""Times the length of a batch: a tenth of the time is spent on challengers at most."""
POLL_S = 1.0
PATIENCE_S = 30.0
FIGURES_EVERY_S, FIGURES_REST = 900.0, 50.0
"""At least so often; sooner where reading for them is quick: a fiftieth of the time is spent on it."""
LOWEST_PRIORITY = 19
STDIN = 0


@dataclass(frozen=True, slots=True)
class Challenger:
    """A model that is asked, and how far it has come; None until it is known where it begins."""

    served: ServedModel
    place: Place | None = None
    figures_at: float = 0.0

    @property
    def name(self) -> str:
        return self.served.model.name


def main() -> None:
    """Ask until the pipe closes."""
    os.nice(LOWEST_PRIORITY)
    told = Told()
    site = told.first()
    vocabulary = load_vocabulary(None if site["content"] is None else Path(site["content"]))
    engine = open_engine(site["database"], writes=False, patience_s=PATIENCE_S)
    challengers: dict[str, Challenger] = {}
    waits_s = POLL_S
    while True:
        if (named := told.news(waits_s)) is not None:
            challengers = _taken(named, challengers, vocabulary)
            settle_memory()
        behind = False
        try:
            for name, one in challengers.items():
                start = time.perf_counter()
                challengers[name], more = _advance(one, engine, vocabulary, told)
                behind = behind or more
                # A short batch, then a rest: whoever asks about a patient meanwhile hardly notices.
                time.sleep(min(LONGEST_REST_S, RESTS * (time.perf_counter() - start)))
        except (SQLAlchemyError, LedgerUnavailable):
            engine.dispose()
        waits_s = 0.0 if behind else POLL_S
        _say({"doing": None})


class Told:
    """What comes in, line by line; the process ends when the pipe does."""

    def __init__(self) -> None:
        self._named: Sequence[Mapping[str, Any]] | None = None
        self._rest = b""

    def news(self, timeout_s: float) -> Sequence[Mapping[str, Any]] | None:
        """The newest list of challengers, if there is one that was not taken yet."""
        while self._named is None and (
            b"\n" in self._rest or select.select([STDIN], [], [], timeout_s)[0]
        ):
            self._hear()
        named, self._named = self._named, None
        return named

    def recorded(self) -> None:
        """Wait until the rows that were handed over are durable."""
        while not self._hear():
            pass

    def first(self) -> dict[str, Any]:
        """The first line."""
        found: dict[str, Any] = json.loads(self._line())
        return found

    def _hear(self) -> bool:
        """Take in a line; whether it says that rows are durable."""
        line = json.loads(self._line())
        if "challengers" in line:
            self._named = line["challengers"]
        return "recorded" in line

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            more = os.read(STDIN, 1 << 16)
            if not more:
                sys.exit(0)
            self._rest += more
        line, self._rest = self._rest.split(b"\n", 1)
        return line


def _taken(
    named: Sequence[Mapping[str, Any]], known: Mapping[str, Challenger], vocabulary: Vocabulary
) -> dict[str, Challenger]:
    """Whom to ask from now on; one that is known goes on where it is."""
    found = {}
    for one in named:
        name, present = one["name"], known.get(one["name"])
        if present is not None and present.served.digest == one["digest"]:
            found[name] = replace(present, served=replace(present.served, version=one["version"]))
            continue
        _say({"doing": name})
        try:
            bundle = read_bundle(Path(one["path"]), one["digest"])
            served = load_served_model(bundle, name, one["version"], CHALLENGER, vocabulary)
        except Exception as error:  # whatever a bundle holds, the others are asked
            told = str(error) if isinstance(error, BundleRefused) else type(error).__name__
            _say({"refused": name, "reason": told})
        else:
            found[name] = Challenger(served)
    return found


def _advance(
    one: Challenger, engine: Engine, vocabulary: Vocabulary, told: Told
) -> tuple[Challenger, bool]:
    """Ask a challenger about a batch of what was recorded since; whether there is more to ask.

    Raises
    ------
    SQLAlchemyError, LedgerUnavailable
        When the ledger cannot be read; then nothing was handed over.
    """
    model, digest = one.served.model, one.served.digest
    # Live traffic: what was answered before anybody named it is not asked about.
    place = one.place or reached(engine, digest) or newest(engine)
    end = newest(engine)
    batch = asked_after(engine, model.branch_point, place, BATCH)
    more = len(batch) == BATCH
    new = batch
    if batch:
        first, last = batch[0].place.seq, batch[-1].place.seq
        already = scored(engine, digest, first, last)  # by another service on this ledger
        new = [asked for asked in batch if asked.place.seq not in already]
    _say({"doing": one.name})
    rows = [ask(one.served, asked, vocabulary) for asked in new]
    lag_s = max(0.0, time.time() - batch[0].recorded_at_us / 1e6) if batch else 0.0
    _say({"name": one.name, "lag_s": lag_s, "rows": rows})
    if rows:
        told.recorded()
    if time.monotonic() >= one.figures_at:
        began = time.monotonic()
        _tell_figures(one.served, engine, vocabulary)
        ended = time.monotonic()
        rest_s = min(FIGURES_EVERY_S, FIGURES_REST * (ended - began))
        one = replace(one, figures_at=ended + rest_s)
    # `newest` was asked before the batch: nothing between the two is passed over.
    end = max([end, *(asked.place for asked in batch)], key=lambda p: p.seq)
    upto = batch[-1].place if more else end
    return replace(one, place=max(place, upto, key=lambda p: p.seq)), more


def ask(served: ServedModel, asked: Asked, vocabulary: Vocabulary) -> dict[str, Any]:
    """What a challenger says of one recorded assessment, beside what the champion said.

    Returns
    -------
    dict
        `row`, to be recorded; `apart`, the difference of the predictions, None unless both gave one;
        `other_band`, whether they fall into different bands or only one gave a number.
    """
    model = served.model
    point = vocabulary.branch_points[model.branch_point]
    measurements, _ = restored(asked.inputs, vocabulary.features)
    answer = model.assess(settle(measurements, point, vocabulary.features).values)
    said = answer.prediction if isinstance(answer, Answered) else None
    champion = said_of(asked.answer, model.outcome)
    theirs = None if champion is None else champion.prediction
    return {
        "row": [
            asked.assessment_id, asked.place.seq, asked.tenant, said,
            None if champion is None else champion.digest, theirs,
        ],
        "apart": None if said is None or theirs is None else abs(said - theirs),
        "other_band": _band(point, model.outcome, said) != _band(point, model.outcome, theirs),
    }  # fmt: skip


def _band(point: BranchPoint, outcome: str, prediction: float | None) -> str | None:
    bands = point.outcomes[outcome]
    if prediction is None:
        return None
    return "answered" if bands is None else bands.band(prediction)


def _tell_figures(served: ServedModel, engine: Engine, vocabulary: Vocabulary) -> None:
    """What the outcomes that have arrived say of champion and challenger."""
    model = served.model
    if model.kind != "binary":
        return
    # Reading the whole ledger can take long: that is no fault of the challenger, nobody gets a strike.
    _say({"doing": None})
    found = of_newest_champion(pairs(engine, model.branch_point, model.outcome, served.digest))
    both = matched(
        engine, model.branch_point, model.outcome, found,
        horizon_days=vocabulary.outcomes[model.outcome].matures_after_days,
        is_number=False, now_us=time.time_ns() // 1000,
    )  # fmt: skip
    point = vocabulary.branch_points[model.branch_point]
    threshold = next(iter(point.decision_thresholds(model.outcome)), None)
    told = {CHAMPION: both.champion, CHALLENGER: both.challenger}
    _say(
        {
            "figures": model.name,
            "outcomes": len(both.y),
            "of": {alias: dict(figures(both.y, p, threshold)) for alias, p in told.items()},
        }
    )


def _say(told: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
