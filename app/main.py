"""`create_app`: the only place where the parts meet; nothing happens at import."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from app.access_log import AccessLog
from app.cds_hooks import Agreement
from app.cds_hooks.desk import open_desk
from app.cds_hooks.fhir_server import Limits
from app.console.frame.session import Sessions
from app.console.routes import ROUTERS as PAGES
from app.deid import IdentifierFound, Pseudonymiser
from app.errors import EXPLAINED, InputError, Problem, StartRefused
from app.examples import load_examples, show_in
from app.fhir import Coding, load_coding
from app.fhir.coding import RULED
from app.identity import REASONS, Identity, RememberJti, load_deliveries, load_identity
from app.logs import configure_logging
from app.middleware import OnlyOverTls, SecurityHeaders, trusted_networks
from app.routers import (
    assessments,
    cds_hooks,
    declarations,
    deidentification,
    fhir,
    following,
    models,
    monitoring,
    operations,
    outcomes,
    records,
)
from app.routers.admission import DISCOVERY, OPERATIONS, RATE, Admission, guarded_scopes
from app.routers.body import BodyReader
from app.routers.state import (
    FHIR_PATH,
    PROBLEM_JSON,
    State,
    problem_of,
    problem_response,
)
from app.schemas.documents import MeasuredValue
from app.schemas.documents.cds_hooks import ReportDocument
from app.schemas.documents.fhir import OUTCOME, refusal, resource
from app.services.parts import Parts
from app.services.silent_places import SilentPlaces
from app.serving.conditions import site_conditions
from app.serving.figures import DriftReading, OutcomeFollowing
from app.serving.follower import Follower
from app.serving.memory import settle_memory
from app.serving.registry_desk import RegistryDesk
from app.serving.shadow import Challengers, Shadow
from app.serving.slot import ServedModel, Slot
from app.serving.worker_group import WorkerGroup
from app.settings import Settings, is_loopback
from models.reference_scores import refuse_unknown_scores
from models.vocabulary import Vocabulary, load_vocabulary
from monitoring.counting.board import Board
from monitoring.keyring import LEDGER, Keyring, KeysInvalid, load_keyring
from monitoring.ledger import Commitment, Ledger, LedgerError, LedgerUnavailable, TokenUse
from monitoring.metrics import Metrics

VERSION = "0.1.0"
DESCRIPTION = (
    "Calibrated risks of death, complications and poor recovery at the branch points of surgical "
    "and trauma care, with reasons that add up. Decision support only: it predicts, it never decides."
)

NOTE_HEAD_EVERY_S = 300.0
SHOW_STATE_EVERY_S = 1.0
# An exporter that somebody's environment configures would send paths and errors elsewhere.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "auto_configure": False,
}  # fmt: skip
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of a declared issuer (JWT), or an API key.",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
REFUSALS = {
    "401": "Not authenticated",
    "403": "Not allowed: scope, tenant or branch point",
    "429": "Too many requests of this client",
}
ROUTERS = (
    assessments.router,
    declarations.router,
    outcomes.router,
    records.router,
    deidentification.router,
    following.router,
    following.signed,
    models.router,
    monitoring.router,
    fhir.asking,
    fhir.reading,
    fhir.describing,
    cds_hooks.offered,
    cds_hooks.called,
    operations.liveness,
    operations.router,
)

log = structlog.get_logger()


def prepare(settings: Settings) -> Keyring:
    """Make what must be there before the first request: the keys, and the ledger's tables.

    Raises
    ------
    StartRefused
        When callers could not be authenticated where they must be, the keys cannot be used, or the
        database is not the ledger of these keys. Before the first of these nothing is made.
    """
    _identity(settings, load_vocabulary(settings.content))
    try:
        keyring = load_keyring(settings.keys, create=True)
        settings.var_dir.mkdir(parents=True, exist_ok=True)
        Ledger(settings.database, settings.keys).prepare()
    except (KeysInvalid, LedgerError) as error:
        raise StartRefused(str(error)) from None
    except SQLAlchemyError as error:
        raise StartRefused(
            f"the ledger's database cannot be used ({type(error).__name__}): see RISK_DATABASE_URL"
        ) from None
    return keyring


def create_app(settings: Settings, keyring: Keyring, group: WorkerGroup | None = None) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    group : WorkerGroup, optional
        The workers that this one answers beside.

    Raises
    ------
    ContentInvalid
        When the clinical content breaks a rule.
    StartRefused
        When callers could not be authenticated where they must be.
    """
    vocabulary = load_vocabulary(settings.content)
    refuse_unknown_scores(vocabulary)
    metrics = Metrics(vocabulary, (*REASONS, RATE), _soon)
    configure_logging(settings.log_level, lambda: metrics.tripped("log"), _names(settings))
    ledger = _ledger(settings, metrics)
    coding = load_coding(vocabulary)
    recorded = {kind: coding.recorded_as(kind) for kind in RULED}
    limits = Limits(settings.fhir_budget_s)
    desk = open_desk(
        vocabulary, recorded, coding.standing_alone(), limits, explains=settings.console
    )

    async def remember_token(issuer: str, jti: str, expires_at: float) -> bool:
        # Keyed: an issuer may make its `jti` of something that could be guessed.
        said = f"{issuer}\0{jti}".encode()
        token = hmac.digest(keyring.newest(LEDGER).secret, said, "sha256")
        (first,) = await ledger.append(TokenUse(token, int(time.time()), int(expires_at) + 1))
        return bool(first)

    identity = _identity(settings, vocabulary, remember_token, metrics.refused)
    parts = Parts(
        vocabulary=vocabulary,
        slot=Slot(),
        ledger=ledger,
        silence=SilentPlaces(identity.declared_silent(), ledger),
        access_log=AccessLog(keyring),
        pseudonymiser=Pseudonymiser(keyring),
        metrics=metrics,
    )

    def changed(served: Mapping[str, ServedModel]) -> None:
        metrics.ungated(sum(model.gate.doubt is not None for model in served.values()))
        for point in vocabulary.branch_points.values():
            models = (served.get(f"{point.id}.{outcome}") for outcome in point.outcomes)
            metrics.serves([model.profile for model in models if model is not None])
        outcomes_of.serves(
            [(m.model.name, m.version) for m in served.values() if m.model.kind == "binary"]
        )
        settle_memory()

    follower = Follower(
        parts.slot,
        vocabulary,
        settings.var_dir,
        poll_s=settings.registry_poll_s,
        timeout_s=settings.registry_timeout_s,
        changed=changed,
        conditions=site_conditions(settings, keyring),
        group=group,
        challenging=lambda names: challengers.name(names if settings.shadow else ()),
    )
    shadow = Shadow(
        settings.database,
        settings.content,
        parts.ledger,
        changed=lambda rows: follower.tell_shadow([asdict(row) for row in rows]),
    )
    outcomes_of = OutcomeFollowing(
        settings.database, settings.content, settings.outcomes_poll_s, settings.born_at_zero_s
    )
    desk_of_registry = RegistryDesk(settings.var_dir, settings.registry_timeout_s)
    challengers = Challengers(settings.var_dir, settings.registry_timeout_s, shadow)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if identity.is_open:
            log.warning(
                "open_development_mode", note="callers are not authenticated; loopback only"
            )
        await ledger.start()
        await parts.silence.look()
        await identity.begin()
        await follower.begin()
        shadow.go_on(follower.shadow)
        running = [
            follower.run(),
            shadow.run(),
            parts.silence.follow(),
            _note_head(ledger),
            _show_state(parts),
        ]
        if (shared := follower.group.shared()) is not None:
            folder, place = shared
            metrics.share(Board(folder, place))
            if place == 0:
                running.append(outcomes_of.run(folder))
        tasks = [asyncio.create_task(one) for one in running]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await challengers.end()
            await desk_of_registry.end()
            await identity.end()
            await desk.servers.close()
            await ledger.close()

    app = FastAPI(
        title="Complication-risk service",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url=None,  # served by a guarded route
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the path that was asked for
        telemetry=NO_TELEMETRY,
    )
    admission = Admission(
        identity,
        settings.rate_limit_per_s,
        operations=settings.operations,
        discovery=settings.cds_discovery,
        on_refusal=metrics.refused,
    )
    bodies = BodyReader(settings.body_limit_bytes, settings.body_timeout_s)
    fhir_bodies = BodyReader(settings.fhir_body_limit_bytes, settings.body_timeout_s)
    codings = _codings(identity, coding, vocabulary)
    app.state.risk = State(
        settings, follower, admission, bodies, fhir_bodies, codings, parts, desk,
        load_deliveries(settings.webhook_secret_file),
        DriftReading(settings.database, settings.content), desk_of_registry,
    )  # fmt: skip
    app.state.console = Sessions(keyring)
    for router in (*ROUTERS, *(PAGES if settings.console else ())):
        # Not `include_router`: what it wraps around a route costs every request a tenth of its time.
        app.router.routes += router.routes
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            max_age=600,
        )
    if settings.tls == "required":
        app.add_middleware(OnlyOverTls, proxies=trusted_networks(settings.trusted_proxies))
    app.add_middleware(SecurityHeaders, responded=metrics.responded)
    for kind in (Problem, LedgerUnavailable, IdentifierFound):
        app.add_exception_handler(kind, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _parameter_error)
    _document_shared_shapes(app)
    return app


def _soon(act: Callable[[], None]) -> None:
    """After the answers that wait to be sent now."""
    asyncio.get_running_loop().call_soon(act)


def _identity(
    settings: Settings,
    vocabulary: Vocabulary,
    remember_jti: RememberJti | None = None,
    on_refusal: Callable[[str], None] = lambda _: None,
) -> Identity:
    return load_identity(
        host_is_loopback=is_loopback(settings.host),
        tenants_file=settings.tenants_file,
        api_keys_file=settings.api_keys,
        care_units=settings.care_units,
        branch_points=tuple(vocabulary.branch_points),
        silent=settings.silent,
        agreement=Agreement(fhir_servers=frozenset(s.rstrip("/") for s in settings.fhir_servers)),
        authentication=settings.authentication,
        trusted_proxies=settings.trusted_proxies,
        certificate_header=settings.certificate_header,
        remember_jti=remember_jti,
        on_refusal=on_refusal,
    )


def _codings(identity: Identity, own: Coding, vocabulary: Vocabulary) -> dict[str, Coding]:
    """What FHIR codes mean to each tenant."""
    found = {}
    for tenant, (systems, codes) in identity.local_codes().items():
        try:
            found[tenant] = own.for_tenant(systems, codes, vocabulary)
        except ValueError as fault:
            raise StartRefused(f"tenants file: tenant {tenant}: {fault}") from None
    return found


def _ledger(settings: Settings, metrics: Metrics) -> Ledger:
    def committed(commitment: Commitment) -> None:
        failed = commitment.failure is not None
        metrics.committed(commitment.kinds, commitment.duration_s, failed=failed)
        if failed:
            log.error("ledger_failed", error=commitment.failure)

    return Ledger(
        settings.database,
        settings.keys,
        bound=settings.ledger_bound,
        patience_s=settings.ledger_patience_s,
        observe=committed,
    )


async def _show_state(parts: Parts) -> None:
    """Keep what a scrape of another worker tells of this one."""
    while True:
        parts.metrics.silence(current=parts.silence.current)
        parts.metrics.ledger(parts.ledger.waiting, up=parts.ledger.failing is None)
        await asyncio.sleep(SHOW_STATE_EVERY_S)


async def _note_head(ledger: Ledger) -> None:
    """Write the newest link into the log now and then: what a later check can hold the ledger to."""
    noted = 0
    while True:
        await asyncio.sleep(NOTE_HEAD_EVERY_S)
        seq, chain = ledger.head
        if seq != noted:
            log.info("ledger_head", seq=seq, chain=chain)
            noted = seq


def _names(settings: Settings) -> tuple[str, ...]:
    if settings.protected_names is None:
        return ()
    try:
        lines = settings.protected_names.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise StartRefused(
            "RISK_PROTECTED_NAMES cannot be read: expected names, one a line"
        ) from None
    return tuple(line.strip() for line in lines if line.strip())


def _document_shared_shapes(app: FastAPI) -> None:
    """Add the shapes that only hand-written operations refer to."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        schema = build()
        shapes = schema["components"]["schemas"]
        for shape in (MeasuredValue, ReportDocument):
            shapes.setdefault(shape.__name__, shape.model_json_schema())
        shapes.setdefault(OUTCOME, resource(OUTCOME))
        for name in ("HTTPValidationError", "ValidationError"):
            shapes.pop(name, None)
        schema["components"]["securitySchemes"] = SECURITY_SCHEMES | following.SIGNATURE_SCHEME
        scopes = guarded_scopes(ROUTERS)
        for path, operations_of_path in schema["paths"].items():
            for operation in operations_of_path.values():
                if scope := scopes.get(path):
                    _document_admission(operation, scope, fhir=path.startswith(FHIR_PATH))
                found = operation["responses"].get("422", {}).get("content", {})
                if "HTTPValidationError" in str(found):
                    del operation["responses"]["422"]
                for response in operation["responses"].values():
                    content = response.get("content", {})
                    for media_type in [m for m in content if "ProblemDocument" in str(content[m])]:
                        content[PROBLEM_JSON] = content.pop(media_type)
        show_in(schema, load_examples())
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _document_admission(operation: dict[str, Any], scope: str, *, fhir: bool) -> None:
    """Say which scope an operation needs, and how it refuses."""
    if scope == OPERATIONS:
        return
    operation["security"] = [{name: [scope]} for name in SECURITY_SCHEMES]
    told = {PROBLEM_JSON: "ProblemDocument"}
    if scope in (DISCOVERY, cds_hooks.CDS):
        told = {"application/json": "OperationOutcomeDocument"}
    content = {
        media_type: {"schema": {"$ref": f"#/components/schemas/{name}"}}
        for media_type, name in told.items()
    }
    for status, description in REFUSALS.items():
        operation["responses"].setdefault(
            status,
            refusal(description) if fhir else {"description": description, "content": content},
        )


async def _problem(request: Request, error: Exception) -> Response:
    return problem_response(request.scope["path"], problem_of(error))


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = Problem(status, EXPLAINED.get(status, "The request cannot be answered."))
    response = problem_response(request.scope["path"], problem)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


async def _parameter_error(request: Request, error: Exception) -> Response:
    """Say which declared parameter is wrong; the framework's own answer repeats what was sent."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    faults = [
        InputError("", "invalid_value", f"the parameter `{fault['loc'][1]}` has the wrong type")
        for fault in found
    ]
    return await _problem(request, Problem(422, "A parameter of the path or query.", faults))
