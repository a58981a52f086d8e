"""What the service writes down of itself: JSON lines on standard error, each past the tripwire."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection
from typing import Any

import structlog

from models.tripwire import find_identifiers


def configure_logging(
    level: str, tripped: Callable[[], None] = lambda: None, names: Collection[str] = ()
) -> None:
    """Write every line of this process as JSON, libraries' own included.

    Parameters
    ----------
    level : str
        The least that is written: debug, info, warning or error.
    tripped : callable
        Told when a line was withheld because an identifier was seen in it.
    names : collection of str
        Names of persons to look for as well.
    """

    def past_the_tripwire(_: Any, __: str, line: Any) -> str:
        if not find_identifiers(line, names):
            return str(line)
        tripped()
        return '{"event": "log_line_withheld", "level": "error"}'

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
            past_the_tripwire,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(handlers=[_OfLibraries()], level=logging.WARNING, force=True)


class _OfLibraries(logging.Handler):
    """Takes in what libraries log, without tracebacks: an exception's text can hold what was sent."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            "library",
            library=record.name,
            note=record.getMessage(),
            **(
                {"error": record.exc_info[0].__name__}
                if record.exc_info and record.exc_info[0]
                else {}
            ),
        )
