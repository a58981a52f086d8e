"""The short soak: what `make soak` holds for ten minutes, held for every kind of event once."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tests.benchmarks.soak import PROGRAMME, show, soak
from tests.lib.mlflow_server import running_mlflow
from tests.lib.versions import without_trace

INTERVAL_S = 1.0
BUSY_S = 30.0
"""What a busy machine may add; `make soak` measures with less."""


def test_no_request_fails_while_aliases_move_break_and_mlflow_comes_and_goes(tmp_path: Path):
    with without_trace(), running_mlflow(tmp_path / "mlflow") as server:
        report = soak(
            server, tmp_path, seconds=15.0, events=len(PROGRAMME), interval_s=INTERVAL_S,
            grace_s=BUSY_S, pause_s=0.05,
        )  # fmt: skip
    show(report, INTERVAL_S, Console())  # pytest shows it when it did not hold
    assert report.failures == []
    assert report.mixed == []
    assert report.untimely == []
    assert [event.what for event in report.events if not event.held] == []
    assert report.statuses.keys() == {"200"}
    assert report.held
