"""`python -m monitoring.outcomes.process`: follows the ledger and writes what Prometheus is shown.

Lines of JSON come in. The first says where the ledger and the site's content are, into which folder to
write, and how often; every `models` line says which models are served from now on. A line goes out
after every page that was read: `read` is when the ledger was last read to its end (null before), and
`behind` how many of its rows are still to be read (null while the database does not answer). When the
pipe closes, the process ends.

The folder gets `outcomes.prom`, the exposition, and `performance.json`, figures of the last day, week,
month and year, and the charts of every unit; `limits.json` spares the next start the simulations of this
one and may be deleted. Each is replaced as a whole. While the ledger is read from its first row on there is
no exposition: half of a counter would be taken for a counter that began again.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine
from sqlalchemy import select as rows_of
from sqlalchemy.exc import SQLAlchemyError

from models.vocabulary import Vocabulary, load_vocabulary
from monitoring.ledger.engine import open_engine
from monitoring.ledger.matured import DAY_US
from monitoring.ledger.reading import snapshot
from monitoring.ledger.tables import HEAD
from monitoring.outcomes.figures import slope_and_auroc
from monitoring.outcomes.followed import AnotherLedger, Followed
from monitoring.outcomes.limits import Simulated
from monitoring.outcomes.maturing import Model
from monitoring.outcomes.performance import performance
from monitoring.outcomes.series import WINDOWS_OF_GAUGES, Gauges, Series

EXPOSITION, PERFORMANCE, LIMITS = "outcomes.prom", "performance.json", "limits.json"
WINDOWS = {"1h": 1 / 24, "1d": 1, "7d": 7, "30d": 30, "365d": 365}
"""In days."""
PATIENCE_S = 30.0
LOWEST_PRIORITY = 19
FIGURES_EVERY_S = 60.0
RESTS = 9.0
"""Times the processor time of working out the figures: a tenth of a core is spent on them at most.

Not times their duration: on a busy machine this process waits for its turn, and would then rest for
as long as others work.
"""
STDIN = 0
EVERY_S, BORN_AT_ZERO_S = 5.0, 90.0


def main() -> None:
    """Follow until the pipe closes."""
    os.nice(LOWEST_PRIORITY)
    told = Told()
    site = told.first()
    content = site["content"]
    writer = Writer(
        load_vocabulary(None if content is None else Path(content)),
        Path(site["folder"]),
        float(site.get("born_at_zero_s", BORN_AT_ZERO_S)),
    )
    engine = open_engine(site["database"], writes=False, patience_s=PATIENCE_S)
    every_s, waits_s = float(site.get("every_s", EVERY_S)), 0.0
    while True:
        writer.serve(told.news(waits_s))
        behind = _turn(writer, engine)
        _say({"read": writer.read_s, "behind": behind})
        waits_s = 0.0 if behind else every_s


def _turn(writer: Writer, engine: Engine) -> int | None:
    """Read one page; returns how many rows are still to be read, None when the database fails."""
    try:
        behind = writer.read(engine)
    except SQLAlchemyError:
        engine.dispose()
        return None
    if not behind:
        with suppress(OSError):  # a full disk: the last text stays, the next turn tries again
            writer.write()
    return behind


class Writer:
    """What is known of the ledger, and the files that tell of it.

    Parameters
    ----------
    folder : Path
        Of the files; what an earlier process left of the exposition is removed.
    """

    def __init__(self, vocabulary: Vocabulary, folder: Path, born_at_zero_s: float) -> None:
        self._vocabulary, self._folder, self._born_at_zero_s = vocabulary, folder, born_at_zero_s
        self._simulated = Simulated(folder / LIMITS)
        self._served: tuple[Model, ...] = ()
        self.read_s: float | None = None
        self._news = True
        self._stale_at = self._rested_at = 0.0
        self._begin()

    def serve(self, models: tuple[Model, ...] | None) -> None:
        """Take the names and versions of the models that are served, where they were told."""
        if models is not None:
            self._served = models

    def read(self, engine: Engine) -> int:
        """Read a page; returns how many rows there are still to read, about.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            When the database does not answer; then nothing was taken.
        """
        now_s = time.time()
        try:
            with snapshot(engine) as connection:
                page = self._known.read(connection, int(now_s * 1e6))
                head = int(connection.execute(rows_of(HEAD.c.seq)).scalar() or 0)
        except AnotherLedger:
            self._begin()
            return 1
        self._known.take(page)
        self._news = self._news or bool(page.counts)
        if page.read_to_the_end:
            self.read_s = now_s
            return 0
        return max(1, head - self._known.joiner.place)

    def write(self) -> None:
        """Replace the files; the figures of windows only where there is something new, or now and then."""
        start = time.monotonic()
        if self._rested_at <= start and (self._news or self._stale_at <= start):
            before_s = time.process_time()
            self._figure()
            rest_s = RESTS * (time.process_time() - before_s)
            self._news, end = False, time.monotonic()
            self._stale_at, self._rested_at = end + FIGURES_EVERY_S, end + rest_s
        text = self._series.text(
            self._known, self._served, self._gauges, self.read_s or 0.0, time.time()
        )
        _replace(self._folder / EXPOSITION, text)
        if (limits := self._simulated.to_keep()) is not None:
            _replace(self._folder / LIMITS, limits)

    def _begin(self) -> None:
        self._known = Followed(self._vocabulary, self._simulated)
        self._series = Series(self._born_at_zero_s)
        self._gauges: Gauges = {}
        self._news, self._stale_at, self._rested_at = True, 0.0, 0.0
        self.read_s = None
        (self._folder / EXPOSITION).unlink(missing_ok=True)

    def _figure(self) -> None:
        now_us = int(time.time() * 1e6)
        known = self._known
        known.record.forget(now_us)
        gauges: dict[Model, dict[str, tuple[float | None, float | None]]] = {}
        for window, days in WINDOWS_OF_GAUGES.items():
            since_us = now_us - days * DAY_US
            for model, entries in known.record.window(since_us, now_us).by_model().items():
                gauges.setdefault(model, {})[window] = slope_and_auroc(entries)
        self._gauges = gauges
        windows = {
            window: performance(known, now_us - int(days * DAY_US), now_us).as_document()
            for window, days in WINDOWS.items()
        }
        # The longest window holds the points of all: once is enough.
        charts = [window.pop("charts") for window in windows.values()][-1]
        document: Mapping[str, Any] = {
            "ledger": known.label,
            "read": self.read_s,
            "windows": windows,
            "charts": charts,
        }
        _replace(self._folder / PERFORMANCE, orjson.dumps(document))


class Told:
    """What comes in, line by line; the process ends when the pipe does."""

    def __init__(self) -> None:
        self._rest = b""

    def first(self) -> dict[str, Any]:
        """The first line."""
        found: dict[str, Any] = json.loads(self._line())
        return found

    def news(self, timeout_s: float) -> tuple[Model, ...] | None:
        """The newest models that are served; None when nothing was told within this time."""
        found = None
        while b"\n" in self._rest or select.select([STDIN], [], [], timeout_s)[0]:
            line = json.loads(self._line())
            found = tuple((str(name), str(version)) for name, version in line["models"])
            timeout_s = 0.0
        return found

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            more = os.read(STDIN, 1 << 16)
            if not more:
                sys.exit(0)
            self._rest += more
        line, self._rest = self._rest.split(b"\n", 1)
        return line


def _replace(path: Path, text: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never half of one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _say(told: Mapping[str, Any]) -> None:
    with suppress(BrokenPipeError):  # whoever watches is gone; the pipe of lines in says so too
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
