"""What the service writes down of itself: lines past the tripwire, and the ledger's head."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from app.logs import configure_logging
from app.main import _note_head
from models.vocabulary import Vocabulary
from monitoring.keyring import load_keyring
from monitoring.ledger import Event, Ledger
from monitoring.metrics import Metrics

PERSON = "19500907-2553"


@pytest.fixture(autouse=True)
def _leave_no_logging_behind() -> Iterator[None]:
    """The stream that pytest lends is closed after the test."""
    handlers = logging.root.handlers[:]
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers


@pytest.mark.parametrize(
    "said", [PERSON, "195009072553", "call 070-174 06 05", "Ada Lund was here"]
)
def test_a_line_with_an_identifier_is_withheld_and_counted(
    capsys: pytest.CaptureFixture[str], vocabulary: Vocabulary, said: str
):
    metrics = Metrics(vocabulary)
    configure_logging("info", lambda: metrics.tripped("log"), ["Ada Lund"])
    structlog.get_logger().warning("odd", note=said)
    structlog.get_logger().warning("fine", note="nothing personal")
    withheld, fine = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert withheld == {"event": "log_line_withheld", "level": "error"}
    assert fine["note"] == "nothing personal"
    assert b'risk_tripwire_hits_total{where="log"} 1.0' in metrics.exposition()


def test_what_a_library_logs_is_a_json_line_without_its_traceback(
    capsys: pytest.CaptureFixture[str],
):
    configure_logging("info")
    log = logging.getLogger("uvicorn.error")
    log.warning("Invalid HTTP request received.")
    log.info("too much to tell")
    try:
        int(PERSON)
    except ValueError:
        log.exception("It failed")
    warned, failed = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (warned["level"], warned["note"]) == ("warning", "Invalid HTTP request received.")
    assert (failed["note"], failed["error"]) == ("It failed", "ValueError")


def test_the_head_is_noted_when_it_has_moved(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Against a database put back as a whole only a head that stands elsewhere helps."""
    monkeypatch.setattr("app.main.NOTE_HEAD_EVERY_S", 0.01)
    configure_logging("info")
    load_keyring(tmp_path / "keys.toml", create=True)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "keys.toml")
    ledger.prepare()

    async def record_and_note() -> list[dict[str, object]]:
        await ledger.start()
        noting = asyncio.create_task(_note_head(ledger))
        found: list[dict[str, object]] = []
        async with asyncio.timeout(20):
            await ledger.append(Event(time.time_ns() // 1000, "checked", "{}"))
            while not any(line["seq"] == ledger.head[0] for line in found):
                await asyncio.sleep(0.01)
                found += [json.loads(text) for text in capsys.readouterr().err.splitlines()]
        noting.cancel()
        await ledger.close()
        return found

    found = asyncio.run(record_and_note())
    assert len({line["seq"] for line in found}) == len(found)  # once for every head
    assert (found[-1]["event"], found[-1]["chain"]) == ("ledger_head", ledger.head[1])
