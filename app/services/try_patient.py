"""What would be answered, for somebody who tries: as every way in works it out, recorded nowhere."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.schemas.assessment_request import AssessmentRequest
from app.services.parts import Parts
from app.services.silence import silent_answer
from app.services.work_out import work_out
from models.vocabulary import BranchPoint

NOWHERE = ""
"""The number of an assessment that is not kept: it has none."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An answer that nobody will find again.

    Attributes
    ----------
    answer : mapping
        As it would be given: where the branch point is silent, it tells nothing of the risk.
    values : mapping
        What was used, as models read it, with what follows from it.
    """

    answer: Mapping[str, Any] = field(repr=False)
    values: Mapping[str, float] = field(repr=False)


def try_patient(
    request: AssessmentRequest,
    point: BranchPoint,
    tenant: str,
    care_units: Collection[str],
    parts: Parts,
) -> Tried:
    """Work out an answer and keep nothing of it: no row, no line of the access log, no count.

    Raises
    ------
    IdentifierFound
        When the tripwire sees an identifier in what would be stored if it were asked.
    LedgerUnavailable
        Before it is known which branch points are silent.
    """
    told = parts.silence.tells(tenant, point.id)
    worked = work_out(request, point, tenant, care_units, int(time.time()), NOWHERE, parts)
    document = worked.document
    return Tried(document if told else silent_answer(document), worked.intake.values)
