"""From a parsed request to its answer: de-identified, settled, assessed; nothing is recorded here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.deid import Deidentified, scrub, stored_inputs
from app.schemas.assessment_request import AssessmentRequest
from app.services.assess import assess
from app.services.parts import Parts
from app.serving.slot import ServedPanel
from models.risk.assessment import Abstained, Answered
from models.vocabulary import BranchPoint, Intake, settle


class WorkedOut(NamedTuple):
    """An answer with everything that it was made from.

    Attributes
    ----------
    inputs : str
        What was used, as it is stored where it is stored.
    said : sequence
        What the panel says of the intake's values.
    document : dict
        The whole answer; where the branch point is silent it must not be told.
    """

    clean: Deidentified
    intake: Intake
    inputs: str
    panel: ServedPanel
    said: Sequence[Answered | Abstained]
    document: dict[str, Any]


def work_out(
    request: AssessmentRequest,
    point: BranchPoint,
    tenant: str,
    care_units: Collection[str],
    now_s: int,
    assessment_id: str,
    parts: Parts,
) -> WorkedOut:
    """Work out an answer.

    Parameters
    ----------
    now_s : int
        Seconds since 1970; the index time of a request that names none.

    Raises
    ------
    IdentifierFound
        When the tripwire sees an identifier in what would be stored.
    """
    clean = scrub(
        request,
        tenant=tenant,
        care_units=care_units,
        now=datetime.fromtimestamp(now_s, UTC),
        pseudonymiser=parts.pseudonymiser,
    )
    intake = settle(clean.measurements, point, parts.vocabulary.features)
    inputs = stored_inputs(intake.used)
    panel = parts.slot.panel(point, clean.outcomes)
    said = panel.assess(intake.values)
    document = assess(clean, intake, point, parts.vocabulary, panel, said, assessment_id)
    return WorkedOut(clean, intake, inputs, panel, said, document)
