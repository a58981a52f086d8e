"""GET the models and one of them; POST a move of its champion, by who may operate."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.console.frame.addresses import HOME
from app.console.frame.door import form_of, page_for
from app.console.frame.site import Reader, page, reader_of
from app.console.models.model_view import model_view, move_view
from app.console.models.view import list_view
from app.errors import Problem
from app.identity import Caller
from app.routers.admission import caller_of
from app.routers.state import State, state_of
from app.services.champions import Mover, Versions, judged, promote, roll_back
from app.services.standing import OutcomeStanding, by_name, standings
from models.errors import ModelNotFound, RegistryUnreachable
from models.vocabulary import BranchPoint

READ, OPERATE = "read", "operate"
MODELS = f"{HOME}/models"
OPERATORS_KEY = "api-key:"
reading = APIRouter(
    prefix=MODELS, tags=["console"], include_in_schema=False, route_class=page_for(READ)
)
operating = APIRouter(
    prefix=MODELS, tags=["console"], include_in_schema=False, route_class=page_for(OPERATE)
)


@reading.get("")
async def show_models(request: Request) -> Response:
    """Every served model of the branch points that the caller may see."""
    state, caller = state_of(request), caller_of(request)
    allowed, challengers = caller.branch_points, _challengers(state)
    points = [
        (point, standings(point, state.slot.models, challengers))
        for point in state.vocabulary.branch_points.values()
        if allowed is None or point.id in allowed
    ]
    asked = dict(request.query_params).get("branch_point")
    chosen = asked if asked in {point.id for point, _ in points} else None
    reader = reader_of(request, caller)
    view = list_view(points, chosen, state.vocabulary, reader)
    return page(request, reader, "models/models.html", view)


@reading.get("/{name}")
async def show_model(name: str, request: Request) -> Response:
    """One model: what is served, its versions, its evaluation."""
    state, caller = state_of(request), caller_of(request)
    point, standing = _known(name, state, caller, READ)
    try:
        versions = await _versions(name, state)
    except RegistryUnreachable:
        versions = None
    reader = reader_of(request, caller)
    workers, _ = state.follower.workers()
    view = model_view(standing, point, versions, workers, state.vocabulary, reader)
    return page(request, reader, "models/model.html", view)


@operating.get("/{name}/versions/{version}/promote")
async def confirm_promotion(name: str, version: str, request: Request) -> Response:
    """What the gate says of a version, and the button."""
    state, caller = state_of(request), caller_of(request)
    _, standing = _known(name, state, caller, OPERATE)
    versions = await _asked(name, state)
    wanted = versions.of(version)
    if wanted is None:
        raise Problem(404, "No such version is registered.")
    return _confirm(request, versions, wanted, "promote", standing, reader_of(request, caller))


@operating.post("/{name}/versions/{version}/promote")
async def promote_version(name: str, version: str, request: Request) -> Response:
    """Make the version champion."""
    state, caller = state_of(request), caller_of(request)
    _known(name, state, caller, OPERATE)
    versions = await _as_seen(name, request)
    await _made(promote(versions, version, _mover(name, state, caller)))
    return RedirectResponse(f"{MODELS}/{name}", 303)


@operating.get("/{name}/rollback")
async def confirm_rollback(name: str, request: Request) -> Response:
    """Which version was champion before, and the button."""
    state, caller = state_of(request), caller_of(request)
    _, standing = _known(name, state, caller, OPERATE)
    versions = await _asked(name, state)
    if versions.back_to is None:
        raise Problem(404, "There is no champion before the present one.")
    reader = reader_of(request, caller)
    return _confirm(request, versions, versions.back_to, "rollback", standing, reader)


@operating.post("/{name}/rollback")
async def roll_version_back(name: str, request: Request) -> Response:
    """Give the alias back."""
    state, caller = state_of(request), caller_of(request)
    _known(name, state, caller, OPERATE)
    versions = await _as_seen(name, request)
    version = (await form_of(request)).get("version", "")
    await _made(roll_back(versions, version, _mover(name, state, caller)))
    return RedirectResponse(f"{MODELS}/{name}", 303)


def _confirm(
    request: Request,
    versions: Versions,
    wanted: Any,
    how: str,
    standing: OutcomeStanding,
    reader: Reader,
) -> Response:
    label = reader.words.label(state_of(request).vocabulary.outcomes[standing.outcome])
    view = move_view(versions, wanted, how, label, reader)
    return page(request, reader, "models/move.html", view)


def _known(
    name: str, state: State, caller: Caller, scope: str
) -> tuple[BranchPoint, OutcomeStanding]:
    branch_point, _, outcome = name.partition(".")
    point = state.branch_point(branch_point, caller, scope)
    if outcome not in point.outcomes:
        raise Problem(404, "No such model.")
    found = standings(point, state.slot.models, _challengers(state))
    return point, next(one for one in found if one.outcome == outcome)


def _challengers(state: State) -> dict[str, Any]:
    workers, _ = state.follower.workers()
    return dict(by_name(row for worker in workers for row in worker.shadow))


async def _versions(name: str, state: State) -> Versions:
    return judged(name, await state.registry.describe(name), state.follower.gate_policy)


async def _asked(name: str, state: State) -> Versions:
    try:
        return await _versions(name, state)
    except RegistryUnreachable:
        raise Problem(503, "The model registry does not answer now; try again.") from None


async def _as_seen(name: str, request: Request) -> Versions:
    """The versions now, if the champion is still the one that the person saw.

    Raises
    ------
    Problem
        409.
    """
    versions = await _asked(name, state_of(request))
    if (await form_of(request)).get("champion") != (versions.champion or ""):
        raise Problem(409, "The champion is another one by now; nothing was moved, look again.")
    return versions


async def _made(move: Any) -> None:
    try:
        await move
    except (RegistryUnreachable, ModelNotFound):
        raise Problem(
            503, "The model registry did not answer in time: look whether the champion was moved."
        ) from None


def _mover(name: str, state: State, caller: Caller) -> Mover:
    return Mover(_by(caller), state.registry, state.follower, state.slot.models.get(name))


def _by(caller: Caller) -> str:
    """Who moved an alias, for the history: the identifier of an API key, and no person's."""
    key = caller.client if caller.client.startswith(OPERATORS_KEY) else ""
    return f"console {key}".strip()
