"""The service as it is, without its boundary: nobody is asked who they are, nothing is de-identified,
and nothing is recorded, neither the answer nor who looked.

    python -m tests.benchmarks.unguarded run --port 8000

The baseline of `tests.benchmarks.boundary`; it is no part of the product and serves no patient.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from app.access_log import AccessLog
from app.cli import main
from app.deid import Deidentified
from app.schemas.assessment_request import AssessmentRequest
from app.services import work_out
from monitoring.ledger import Ledger


def as_sent(request: AssessmentRequest, *, now: datetime, **_: object) -> Deidentified:
    """What was sent, in the place of what the policy lets through."""
    return Deidentified(
        index_time=request.index_time or now.replace(microsecond=0),
        measurements=request.measurements,
        outcomes=request.outcomes,
        include=request.include,
        unit=request.unit,
        undeclared_unit=False,
    )


def at_once(*_: object) -> asyncio.Future[list[object]]:
    """Nothing to wait for."""
    done: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
    done.set_result([])
    return done


def nothing(*_: object, **__: object) -> None:
    return None


if __name__ == "__main__":
    work_out.scrub = as_sent  # type: ignore[assignment]
    work_out.stored_inputs = nothing  # type: ignore[assignment]
    AccessLog.seal = nothing  # type: ignore[method-assign]
    Ledger.append = at_once  # type: ignore[method-assign]
    main()
