"""What every router can reach: built once in `app.main`, handed down, never global."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request, Response

from app.cds_hooks.desk import Desk
from app.deid import IdentifierFound
from app.errors import EXPLAINED, Problem
from app.fhir import FHIR_JSON, Coding, problem_outcome
from app.identity import Caller, SignedDeliveries
from app.routers.admission import Admission
from app.routers.body import BodyReader
from app.services.parts import Parts
from app.serving.figures import DriftReading
from app.serving.follower import Follower
from app.serving.registry_desk import RegistryDesk
from app.serving.slot import Slot
from app.settings import Settings
from models.vocabulary import BranchPoint, Vocabulary
from monitoring.ledger import LedgerUnavailable
from monitoring.metrics import Metrics

PROBLEM_JSON = "application/problem+json"
FHIR_PATH, CDS_PATH = "/fhir/", "/cds-services"


@dataclass(frozen=True, slots=True)
class State:
    """The parts that meet in `create_app`.

    Attributes
    ----------
    fhir_bodies : BodyReader
        For bodies that hold whole charts.
    codings : mapping
        What FHIR codes mean, by tenant.
    deliveries : SignedDeliveries, optional
        The check of MLflow's webhook; None where none is received.
    drift : DriftReading
        Reads drift from the ledger, beside the workers.
    registry : RegistryDesk
        Answers people's questions about versions, and moves an alias for them.
    """

    settings: Settings
    follower: Follower
    admission: Admission
    bodies: BodyReader
    fhir_bodies: BodyReader
    codings: Mapping[str, Coding]
    parts: Parts
    desk: Desk
    deliveries: SignedDeliveries | None
    drift: DriftReading
    registry: RegistryDesk

    @property
    def vocabulary(self) -> Vocabulary:
        return self.parts.vocabulary

    @property
    def slot(self) -> Slot:
        return self.parts.slot

    @property
    def metrics(self) -> Metrics:
        return self.parts.metrics

    def branch_point(self, name: str, caller: Caller, scope: str) -> BranchPoint:
        """The declared branch point, if the caller may ask at it.

        Raises
        ------
        Problem
            404; the name that was asked for is not repeated. 403 when it is not the caller's.
        """
        point = self.vocabulary.branch_points.get(name)
        if point is None:
            raise Problem(404, "No such branch point; GET /v1/branch-points lists them.")
        self.admission.identity.permit(caller, scope, name)
        return point


def state_of(request: Request) -> State:
    state: State = request.app.state.risk
    return state


def as_json(content: Any, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(content), status, media_type=media_type)


def problem_response(path: str, problem: Problem) -> Response:
    """A problem as the clients of a path read it: an OperationOutcome in FHIR, else RFC 9457."""
    if path.startswith(CDS_PATH):
        response = as_json(problem_outcome(problem, in_parameters=False), problem.status)
    elif path.startswith(FHIR_PATH):
        response = as_json(problem_outcome(problem), problem.status, FHIR_JSON)
    else:
        response = as_json(problem.document(), problem.status, PROBLEM_JSON)
    response.headers.update(problem.headers)
    return response


def problem_of(error: Exception) -> Problem:
    """What a domain error is to a client; the one table from errors to statuses."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, LedgerUnavailable):
        again = str(max(1, round(error.retry_after_s)))
        return Problem(503, "Nothing can be recorded now, so nothing is answered.",
                       headers={"Retry-After": again})  # fmt: skip
    if isinstance(error, IdentifierFound):
        return Problem(500, "The request was stopped by the de-identification; nothing was stored.")
    return Problem(500, EXPLAINED[500])
